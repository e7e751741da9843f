"""Learned relaxation as published: the heat equation and A + c I, by the paper's learners and ours.

Khodak, Chow, Balcan & Talwalkar, ICLR 2024. Iterations are counted to ||r|| <= 1e-8 ||b||, from the last
solution in the heat equation and from zero for A + c I. Solutions do not depend on how they were found, so
the iterations of every omega on every system are counted once and the learners of a grid are played on that
table, with three generators each; the others solve the systems themselves. ``curves`` in the result are
cumulative costs against steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import cg

from ...problems.linear_sequence import LinearSequence, get_sequence
from ...solvers.sequence.eisenstat import EisenstatCG
from ...solvers.sequence.learners import Context, ContextInterval, make_learner, omega_grid
from ...solvers.sequence.solve_sequence import solve_sequence
from ...solvers.sequence.sor import SOR
from ..environment import environment

TITLE = "Learned relaxation: iterations beside those of the paper"
COLUMNS = ["sequence", "solver", "iterations", "paper", "ratio", "over_optimum"]

RTOL = 1e-8
_SEEDS = 3
_CURVE_POINTS = 100

# Thousands of iterations over the 5000 steps; iterations a solve.
PUBLISHED = {
    "HEAT": {
        "cg": 325.0,
        "omega 1": 118.0,
        "omega 1.5": 77.0,
        "best fixed": 63.8,
        "tsallis-inf": 70.0,
        "contextual": 67.0,
        "chebcb": 51.2,
        "instance optimum": 51.3,
    },
    "BETASHIFT-WIDE": {
        "omega 1": 613.0,
        "omega 1.5": 199.0,
        "best fixed": 104.0,
        "tsallis-inf": 121.0,
        "chebcb": 66.0,
        "instance optimum": 58.6,
    },
}
LEARNERS = ("tsallis-inf", "tsallis-inf-rv", "contextual", "chebcb")
_BINS = {"HEAT": 6, "BETASHIFT-WIDE": 5, "BETASHIFT-NARROW": 5}

Row = dict[str, Any]
Table = NDArray[np.int64]


@dataclass(frozen=True)
class _Counts:
    """Iterations of every omega of the grid on every system."""

    sequence: LinearSequence
    iteration: str
    omegas: NDArray[np.float64]
    contexts: NDArray[np.float64]
    table: Table
    plain: NDArray[np.int64] | None  # of CG

    @property
    def interval(self) -> ContextInterval:
        low, high = self.sequence.context_range or (0.0, 1.0)
        return ContextInterval(low, high)


def run(quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """Count and compare; with ``quick`` a tenth of the steps, of the same length in time."""
    rows: list[Row] = []
    curves: dict[str, Any] = {}
    length = 500 if quick else 5000
    for spread in ("wide", "narrow"):
        sequence = get_sequence("BETASHIFT", spread=spread, length=length)
        progress(f"{sequence.name}: all omegas")
        found = _compare(_count_sor(sequence), scale=1.0 / length)
        rows, curves[sequence.name] = rows + found[0], found[1]
    # A period of the coefficient takes 1000 steps; a tenth of the steps are then ten times as long apart.
    sequence = get_sequence("HEAT", length=5000)
    progress("HEAT: all omegas")
    found = _compare(_count_heat(sequence, 10 if quick else 1, progress), scale=1e-3 * (10 if quick else 1))
    rows, curves["HEAT"] = rows + found[0], found[1]
    return {
        "environment": environment(),
        "rows": rows,
        "curves": curves,
        "targets": _targets(rows, quick),
    }


def _count_sor(sequence: LinearSequence) -> _Counts:
    solver, omegas = SOR(), omega_grid()
    table, contexts = np.empty((len(sequence), omegas.size), dtype=np.int64), np.empty(len(sequence))
    for t, system in enumerate(sequence):
        solver.setup(system.A)
        contexts[t] = system.context
        table[t] = [solver.solve(system.b, omega=w, rtol=RTOL).iterations for w in omegas]
    return _Counts(sequence, "sor", omegas, contexts, table, None)


def _count_heat(sequence: LinearSequence, stride: int, progress: Callable[[str], None]) -> _Counts:
    """Along the trajectory; with a stride, only every so many steps are counted."""
    solver, omegas = EisenstatCG(), omega_grid()
    counted = range(stride // 2, len(sequence), stride)
    table, contexts = np.empty((len(counted), omegas.size), dtype=np.int64), np.empty(len(counted))
    plain = np.empty(len(counted), dtype=np.int64)
    x, row = sequence.start, 0
    for t in range(len(sequence)):
        system = sequence.system(t, x)
        solver.setup(system.A)
        if t in counted:
            contexts[row] = system.context
            table[row] = [solver.solve(system.b, x, omega=w, rtol=RTOL).iterations for w in omegas]
            plain[row] = _cg_iterations(system.A, system.b, x)
            row += 1
        x = solver.solve(system.b, x, omega=1.5, rtol=1e-10).x
        if t % 500 == 0:
            progress(f"HEAT: all omegas, step {t}")
    return _Counts(sequence, "ssor-cg", omegas, contexts, table, plain)


def _cg_iterations(A: Any, b: Any, x0: Any) -> int:
    steps = [0]

    def step(_: Any) -> None:
        steps[0] += 1

    cg(A, b, x0, rtol=RTOL, callback=step)
    return steps[0]


def _compare(counts: _Counts, scale: float) -> tuple[list[Row], dict[str, list[float]]]:
    """Rows and cumulative curves of all solvers on a sequence."""
    table = counts.table
    losses: dict[str, NDArray[np.float64]] = {}
    if counts.plain is not None:
        losses["cg"] = counts.plain.astype(np.float64)
    for omega in (1.0, 1.5):
        losses[f"omega {omega:g}"] = table[:, int(np.argmin(np.abs(counts.omegas - omega)))].astype(float)
    losses["best fixed"] = table[:, int(np.argmin(table.sum(axis=0)))].astype(float)
    for name in LEARNERS:
        played = [_play(name, counts, seed) for seed in range(_SEEDS)]
        losses[name] = np.mean(played, axis=0)
    losses |= _ours(counts)
    losses["instance optimum"] = np.minimum(table.min(axis=1), losses["one-scalar"])
    optimum = losses["instance optimum"].sum()
    published = PUBLISHED.get(counts.sequence.name, {})
    rows = []
    for name, loss in losses.items():
        total = float(loss.sum())
        paper = published.get(name)
        rows.append(
            {
                "sequence": counts.sequence.name,
                "solver": name,
                "iterations": total * scale,
                "paper": paper,
                "ratio": None if paper is None else total * scale / paper,
                "over_optimum": total / optimum,
            }
        )
    return rows, {name: _curve(loss) for name, loss in losses.items()}


def _play(name: str, counts: _Counts, seed: int) -> NDArray[np.float64]:
    """Losses of a learner of the grid."""
    learner = make_learner(name, interval=counts.interval, rng=seed)
    if name == "contextual":
        from ...solvers.sequence.learners import ContextualTsallisINF

        learner = ContextualTsallisINF(counts.interval, _BINS[counts.sequence.name], rng=seed)
    losses = np.empty(len(counts.contexts))
    for t, value in enumerate(counts.contexts):
        choice = learner.choose(Context(float(value)))
        losses[t] = counts.table[t, choice.arm]
        learner.update(choice, float(losses[t]))
    return losses


def _ours(counts: _Counts) -> dict[str, NDArray[np.float64]]:
    """The rules that are not of a grid, on the systems themselves; of the counted ones where not all are."""
    losses = {}
    for name in ("closed-form", "one-scalar"):
        result = solve_sequence(counts.sequence, counts.iteration, name, loss="iterations", rtol=RTOL)
        if not result.success:
            raise RuntimeError(f"{name} did not solve {counts.sequence.name}: {result.message}")
        stride = len(result.iterations) // len(counts.contexts)
        losses[name] = result.iterations[stride // 2 :: stride].astype(float)
    return losses


def _curve(loss: NDArray[np.float64]) -> list[float]:
    cumulative = np.cumsum(loss)
    return [float(cumulative[int(k)]) for k in np.linspace(0, loss.size - 1, _CURVE_POINTS)]


def _targets(rows: list[Row], quick: bool) -> list[Row]:
    """The published figures, of learners with all steps only, and the one-scalar learner's ratio."""
    targets = []
    for row in rows:
        if row["paper"] is not None and not (quick and row["solver"] in LEARNERS):
            targets.append(
                {
                    "name": f"{row['sequence']}, {row['solver']}: iterations over the published",
                    "value": row["ratio"],
                    "target": "0.95 to 1.05",
                    "met": 0.95 <= row["ratio"] <= 1.05,
                }
            )
        if row["solver"] == "one-scalar":
            targets.append(
                {
                    "name": f"{row['sequence']}: one-scalar over the instance optimum",
                    "value": row["over_optimum"],
                    "target": "<= 1.07",
                    "met": row["over_optimum"] <= 1.07,
                }
            )
    return targets
