"""A problem so small that solving it costs nothing but the imports and compilations of a solver."""

from __future__ import annotations

import numpy as np

from ..problems.nlp import NLP, IndexVector, Metadata, Vector


class _Tiny(NLP):
    """min x0^4 + (x1 - 2)^2, with or without 1 <= x0 x1 <= 4, x0 + x1^2 = 3, x >= 0."""

    def __init__(self, constrained: bool) -> None:
        inf = np.full(2, np.inf)
        rows = 2 if constrained else 0
        super().__init__(
            Metadata(
                name="TINY",
                x0=np.array([1.5, 0.5]),
                lb=np.zeros(2) if constrained else -inf,
                ub=inf,
                cl=np.array([1.0, 3.0])[:rows],
                cu=np.array([4.0, 3.0])[:rows],
                y0=np.zeros(rows),
            )
        )

    def objective(self, x: Vector) -> float:
        return float(x[0] ** 4 + (x[1] - 2.0) ** 2)

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        return _into(out, [4.0 * x[0] ** 3, 2.0 * (x[1] - 2.0)])

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        return _into(out, [x[0] * x[1], x[0] + x[1] ** 2][: self.m])

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        return np.arange(0, 2 * self.m + 1, 2), np.tile(np.arange(2), 2)[: 2 * self.m]

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        return _into(out, [x[1], x[0], 1.0, 2.0 * x[1]][: 2 * self.m])

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        return np.array([0, 1, 3]), np.array([0, 0, 1])

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        weights = np.zeros(2) if y is None or not self.m else y
        return _into(out, [sigma * 12.0 * x[0] ** 2, weights[0], 2.0 * (sigma + weights[1])])


def _into(out: Vector | None, values: list[float]) -> Vector:
    found = np.array(values, dtype=float)
    if out is None:
        return found
    out[...] = found
    return out


def tiny_problem(constrained: bool) -> NLP:
    """The problem, with both kinds of constraints and bounds, or with none."""
    return _Tiny(constrained)
