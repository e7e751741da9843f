"""Hypergradient methods beside implicit differentiation by others: oracle calls and seconds to the optimum.

Cases: penalties of ridge and logistic regression (one, or one per feature), weights of samples, weights of
total variation, filters, an ill-conditioned quadratic; and the weights at growing sizes. All methods start at
the problem's x0 and y0.

A gap is F(x, y*(x)) above the best F of all methods, relative to the larger of that F and of the gap at the
start; y*(x) is solved for anew, almost exactly, at each x that a method came to. F of the denoising problems
is far below 1, so that a gap relative to 1 would say nothing.

"calls" is the sum of the gradients of both levels, of products with the lower Hessian, and of lower Hessians,
each of which the method factorises once; the parts are in the rows ("parts_1e-6"). Products with a Hessian
that is there as a matrix are not counted for anybody; jaxopt's conjugate gradients never have one. "s" is
processor time, the least of some rounds in turn, after compilation; the library's own includes checks,
counting and certificates. "ratio" is seconds to 1e-6 over those of the best peer.

The peers in JAX have both levels compiled into one program, ours and L-BFGS-B on the exact hypergradient call
numpy and scipy.sparse: on small problems seconds compare these more than the methods. L-BFGS-B has the same
oracles as ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ...problems.bilevel.callables import bilevel_from_callables
from ...problems.bilevel.collection.imaging import _images
from ...problems.bilevel.data_sets import (
    CLASSIFICATION,
    REGRESSION,
    class_data,
    regression_data,
    shipped_data,
)
from ...problems.bilevel.problem import BilevelProblem
from ...problems.bilevel.registry import get_bilevel
from ...solvers.bilevel.implicit import Implicit
from ...solvers.bilevel.maid import Maid
from . import _bilevel_hypergradient_jax as in_jax
from ._bilevel_hypergradient_peers import scipy_trace, sparho_trace
from ._bilevel_hypergradient_traces import Judge, Trace, fastest, run_of, total

Row = dict[str, Any]
Runner = Callable[[], Trace]

OURS = ("implicit", "maid")
EXACT = "L-BFGS-B, exact hypergradient"
GAPS = {"1e-3": 1e-3, "1e-6": 1e-6}
MAX_SECONDS = 15.0
"""Of a run, after which its trace ends."""

TOL = 1e-8
"""Of our methods: some of the optima lie in wide flats, where 1e-6 is reached too early for gaps of 1e-6."""

_LONG = 0.5
"""Seconds of a run from which on it is repeated once only."""


_COUNTABLE = 5.0
"""Seconds up to which a run of jaxopt is done again to count its products."""


@dataclass(frozen=True)
class Case:
    """A problem of the collection, or the quadratic.

    `growth`: one of a family of growing sizes. `in_jax`: also by the peers in JAX, which take
    seconds to compile.
    """

    title: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)
    growth: bool = False
    in_jax: bool = True

    def build(self) -> BilevelProblem:
        """The problem."""
        if self.name == "QUADRATIC":
            return quadratic(**self.options)
        return get_bilevel(self.name, **self.options)


def cases(quick: bool) -> list[Case]:
    """What is measured."""
    if quick:
        return [
            Case("RIDGE diabetes, one penalty", "RIDGE", {"data": "diabetes", "per_feature": False}),
            Case("HYPER-CLEANING wine", "HYPER-CLEANING", {"data": "wine"}, in_jax=False),
            Case("TV-WEIGHTS 16 x 16", "TV-WEIGHTS", {"side": 16}, growth=True, in_jax=False),
            Case("TV-WEIGHTS 32 x 32", "TV-WEIGHTS", {"side": 32}, growth=True, in_jax=False),
        ]
    found = [
        Case("RIDGE diabetes", "RIDGE", {"data": "diabetes"}),
        Case("RIDGE diabetes, one penalty", "RIDGE", {"data": "diabetes", "per_feature": False}),
        Case("RIDGE synthetic", "RIDGE", {"samples": 200, "features": 20}),
        Case(
            "RIDGE synthetic, one penalty", "RIDGE", {"samples": 150, "features": 100, "per_feature": False}
        ),
        Case("LOGISTIC wine", "LOGISTIC", {"data": "wine"}),
        Case("LOGISTIC wine, one penalty", "LOGISTIC", {"data": "wine", "penalties": "one"}),
        Case("LOGISTIC breast-cancer", "LOGISTIC", {"data": "breast-cancer"}),
        Case(
            "LOGISTIC breast-cancer, one penalty", "LOGISTIC", {"data": "breast-cancer", "penalties": "one"}
        ),
        Case("HYPER-CLEANING wine", "HYPER-CLEANING", {"data": "wine"}),
        Case("FILTERS 24 x 24", "FILTERS", {"side": 24}),
        Case("QUADRATIC", "QUADRATIC"),
    ]
    found += [
        Case(f"TV-WEIGHTS {side} x {side}", "TV-WEIGHTS", {"side": side, "blocks": 4}, growth=True)
        for side in (16, 32, 64, 128)
    ]
    found += [
        Case(f"HYPER-CLEANING {n}", "HYPER-CLEANING", {"samples": n, "features": n // 10}, growth=True)
        for n in (100, 300, 1000)
    ]
    return found


def rows(quick: bool, progress: Callable[[str], None]) -> list[Row]:
    """One row for each case and method."""
    found: list[Row] = []
    with threadpool_limits(1):
        for case in cases(quick):
            progress(case.title)
            found += _rows_of(case, rounds=2 if quick else 3)
    return found


# ---- the problems ----------------------------------------------------------------------------------------


def quadratic(n: int = 10, rows: int = 1000, rng: Any = 0) -> BilevelProblem:
    """F = .5 ||A1 y - b1||^2, f = .5 ||A2 x + A3 y - b2||^2 with entries from [0, 1].

    After the quadratics of Ehrhardt & Roberts (2023) and of MAID; F(x, y*(x)) has a condition of some 1e8.
    """
    A1, b1, A2, A3, b2 = _quadratic_data(n, rows, rng)
    upper_hess = np.zeros((2 * n, 2 * n))
    upper_hess[n:, n:] = A1.T @ A1
    both = np.hstack([A2, A3])
    lower_hess = both.T @ both

    def lower_jac(x: Any, y: Any) -> tuple[Any, Any]:
        residual = A2 @ x + A3 @ y - b2
        return A2.T @ residual, A3.T @ residual

    return bilevel_from_callables(
        lambda x, y: 0.5 * np.sum((A1 @ y - b1) ** 2),
        lambda x, y: 0.5 * np.sum((A2 @ x + A3 @ y - b2) ** 2),
        np.ones(n),
        np.ones(n),
        upper_jac=lambda x, y: (np.zeros(n), A1.T @ (A1 @ y - b1)),
        upper_hess=lambda x, y: upper_hess,
        lower_jac=lower_jac,
        lower_hess=lambda x, y: lower_hess,
        name="QUADRATIC",
        lower_convex=True,
    )


def _quadratic_data(n: int = 10, rows: int = 1000, rng: Any = 0) -> tuple[Any, ...]:
    rng = np.random.default_rng(rng)
    A1, A2, A3 = rng.random((3, rows, n))
    b1 = A1 @ rng.random(n) + 0.01 * rng.standard_normal(rows)
    return A1, b1, A2, A3, rng.random(rows)


def _split(case: Case) -> Any:
    """The data of a learning problem."""
    data, options = case.options.get("data", "synthetic"), case.options
    if data != "synthetic":
        return shipped_data(data, REGRESSION if case.name == "RIDGE" else CLASSIFICATION)
    if case.name == "RIDGE":
        return regression_data(0, options["samples"], options["features"])
    return class_data(0, options["samples"], options["features"], options.get("classes", 3))


def _levels_in_jax(case: Case, problem: BilevelProblem) -> Any:
    """F(x, y) and f(x, y) for JAX."""
    if case.name == "QUADRATIC":
        return in_jax.quadratic(*_quadratic_data(**case.options))
    if case.name in ("TV-WEIGHTS", "FILTERS"):
        clean, noisy = _images(case.options["side"], 0.1, 0)
        if case.name == "FILTERS":
            return in_jax.filters(clean, noisy)
        return in_jax.total_variation(clean, noisy, case.options.get("blocks", 2))
    A, b, V, c = _split(case)
    if case.name == "HYPER-CLEANING":
        return in_jax.hyper_cleaning(A, _with_errors(b, int(max(b.max(), c.max())) + 1), V, c)
    group = np.arange(A.shape[1]) if problem.n_x > 1 else np.zeros(A.shape[1], dtype=int)
    make = in_jax.ridge if case.name == "RIDGE" else in_jax.logistic
    return make(A, b, V, c, group)


def _with_errors(b: Any, classes: int) -> Any:
    """The labels of "HYPER-CLEANING": 30 % of them wrong."""
    rng = np.random.default_rng(0)
    labels = b.copy()
    wrong = rng.random(labels.size) < 0.3
    labels[wrong] = (labels[wrong] + rng.integers(1, classes, size=int(wrong.sum()))) % classes
    return labels


# ---- the methods -----------------------------------------------------------------------------------------


def _runners(case: Case, problem: BilevelProblem) -> tuple[dict[str, Runner], dict[str, str], Any]:
    """Runs by name of the method, what is missing and why, and jaxopt's, which counts products later."""
    runners: dict[str, Runner] = {
        "implicit": lambda: run_of(Implicit(tol=TOL), problem, MAX_SECONDS),
        "maid": lambda: run_of(Maid(tol=TOL), problem, MAX_SECONDS),
        EXACT: lambda: scipy_trace(problem, MAX_SECONDS),
    }
    missing: dict[str, str] = {}
    jaxopt = None
    for package, make in (("jaxopt", in_jax.JaxoptPeer), ("optimistix", in_jax.OptimistixPeer)):
        if not case.in_jax:
            break
        name = f"{package} implicit"
        if find_spec("jax") is None or find_spec(package) is None:
            missing[name] = f"{package} is not installed"
            continue
        levels = _levels_in_jax(case, problem)
        in_jax.check(problem, *levels)
        peer: Any = make(problem, *levels)
        runners[name] = _Bound(peer)
        jaxopt = peer if package == "jaxopt" else jaxopt
    if case.name == "RIDGE" and problem.n_x == 1:
        if find_spec("sparho") is None:
            missing["sparho"] = "sparho is not installed"
        else:
            data = _split(case)
            runners["sparho"] = lambda: sparho_trace(problem, data, MAX_SECONDS)
    return runners, missing, jaxopt


@dataclass(frozen=True)
class _Bound:
    peer: Any

    def __call__(self) -> Trace:
        trace: Trace = self.peer.trace(MAX_SECONDS)
        return trace


def _rows_of(case: Case, rounds: int) -> list[Row]:
    problem = case.build()
    runners, missing, jaxopt = _runners(case, problem)
    runs: dict[str, list[Trace]] = {name: [] for name in runners}
    for turn in range(rounds):
        for name, run in runners.items():
            if turn < 2 or runs[name][-1].points[-1].seconds < _LONG:
                runs[name].append(run())
    traces = {name: fastest(found) for name, found in runs.items()}
    if jaxopt is not None and traces["jaxopt implicit"].points[-1].seconds > _COUNTABLE:
        notes = [traces["jaxopt implicit"].note, "products not counted"]
        traces["jaxopt implicit"].note = "; ".join(filter(None, notes))
    elif jaxopt is not None:
        traces["jaxopt implicit"] = jaxopt.with_products(traces["jaxopt implicit"])
    judge = Judge(problem, list(traces.values()))
    found = [_row(case, problem, name, trace, judge) for name, trace in traces.items()]
    found += [{**_head(case, problem, name), "note": why} for name, why in missing.items()]
    best = min(
        (row["s_1e-6"] for row in found if row["method"] not in OURS and row.get("s_1e-6") is not None),
        default=None,
    )
    for row in found:
        seconds = row.get("s_1e-6")
        row["ratio"] = None if best is None or seconds is None else seconds / best
    return found


def _head(case: Case, problem: BilevelProblem, method: str) -> Row:
    return {
        "problem": case.title,
        "family": case.name if case.growth else None,
        "n_x": problem.n_x,
        "n_y": problem.n_y,
        "method": method,
    }


def _row(case: Case, problem: BilevelProblem, method: str, trace: Trace, judge: Judge) -> Row:
    row = _head(case, problem, method)
    for label, gap in GAPS.items():
        index = judge.first_below(trace, gap)
        point = None if index is None else trace.points[index]
        row[f"calls_{label}"] = None if point is None else total(point.calls)
        row[f"s_{label}"] = None if point is None else point.seconds
        row[f"parts_{label}"] = None if point is None else dict(point.calls)
    last = trace.points[-1]
    note = [trace.note] if trace.note else []
    end = judge.gap(min(trace.points[-3:], key=lambda point: point.F).x)
    if row["s_1e-6"] is None:
        certified = method in OURS and not trace.note
        note.append(f"{'certified, another local answer' if certified else 'ends'} at a gap of {end:.1e}")
    return {**row, "s_end": last.seconds, "gap_end": end, "F_optimum": judge.optimum, "note": "; ".join(note)}


# ---- targets ---------------------------------------------------------------------------------------------


def targets(rows: list[Row]) -> list[Row]:
    """Our default, `implicit`, beside the best peer on each problem; the growth; what is missed."""
    found = []
    for method in OURS:
        for key, what in (("calls_1e-6", "calls"), ("s_1e-6", "seconds")):
            for whose, peers in (("the best peer's", None), (f"those of {EXACT}", {EXACT})):
                ratios = _over_best_peer(rows, method, key, peers)
                if ratios:
                    mean = float(np.exp(np.mean(np.log(ratios))))
                    name = f"{method}: {what} to 1e-6 over {whose}, geometric mean of {len(ratios)} problems"
                    found.append({"name": name, "value": mean, "target": "<= 1", "met": mean <= 1.0})
        mine = [row for row in rows if row["method"] == method]
        missed = [row["problem"] for row in mine if row["s_1e-6"] is None]
        name = f"{method}: problems of {len(mine)} where it does not come within 1e-6"
        found.append({"name": name, "value": len(missed), "target": "0", "met": not missed})
    for family in sorted({row["family"] for row in rows if row["family"]}):
        for method in OURS:
            power = _growth(rows, family, method)
            if power is not None:
                name = f"{method}: seconds to 1e-6 of {family} grow like n_y to the power"
                found.append({"name": name, "value": power, "target": "<= 1.5", "met": power <= 1.5})
    return found


def _over_best_peer(rows: list[Row], method: str, key: str, among: set[str] | None) -> list[float]:
    """Ratios on all problems where the method and a peer arrive; `among` are the peers, by default all."""
    ratios = []
    for row in rows:
        if row["method"] != method or row[key] is None:
            continue
        peers = [
            other[key]
            for other in rows
            if other["problem"] == row["problem"]
            and other["method"] not in OURS
            and (among is None or other["method"] in among)
            and other.get(key) is not None
            and not (key.startswith("calls") and "not counted" in other["note"])
        ]
        if peers:
            ratios.append(row[key] / min(peers))
    return ratios


def _growth(rows: list[Row], family: str, method: str) -> float | None:
    points = [
        (row["n_y"], row["s_1e-6"])
        for row in rows
        if row["family"] == family and row["method"] == method and row["s_1e-6"] is not None
    ]
    if len(points) < 2:
        return None
    sizes, seconds = np.log(np.array(points)).T
    return float(np.polyfit(sizes, seconds, 1)[0])
