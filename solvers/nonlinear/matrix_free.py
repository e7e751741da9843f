"""Newton's system solved inexactly by Krylov methods, and the slack form that needs products only.

The accuracy of a direction is that of Hong, Na, Mahoney & Kolar (ICML 2023) without its constant Psi: one is
accepted when ``||r|| <= min(0.1, ||b||^(1/2)) ||b||``, with b the right-hand side of the unreduced system,
scaled by the distances to the bounds, *and* it descends on the merit function; a residual well below the
tolerance of the run is small enough, too.
Where it does not descend, the tolerance is sharpened first, and the penalty parameters are moved after that.
The power of ||b|| makes the convergence superlinear, of order 3/2 (Dembo, Eisenstat, Steihaug, SIAM J. Numer.
Anal. 19 (1982)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...problems.evaluator import Evaluator
from ...problems.nlp import IndexVector, Vector
from .barrier import barrier_gradient
from .form import Form, Point, SlackForm
from .iterate import Iterate
from .kkt.iterative import KrylovKKT
from .kkt.krylov import Ending
from .limited_memory import LimitedMemoryBFGS
from .merit import affine_scaling
from .newton import Direction, NewtonSystem, RegularisationRule
from .operators import HessianProducts, JacobianProducts

LOOSEST = 0.1
"""Relative residual far from a solution."""

ENOUGH = 0.3
"""Residual relative to the tolerance of the run: a smaller one would be for nothing."""

SHARPENING = 0.1
"""Factor on the tolerance where the merit function refuses a direction."""

MAX_SHARPENINGS = 2
"""More do not help: what is left is the penalty parameters' part."""

LEAST_CURVATURE = 1e-10
"""Curvature along a MINRES direction below which the Hessian is regularised."""

MAX_REGULARISATIONS = 40

LONGEST = 1e4
"""Longest direction, relative to ``1 + ||x||``; beyond it the line search goes on by doubling."""


UserPreconditioner = Any
"""A LinearOperator of order n + m, or ``callable(x, y, primal, dual)`` that returns one (or a function)."""


class ProductForm(SlackForm):
    """A slack form that takes Hessian, or Hessian and Jacobian, as products.

    Parameters
    ----------
    evaluator : Evaluator
    scale : bool
    slack_relaxation : float
        See `SlackForm`.
    jacobian_products : bool, default False
        True: no Jacobian values either, and constraints are not scaled.
    source : {"exact", "lbfgs"}
        Where the Hessian comes from.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        scale: bool = True,
        slack_relaxation: float = 1e-8,
        jacobian_products: bool = False,
        source: str = "exact",
    ) -> None:
        self._jacobian_products, self._source = jacobian_products, source
        super().__init__(evaluator, scale, slack_relaxation)

    def has_hessian(self) -> bool:
        """Whether second derivatives are taken from the problem."""
        return self._source == "exact"

    def approximation(self) -> Any:
        """A fresh limited-memory matrix where they are not."""
        return None if self._source == "exact" else LimitedMemoryBFGS(self.nx)

    def hessian_coordinates(self, column: IndexVector) -> tuple[IndexVector, IndexVector]:
        """None: the Hessian is an operator."""
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)

    def jacobian_coordinates(self, row: IndexVector, column: IndexVector) -> tuple[IndexVector, IndexVector]:
        """Those of the values, where there are any."""
        if self._jacobian_products:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        return super().jacobian_coordinates(row, column)

    def differentiate_rows(self, point: Point) -> bool:
        """Fill in the Jacobian; False where it is known not to be finite."""
        if not self._jacobian_products:
            return super().differentiate_rows(point)
        J = JacobianProducts(self, point.x)
        # One product tells of most numbers that are not finite, and costs little beside those of a direction.
        if self.m and not np.isfinite(np.ones(self.m) @ J).all():
            return False
        point.jacobian_values, point.J = np.zeros(0), J
        return True

    def hessian(self, point: Point, y: Vector, sigma: float = 1.0) -> Any:
        """The Hessian of ``sigma f + y'C`` as an operator."""
        if self._curvature is not None:
            return self._curvature.values
        return HessianProducts(self, point.x, y, sigma)


def forcing(b: float) -> float:
    """Relative residual at an error of size b."""
    return min(LOOSEST, math.sqrt(b))


class MatrixFreeSystem(NewtonSystem):
    """A Newton system on a `KrylovKKT`: directions to an adaptive tolerance, resumed when refused.

    Parameters
    ----------
    form : Form
        The problem.
    kkt : KrylovKKT
        Its Krylov solver.
    rule : RegularisationRule
        Needed for dependent constraints, and with MINRES, which does not see negative curvature itself.
    """

    direct = False

    def __init__(
        self, form: Form, kkt: KrylovKKT, rule: RegularisationRule, preconditioner: UserPreconditioner = None
    ) -> None:
        super().__init__(form, kkt, rule)
        self.krylov = kkt
        base = original_form(form)
        kkt.check = base.evaluator.check_deadline
        self._user: ScaledPreconditioner | None = None
        if preconditioner is not None and not isinstance(preconditioner, str):
            self._user = kkt.preconditioner = ScaledPreconditioner(preconditioner, base)
        self._sharpenings = 0
        self._w: Vector | None = None

    @property
    def regularised(self) -> bool:
        """Whether the length of the last direction says nothing about the distance to a solution."""
        return self.delta_w > 0.0 or self.krylov.regularised

    @property
    def iterations(self) -> int:  # type: ignore[override]
        """Krylov iterations so far."""
        return self.krylov.iterations

    def load(self, point: Point, hessian: Any) -> None:
        """Hand the derivatives to the Krylov solver."""
        self.krylov.load(hessian, point.J, point.jacobian_values)

    def factor(self, iterate: Iterate, mu: float) -> bool:
        """Build the preconditioner at an iterate."""
        w = iterate.point.w
        size = 1.0 + float(np.linalg.norm(w[: self.form.nx]))
        moved = size if self._w is None else float(np.linalg.norm((w - self._w)[: self.form.nx]))
        self._w = w
        if self._user is not None:
            self._user.x, self._user.y = iterate.point.x, iterate.y
        # Ten times the last step: a direction without curvature has no length of its own.
        self.krylov.radius, self.krylov.boundary = max(10.0 * moved, 1e-3 * size), LONGEST * size
        return super().factor(iterate, mu)

    def direction(self, iterate: Iterate, mu: float, c: Vector | None = None) -> Direction:
        """A direction to the tolerance that fits the iterate; see the module."""
        gradient = barrier_gradient(iterate, mu, iterate.lagrangian_gradient)
        rows = iterate.point.c if c is None else c
        # Near a bound the barrier's gradient, mu/gap, is large, and wrong by the rounding of the gap.
        scaled = affine_scaling(iterate) * gradient
        b = math.hypot(float(np.linalg.norm(scaled)), float(np.linalg.norm(rows)))
        self.krylov.tolerance = max(forcing(b) * b, ENOUGH * self.target, 1e-13 * b)
        self._sharpenings = 0
        return self._convex(super().direction(iterate, mu, c), iterate, mu, c)

    def _convex(self, found: Direction, iterate: Iterate, mu: float, c: Vector | None) -> Direction:
        """The direction of a Hessian that is regularised until its curvature along it is positive."""
        for _ in range(MAX_REGULARISATIONS):
            if not math.isfinite(found.residual):
                break
            if self._is_convex(found, iterate):
                if self.delta_w > 0.0:
                    self._last_delta_w = self.delta_w
                break
            self.grow()
            if not self.regularise(iterate.sigma, mu, least=self.delta_w):
                break
            found = super().direction(iterate, mu, c)
        return found

    def _is_convex(self, found: Direction, iterate: Iterate) -> bool:
        """Whether a direction may be taken as it is.

        Where conjugate gradients meet negative curvature, the truncated direction descends; but with bounds
        it is not central, and bounds of variables that it has not got to cut it short. MINRES does not see
        curvature; it is measured, after Chiang & Zavala, "An inertia-free filter line-search algorithm for
        large-scale nonlinear programming", Comput. Optim. Appl. 64 (2016).
        """
        if self.krylov.projects:
            return not (self.krylov.regularised and iterate.bounds.count)
        dx, dt = found.dw[: self.form.nx], found.dw[self.form.nx :]
        curvature = self.krylov.curvature(dx) + float(dt @ (self._tail_sigma * dt))
        return curvature >= LEAST_CURVATURE * float(found.dw @ found.dw)

    def sharpen(self, iterate: Iterate, mu: float) -> Direction | None:
        """The same direction to a smaller residual; None where that will not help."""
        run = self.krylov.run
        if run is None or run.ending is not Ending.CONVERGED or self._sharpenings >= MAX_SHARPENINGS:
            return None
        self._sharpenings += 1
        self.krylov.tolerance *= SHARPENING
        found = super().direction(iterate, mu)
        return found if math.isfinite(found.residual) else None

    def least_squares_multipliers(self, iterate: Iterate, limit: float = 1e3) -> Vector:
        """As for a direct solver, to eight digits."""
        point = iterate.point
        assert point.g is not None
        self.krylov.tolerance = 1e-8 * max(float(np.linalg.norm(point.g)), 1e-300)
        return super().least_squares_multipliers(iterate, limit)


class ScaledPreconditioner:
    """The user's preconditioner of the original KKT matrix, for the scaled one in the free variables.

    With the objective scaled by s and the rows by R the scaled matrix is ``T K T``, ``T = diag(s^(1/2) I,
    s^(-1/2) R)``, K that of the original problem, with ``primal/s`` and ``s dual/R^2`` for diagonals.

    Parameters
    ----------
    given : LinearOperator or callable
        See `UserPreconditioner`.
    form : SlackForm
        Scaling, free variables, active rows.
    """

    def __init__(self, given: UserPreconditioner, form: SlackForm) -> None:
        self.given, self.form = given, form
        self.x, self.y = form.evaluator.x0, np.zeros(form.m)
        order = form.evaluator.n + form.evaluator.m
        if hasattr(given, "shape") and tuple(given.shape) != (order, order):
            raise ValueError(
                f"preconditioner must have shape ({order}, {order}) for n = {form.evaluator.n}, "
                f"m = {form.evaluator.m}, got {tuple(given.shape)}"
            )

    def __call__(self, primal: Vector, dual: Vector) -> Callable[[Vector], Vector]:
        """``r -> M^-1 r`` in the scaled system, for these diagonals of the scaled matrix."""
        form, ev = self.form, self.form.evaluator
        s, R = form.scaling.objective, form.scaling.constraints
        inverse = self.given
        if not hasattr(inverse, "shape"):
            full_primal, full_dual = np.zeros(ev.n), np.zeros(ev.m)
            full_primal[form.free] = primal / s
            full_dual[form.active] = s * dual / R**2
            y = form.unscale_rows(self.y) / s
            inverse = self.given(self.x.copy(), y, full_primal, full_dual)
        product = inverse if callable(inverse) and not hasattr(inverse, "matvec") else inverse.__matmul__
        keep = np.concatenate([form.free, ev.n + form.active])
        left = np.concatenate([np.full(form.nx, 1.0 / math.sqrt(s)), math.sqrt(s) / R])
        order = ev.n + ev.m

        def apply(r: Vector) -> Vector:
            full = np.zeros(order)
            full[keep] = left * r
            z = np.asarray(product(full), dtype=np.float64)
            if z.shape != (order,):
                raise ValueError(f"preconditioner must return shape ({order},), got {z.shape}")
            return np.asarray(left * z[keep])

        return apply


def original_form(form: Any) -> SlackForm:
    """The slack form of the problem itself, which a form of the restoration phase is made from."""
    base: SlackForm = getattr(form, "base", form)
    return base
