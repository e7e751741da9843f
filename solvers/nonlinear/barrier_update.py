"""When the barrier parameter changes, and to what: monotonically, or with every iterate.

`MonotoneUpdate` solves each barrier problem before it lowers the parameter (Fiacco & McCormick).
`AdaptiveUpdate` chooses the parameter of every step anew, from what the Newton step would make of it, and
falls back on the monotone rule where the errors do not come down: Nocedal, Waechter & Waltz, "Adaptive
barrier update strategies for nonlinear interior methods", SIAM J. Optim. 19 (2009).

Measured on the 598 SIF problems with n + m <= 2000, to 1e-8 within 5 s: with the filter on the problems with
constraints the adaptive rule solves 315 of 397, the monotone one 312, with 14.3 iterations against 16.6 by
geometric mean on those that all solve; without constraints, with the merit function, 192 and 191 of 201. So
"auto" is adaptive; the second start of a run that is stuck is monotone.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from .barrier_kernels import best_centering
from .newton import Direction

if TYPE_CHECKING:
    from .iteration import BarrierIteration

UpdateName = Literal["auto", "monotone", "adaptive"]
UPDATES: tuple[str, ...] = get_args(UpdateName)

MEMORY = 4
"""Errors that an iterate of the free mode is compared with."""

PROGRESS = 0.9999
"""Share of the largest of them that it must stay below."""

RETREAT = 0.8
"""Barrier parameter of the fallback as a share of the mean product of gap and multiplier.

At most the first parameter of the monotone rule.
"""

LARGEST_MU = 1e5
"""Largest parameter that the adaptive rule chooses."""


class BarrierUpdate(Protocol):
    """A rule for the barrier parameter of a `BarrierIteration`."""

    def at_iterate(self, run: BarrierIteration) -> None:
        """Change the parameter, if it is time, before the system of an iterate is factorised."""

    def with_factors(self, run: BarrierIteration) -> Direction | None:
        """Change it after that, when directions cost little; the Newton direction, if it is known then."""

    def retreat(self, run: BarrierIteration) -> bool:
        """No step was found; whether the parameter was changed, so that another try makes sense."""


class MonotoneUpdate:
    """Lower the parameter while its subproblem is solved well enough; the constants are `BarrierRule`'s."""

    def at_iterate(self, run: BarrierIteration) -> None:
        """See `BarrierUpdate.at_iterate`."""
        rule, smallest = run.barrier, run.smallest_mu
        while run.mu > smallest and (
            run.tiny_steps > 0 or run.iterate.error(run.mu) <= rule.tolerance_factor * run.mu
        ):
            run.set_barrier(max(smallest, rule.next(run.mu)))

    def with_factors(self, run: BarrierIteration) -> Direction | None:
        """Nothing."""
        return None

    def retreat(self, run: BarrierIteration) -> bool:
        """There is nowhere to go."""
        return False


class AdaptiveUpdate:
    """The parameter that minimises the quality function, in a free and a fixed mode.

    In the free mode the parameter is ``sigma`` times the mean product of gap and multiplier, with the sigma
    whose Newton step promises the least error (section 4 of the paper). That takes one more solve with the
    factors at hand, and factors there must be: with Krylov solvers the rule is monotone. Where the error of
    the optimality conditions has not come down over `MEMORY` iterates, the fixed mode takes over: the
    monotone rule, until the error is below those that the free mode has seen (the paper's algorithm 3.1).
    """

    def __init__(self) -> None:
        self.free = True
        self._monotone = MonotoneUpdate()
        self._errors: deque[float] = deque(maxlen=MEMORY)

    def at_iterate(self, run: BarrierIteration) -> None:
        """See `BarrierUpdate.at_iterate`."""
        error = run.error
        if not self._errors or error <= PROGRESS * max(self._errors):
            if self.free or error <= PROGRESS * min(self._errors):
                self.free = True
                self._errors.append(error)
        elif self.free:
            self.retreat(run)
        if not self.free:
            self._monotone.at_iterate(run)

    def with_factors(self, run: BarrierIteration) -> Direction | None:
        """See `BarrierUpdate.with_factors`; directions are affine in the parameter, so two give them all."""
        iterate = run.iterate
        if not self.free or run.bounds.count == 0:
            return None
        if not run.system.direct:
            self.free = False
            return None
        mean = iterate.mean_complementarity
        affine, centered = run.system.direction(iterate, 0.0), run.system.direction(iterate, mean)
        gaps, counts = iterate.gaps, (run.form.nx, max(run.form.m, 1), run.bounds.count)
        sigma = best_centering(
            affine.dw,
            affine.dzl,
            affine.dzu,
            centered.dw,
            centered.dzl,
            centered.dzu,
            iterate.zl,
            iterate.zu,
            gaps.lower,
            gaps.upper,
            iterate.lagrangian_gradient,
            iterate.point.c,
            run.barrier.fraction,
            *counts,
        )
        run.set_barrier(min(max(float(sigma) * mean, run.smallest_mu), LARGEST_MU))
        if run.iterate is not iterate or not mean > 0.0:
            return None
        return affine.towards(centered, run.mu / mean)

    def retreat(self, run: BarrierIteration) -> bool:
        """Go over to the fixed mode."""
        if not self.free or run.bounds.count == 0:
            return False
        self.free = False
        mu = min(RETREAT * run.iterate.mean_complementarity, run.barrier.initial)
        run.set_barrier(max(mu, run.smallest_mu))
        return True
