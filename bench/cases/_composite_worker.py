"""One solver on one problem, in a process of its own; runs under any interpreter, with numpy and the solver.

``python _composite_worker.py TASK.json`` prints one line of JSON. Seconds are CPU seconds of one thread, the
least of some repetitions after one to warm up. A solver is run at ever sharper tolerances until its duality
gap, computed here and the same way for all, is at most what is asked for; that run counts.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

Fit = Callable[[Any, Any, dict[str, Any], float], Any]
_SLOW = 20.0
"""Seconds after which a run is not repeated, and no sharper one is begun."""


def main(path: str) -> None:
    """Read the task, solve, print."""
    warnings.simplefilter("ignore")
    with open(path) as file:
        task = json.load(file)
    if task["kind"] == "cold":
        print(json.dumps(_cold()))
        return
    fit = _SOLVERS[task["solver"]]
    lambdas = [task["lambda"]] if task["kind"] != "path" else task["lambdas"]
    answer: dict[str, Any] = {"seconds": None, "gap": None}
    try:
        _warm_up(fit, task)
        X, y = _data(task)
        before = _forget_peak()  # X, imports and kernels are in it
        for tol in _TOLERANCES[task["solver"]]:
            seconds, coefs = _timed(partial(fit, X, y, task, tol))
            gaps = [_relative_gap(X, y, w, lam, task) for w, lam in zip(coefs, lambdas, strict=True)]
            answer |= {"seconds": seconds, "gap": max(gaps), "tol": tol}
            answer["nonzeros"] = int(np.count_nonzero(coefs[-1]))
            if "memory" not in answer:
                answer["memory"] = None if before is None else 1.0 + (_resident("VmHWM") - before) / _size(X)
                answer["size"] = _size(X)
            if max(gaps) <= task["gap"] or seconds > _SLOW:
                break
    except Exception as error:  # a peer that fails is a row of the table
        answer["error"] = f"{type(error).__name__}: {error}"[:200]
    print(json.dumps(answer))


def _forget_peak() -> int | None:
    """Set the high-water mark of memory back to what is resident now, in bytes; None where Linux cannot."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        return _resident("VmRSS")
    except OSError:
        return None


def _resident(key: str) -> int:
    """A line of the kernel's account of this process, in bytes."""
    with open("/proc/self/status") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith(key))


def _data(task: dict[str, Any]) -> tuple[Any, Any]:
    folder = task["data"]
    y = np.load(f"{folder}/y.npy")
    if not task["sparse"]:
        return np.load(f"{folder}/X.npy"), y
    from scipy import sparse

    parts = [np.load(f"{folder}/{part}.npy") for part in ("data", "indices", "indptr")]
    return sparse.csc_matrix(tuple(parts), shape=tuple(task["shape"])), y


def _size(X: Any) -> int:
    if isinstance(X, np.ndarray):
        return int(X.nbytes)
    return int(X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)


def _warm_up(fit: Fit, task: dict[str, Any]) -> None:
    """A small problem of the same types, so that nothing is compiled in what is timed."""
    rng = np.random.default_rng(0)
    X: Any = np.asfortranarray(rng.standard_normal((60, 80)))
    y = X[:, 0] + rng.standard_normal(60)
    if task["loss"] == "logistic":
        y = np.sign(y)
    if task["sparse"]:
        from scipy import sparse

        X = sparse.csc_matrix(X * (rng.random(X.shape) < 0.3))
    top = float(np.max(np.abs(X.T @ y)))
    small = {**task, "lambda": top / 4, "lambdas": [top / 2, top / 4]}
    fit(X, y, small, 1e-3)


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    best, coefs = np.inf, None
    for _ in range(3):
        started = time.process_time()
        coefs = run()
        best = min(best, time.process_time() - started)
        if best > _SLOW / 4:
            break
    return best, coefs


def _relative_gap(X: Any, y: Any, w: Any, lam: float, task: dict[str, Any]) -> float:
    """Duality gap over the objective at zero, dual point by scaling."""
    eta, g = np.asarray(X @ w).ravel(), task["group"]
    squares, margins = task["loss"] == "squares", y * eta
    u = eta - y if squares else -y / (1.0 + np.exp(margins))
    forces = np.asarray(X.T @ u).ravel()
    if g:
        norms, level = np.linalg.norm(forces.reshape(-1, g), axis=1), lam * np.sqrt(g)
        penalty = level * np.linalg.norm(w.reshape(-1, g), axis=1).sum()
    else:
        norms, level = np.abs(forces), lam
        penalty = lam * np.abs(w).sum()
    t = min(1.0, level / max(norms.max(), 1e-300))
    if squares:
        primal, dual = 0.5 * u @ u + penalty, -t * (u @ y) - 0.5 * t * t * (u @ u)
        return float((primal - dual) / (0.5 * y @ y))
    p = np.clip(-t * u * y, 1e-300, 1.0)
    primal = np.logaddexp(0.0, -margins).sum() + penalty
    dual = -np.sum(p * np.log(p) + (1 - p) * np.log(np.maximum(1 - p, 1e-300)))
    return float((primal - dual) / (y.size * np.log(2.0)))


def _cold() -> dict[str, Any]:
    """Wall time of a first fit, imports included."""
    rng = np.random.default_rng(0)
    X, y = np.asfortranarray(rng.standard_normal((100, 200))), rng.standard_normal(100)
    started, cpu = time.perf_counter(), time.process_time()
    import karush
    from karush.problems.composite import L1, LeastSquares

    karush.minimize_composite(LeastSquares(y), L1(5.0), X)
    return {"wall": time.perf_counter() - started, "seconds": time.process_time() - cpu}


class _PathCoefficients(Sequence[Any]):
    """The coefficients of a path, dense when they are asked for: a path itself keeps them sparse."""

    def __init__(self, path: Any) -> None:
        self._path = path

    def __len__(self) -> int:
        return int(self._path.lambdas.size)

    def __getitem__(self, i: Any) -> Any:
        if not -len(self) <= i < len(self):
            raise IndexError(i)
        return self._path.coef(i % len(self))


# ---- solvers: coefficients for each lambda -----------------------------------------------------------------


def _karush(X: Any, y: Any, task: dict[str, Any], tol: float) -> Any:
    import karush
    from karush.problems.composite import L1, GroupLasso, LeastSquares, Logistic

    loss = LeastSquares(y) if task["loss"] == "squares" else Logistic(y)
    if task["kind"] == "path":
        path = karush.composite_path(loss, L1(1.0), X, lambdas=task["lambdas"], tol=tol)
        return _PathCoefficients(path)
    lam = task["lambda"]
    penalty = GroupLasso(lam, task["group"]) if task["group"] else L1(lam)
    return [karush.minimize_composite(loss, penalty, X, tol=tol).x]


def _celer(X: Any, y: Any, task: dict[str, Any], tol: float) -> Any:
    import celer

    n = y.size
    if task["kind"] == "path":
        alphas = np.array(task["lambdas"]) / n
        coefs = celer.celer_path(X, y, "lasso", alphas=alphas, tol=tol)[1]
        return list(coefs.T)
    lam = task["lambda"]
    if task["loss"] == "logistic":
        model = celer.LogisticRegression(C=1.0 / lam, fit_intercept=False, tol=tol)
    elif task["group"]:
        g = task["group"]
        weights = np.full(X.shape[1] // g, np.sqrt(g))
        model = celer.GroupLasso(groups=g, alpha=lam / n, fit_intercept=False, tol=tol, weights=weights)
    else:
        model = celer.Lasso(alpha=lam / n, fit_intercept=False, tol=tol)
    return [np.ravel(model.fit(X, y).coef_)]


def _skglm(X: Any, y: Any, task: dict[str, Any], tol: float) -> Any:
    import skglm

    n = y.size
    if task["kind"] == "path":
        alphas = np.array(task["lambdas"]) / n
        model = skglm.Lasso(fit_intercept=False, tol=tol * alphas[-1])
        return list(model.path(X, y, alphas)[1].T)
    lam, g = task["lambda"], task["group"]
    options = {"alpha": lam / n, "fit_intercept": False, "tol": tol * lam / n}
    if task["loss"] == "logistic":
        model = skglm.SparseLogisticRegression(**options)
    elif g:
        model = skglm.GroupLasso(groups=g, weights=np.full(X.shape[1] // g, np.sqrt(g)), **options)
    else:
        model = skglm.Lasso(**options)
    return [np.ravel(model.fit(X, y).coef_)]


def _sklearn(X: Any, y: Any, task: dict[str, Any], tol: float) -> Any:
    from sklearn.linear_model import Lasso, lasso_path

    n = y.size
    if task["kind"] == "path":
        alphas = np.array(task["lambdas"]) / n
        return list(lasso_path(X, y, alphas=alphas, tol=tol, max_iter=100_000)[1].T)
    model = Lasso(alpha=task["lambda"] / n, fit_intercept=False, tol=tol, max_iter=100_000)
    return [np.ravel(model.fit(X, y).coef_)]


def _adelie(X: Any, y: Any, task: dict[str, Any], tol: float) -> Any:
    import adelie as ad

    n, p = X.shape
    glm = ad.glm.gaussian(y=y) if task["loss"] == "squares" else ad.glm.binomial(y=(y > 0).astype(float))
    lambdas = np.array(task["lambdas"] if task["kind"] == "path" else [task["lambda"]]) / n
    groups = np.arange(0, p, task["group"]) if task["group"] else None
    matrix = ad.matrix.sparse(X, method="naive", n_threads=1) if task["sparse"] else X
    state = ad.grpnet(
        X=matrix,
        glm=glm,
        groups=groups,
        lmda_path=lambdas,
        intercept=False,
        tol=tol,
        early_exit=False,
        irls_tol=min(tol, 1e-7),
        progress_bar=False,
        n_threads=1,
    )
    return list(state.betas.toarray())


def _glmnet(X: Any, y: Any, task: dict[str, Any], tol: float) -> Any:
    import glmnet

    lambdas = np.array(task["lambdas"] if task["kind"] == "path" else [task["lambda"]]) / y.size
    model = glmnet.LogitNet if task["loss"] == "logistic" else glmnet.ElasticNet
    fitted = model(
        alpha=1.0,
        lambda_path=lambdas,
        n_splits=0,
        standardize=False,
        fit_intercept=False,
        tol=tol,
        max_iter=1_000_000,
    ).fit(X, y)
    return list(np.reshape(fitted.coef_path_, (X.shape[1], lambdas.size)).T)


_SOLVERS: dict[str, Fit] = {
    "karush": _karush,
    "celer": _celer,
    "skglm": _skglm,
    "sklearn": _sklearn,
    "adelie": _adelie,
    "glmnet": _glmnet,
}
_TOLERANCES = {
    "karush": (1e-6,),
    "celer": (1e-4, 1e-5, 1e-6, 1e-7, 1e-9, 1e-11, 1e-12, 1e-13),
    "skglm": (1e-2, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6),
    "sklearn": (1e-4, 1e-5, 1e-6, 1e-7),
    "adelie": (1e-7, 1e-9, 1e-11, 1e-13, 1e-15, 1e-17),
    "glmnet": (1e-7, 1e-9, 1e-11, 1e-13, 1e-15, 1e-17),
}


if __name__ == "__main__":
    main(sys.argv[1])
