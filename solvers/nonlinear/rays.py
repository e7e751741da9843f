"""Rays along which the objective falls for ever, looked for where iterates run away.

The displacement of a diverging run tends to a direction of recession, but only in the limit; far along it
what is left of forbidden directions counts. So it is projected on what leaves the tight rows and the
curvature unchanged, and what a bound would stop is taken out: the projected direction of a linear or
quadratic problem is exact to rounding. Whether the objective falls along the ray is for the judge to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse
from scipy.sparse import vstack as sparse_vstack

from ...problems.evaluator import Evaluator
from ...problems.nlp import Vector
from ..unboundedness import certify_unbounded

Ray = tuple[Vector, Vector]
"""Origin and direction."""

NEAR = 1e2
"""Size of x, relative to that of the start and at least to 1, up to which rounding does not matter."""

FAR = 1e4
"""Size of x from which on a run is suspected to diverge."""

LONG = 64
"""From here on the numbers of iterations that are powers of two raise a suspicion too, beyond `NEAR`."""

AGAIN = 10.0
"""Growth of x after which the suspicion is looked into again."""

PROJECTION_LIMIT = 500
"""Up to so many variables the projection is by singular values, beyond that by LSMR."""

NEGLIGIBLE = 1e-7
"""Rows of J and H below this share of the largest one count as zero: curvature that fades far out."""


@dataclass
class DivergenceWatch:
    """Says when x has moved so far that a run may be diverging, and keeps the last point near the start.

    Parameters
    ----------
    start : ndarray, shape (n,)
    long_runs : bool, default True
        Whether long runs are suspicious too.
    """

    start: Vector
    long_runs: bool = True
    near: Vector = field(init=False)
    threshold: float = field(init=False)
    iterations: int = 0

    def __post_init__(self) -> None:
        self.near = self.start
        self._size = max(1.0, float(abs(self.start).max(initial=0.0)))
        self.threshold = FAR * self._size

    def is_due(self, x: Vector) -> bool:
        """Whether it is time to look; to be asked once an iteration."""
        self.iterations += 1
        size = float(abs(x).max(initial=0.0))
        if size <= NEAR * self._size:
            self.near = x
            return False
        if size >= self.threshold:
            self.threshold = AGAIN * size
            return True
        k = self.iterations
        return self.long_runs and k >= LONG and k & (k - 1) == 0

    def falling_ray(self, evaluator: Evaluator, x: Vector, tol: float) -> Ray | None:
        """A ray in the direction of the way so far, from x or, beyond the reach of rounding, from before."""
        for origin in (x, self.near):
            found = falling_ray(evaluator, origin, x - self.start, tol)
            if found is not None:
                return found
        return None


def falling_ray(evaluator: Evaluator, x: Vector, along: Vector, tol: float) -> Ray | None:
    """A ray from x on which the objective falls without limit, by the judge's measures.

    Parameters
    ----------
    evaluator : Evaluator
        Oracles of the problem.
    x : ndarray, shape (n,)
        A feasible point.
    along : ndarray, shape (n,)
        Roughly the direction, such as the way that the run has gone.
    tol : float
        Of the violation on the ray.

    Returns
    -------
    (origin, direction), ndarrays of shape (n,), or None
    """
    if not (along.any() and evaluator.violation(x) <= tol):
        return None
    problem, gradient = evaluator.as_problem(), evaluator.gradient(x)
    for direction in _candidates(evaluator, x, along):
        if gradient @ direction < 0.0 and certify_unbounded(problem, x, direction, tol).holds:
            return x, direction
    return None


def _candidates(evaluator: Evaluator, x: Vector, along: Vector) -> Iterator[Vector]:
    """The direction made to keep the tight rows and the curvature, then the rows alone."""
    J, H = _jacobian(evaluator, x), _curvature(evaluator, x)
    if H is not None:
        yield from _unstopped(evaluator, along, J, H)
    yield from _unstopped(evaluator, along, J, None)


def _jacobian(evaluator: Evaluator, x: Vector) -> Any:
    """The Jacobian, None where it is known by products only and they would be too many."""
    if evaluator.problem.capabilities.jacobian_matrix:
        return evaluator.as_problem().jacobian(x)
    if evaluator.m > PROJECTION_LIMIT:
        return None
    return np.array([evaluator.vjp(x, e) for e in np.eye(evaluator.m)]).reshape(evaluator.m, evaluator.n)


def _curvature(evaluator: Evaluator, x: Vector) -> Any:
    """The Hessian of the objective and, with weights that no accident makes cancel, of all constraints."""
    capabilities = evaluator.problem.capabilities
    weights = 1.0 + np.modf(np.arange(1, evaluator.m + 1) * 0.6180339887498949)[0]
    if capabilities.second == "none":
        return None
    if capabilities.hessian_matrix:
        return evaluator.as_problem().hessian(x, weights, 1.0)
    if evaluator.n > PROJECTION_LIMIT:
        return None
    return np.array([evaluator.hvp(x, e, weights) for e in np.eye(evaluator.n)])


def _unstopped(evaluator: Evaluator, along: Vector, J: Any, H: Any) -> Iterator[Vector]:
    """The projection of the direction that no bound and no row stops; nothing where none is left."""
    equal = evaluator.cl == evaluator.cu
    up = np.isfinite(evaluator.cu) & (evaluator.cu < 1e20)
    down = np.isfinite(evaluator.cl) & (evaluator.cl > -1e20)
    above, below = evaluator.ub < 1e20, evaluator.lb > -1e20
    tight, free = equal | (up & down), ~(above & below)
    while free.any():
        d = _project(along, free, J[np.flatnonzero(tight)] if J is not None else None, H)
        if not abs(d).max(initial=0.0) > 1e-10 * abs(along).max(initial=0.0):
            return
        slope = np.zeros(evaluator.m) if J is None else J @ d
        stopped = free & ((above & (d > 0.0)) | (below & (d < 0.0)))
        newly_tight = ~tight & ((up & (slope > 0.0)) | (down & (slope < 0.0)))
        if not (stopped.any() or newly_tight.any()):
            yield d
            return
        free, tight = free & ~stopped, tight | newly_tight


def _project(along: Vector, free: Any, J: Any, H: Any) -> Vector:
    """The part of the direction, of free variables only, that is orthogonal to the rows of J and H."""
    columns = np.flatnonzero(free)
    d = np.zeros_like(along)
    rows = [_unit_rows(block[:, columns]) for block in (J, H) if block is not None and block.shape[0]]
    rows = [block for block in rows if block.shape[0]]
    part = along[columns]
    if rows and columns.size <= PROJECTION_LIMIT:
        dense = np.vstack([block.toarray() if issparse(block) else block for block in rows])
        _, singular, right = np.linalg.svd(dense, full_matrices=False)
        basis = right[singular > 1e-10 * singular[0]]
        for _ in range(2):
            part = part - basis.T @ (basis @ part)
    elif rows:
        from scipy.sparse.linalg import lsmr

        transposed = sparse_vstack(rows, format="csr").T
        for _ in range(3):
            part = part - transposed @ lsmr(transposed, part, atol=1e-15, btol=1e-15, maxiter=500)[0]
    # What is rounding of zero must not point out of a bound.
    part[abs(part) <= 1e-13 * abs(along).max(initial=0.0)] = 0.0
    d[columns] = part
    return d


def _unit_rows(block: Any) -> Any:
    """The rows that are not negligible, scaled to length one."""
    matrix = csr_array(block)
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    kept = np.flatnonzero(norms > NEGLIGIBLE * norms.max(initial=0.0))
    scaled = matrix[kept]
    scaled.data = scaled.data / np.repeat(norms[kept], np.diff(scaled.indptr))
    return scaled
