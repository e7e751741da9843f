"""Learners of the relaxation parameter: from the losses of the systems before, omega for the next one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .chebcb import ChebCB
from .closed_form import ClosedForm, Iteration, optimal_omega
from .contextual import ContextualTsallisINF
from .fixed import Fixed
from .one_scalar import OneScalar
from .protocol import Choice, Context, ContextInterval, Learner, omega_grid
from .tsallis_inf import TsallisINF

__all__ = [
    "ChebCB",
    "Choice",
    "ClosedForm",
    "Context",
    "ContextInterval",
    "ContextualTsallisINF",
    "Fixed",
    "Learner",
    "OneScalar",
    "TsallisINF",
    "learner_from_state",
    "make_learner",
    "omega_grid",
    "optimal_omega",
]

_KINDS: dict[str, type[Learner]] = {
    kind.kind: kind for kind in (ChebCB, ClosedForm, ContextualTsallisINF, Fixed, OneScalar, TsallisINF)
}

NAMES = (*sorted(_KINDS), "tsallis-inf-rv", "contextual-rv")
"""Names that `make_learner` takes; "rv" is the reduced-variance form."""


def make_learner(
    spec: str | float | Learner,
    *,
    iteration: Iteration = "ssor-cg",
    interval: ContextInterval | None = None,
    rng: Any = None,
    floor: float = 1.0,
) -> Learner:
    """A learner by name.

    Parameters
    ----------
    spec : str, float or Learner
        A name of `NAMES`; a number is that fixed omega; a learner is returned as it is.
    iteration : {"ssor-cg", "sor"}
        What omega is for.
    interval : ContextInterval, optional
        Where contexts lie; "chebcb" and "contextual" need it.
    rng : None, int or Generator
        For the learners that draw.
    floor : float
        Smallest possible loss: 1 for iterations, 0 for times.

    Raises
    ------
    ValueError, TypeError
        An unknown name, or a contextual learner without interval.
    """
    if isinstance(spec, Learner):
        return spec
    if isinstance(spec, float | int) and not isinstance(spec, bool):
        return Fixed(float(spec))
    if not isinstance(spec, str):
        raise TypeError(f"learner must be a name, a number or a Learner, not {type(spec).__name__}")
    name, reduced = spec.removesuffix("-rv"), spec.endswith("-rv")
    if spec not in NAMES:
        raise ValueError(f"learner must be one of {', '.join(NAMES)}, got {spec!r}")
    if _KINDS[name].needs_context and interval is None:
        raise ValueError(f"learner {spec!r} needs context_range=(low, high)")
    makers: dict[str, Callable[[], Learner]] = {
        "fixed": Fixed,
        "closed-form": lambda: ClosedForm(iteration),
        "one-scalar": lambda: OneScalar(iteration, rounding=0.5 * floor),
        "tsallis-inf": lambda: TsallisINF(rng=rng, reduced_variance=reduced, floor=floor),
        "contextual": lambda: ContextualTsallisINF(
            _required(interval), rng=rng, reduced_variance=reduced, floor=floor
        ),
        "chebcb": lambda: ChebCB(_required(interval), rng=rng, floor=floor),
    }
    return makers[name]()


def learner_from_state(state: dict[str, Any]) -> Learner:
    """The learner that was saved by its `Learner.state_dict`.

    Raises
    ------
    ValueError
        Where the state is of no known kind.
    """
    kind = state.get("kind") if isinstance(state, dict) else None
    if kind not in _KINDS:
        raise ValueError(f"state must come from a learner's state_dict(); its kind is {kind!r}")
    return _KINDS[kind].from_state(state)


def _required(interval: ContextInterval | None) -> ContextInterval:
    assert interval is not None
    return interval
