"""The composite problem: min over w and b of F(X w + offset + b) + Omega(w)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .design import Design, design_of
from .inputs import finite_array
from .protocol import Array, Datafit, Indices, Penalty

_MAX_NEWTON = 100


@dataclass(frozen=True)
class NullModel:
    """The model with w = 0, its intercept fitted.

    Attributes
    ----------
    intercept : ndarray, shape () or (k,)
    value : float
        Objective there; the scale of duality gaps.
    slopes : ndarray, shape (p,) or (p, k)
        X' times the gradient of the datafit there: its largest entries decide which penalty keeps w at 0.
    """

    intercept: Array
    value: float
    slopes: Array


class CompositeProblem:
    """Min over w (and b) of F(X w + offset + b) + Omega(w).

    Parameters
    ----------
    datafit : Datafit
        F, of the linear predictor eta = X w + offset + b.
    penalty : Penalty
        Omega, of w alone: the intercept is never penalised.
    X : array_like or sparse array, shape (n, p), optional
        Design matrix, single or double precision, dense of either order or sparse (CSC as it is, others are
        converted). None: the identity, eta = w + offset. Constant columns are allowed: beside an intercept
        they stay at zero (or wherever the penalty leaves them free to be).
    intercept : bool
        Whether there is an intercept b, one for each output.
    offset : array_like, shape of eta or (n,), optional
        Fixed part of the predictor.

    Raises
    ------
    ValueError
        NaN or Inf, shapes that do not fit, groups that do not cover w.

    Notes
    -----
    X is read once here: it is checked, and the column norms and the slopes at w = 0 come from that pass.
    """

    def __init__(
        self,
        datafit: Datafit,
        penalty: Penalty,
        X: Any = None,
        *,
        intercept: bool = False,
        offset: Any = None,
    ) -> None:
        if not isinstance(datafit, Datafit):
            raise TypeError(f"datafit must be a Datafit, got {type(datafit).__name__}")
        if not isinstance(penalty, Penalty):
            raise TypeError(f"penalty must be a Penalty, got {type(penalty).__name__}")
        self.datafit, self.penalty = datafit, penalty
        self.design: Design = design_of(X, datafit.shape[0])
        self.shape: tuple[int, ...] = (self.design.shape[1], *datafit.shape[1:])
        self.intercept = bool(intercept)
        if self.intercept and X is None:
            raise ValueError("intercept needs an X: without one the datafit is a function of w itself")
        self.offset: Array | None = None if offset is None else self._checked_offset(offset)
        penalty.check(self.shape)
        self._survey()

    def _checked_offset(self, offset: Any) -> Array:
        given, shape = finite_array("offset", offset, (1, 2)), self.datafit.shape
        if given.shape not in {shape, shape[:1]}:
            raise ValueError(f"offset must have shape {shape}, got {given.shape}")
        return np.array(np.broadcast_to(given if given.shape == shape else given[:, None], shape))

    def _survey(self) -> None:
        """The one pass: null model, column squares and sums."""
        eta = np.zeros(self.datafit.shape) if self.offset is None else self.offset
        b = self.best_intercept(eta, np.zeros(self.datafit.shape[1:]))
        gradient = self.datafit.gradient(eta + b)
        first = np.ascontiguousarray(gradient if gradient.ndim == 1 else gradient[:, 0])
        unweighted = getattr(self.datafit, "unweighted", False)
        found = self.design.survey(first, None if unweighted else self.sample_weights)
        slopes = found.products if gradient.ndim == 1 else self.design.adjoint(gradient)
        value = self.datafit.value(eta + b)
        at_zero = self.penalty.value(np.zeros(self.shape))
        self.null = NullModel(b, value + at_zero if np.isfinite(at_zero) else value, slopes)
        self.column_squares, self.column_sums = found.squares, found.sums

    @property
    def sample_weights(self) -> Array:
        """Weights of the samples, ones where the datafit has none."""
        return np.asarray(getattr(self.datafit, "weights", np.ones(self.datafit.shape[0])))

    @property
    def n(self) -> int:
        """Number of samples."""
        return self.datafit.shape[0]

    @property
    def p(self) -> int:
        """Number of columns of X."""
        return self.shape[0]

    @property
    def convex(self) -> bool:
        """Whether both parts are."""
        return self.datafit.convex and self.penalty.convex

    def with_penalty(self, penalty: Penalty) -> CompositeProblem:
        """The same problem with another penalty; X is not looked at again."""
        penalty.check(self.shape)
        twin = CompositeProblem.__new__(CompositeProblem)
        twin.__dict__.update(self.__dict__)
        twin.penalty = penalty
        return twin

    def with_datafit(self, datafit: Datafit) -> CompositeProblem:
        """The same problem with another datafit of the same shape; X is read once."""
        if datafit.shape != self.datafit.shape:
            raise ValueError(f"the datafit must have shape {self.datafit.shape}, got {datafit.shape}")
        twin = self.with_penalty(self.penalty)
        twin.datafit = datafit
        twin.__dict__.pop("coordinate_lipschitz", None)
        twin._survey()
        return twin

    # ---- values and gradients ------------------------------------------------------------------------------

    def predictor(self, w: Array, b: Any = 0.0) -> Array:
        """Eta = X w + offset + b."""
        eta = self.design.product(w)
        if self.offset is not None:
            eta += self.offset
        return eta + b if self.intercept else eta

    def objective(self, w: Array, b: Any = 0.0) -> float:
        """F(X w + offset + b) + Omega(w)."""
        return self.datafit.value(self.predictor(w, b)) + self.penalty.value(w)

    def gradient(self, w: Array, b: Any = 0.0) -> tuple[Array, Array]:
        """Gradients of the datafit by w and by b."""
        g = self.datafit.gradient(self.predictor(w, b))
        return self.design.adjoint(g), np.asarray(g.sum(axis=0))

    def best_intercept(self, eta: Array, b: Array) -> Array:
        """The intercept to add to eta, from b on, by Newton's method; b itself where there is none.

        Steps are halved until the value falls; where it no longer tells, for rounding, slopes do.
        """
        if not self.intercept:
            return b
        datafit = self.datafit
        value = datafit.value(eta + b)
        for _ in range(_MAX_NEWTON):
            g = datafit.gradient(eta + b)
            slope = g.sum(axis=0)
            if np.all(np.abs(slope) <= 1e-15 * np.abs(g).sum(axis=0)):
                break
            step = datafit.intercept_step(eta + b, slope, 1e-8 * float(np.max(self.sample_weights)))
            factor = self._damping(eta + b, step, float(np.sum(step * slope)), value)
            if factor == 0.0:  # values no longer tell, for rounding: slopes do
                factor, after = 1.0, datafit.gradient(eta + b - step).sum(axis=0)
                if not np.sum(after**2) < np.sum(slope**2):
                    break
            b = b - factor * step
            value = datafit.value(eta + b)
        return b

    def _damping(self, eta: Array, step: Array, fall: float, value: float) -> float:
        """The first of 1, 1/2, 1/4, ... with which the value falls enough; 0 where it cannot be told."""
        factor = 1.0 if fall > 1e-15 * abs(value) else 0.0
        while factor > 1e-10:
            if self.datafit.value(eta - factor * step) <= value - 1e-4 * factor * fall:
                return factor
            factor *= 0.5
        return 0.0

    # ---- bounds of the Hessian, for coordinate and block methods -------------------------------------------

    @cached_property
    def coordinate_lipschitz(self) -> Array:
        """L_j: bounds of the second derivatives along the coordinates, of w's shape."""
        if not self.datafit.separable:
            return self.datafit.curvature_bound()
        bound = self.datafit.curvature_bound()
        ratio = _constant_ratio(bound if bound.ndim == 1 else bound[:, 0], self.sample_weights)
        if ratio is not None:
            squares = ratio * self.column_squares
        else:
            squares = self.design.survey(np.zeros(self.n), bound if bound.ndim == 1 else bound[:, 0]).squares
        return squares if len(self.shape) == 1 else np.repeat(squares[:, None], self.shape[1], axis=1)

    def hessian_block(self, block: Indices, eta: Array | None = None) -> Array:
        """Block of the Hessian at eta, or where that is None a bound of it for all eta: H <= it.

        Parameters
        ----------
        block : ndarray of int
            Coordinates of w, flat.
        eta : ndarray, optional
            Predictor; where outputs are coupled only None is possible.
        """
        datafit = self.datafit
        if not datafit.separable:
            return datafit.hessian_block(block)
        if len(self.shape) == 1:
            weights = datafit.curvature_bound() if eta is None else datafit.hessian_diagonal(eta)
            return self.design.gram_rows(block, 0, np.ascontiguousarray(weights))
        k = self.shape[1]
        features, outputs = block // k, block % k
        touched, which = np.unique(outputs, return_inverse=True)
        if eta is not None and datafit.provides("output_bound"):
            raise datafit.lacks("hessian_block at a point; only bounds, its outputs are coupled")
        coupling = datafit.output_bound(touched.size) if datafit.provides("output_bound") else None
        weights = np.ascontiguousarray(datafit.curvature_bound()[:, 0])
        gram = self.design.gram_rows(features, 0, weights)
        same = np.eye(touched.size) if coupling is None else coupling
        return np.asarray(gram * same[np.ix_(which, which)])

    def block_lipschitz(self, blocks: list[Indices]) -> Array:
        """L_b: the largest eigenvalues of the bounds of the Hessian's blocks."""
        return np.array([np.linalg.eigvalsh(self.hessian_block(block))[-1] for block in blocks])


def _constant_ratio(bound: Array, weights: Array) -> float | None:
    """The number c with bound = c weights, None where there is none."""
    if bound is weights:
        return 1.0
    i = int(np.argmax(weights))
    ratio = float(bound[i] / weights[i])
    return ratio if np.array_equal(bound, ratio * weights) else None
