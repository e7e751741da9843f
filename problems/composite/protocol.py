"""What a datafit and a penalty provide and declare.

A problem is min over w and b of F(X w + offset + b) + Omega(w). The datafit F sees the linear predictor eta
only, of shape (n,), or (n, k) for k outputs; the penalty Omega sees w, of shape (p,) or (p, k). Neither sees
X: a new one is a few lines of plain numpy, and the kernels, which get weights and arrays from it, stay
compiled.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class MismatchError(TypeError):
    """A method needs what this datafit or penalty does not provide."""


class Datafit:
    """A smooth function F of the linear predictor; subclass it for one of your own.

    Needed are `shape`, `value` and `gradient`, which must leave eta as it is: it is passed without a copy.
    Whatever else is there makes more methods possible and the answers better certified; what is not there
    raises `MismatchError`, which names it.

    Attributes
    ----------
    shape : tuple of int
        Shape of eta: (n,) or (n, k).
    convex : bool
        Whether F is convex; dual gaps are for convex problems only.
    quadratic : bool
        Whether the Hessian is constant.
    separable : bool
        Whether F is a sum over samples, so that its Hessian is diagonal (in blocks of k).
    """

    shape: tuple[int, ...]
    convex: ClassVar[bool] = True
    quadratic: ClassVar[bool] = False
    separable: ClassVar[bool] = True

    def value(self, eta: Array) -> float:
        """F(eta); inf outside its domain."""
        raise NotImplementedError

    def gradient(self, eta: Array) -> Array:
        """Gradient by eta, of its shape."""
        raise NotImplementedError

    def hessian_diagonal(self, eta: Array) -> Array:
        """Diagonal of the Hessian by eta, of its shape: for Newton methods."""
        raise self.lacks("hessian_diagonal")

    def intercept_step(self, eta: Array, slope: Array, floor: float) -> Array:
        """Newton's step for the intercept against its slope; curvatures count as `floor` at least.

        The default takes outputs as if they were not coupled.
        """
        curvature = self.hessian_diagonal(eta).sum(axis=0)
        return np.asarray(slope / np.maximum(curvature, floor))

    def curvature_bound(self) -> Array:
        """Upper bounds of the Hessian's diagonal over all eta, of eta's shape: for steps 1/L.

        Where the outputs of a sample are coupled, see `output_bound`.
        """
        raise self.lacks("curvature_bound")

    def output_bound(self, outputs: int) -> Array:
        """M, (outputs, outputs): the Hessian by that many of the k outputs is <= M (x) diag(s).

        Here s = ``curvature_bound()[:, 0]``. Only where the outputs of a sample are coupled; elsewhere M is
        the identity.
        """
        raise self.lacks("output_bound")

    def hessian_block(self, block: Indices) -> Array:
        """Dense block of a constant Hessian that is not diagonal (`separable` is False)."""
        raise self.lacks("hessian_block")

    def conjugate(self, u: Array) -> float:
        """F*(u) = sup over eta of <u, eta> - F(eta), inf outside its domain: for dual gaps."""
        raise self.lacks("conjugate")

    def reweighted(self, factors: Array) -> Datafit:
        """The datafit with the samples' weights times `factors`, (n,): for cross-validation."""
        raise self.lacks("reweighted")

    def lacks(self, what: str) -> MismatchError:
        """The error of a method that needs `what`."""
        return MismatchError(f"datafit {type(self).__name__} does not provide {what}")

    def provides(self, what: str) -> bool:
        """Whether the optional method `what` is there."""
        return getattr(type(self), what) is not getattr(Datafit, what)


class Penalty:
    """A function Omega of w with a cheap proximal operator; subclass it for one of your own.

    Needed are `value` and `prox`. Items are what the penalty adds up over: coordinates of w (a separable
    penalty), groups of them, or everything at once.

    Attributes
    ----------
    convex : bool
        Whether Omega is convex.
    separable : bool
        Whether Omega is a sum over coordinates. Then `prox` takes one step per coordinate, and `restricted`
        must be there.
    """

    convex: ClassVar[bool] = True
    separable: ClassVar[bool] = True

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError where the penalty's own data do not fit w's shape."""

    def value(self, w: Array) -> float:
        """Omega(w); inf outside its domain."""
        raise NotImplementedError

    def prox(self, v: Array, step: float | Array) -> Array:
        """Argmin over t of ||t - v||^2 / 2 + step Omega(t); a step for every coordinate where separable."""
        raise NotImplementedError

    def stationarity(self, w: Array, gradient: Array) -> Array:
        """Distances of -gradient from the subdifferential of Omega at w, one for every item."""
        raise self.lacks("stationarity")

    def conjugate(self, v: Array) -> float:
        """Omega*(v) = sup over w of <v, w> - Omega(w): for dual gaps."""
        raise self.lacks("conjugate")

    def dual_scale(self, v: Array) -> float:
        """The largest t in [0, 1] with Omega*(t v) < inf."""
        raise self.lacks("dual_scale")

    def dual_norm(self, v: Array) -> float:
        """The smallest t >= 0 with v in t times the subdifferential of Omega at 0: ends paths at the top."""
        raise self.lacks("dual_norm")

    def support(self, w: Array) -> NDArray[np.bool_]:
        """Generalised support: which coordinates are not held at a kink or a bound; of w's shape."""
        return np.asarray(w != 0)

    def slack(self, w: Array, gradient: Array) -> float:
        """Delta: by how much the items that are held at a kink are held, at least.

        The smallest distance, over the items outside the support, from -gradient to the boundary of the
        subdifferential; inf where nothing is held. The support is identified once the gradient's error is
        smaller.
        """
        raise self.lacks("slack")

    def restricted(self, block: Indices) -> Penalty:
        """The penalty of w[block] alone, the rest fixed (w flat where it has several columns)."""
        raise self.lacks("restricted")

    def scaled(self, factor: float) -> Penalty:
        """`factor` times the penalty: for paths."""
        raise self.lacks("scaled")

    def lacks(self, what: str) -> MismatchError:
        """The error of a method that needs `what`."""
        return MismatchError(f"penalty {type(self).__name__} does not provide {what}")

    def provides(self, what: str) -> bool:
        """Whether the optional method `what` is there."""
        return getattr(type(self), what) is not getattr(Penalty, what)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={_short(v)}' for k, v in vars(self).items())})"


def _short(value: Any) -> str:
    return f"array{value.shape}" if isinstance(value, np.ndarray) and value.ndim else f"{value}"
