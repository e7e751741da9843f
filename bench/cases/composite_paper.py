"""The problems of "Let's make block coordinate descent converge faster", per iteration and per second.

Nutini, Laradji and Schmidt, JMLR 23(131), 2022: problems A to E and A-L1 with the rules and updates of their
figures, which count iterations only; seconds here are CPU seconds of one thread, with compiled kernels. The
targets are what their figures show. Then label propagation on the clock, beside scipy's conjugate gradients
and SuperLU. The problems are drawn anew, so that numbers differ somewhat from the paper's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import process_time
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg, splu
from threadpoolctl import threadpool_limits

from ...problems.composite import collection
from ...problems.composite.problem import CompositeProblem
from ...solvers.composite.minimize import minimize_composite
from ...solvers.composite.selection import GSD
from ..environment import environment

TITLE = "Block coordinate descent: the paper's figures, and label propagation on the clock"
COLUMNS = [
    "problem",
    "tau",
    "method",
    "start",
    "after_100",
    "after_500",
    "to_1e-8",
    "identified_at",
    "seconds",
    "iterations",
    "error",
]

Row = dict[str, Any]

_ROW_SUMS = GSD("row-sums")
_REACHED = 1e-8
"""Of the objective above its minimum: absolute as in the figures, relative for A-L1 with its millions."""


@dataclass(frozen=True)
class Curve:
    """A method of a figure."""

    label: str
    options: dict[str, Any]
    iterations: int = 500


@dataclass(frozen=True)
class Figure:
    """A figure of the paper: a problem, a block size, some methods."""

    key: str
    problem: str
    tau: int
    curves: list[Curve]
    quick: dict[str, Any] = field(default_factory=dict)


def _fixed(partition: str, selection: Any, update: str) -> dict[str, Any]:
    return {"partition": partition, "selection": selection, "update": update}


def _variable(selection: Any, update: str) -> dict[str, Any]:
    return _fixed("variable", selection, update)


_SMALL = {"m": 300, "n": 2000}

_GRADIENT = [
    Curve("random, FB", _fixed("sort", "random", "gradient")),
    Curve("cyclic, FB", _fixed("sort", "cyclic", "gradient")),
    Curve("Lipschitz, FB", _fixed("sort", "lipschitz", "gradient")),
    Curve("GS, FB", _fixed("sort", "gs", "gradient")),
    Curve("GSL, FB", _fixed("sort", "gsl", "gradient")),
    Curve("GS, VB", _variable("gs", "gradient")),
    Curve("GSD, VB, D = row sums", _variable(_ROW_SUMS, "gradient")),
]
_MATRIX = [
    Curve("random, VB", _variable("random", "matrix")),
    Curve("cyclic, VB", _variable("cyclic", "matrix")),
    Curve("GSQ, FB", _fixed("sort", "gsq", "matrix")),
    Curve("GS, VB", _variable("gs", "matrix")),
    Curve("GSD, VB", _variable("gsd", "matrix")),
    Curve("GSQ, VB", _variable("gsq-iht", "matrix")),
]
_NEWTON = [
    Curve("random, VB", _variable("random", "newton")),
    Curve("GS, VB", _variable("gs", "newton")),
    Curve("GSD, VB", _variable("gsd", "newton")),
    Curve("GSQ, VB", _variable("gsq-iht", "newton")),
]
_SOFTMAX = [Curve(curve.label, curve.options, 300) for curve in _NEWTON[:3]]
_TREES = [
    Curve("general blocks, GS, VB", _variable("gs", "matrix")),
    Curve("red-black, cyclic", _fixed("multicolour", "cyclic", "trees")),
    Curve("two or more forests, cyclic", _fixed("trees", "cyclic", "trees")),
    Curve("random tree", _variable("random-tree", "trees")),
    Curve("greedy tree", _variable("greedy-tree", "trees")),
]
_NONNEGATIVE = [
    Curve("PG, FB", _fixed("sort", "gsl", "gradient")),
    Curve("PG, VB", _variable(_ROW_SUMS, "gradient")),
    Curve("PN, VB", _variable("gsd", "newton")),
    Curve("TMP, VB", _variable("gsd", "tmp")),
]

FIGURES = [
    Figure("A5", "A", 5, _GRADIENT, _SMALL),
    Figure("A50", "A", 50, _MATRIX, _SMALL),
    Figure("B100", "B", 100, _NEWTON, _SMALL),
    Figure("C100", "C", 100, _SOFTMAX, {"m": 200, "n": 200, "classes": 10}),
    Figure("D", "D", 50, _TREES),
    Figure("E", "E", 50, _TREES),
    Figure("A-L1, 5", "A-L1", 5, _NONNEGATIVE, _SMALL | {"lam": 15_000.0}),
    Figure("A-L1, 100", "A-L1", 100, _NONNEGATIVE, _SMALL | {"lam": 15_000.0}),
]


def run(quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """The figures' curves, then the clock; one thread."""
    rows: list[Row] = []
    with threadpool_limits(1):
        for figure in FIGURES:
            rows += draw_curves(figure, quick, progress)
        for name, sizes in _propagations(quick):
            progress(f"label propagation on the clock: {name}")
            rows += _on_the_clock(name, sizes, rounds=1 if quick else 3)
    targets = _quick_targets(rows) if quick else _targets(rows)
    return {"environment": environment() | {"threads": 1}, "rows": rows, "targets": targets}


# ---- the figures -------------------------------------------------------------------------------------------


def draw_curves(figure: Figure, quick: bool, progress: Callable[[str], None]) -> list[Row]:
    """Objective above its minimum, by iterations and by seconds, of every method of a figure."""
    problem = collection.get(figure.problem, **(figure.quick if quick else {}))
    runs = []
    for curve in figure.curves:
        progress(f"{figure.key}: {curve.label}")
        iterations = min(curve.iterations, 100) if quick else curve.iterations
        _descend(problem, figure.tau, curve, 2)  # kernels are loaded
        runs.append((curve, *_descend(problem, figure.tau, curve, iterations)))
    least = min(_least(problem, figure.problem), *(float(values.min()) for _, values, _, _ in runs))
    return [
        _row(figure, curve, values - least, seconds, result, _unit(figure.problem, least))
        for curve, values, seconds, result in runs
    ]


def _descend(
    problem: CompositeProblem, tau: int, curve: Curve, iterations: int
) -> tuple[np.ndarray, np.ndarray, Any]:
    """Objectives and CPU seconds after each iteration, what the callback takes left out."""
    values, seconds = [float(problem.objective(np.zeros(problem.shape)))], [0.0]
    began = process_time()

    def callback(intermediate_result: Any) -> None:
        values.append(intermediate_result.fun)
        seconds.append(process_time() - began)

    result = minimize_composite(
        problem,
        method="bcd",
        block_size=tau,
        updates_per_step=1,
        tol=0.0,
        max_iterations=iterations,
        callback=callback,
        rng=0,
        **curve.options,
    )
    return np.array(values), np.array(seconds), result


def _least(problem: CompositeProblem, name: str) -> float:
    """The minimum: zero where the data can be fitted, else computed by the most accurate means there is."""
    if name in {"D", "E"}:
        datafit: Any = problem.datafit
        return problem.objective(_superlu(datafit.A, datafit.b))
    if name == "A-L1":
        found = minimize_composite(problem, method="bcd", block_size=200, update="tmp", tol=1e-13, rng=0)
        return float(found.fun)
    return 0.0


def _unit(name: str, least: float) -> float:
    return least if name == "A-L1" else 1.0


def _row(
    figure: Figure, curve: Curve, excess: np.ndarray, seconds: np.ndarray, result: Any, unit: float
) -> Row:
    reached = np.flatnonzero(excess <= _REACHED * unit)
    return {
        "figure": figure.key,
        "problem": figure.problem,
        "tau": figure.tau,
        "method": curve.label,
        "start": float(excess[0]),
        "after_100": float(excess[min(100, excess.size - 1)]),
        "after_500": float(excess[-1]) if excess.size > 300 or reached.size else None,
        "to_1e-8": int(reached[0]) if reached.size else None,
        "identified_at": result.record["identified_at"] if figure.problem == "A-L1" else None,
        "seconds": float(seconds[-1]),
        "iterations": int(excess.size - 1),
        "curve": excess.tolist(),
        "curve_seconds": seconds.tolist(),
    }


# ---- label propagation on the clock ------------------------------------------------------------------------


def _propagations(quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "D", {}
    yield "E", {}
    yield "lattice", {"side": 200 if quick else 1000}


def _on_the_clock(name: str, sizes: dict[str, Any], rounds: int) -> list[Row]:
    """CPU seconds to an error ||A x - b||_inf <= tol ||b||_inf, least of the rounds, solvers in turns."""
    problem = collection.get(name, **sizes)
    datafit: Any = problem.datafit
    A, b = datafit.A, datafit.b
    rows: list[Row] = []
    for tol in (1e-6, 1e-10):
        solvers = _solvers(problem, A, b, tol)
        minimize_composite(
            collection.get("D", side=10, labelled=10), method="forest-cg"
        )  # kernels are loaded
        best: dict[str, Row] = {}
        for _ in range(rounds):
            for label, solve in solvers.items():
                if label in best and best[label]["seconds"] > 20.0:
                    continue
                began = process_time()
                x, iterations = solve()
                row = {"seconds": process_time() - began, "iterations": iterations}
                if label not in best or row["seconds"] < best[label]["seconds"]:
                    best[label] = row | {"error": float(np.abs(A @ x - b).max() / np.abs(b).max())}
        rows += [{"problem": name, "tau": tol, "method": label} | row for label, row in best.items()]
    return rows


def _solvers(
    problem: CompositeProblem, A: Any, b: np.ndarray, tol: float
) -> dict[str, Callable[[], tuple[np.ndarray, int | None]]]:
    def ours(**options: Any) -> tuple[np.ndarray, int | None]:
        result = minimize_composite(problem, tol=tol, rng=0, **options)
        return result.x, result.record.get("iterations", result.record.get("updates"))

    diagonal = sparse.diags_array(1.0 / A.diagonal())
    plain, scaled = _sufficient(A, b, None, tol), _sufficient(A, b, diagonal, tol)
    solvers: dict[str, Callable[[], tuple[np.ndarray, int | None]]] = {
        "forest-cg": lambda: ours(method="forest-cg"),
        "scipy cg": lambda: _cg(A, b, None, plain),
        "scipy cg, Jacobi": lambda: _cg(A, b, diagonal, scaled),
        "SuperLU": lambda: (_superlu(A, b), None),
    }
    if tol >= 1e-6:
        cyclic = {"selection": "cyclic", "update": "trees", "max_iterations": 2000 if b.size < 1e5 else 200}
        solvers["forest sweeps"] = lambda: ours(method="bcd", partition="trees", **cyclic)
        solvers["red-black sweeps"] = lambda: ours(method="bcd", partition="multicolour", **cyclic)
    return solvers


def _cg(A: Any, b: np.ndarray, M: Any, rtol: float) -> tuple[np.ndarray, int]:
    count = [0]

    def counted(_: np.ndarray) -> None:
        count[0] += 1

    x, _ = cg(A, b, rtol=rtol, M=M, callback=counted)
    return np.asarray(x), count[0]


def _superlu(A: Any, b: np.ndarray) -> np.ndarray:
    """With the options for symmetric positive definite matrices; its default ordering fills in more."""
    symmetric = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    return np.asarray(splu(sparse.csc_array(A), **symmetric).solve(b))


def _sufficient(A: Any, b: np.ndarray, M: Any, tol: float) -> float:
    """The loosest rtol, by halving, with which scipy's cg meets the tolerance in the maximum norm."""
    rtol = 2.0 * tol
    while np.abs(A @ _cg(A, b, M, rtol)[0] - b).max() > tol * np.abs(b).max():
        rtol *= 0.5
    return rtol


# ---- targets -----------------------------------------------------------------------------------------------


def _targets(rows: list[Row]) -> list[dict[str, Any]]:
    def value(figure: str, method: str, key: str) -> float:
        row = next(r for r in rows if r.get("figure") == figure and r["method"] == method)
        return np.inf if row[key] is None else float(row[key])

    greedy = max(value("A5", m, "after_500") for m in ("GSL, FB", "GSD, VB, D = row sums"))
    chance = min(value("A5", m, "after_500") for m in ("random, FB", "cyclic, FB"))
    general = value("D", "general blocks, GS, VB", "after_500") / value("D", "greedy tree", "after_500")
    second = max(value("A-L1, 5", m, "to_1e-8") for m in ("PN, VB", "TMP, VB"))
    return [
        _most("A, tau = 5: GSL-FB and GSD-VB after 500 iterations", greedy, 8e3),
        _least_of("A, tau = 5: random and cyclic after 500 iterations", chance, 1e5),
        _most("A, tau = 50: GSQ-VB iterations to 1e-8", value("A50", "GSQ, VB", "to_1e-8"), 150),
        _most("A, tau = 50: GSD-VB iterations to 1e-8", value("A50", "GSD, VB", "to_1e-8"), 240),
        _most("B, tau = 100: GSQ-VB iterations to 1e-8", value("B100", "GSQ, VB", "to_1e-8"), 120),
        _most("B, tau = 100: GSD-VB iterations to 1e-8", value("B100", "GSD, VB", "to_1e-8"), 215),
        _most("B, tau = 100: GS-VB iterations to 1e-8", value("B100", "GS, VB", "to_1e-8"), 450),
        _most("D: greedy tree after 500 iterations", value("D", "greedy tree", "after_500"), 1e-5),
        _least_of("D: general blocks over greedy tree after 500 iterations", general, 1e3),
        _most("A-L1, tau = 5: PN-VB and TMP-VB iterations", second, 60),
        _most("A-L1, tau = 5: PG-VB iterations", value("A-L1, 5", "PG, VB", "to_1e-8"), 160),
        _most("A-L1, tau = 5: PG-FB iterations", value("A-L1, 5", "PG, FB", "to_1e-8"), 425),
        _most("A-L1, tau = 100: TMP-VB iterations", value("A-L1, 100", "TMP, VB", "to_1e-8"), 10),
        *_clock_targets(rows),
    ]


def _quick_targets(rows: list[Row]) -> list[dict[str, Any]]:
    return _clock_targets(rows)


def _clock_targets(rows: list[Row]) -> list[dict[str, Any]]:
    """Ratios of seconds on the lattice; the small problems are over in milliseconds."""
    targets = []
    for tol in (1e-6, 1e-10):
        seconds = {r["method"]: r["seconds"] for r in rows if r["problem"] == "lattice" and r["tau"] == tol}
        for peer in ("scipy cg", "SuperLU"):
            name = f"lattice to {tol:g}: forest-cg over {peer}"
            targets.append(_most(name, seconds["forest-cg"] / seconds[peer], 1.0))
    return targets


def _most(name: str, value: float, limit: float) -> dict[str, Any]:
    return {"name": name, "value": value, "target": f"<= {limit:g}", "met": bool(value <= limit)}


def _least_of(name: str, value: float, limit: float) -> dict[str, Any]:
    return {"name": name, "value": value, "target": f">= {limit:g}", "met": bool(value >= limit)}
