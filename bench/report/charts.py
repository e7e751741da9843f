"""The charts of a report as data: what is drawn, before anybody draws it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.nlp import Vector
from ..profiles import Curve, evaluations_to_accuracy, performance_profile, solved_over
from .table import Results

ACCURACIES = (1e-1, 1e-3, 1e-5)
LARGEST_RATIO = 1e4


@dataclass(frozen=True)
class Chart:
    """One chart of step curves over a logarithmic axis.

    Attributes
    ----------
    key : str
        Name of its files.
    title, note, x_label, y_label : str
        What stands at it.
    curves : list of (str, Curve)
        Per solver.
    base : {2, 10}
        Of the ticks.
    low, high : float
        Range of x.
    """

    key: str
    title: str
    note: str
    x_label: str
    curves: list[tuple[str, Curve]]
    base: int
    low: float
    high: float
    y_label: str = "fraction of problems"

    def ticks(self) -> list[float]:
        """Powers of the base within the range, at most nine."""
        first = int(np.ceil(np.log(self.low) / np.log(self.base) - 1e-9))
        last = int(np.floor(np.log(self.high) / np.log(self.base) + 1e-9))
        step = max(1, -(-(last - first + 1) // 9))
        return [float(self.base) ** k for k in range(first, last + 1, step)]


def charts(results: Results) -> list[Chart]:
    """All charts of a report."""
    times, evaluations = results.times(), results.evaluations()
    found = [
        _ratios(results, "profile-time", "Performance profile: time", times, "time / best time"),
        _ratios(
            results,
            "profile-evaluations",
            "Performance profile: function evaluations",
            evaluations,
            "evaluations / fewest evaluations",
        ),
    ]
    found.extend(_data_profile(results, tau) for tau in ACCURACIES)
    found.append(
        _over(
            results,
            "solved-time",
            "Solved within a time",
            "Certified within x seconds of solving; building and compiling are not counted.",
            "seconds",
            times,
        )
    )
    return found


def _label(results: Results, curves: list[Curve]) -> list[tuple[str, Curve]]:
    return list(zip(results.solvers, curves, strict=True))


def _ratios(results: Results, key: str, title: str, costs: Vector, x_label: str) -> Chart:
    curves = performance_profile(costs)
    largest = max((float(curve.x[-1]) for curve in curves if curve.x.size), default=2.0)
    high = 2.0 ** np.ceil(np.log2(min(max(largest, 2.0), LARGEST_RATIO)))
    note = "At x = 1: how often a solver is the best one. At the right: how many problems it solves at all."
    return Chart(key, title, note, x_label, _label(results, curves), 2, 1.0, float(high))


def _over(results: Results, key: str, title: str, note: str, x_label: str, costs: Vector) -> Chart:
    finite = costs[np.isfinite(costs)]
    low = 10.0 ** np.floor(np.log10(finite.min())) if finite.size else 0.1
    high = 10.0 ** np.ceil(np.log10(finite.max())) if finite.size else 10.0
    high = max(high, 10.0 * low)
    return Chart(key, title, note, x_label, _label(results, solved_over(costs)), 10, float(low), float(high))


def _data_profile(results: Results, tau: float) -> Chart:
    needed = np.full((len(results.problems), len(results.solvers)), np.inf)
    for i, problem in enumerate(results.problems):
        rows = [results.cell(problem, solver) for solver in results.solvers]
        histories = [(row["history"] or []) if row else [] for row in rows]
        needed[i] = evaluations_to_accuracy(histories, problem.optimum, tau)
    exponent = int(np.floor(np.log10(tau)))
    return _over(
        results,
        f"data-profile-1e{exponent}",
        f"Data profile: accuracy {tau:g}",
        f"A feasible point has closed all but {tau:g} of the gap from the start to the best value.",
        "objective evaluations (derivatives are exact: no division by n + 1)",
        np.maximum(needed, 1.0),
    )
