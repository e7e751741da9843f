"""Sketched least squares beside LAPACK, LSQR and LSMR: time, accuracy, memory."""

from __future__ import annotations

import operator
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.linalg as sla
import scipy.sparse as sp
from scipy.sparse.linalg import lsmr, lsqr
from threadpoolctl import threadpool_limits

from ...sketching import SparseSign, lstsq
from ..environment import environment

TITLE = "Sketched least squares: seconds, backward and forward errors, memory"
COLUMNS = [
    "problem",
    "shape",
    "condition",
    "solver",
    "seconds",
    "backward_error",
    "forward_error",
    "peak_mb",
    "gb_per_s",
]

_EPS = float(np.finfo(float).eps)
_THREADS = 1  # of BLAS and of our passes alike: the peers differ in how well they use more
_LIMITED_ITERATIONS = 500  # of LSQR and LSMR on dense systems, where the truth is that they do not get there

_LARGE = 40_000  # numbers of a matrix from which asking should cost next to nothing

Row = dict[str, Any]


@dataclass(frozen=True)
class _System:
    """A least-squares problem with what its answers are judged by."""

    A: Any
    b: np.ndarray
    solution: np.ndarray
    upper: np.ndarray  # R of a QR factorisation of A

    def judge(self, x: np.ndarray) -> tuple[float, float]:
        """Relative backward error (Karlson-Walden, from the exact factor) and relative forward error."""
        residual = self.b - self.A @ x
        gradient = self.A.T @ residual
        size = float(np.linalg.norm(x))
        forward = float(np.linalg.norm(x - self.solution) / np.linalg.norm(self.solution))
        if size == 0.0:
            return np.inf, forward
        _, values, right = sla.svd(self.upper)
        weights = np.sqrt(values**2 + (np.linalg.norm(residual) / size) ** 2)
        backward = np.linalg.norm((right @ gradient) / weights) / (size * np.linalg.norm(values))
        return float(backward), forward


def run(quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """Everything on one thread; solvers of a problem take turns, the least time of the rounds counts."""
    rows: list[Row] = []
    with threadpool_limits(_THREADS):
        for shape, conditions in _dense_cases(quick):
            for condition in conditions:
                progress(f"dense {shape[0]} x {shape[1]}, condition {condition:.0e}")
                rows += _dense(*shape, condition, rounds=2 if quick or shape[0] * shape[1] > 2e7 else 3)
        for condition in (1e1, 1e4, 1e6):
            progress(f"sparse, condition {condition:.0e}")
            rows += _sparse(*((100_000, 200) if quick else (1_000_000, 1_000)), condition)
        progress("applying a sketch")
        rows += _application(quick)
        progress("small and square systems")
        rows += _small()
    return {"environment": environment() | {"threads": _THREADS}, "rows": rows, "targets": _targets(rows)}


def _dense_cases(quick: bool) -> list[tuple[tuple[int, int], tuple[float, ...]]]:
    if quick:
        return [((20_000, 100), (1e1, 1e6)), ((20_000, 300), (1e1, 1e6, 1e12))]
    every = (1e1, 1e4, 1e8, 1e12)
    return [
        ((20_000, 100), every),
        ((50_000, 200), every),
        ((100_000, 500), every),
        ((200_000, 500), (1e6,)),
    ]


def _dense(m: int, n: int, condition: float, rounds: int) -> list[Row]:
    system = _dense_system(m, n, condition)
    A, b = system.A, system.b
    solvers: dict[str, Callable[[], np.ndarray]] = {
        "karush auto": lambda: lstsq(A, b, rng=0, workers=_THREADS).x,
        "karush fossils": lambda: lstsq(A, b, method="fossils", rng=0, workers=_THREADS).x,
        "karush spir": lambda: lstsq(A, b, method="spir", rng=0, workers=_THREADS).x,
        "QR": lambda: _by_qr(A, b),
        "gelsy": lambda: sla.lstsq(A, b, lapack_driver="gelsy")[0],
        "gelsd": lambda: sla.lstsq(A, b, lapack_driver="gelsd")[0],
        "lsqr": lambda: _lsqr(A, b, _LIMITED_ITERATIONS),
        "lsmr": lambda: _lsmr(A, b, _LIMITED_ITERATIONS),
        "clarkson-woodruff": lambda: _clarkson_woodruff(A, b),
    }
    return _compare("dense", (m, n), condition, system, solvers, rounds)


def _compare(
    problem: str,
    shape: tuple[int, int],
    condition: float,
    system: _System,
    solvers: dict[str, Callable[[], np.ndarray]],
    rounds: int,
) -> list[Row]:
    seconds: dict[str, float] = {}
    peaks: dict[str, float] = {}
    answers: dict[str, np.ndarray] = {}
    for round_ in range(rounds):
        for name, solve in solvers.items():
            if round_ and seconds[name] > 20.0:
                continue
            start = time.perf_counter()
            answers[name] = solve()
            seconds[name] = min(seconds.get(name, np.inf), time.perf_counter() - start)
    for name, solve in solvers.items():
        peaks[name] = _peak_memory(solve) if seconds[name] < 20.0 else np.nan
    rows = []
    for name, x in answers.items():
        backward, forward = system.judge(x)
        rows.append(
            {
                "problem": problem,
                "shape": f"{shape[0]} x {shape[1]}",
                "condition": condition,
                "solver": name,
                "seconds": seconds[name],
                "backward_error": backward,
                "forward_error": forward,
                "peak_mb": peaks[name],
            }
        )
    return rows


def _peak_memory(solve: Callable[[], Any]) -> float:
    """Megabytes that numpy and scipy allocate beyond A and b at the worst moment."""
    tracemalloc.start()
    try:
        solve()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def _dense_system(m: int, n: int, condition: float) -> _System:
    """A Gaussian matrix times one of the wanted condition; a residual of norm 1e-3 off its range."""
    rng = np.random.default_rng(12345)
    left = sla.qr(rng.standard_normal((n, n)))[0]
    right = sla.qr(rng.standard_normal((n, n)))[0]
    A = rng.standard_normal((m, n)) / np.sqrt(m) @ ((left * np.logspace(0, -np.log10(condition), n)) @ right)
    x = rng.standard_normal(n)
    return _with_residual(A, x / np.linalg.norm(x), rng)


def _with_residual(A: Any, x: np.ndarray, rng: np.random.Generator, size: float = 1e-3) -> _System:
    upper = _triangle(A)
    residual = rng.standard_normal(A.shape[0])
    for _ in range(3):  # refined, so that x is the solution to the last digits that it has
        half = sla.solve_triangular(upper, A.T @ residual, trans="T")
        residual -= A @ sla.solve_triangular(upper, half)
    residual *= size / np.linalg.norm(residual)
    return _System(A, A @ x + residual, x, upper)


def _triangle(A: Any) -> np.ndarray:
    """R of A, block by block of rows: A may be sparse and large."""
    n = A.shape[1]
    upper = np.zeros((0, n))
    step = max(4 * n, 20_000)
    for low in range(0, A.shape[0], step):
        block = A[low : low + step]
        dense = block.toarray() if sp.issparse(block) else block
        upper = sla.qr(np.vstack([upper, dense]), mode="r")[0][:n]
    return np.triu(upper)


def _by_qr(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    rotated, upper = sla.qr_multiply(A, b, mode="right")
    return np.asarray(sla.solve_triangular(upper, rotated))


def _lsqr(A: Any, b: np.ndarray, most: int) -> np.ndarray:
    return np.asarray(lsqr(A, b, atol=1e-15, btol=1e-15, conlim=0.0, iter_lim=most)[0])


def _lsmr(A: Any, b: np.ndarray, most: int) -> np.ndarray:
    return np.asarray(lsmr(A, b, atol=1e-15, btol=1e-15, conlim=0.0, maxiter=most)[0])


def _clarkson_woodruff(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sketch-and-solve with scipy's transform: a cheap answer of low accuracy."""
    d = min(A.shape[0], 12 * A.shape[1])
    both = sla.clarkson_woodruff_transform(np.column_stack([A, b]), d, rng=np.random.default_rng(0))
    return np.asarray(sla.lstsq(both[:, :-1], both[:, -1])[0])


def _sparse(m: int, n: int, condition: float) -> list[Row]:
    system = _sparse_system(m, n, condition)
    A, b = system.A, system.b
    most = 20 * n
    solvers: dict[str, Callable[[], np.ndarray]] = {
        "karush auto": lambda: lstsq(A, b, rng=0, workers=_THREADS).x,
        "lsqr": lambda: _lsqr(A, b, most),
        "lsmr": lambda: _lsmr(A, b, most),
    }
    return _compare("sparse", (m, n), condition, system, solvers, rounds=2)


def _sparse_system(m: int, n: int, condition: float) -> _System:
    """Ten random entries a row, times a bidiagonal matrix of about the wanted condition."""
    rng = np.random.default_rng(54321)
    columns = rng.integers(0, n, size=(m, 10))
    entries = rng.standard_normal((m, 10))
    A = sp.csr_array((entries.ravel(), columns.ravel(), np.arange(0, 10 * m + 1, 10)), shape=(m, n))
    A.sum_duplicates()
    A = sp.csr_array(A @ _bidiagonal(n, condition))
    A.sort_indices()
    x = rng.standard_normal(n)
    return _with_residual(A, x / np.linalg.norm(x), rng, size=1e-1)


def _bidiagonal(n: int, condition: float) -> Any:
    """1 on the diagonal, -a beside it, with a chosen by bisection on the condition number."""
    low, high = 0.0, 1.2
    for _ in range(40):
        middle = (low + high) / 2.0
        values = sla.svdvals(np.eye(n) - middle * np.eye(n, k=1)) if n <= 200 else _extremes(n, middle)
        low, high = (middle, high) if values[0] / values[-1] < condition else (low, middle)
    return sp.diags_array([np.ones(n), np.full(n - 1, -low)], offsets=[0, 1]).tocsr()


def _extremes(n: int, a: float) -> np.ndarray:
    """Extreme singular values of the bidiagonal matrix, from its tridiagonal Gram matrix's inverse powers."""
    matrix = sp.diags_array([np.ones(n), np.full(n - 1, -a)], offsets=[0, 1]).toarray()
    vector = np.ones(n)
    for _ in range(30):
        half = sla.solve_triangular(matrix, vector / np.linalg.norm(vector), trans="T")
        vector = sla.solve_triangular(matrix, half)
    return np.array([1.0 + a, 1.0 / np.sqrt(np.linalg.norm(vector))])


def _application(quick: bool) -> list[Row]:
    """SparseSign on dense matrices, beside what reading and copying the matrix costs."""
    rows = []
    shapes = (
        ((100_000, 100, 1_200),)
        if quick
        else ((1_000_000, 50, 600), (100_000, 500, 1_000), (100_000, 500, 6_000))
    )
    for n, k, d in shapes:
        A = np.random.default_rng(1).standard_normal((n, k))
        columns = np.asfortranarray(A)
        copy = np.empty_like(A)
        S, stack = SparseSign.sample(0, d, n), SparseSign.sample(0, d, n, zeta=4)
        as_csr = S.tocsc().tocsr()
        calls: dict[str, Callable[[], Any]] = {
            "read (sum)": A.sum,
            "copy": partial(np.copyto, copy, A),
            "SparseSign, C order": partial(operator.matmul, S, A),
            "SparseSign, Fortran order": partial(operator.matmul, S, columns),
            "SparseSign, C order, 2 threads": partial(S.apply, A, workers=2),
            "SparseSign of 4, C order": partial(operator.matmul, stack, A),
            "csr_array @ A": partial(operator.matmul, as_csr, A),
        }
        seconds = _in_turns(calls, rounds=3)
        moved = A.nbytes / 1e9
        rows += [
            {
                "problem": "apply",
                "shape": f"{d} x {n} on {n} x {k}",
                "solver": name,
                "seconds": value,
                "gb_per_s": moved / value * (2.0 if name == "copy" else 1.0),
            }
            for name, value in seconds.items()
        ]
    return rows


def _in_turns(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Least seconds of each call, over rounds in which they take turns."""
    seconds = dict.fromkeys(calls, np.inf)
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds


def _small() -> list[Row]:
    """Where sketching does not pay: what asking costs."""
    rng = np.random.default_rng(2)
    rows = []
    for m, n in (
        (20, 5),
        (50, 50),
        (200, 200),
        (1_000, 1_000),
        (1_000, 50),
        (2_000, 200),
        (5_000, 400),
        (50, 500),
    ):
        A, b = rng.standard_normal((m, n)), rng.standard_normal(m)
        calls: dict[str, Callable[[], Any]] = {
            "karush auto": partial(lstsq, A, b, rng=0, workers=_THREADS),
            "gelsy": partial(sla.lstsq, A, b, lapack_driver="gelsy"),
            "gelsd": partial(sla.lstsq, A, b, lapack_driver="gelsd"),
        }
        if m > n:
            calls["QR"] = partial(_by_qr, A, b)
        if m == n:
            calls["LU"] = partial(sla.solve, A, b)
        seconds = _in_turns(calls, rounds=9)
        rows += [
            {"problem": "small", "shape": f"{m} x {n}", "solver": name, "seconds": value}
            for name, value in seconds.items()
        ]
    return rows


def _targets(rows: list[Row]) -> list[dict[str, Any]]:
    dense = [row for row in rows if row["problem"] == "dense"]
    largest = [row for row in dense if row["shape"] == max((r["shape"] for r in dense), key=_numbers)]
    hundred = [row for row in dense if row["shape"] == "100000 x 500"] or largest
    sparse = [row for row in rows if row["problem"] == "sparse" and row["condition"] >= 1e4]
    return [
        _at_least("times faster than gelsy, least", _ratio(hundred, "gelsy"), 3.0),
        _at_least("times faster than QR, least", _ratio(hundred, "QR"), 2.0),
        _at_most("backward error over QR's, most", _excess(dense), 10.0),
        _at_least("times faster than LSQR on sparse systems, least", _ratio(sparse, "lsqr"), 2.0),
        _at_least("SparseSign on C order over reading bandwidth, least", _bandwidth(rows), 0.5),
        _at_most(
            "auto over the best deterministic, 40,000 numbers and more",
            _overhead(rows, large=True),
            1.2,
        ),
        _at_most("auto over the best deterministic, smaller", _overhead(rows, large=False), 1.2),
    ]


def _numbers(shape: str) -> int:
    m, n = shape.split(" x ")
    return int(m) * int(n)


def _groups(rows: list[Row]) -> dict[tuple[str, Any], dict[str, Row]]:
    groups: dict[tuple[str, Any], dict[str, Row]] = {}
    for row in rows:
        groups.setdefault((row["shape"], row.get("condition")), {})[row["solver"]] = row
    return groups


def _ratio(rows: list[Row], peer: str) -> float:
    groups = _groups(rows).values()
    return float(min(group[peer]["seconds"] / group["karush auto"]["seconds"] for group in groups))


def _excess(rows: list[Row]) -> float:
    """Backward errors below a roundoff count as one: who is further below does not matter."""
    errors = [
        tuple(max(group[name]["backward_error"], _EPS / 2) for name in ("karush auto", "QR"))
        for group in _groups(rows).values()
    ]
    return float(max(ours / theirs for ours, theirs in errors))


def _bandwidth(rows: list[Row]) -> float:
    groups = _groups([row for row in rows if row["problem"] == "apply"]).values()
    ratios = [group["SparseSign, C order"]["gb_per_s"] / group["read (sum)"]["gb_per_s"] for group in groups]
    return float(min(ratios))


def _overhead(rows: list[Row], *, large: bool) -> float:
    worst = 0.0
    for (shape, _), group in _groups([row for row in rows if row["problem"] == "small"]).items():
        if (_numbers(shape) >= _LARGE) == large:
            best = min(row["seconds"] for name, row in group.items() if name != "karush auto")
            worst = max(worst, group["karush auto"]["seconds"] / best)
    return worst


def _at_least(name: str, value: float, limit: float) -> dict[str, Any]:
    return {"name": name, "value": value, "target": f">= {limit:g}", "met": bool(value >= limit)}


def _at_most(name: str, value: float, limit: float) -> dict[str, Any]:
    return {"name": name, "value": value, "target": f"<= {limit:g}", "met": bool(value <= limit)}
