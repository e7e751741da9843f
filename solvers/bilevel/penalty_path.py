"""The path of a penalty method as sigma falls to 0, and where it leads.

Minimisers of a penalised problem are off by a sigma + b sigma^2 + ...; the polynomial through the last of
them removes the leading terms (Fiacco & McCormick, Nonlinear Programming, 1968, section 5.4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.nlp import Vector

ORDER = 4
"""Points of the path that are used."""


EARLY = 50.0, 2.0
"""Factors of the target of the first points, whose weight at sigma = 0 is that much smaller."""


@dataclass(frozen=True, eq=False)
class PathPoint:
    """The minimiser w = (x, y) of the problem penalised with sigma; with central differences, of sigma^2."""

    sigma: float
    w: Vector


def extrapolated(path: list[PathPoint], sigma: float = 0.0) -> Vector:
    """The polynomial through the last points of the path, at `sigma`."""
    last = path[-ORDER:]
    sigmas = np.array([point.sigma for point in last])
    total = np.zeros_like(last[0].w)
    for k, point in enumerate(last):
        others = np.delete(sigmas, k)
        total += float(np.prod((sigma - others) / (point.sigma - others))) * point.w
    return total


def leniency(points: int) -> float:
    """Factor of the target for the next point of a path of so many."""
    return EARLY[points] if points < len(EARLY) else 1.0
