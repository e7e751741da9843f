"""Iterations on a sketched factor: FOSSILS, SPIR, iterative sketching.

All work in the coordinates y of x = P y, in which the columns of A P are nearly orthonormal: distances in y
are distances of A x, and for a good sketch the eigenvalues of P'A'AP lie in [1/(1 + sqrt(beta))^2,
1/(1 - sqrt(beta))^2], beta = n/d.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .sketched_factor import SketchedFactor
from .systems import LeastSquaresSystem

# Of the first pass's stopping rule, as in FOSSILS: the error that a single pass cannot go below.
_GAMMA, _RHO = 1.0, 0.04
# Backward error, in roundoffs, at which an iteration is done; that of Householder QR is .2 and more.
_BACKWARD = 0.25
# Steps that grow to this multiple of the first one are a divergence; so many without progress, rounding.
_DIVERGED, _PATIENCE = 10.0, 6
# Passes of refinement: two suffice in theory, the third is for what rounding may have spoilt.
_PASSES = 3

Operator = Callable[[np.ndarray], np.ndarray]


class DivergenceError(ArithmeticError):
    """The sketch was not as good as it should be: the momentum iteration grows, or is not finite."""


@dataclass
class Progress:
    """What an iteration has done."""

    iterations: int = 0


@dataclass(frozen=True)
class Momentum:
    """Damping and momentum of the heavy-ball iteration for a sketch of d rows, as FOSSILS has them.

    alpha = (1 - beta)^2 and beta = r/d are optimal where the spectrum is the Marchenko-Pastur one.
    """

    alpha: float
    beta: float

    @classmethod
    def of(cls, rank: int, d: int) -> Momentum:
        """For a factor of this rank from a sketch of d rows."""
        beta = rank / d
        return cls((1.0 - beta) ** 2, beta)


def fossils(
    system: LeastSquaresSystem,
    b: np.ndarray,
    factor: SketchedFactor,
    x: np.ndarray,
    momentum: Momentum,
    rtol: float,
    maxiter: int,
) -> tuple[np.ndarray, Progress]:
    """Fast optimal stable sketchy iterative least squares, two passes of refinement.

    Parameters
    ----------
    system, b
        min ||A x - b||.
    factor : SketchedFactor
        Of A.
    x : ndarray, shape (n,) or (n, p)
        Start: the sketch-and-solve solution, or a warm one.
    momentum : Momentum
        Of the inner iteration.
    rtol : float
        Relative accuracy of A x; zero: that of a backward-stable method.
    maxiter : int
        Most steps of each inner iteration.

    References
    ----------
    E. N. Epperly, M. Meier and Y. Nakatsukasa, "Fast randomized least-squares solvers can be just as accurate
    and stable as classical direct solvers", arXiv:2406.03468, the algorithm named FOSSILS.
    """

    def inner(gram: Operator, c: np.ndarray, rule: StoppingRule, progress: Progress) -> np.ndarray:
        return heavy_ball(gram, c, momentum, rule, maxiter, progress)

    return _refined(system, b, factor, x, rtol, inner)


def spir(
    system: LeastSquaresSystem,
    b: np.ndarray,
    factor: SketchedFactor,
    x: np.ndarray,
    rtol: float,
    maxiter: int,
) -> tuple[np.ndarray, Progress]:
    """Sketch-and-precondition with iterative refinement: the same two passes with conjugate gradients.

    It needs no bound on the sketch's distortion. Parameters as for `fossils`.

    References
    ----------
    The same paper's algorithm named SPIR.
    """

    def inner(gram: Operator, c: np.ndarray, rule: StoppingRule, progress: Progress) -> np.ndarray:
        return conjugate_gradients(gram, c, rule, maxiter, progress)

    return _refined(system, b, factor, x, rtol, inner)


def _refined(
    system: LeastSquaresSystem,
    b: np.ndarray,
    factor: SketchedFactor,
    x: np.ndarray,
    rtol: float,
    inner: Callable[[Operator, np.ndarray, StoppingRule, Progress], np.ndarray],
) -> tuple[np.ndarray, Progress]:
    """Passes x += P y, where P'A'AP y = P'A'(b - A x): twice, and once more where that was not enough."""
    progress = Progress()
    zero = np.zeros_like(b)

    def gram(y: np.ndarray) -> np.ndarray:
        return factor.apply_adjoint(system.gram(factor.apply(y), zero))

    for number in range(_PASSES):
        gradient, residual = system.gradient(x, b)
        c = factor.apply_adjoint(gradient)
        rule = LeastSquaresRule(system, factor, x, residual, rtol, first=number == 0)
        if number > 1 and rule.is_accurate(c):
            break
        x = x + factor.apply(inner(gram, c, rule, progress))
    return x, progress


def iterative_sketching(
    system: LeastSquaresSystem,
    b: np.ndarray,
    factor: SketchedFactor,
    x: np.ndarray,
    momentum: Momentum,
    rtol: float,
    maxiter: int,
) -> tuple[np.ndarray, Progress]:
    """Iterative sketching with damping and momentum: forward stable, not backward stable.

    References
    ----------
    E. N. Epperly, "Fast and forward stable randomized algorithms for linear least-squares problems", SIAM J.
    Matrix Anal. Appl. 45 (2024), arXiv:2311.04362, with the optimal damping and momentum.
    """
    progress = Progress()
    previous, rule = x, None
    for _ in range(maxiter):
        gradient, residual = system.gradient(x, b)
        c = factor.apply_adjoint(gradient)
        if rule is None:
            rule = LeastSquaresRule(system, factor, x, residual, rtol, first=True)
        rule.check_growth(c)
        step = momentum.alpha * factor.apply(c) + momentum.beta * (x - previous)
        previous, x = x, x + step
        progress.iterations += 1
        if rule.is_met(c, momentum.alpha * c):
            break
    return x, progress


def heavy_ball(
    gram: Operator, c: np.ndarray, momentum: Momentum, rule: StoppingRule, maxiter: int, progress: Progress
) -> np.ndarray:
    """Solve gram(y) = c by gradient descent with momentum."""
    y, previous = c, c
    for _ in range(maxiter):
        left = c - gram(y)
        step = momentum.alpha * left + momentum.beta * (y - previous)
        rule.check_growth(step)
        previous, y = y, y + step
        progress.iterations += 1
        if rule.is_met(left, step):
            break
    return y


def conjugate_gradients(
    gram: Operator, c: np.ndarray, rule: StoppingRule, maxiter: int, progress: Progress
) -> np.ndarray:
    """Solve gram(y) = c by conjugate gradients from zero. Their steps may grow for a while: no divergence."""
    y, left, direction = np.zeros_like(c), c, c
    squares = np.sum(left**2, axis=0)
    for _ in range(maxiter):
        product = gram(direction)
        curvature = np.sum(direction * product, axis=0)
        with np.errstate(all="ignore"):
            length = np.where(curvature > 0.0, squares / curvature, 0.0)
        step = length * direction
        y = y + step
        progress.iterations += 1
        left = left - length * product
        if rule.is_met(left, step):
            break
        squares, before = np.sum(left**2, axis=0), squares
        with np.errstate(all="ignore"):
            direction = left + np.where(before > 0.0, squares / before, 0.0) * direction
    return y


class StoppingRule(ABC):
    """When an iteration for y is done, decided for all right-hand sides together.

    Done is: the answer is accurate; steps are below what this pass can resolve; or nothing moves any more.

    Parameters
    ----------
    rounding : float or ndarray
        Steps of y that are too small to matter.
    """

    def __init__(self, rounding: np.ndarray) -> None:
        self._rounding = rounding
        self._first: np.ndarray | None = None
        self._least, self._waited = np.inf, 0

    @abstractmethod
    def is_accurate(self, left: np.ndarray) -> bool:
        """True where the rest ``left`` = c - P'A'AP y is that of an accurate solution."""

    def is_met(self, left: np.ndarray, step: np.ndarray) -> bool:
        """True where the iteration is done, with this rest and this step.

        Raises
        ------
        DivergenceError
            The step is not finite.
        """
        size = np.linalg.norm(step, axis=0)
        if not np.all(np.isfinite(size)):
            raise DivergenceError("the iteration is not finite")
        return self.is_accurate(left) or bool(np.all(size <= self._rounding)) or self._stagnates(size)

    def check_growth(self, step: np.ndarray) -> None:
        """Stop an iteration whose steps should shrink and grow.

        Raises
        ------
        DivergenceError
            They are ten times the first one.
        """
        size = np.linalg.norm(step, axis=0)
        if self._first is None:
            self._first = size
        elif np.any(size > _DIVERGED * self._first):
            raise DivergenceError("the steps grow")

    def _stagnates(self, size: np.ndarray) -> bool:
        largest = float(np.max(size))
        if largest < self._least:
            self._least, self._waited = largest, 0
        else:
            self._waited += 1
        return self._waited >= _PATIENCE


class LeastSquaresRule(StoppingRule):
    """Accurate is: the backward error is that of a stable method, or the accuracy asked for is there.

    The backward error has to be small relative to ||A|| and, as QR's is, to A with its columns scaled: else
    unknowns of small columns would be left unsolved.

    Parameters
    ----------
    system, factor
        The problem.
    x : ndarray, shape (n,) or (n, p)
        The point that the pass starts from.
    residual : float or ndarray
        ||b - A x|| there.
    rtol : float
        Relative accuracy of A x asked for, or zero.
    first : bool
        True for the first pass, which need not go below what it can resolve: the rest is the next one's.
    """

    def __init__(
        self,
        system: LeastSquaresSystem,
        factor: SketchedFactor,
        x: np.ndarray,
        residual: np.ndarray,
        rtol: float,
        *,
        first: bool,
    ) -> None:
        scale = factor.scale if x.ndim == 1 else factor.scale[:, None]
        size = factor.largest * np.linalg.norm(x / scale, axis=0)
        rounding = system.eps * (_GAMMA * size + _RHO * factor.condition * residual)
        super().__init__(rounding if first else np.zeros_like(rounding))
        self._factor, self._scale = factor, scale
        self._forward = rtol * np.linalg.norm(factor.unapply(x), axis=0)
        augmented = np.hypot(residual, system.damp * np.linalg.norm(x, axis=0))
        accuracy = _BACKWARD * system.eps
        self._plain = _Allowance(accuracy * factor.norm, np.linalg.norm(x, axis=0), augmented)
        self._scaled = _Allowance(accuracy * factor.scaled_norm, np.linalg.norm(x / scale, axis=0), augmented)

    def is_accurate(self, left: np.ndarray) -> bool:
        """True where ``left`` = P'A'(b - A x) is small enough."""
        in_range = np.linalg.norm(left, axis=0)
        if not np.any(in_range):
            return True
        gradient = self._factor.unapply_adjoint(left)
        backward = self._plain.covers(in_range, np.linalg.norm(gradient, axis=0)) & self._scaled.covers(
            in_range, np.linalg.norm(gradient * self._scale, axis=0)
        )
        return bool(np.all(backward | (in_range <= self._forward)))


class _Allowance:
    """A backward error that is small enough, relative to a norm of A."""

    def __init__(self, accuracy: float, size: np.ndarray, residual: np.ndarray) -> None:
        self._most = accuracy * size
        with np.errstate(all="ignore"):
            self._omega = np.where(size > 0.0, residual / size, 0.0)

    def covers(self, in_range: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Where the error is within it, from the norms of P'A'r and A'r.

        The weight (A'A + w^2 I)^(-1/2) in `backward_error.karlson_walden` is below both (A'A)^(-1/2) and I/w:
        of the two bounds that follow the smaller is taken.
        """
        with np.errstate(all="ignore"):
            bound = np.minimum(in_range, np.where(self._omega > 0.0, gradient / self._omega, np.inf))
        return np.asarray(bound <= self._most)
