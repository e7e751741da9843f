"""Sequences of linear systems: learners, the portfolio beside its parts and its peers, sweeps beside pyamg's.

Three tables. "iterations": SSOR-CG's over the instance optimum, that is the least of a grid of 20 relaxation
parameters and of all learners on each system; a learner's own products for estimates are included. "seconds":
milliseconds of processor time a system, everything included, all solvers taking turns on each system; slow
peers solve the first systems only. "sweep": one SOR sweep. Everything to ||r|| <= 1e-8 ||b||, on one thread
unless said otherwise. `karush bench sequence_paper` has the published experiments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from time import perf_counter, process_time
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import cg, splu
from threadpoolctl import threadpool_limits

from ...problems.collection.grids import five_point_laplacian
from ...problems.linear_sequence import LinearSequence, LinearSystem, get_sequence
from ...solvers.sequence.eisenstat import EisenstatCG
from ...solvers.sequence.learners import Context, ContextInterval, make_learner, omega_grid
from ...solvers.sequence.sequence_solver import SequenceSolver
from ...solvers.sequence.sor import SOR
from ..environment import environment

TITLE = "Sequences of linear systems: iterations over the optimum, milliseconds a system, SOR sweeps"
COLUMNS = ["table", "sequence", "T", "solver", "value", "ratio", "note"]

RTOL = 1e-8
_SINGLE = ("ssor-cg", "incomplete-cholesky", "multigrid", "direct")
_SLOW = 3.0  # a peer this many times slower than the fastest solver on the first systems stops there
_FIRST = 5

Row = dict[str, Any]
Solve = Callable[[LinearSystem], np.ndarray]


def run(quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """All tables; with ``quick`` small matrices and few systems."""
    rows: list[Row] = []
    with threadpool_limits(1):
        _warm_up()
        for name, options in _iteration_cases(quick):
            sequence = _build(name, options)
            if sequence is not None:
                progress(f"iterations: {sequence.name}, T = {len(sequence)}")
                rows += _iterations(sequence)
        for name, options in _timed_cases(quick):
            sequence = _build(name, options)
            if sequence is not None:
                progress(f"seconds: {_title(sequence)}, T = {len(sequence)}")
                rows += _seconds(sequence)
        progress("sweeps")
        rows += _sweeps(quick)
    return {"environment": environment(), "rows": rows, "targets": _targets(rows)}


def _warm_up() -> None:
    """Compile and import everything: what a first call costs is no matter of these figures."""
    tiny = get_sequence("DIFFUSION", side=8, length=3)
    for clock in {**_ours(tiny), **_peers()}.values():
        for system in tiny:
            clock.solve(system)


def _iteration_cases(quick: bool) -> list[tuple[str, dict[str, Any]]]:
    side, points = (32, 1500) if quick else (48, 3000)
    families: list[tuple[str, dict[str, Any]]] = [
        ("DIFFUSION", {"side": side}),
        ("DIFFUSION", {"side": side, "coefficient": "lognormal"}),
        ("FEM-POISSON", {"points": points}),
        ("FEM-ELASTICITY", {"points": points // 2}),
        ("GALLERY", {"matrix": "airfoil"}),
    ]
    cases = [(name, {**options, "length": 200}) for name, options in families]
    if not quick:
        cases += [
            (name, {**options, "length": length}) for length in (50, 1000) for name, options in families[:2]
        ]
        cases += [
            (name, {**options, "schedule": schedule, "length": 200})
            for schedule in ("drifting", "switching")
            for name, options in families[:1] + families[3:4]
        ]
    return cases


def _timed_cases(quick: bool) -> list[tuple[str, dict[str, Any]]]:
    if quick:
        return [
            ("DIFFUSION", {"side": 48, "length": 50}),
            ("FEM-ELASTICITY", {"points": 1000, "schedule": "drifting", "length": 50}),
        ]
    cases: list[tuple[str, dict[str, Any]]] = [
        ("DIFFUSION", {"side": side, "coefficient": coefficient, "length": length})
        for side, length in ((128, 200), (256, 50), (512, 50))
        for coefficient in ("constant", "lognormal")
    ]
    for schedule in ("drifting", "switching"):
        cases.append(("DIFFUSION", {"side": 128, "schedule": schedule, "length": 200}))
        cases.append(("FEM-ELASTICITY", {"points": 4000, "schedule": schedule, "length": 200}))
    cases.append(("DIFFUSION", {"side": 64, "length": 1000}))
    cases.append(("FEM-POISSON", {"length": 50}))
    cases.append(("FEM-ELASTICITY", {"points": 8000, "length": 50}))
    cases += [("GALLERY", {"matrix": name, "length": 50}) for name in ("airfoil", "bar", "unit_cube")]
    return cases


def _build(name: str, options: dict[str, Any]) -> LinearSequence | None:
    """The sequence, None where its optional package is missing."""
    try:
        return get_sequence(name, **options)
    except ImportError:
        return None


def _title(sequence: LinearSequence) -> str:
    return f"{sequence.name} n={sequence.n}"


# ---- iterations ------------------------------------------------------------------------------------------


def _iterations(sequence: LinearSequence) -> list[Row]:
    omegas, solver = omega_grid(), EisenstatCG()
    table, contexts = np.empty((len(sequence), omegas.size)), np.empty(len(sequence))
    plain = np.empty(len(sequence))
    for t, system in enumerate(sequence):
        solver.setup(system.A)
        contexts[t] = system.context
        table[t] = [solver.solve(system.b, omega=w, rtol=RTOL).iterations for w in omegas]
        plain[t] = _cg_iterations(system)
    losses: dict[str, np.ndarray] = {}
    products: dict[str, float] = {}
    for name in ("one-scalar", "closed-form"):
        losses[name], products[name] = _alone(sequence, name)
    low, high = sequence.context_range or (0.0, 1.0)
    interval = ContextInterval(low, high, sequence.context_scale)
    for name in ("chebcb", "tsallis-inf", "contextual"):
        losses[name] = np.mean([_play(name, interval, contexts, table, s) for s in range(3)], axis=0)
    losses["best fixed"] = table[:, int(np.argmin(table.sum(axis=0)))]
    losses["omega 1.5"] = table[:, int(np.argmin(np.abs(omegas - 1.5)))]
    losses["cg"] = plain
    optimum = np.minimum(table.min(axis=1), np.minimum(losses["one-scalar"], losses["closed-form"])).sum()
    rows = []
    for name, loss in losses.items():
        total = float(loss.sum() + products.get(name, 0.0))
        rows.append(_row("iterations", sequence, name, total / len(sequence), total / optimum, ""))
    rows.append(_row("iterations", sequence, "instance optimum", optimum / len(sequence), 1.0, ""))
    return rows


def _cg_iterations(system: LinearSystem) -> int:
    steps = [0]

    def step(_: Any) -> None:
        steps[0] += 1

    cg(system.A, system.b, rtol=RTOL, callback=step)
    return steps[0]


def _alone(sequence: LinearSequence, learner: str) -> tuple[np.ndarray, float]:
    """Iterations of a learner that solves every system from zero, and products spent on estimates."""
    solver = SequenceSolver("ssor-cg", learner, loss="iterations", rtol=RTOL, assume_a="pos")
    counts = np.empty(len(sequence))
    for t, system in enumerate(sequence):
        answer = solver.solve(system.A, system.b, system.context, x0=np.zeros(sequence.n))
        if not answer.success:
            raise RuntimeError(f"{learner} did not solve system {t} of {sequence.name}: {answer.message}")
        counts[t] = answer.nit
    return counts, solver.estimate_products


def _play(
    name: str, interval: ContextInterval, contexts: np.ndarray, table: np.ndarray, seed: int
) -> np.ndarray:
    learner = make_learner(name, interval=interval, rng=seed)
    losses = np.empty(contexts.size)
    for t, value in enumerate(contexts):
        choice = learner.choose(Context(float(value)))
        losses[t] = table[t, choice.arm]
        learner.update(choice, float(losses[t]))
    return losses


# ---- seconds ---------------------------------------------------------------------------------------------


@dataclass
class _Clock:
    """A solver, and what it took on how many systems."""

    solve: Solve
    ours: bool
    seconds: float = 0.0
    systems: int = 0
    stopped: bool = False
    note: str = ""

    @property
    def mean(self) -> float:
        return self.seconds / max(self.systems, 1)


def _seconds(sequence: LinearSequence) -> list[Row]:
    clocks = {**_ours(sequence), **_peers()}
    length = len(sequence)
    for t in range(length):
        system = sequence.system(t, sequence.start)
        tolerance = 1.01 * RTOL * float(np.linalg.norm(system.b))
        for clock in _shuffled(list(clocks.values()), t):
            if clock.stopped:
                continue
            system.A @ system.b  # all of them find the matrix in the caches
            started = process_time()
            x = clock.solve(system)
            clock.seconds += process_time() - started
            clock.systems += 1
            if not np.linalg.norm(system.b - system.A @ x) <= tolerance:
                clock.note, clock.stopped = "did not converge", True
                clock.seconds = np.inf
        if t + 1 == _FIRST:
            fastest = min(clock.mean for clock in clocks.values())
            for clock in clocks.values():
                # Set-ups that many systems share must not count against a solver that is ahead of its time.
                if not clock.ours and clock.mean > _SLOW * fastest and not clock.stopped:
                    clock.stopped, clock.note = True, f"first {_FIRST} systems"
    single = {name: clock for name, clock in clocks.items() if name != "auto"}
    best = min(clock.mean for clock in single.values())
    rows = []
    for name, clock in clocks.items():
        note = clock.note
        if name == "auto":
            note = " ".join(f"{k}:{v}" for k, v in _solvers_of(clock).items() if v)
        rows.append(_row("seconds", sequence, name, 1e3 * clock.mean, clock.mean / best, note))
    return rows


def _shuffled(clocks: list[_Clock], t: int) -> list[_Clock]:
    """In another order each time: what one leaves in the caches must not always serve the same next one."""
    return [clocks[k] for k in np.random.default_rng(t).permutation(len(clocks))]


def _ours(sequence: LinearSequence) -> dict[str, _Clock]:
    clocks = {}
    for method in ("auto", *_SINGLE):
        if not _has(method):
            continue
        solver = SequenceSolver(method, rtol=RTOL, horizon=len(sequence), assume_a="pos")
        clocks[method] = _Clock(_SolveByUs(solver), True)
    return clocks


def _has(method: str) -> bool:
    package = {"incomplete-cholesky": "ilupp", "multigrid": "pyamg"}.get(method)
    return package is None or find_spec(package) is not None


@dataclass
class _SolveByUs:
    solver: SequenceSolver

    def __call__(self, system: LinearSystem) -> np.ndarray:
        answer = self.solver.solve(system.A, system.b, system.context)
        return np.asarray(answer.x)


def _solvers_of(clock: _Clock) -> dict[str, int]:
    solve = clock.solve
    return solve.solver.method_counts() if isinstance(solve, _SolveByUs) else {}


def _peers() -> dict[str, _Clock]:
    peers: dict[str, Solve] = {"scipy cg": _scipy_cg, "scipy splu each": _splu}
    if find_spec("pyamg"):
        peers["pyamg each"] = _PyamgPeer(cached=False)
        peers["pyamg built once"] = _PyamgPeer(cached=True)
    return {name: _Clock(solve, False) for name, solve in peers.items()}


def _scipy_cg(system: LinearSystem) -> np.ndarray:
    return np.asarray(cg(system.A, system.b, rtol=RTOL)[0])


def _splu(system: LinearSystem) -> np.ndarray:
    factor = splu(
        system.A.tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return np.asarray(factor.solve(system.b))


class _PyamgPeer:
    """Conjugate gradients with a classical multigrid hierarchy of each matrix, or of the first one."""

    def __init__(self, cached: bool) -> None:
        self.cached = cached
        self.hierarchy: Any = None

    def __call__(self, system: LinearSystem) -> np.ndarray:
        import pyamg

        if self.hierarchy is None or not self.cached:
            self.hierarchy = pyamg.ruge_stuben_solver(sp.csr_matrix(system.A))
        M = self.hierarchy.aspreconditioner()
        return np.asarray(cg(system.A, system.b, rtol=RTOL, M=M)[0])


# ---- sweeps ----------------------------------------------------------------------------------------------


def _sweeps(quick: bool) -> list[Row]:
    side = 300 if quick else 1000
    A, b = five_point_laplacian(side, side), np.ones(side * side)
    iterations = 40  # a solve adds about three to them, for residuals

    def sor(**options: Any) -> Callable[[], Any]:
        solver = SOR(1.5, **options)
        solver.setup(A)
        return lambda: solver.solve(b, rtol=0.0, max_iterations=iterations)

    sweeps: dict[str, Callable[[], Any]] = {
        "karush, natural order": sor(),
        "karush, multicolour, 2 threads": sor(order="multicolour", workers=2),
    }
    if find_spec("pyamg"):
        from pyamg.relaxation.relaxation import sor as pyamg_sor

        matrix = sp.csr_matrix(A)
        sweeps["pyamg"] = lambda: pyamg_sor(matrix, np.zeros_like(b), b, 1.5, iterations=iterations)
    seconds = dict.fromkeys(sweeps, np.inf)
    for _ in range(1 + (3 if quick else 7)):  # the first round compiles
        for name, sweep in sweeps.items():
            started = perf_counter()
            sweep()
            seconds[name] = min(seconds[name], perf_counter() - started)
    reference = seconds.get("pyamg")
    return [
        {
            "table": "sweep",
            "sequence": f"five-point n={side * side}",
            "T": None,
            "solver": name,
            "value": 1e3 * time / iterations,
            "ratio": None if reference is None else reference / time,
            "note": "times pyamg's speed",
        }
        for name, time in seconds.items()
    ]


# ---- targets ---------------------------------------------------------------------------------------------


def _row(table: str, sequence: LinearSequence, solver: str, value: float, ratio: float, note: str) -> Row:
    title = _title(sequence)
    return {
        "table": table,
        "sequence": title,
        "T": len(sequence),
        "solver": solver,
        "value": value,
        "ratio": ratio,
        "note": note,
    }


def _targets(rows: list[Row]) -> list[Row]:
    targets = []
    learned = [
        row["ratio"]
        for row in rows
        if row["table"] == "iterations" and row["solver"] == "one-scalar" and row["T"] >= 200
    ]
    targets.append(
        _at_most("one-scalar: iterations over the instance optimum, worst, T >= 200", max(learned), 1.07)
    )
    for row in rows:
        if row["table"] == "seconds" and row["solver"] == "auto":
            name = f"portfolio over the best single method, {row['sequence']}, T = {row['T']}"
            targets.append(_at_most(name, row["ratio"], 1.1))
    timed = [row for row in rows if row["table"] == "seconds"]
    portfolio = {(r["sequence"], r["T"]): r["value"] for r in timed if r["solver"] == "auto"}
    for peer in sorted({r["solver"] for r in timed} - {"auto"}):
        slower = [r["value"] / portfolio[r["sequence"], r["T"]] for r in timed if r["solver"] == peer]
        mean = float(np.exp(np.mean(np.log(np.minimum(slower, 100.0)))))
        targets.append(
            {
                "name": f"{peer} alone over the portfolio, geometric mean of all sequences",
                "value": mean,
                "target": "> 1",
                "met": mean > 1.0,
            }
        )
    wanted = {"karush, natural order": 1.8, "karush, multicolour, 2 threads": 3.0}
    for row in rows:
        if row["table"] == "sweep" and row["solver"] in wanted and row["ratio"] is not None:
            least = wanted[row["solver"]]
            targets.append(
                {
                    "name": f"sweep, {row['solver']}: times pyamg's speed",
                    "value": row["ratio"],
                    "target": f">= {least}",
                    "met": row["ratio"] >= least,
                }
            )
    return targets


def _at_most(name: str, value: float, most: float) -> Row:
    return {"name": name, "value": value, "target": f"<= {most}", "met": value <= most}
