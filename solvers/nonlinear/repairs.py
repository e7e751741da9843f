"""What is done about a linear system that fails: a table of symptoms and repairs, tried from the top.

The troubles of whole iterations have a table of their own, `recovery.REMEDIES`. A repair changes something
about the matrix, or about who factorises it; then the matrix is factorised again and looked at anew. Which
repairs an iteration needed stands in ``record["repairs"]``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from .kkt import alternative

if TYPE_CHECKING:
    from .newton import NewtonSystem


class Symptom(Enum):
    """What is wrong with a factorisation or with a solution."""

    NOT_FINITE = "an entry of the matrix is not a finite number"
    BROKEN = "the factorisation was given up"
    DEFICIENT = "the gradients of the constraints are dependent, or the matrix is singular"
    INDEFINITE = "the Hessian is not positive definite on the null space of the Jacobian"
    INACCURATE = "the solution does not solve the system"


@dataclass(frozen=True)
class Repair:
    """A way to a matrix that can be worked with.

    Attributes
    ----------
    name : str
        As it stands in ``record["repairs"]``.
    against : frozenset of Symptom
    limit : int
        How often it is tried, for one matrix or in a run.
    in_a_run : bool
        Whether the limit is that of a run: for changes that stay.
    apply : callable
        ``apply(system)``: do it; False where it is not to be had, and the next one is asked.
    """

    name: str
    against: frozenset[Symptom]
    limit: int
    in_a_run: bool
    apply: Callable[[NewtonSystem], bool]


def examine(system: NewtonSystem, inertia: tuple[int, int, int]) -> Symptom | None:
    """What the inertia of the matrix last factorised tells, None where it is (n, m, 0)."""
    n, m = system.form.nx, system.form.m
    if inertia == (n, m, 0):
        return None
    if inertia[2] == n + m:
        # All eigenvalues zero is how a solver says that it has no factors; a zero matrix has none else.
        if not system.is_finite():
            return Symptom.NOT_FINITE
        if not system.is_zero():
            return Symptom.BROKEN
    return Symptom.DEFICIENT if inertia[1] < m or inertia[2] > 0 else Symptom.INDEFINITE


def repair(system: NewtonSystem, symptom: Symptom) -> bool:
    """Apply the first repair of the table that is left; False where there is none."""
    for entry in REPAIRS:
        used = system.used_in_run if entry.in_a_run else system.used
        if symptom in entry.against and used[entry.name] < entry.limit and entry.apply(system):
            used[entry.name] += 1
            system.repairs[entry.name] += 1
            return True
    return False


def _regularise_rows(system: NewtonSystem) -> bool:
    if system.delta_c > 0.0 or system.form.m == 0:
        return False
    system.delta_c = system.dual_regularisation
    return True


def _order_otherwise(system: NewtonSystem) -> bool:
    reorder = getattr(system.kkt, "reorder", None)
    return reorder is not None and bool(reorder())


def _factorise_otherwise(system: NewtonSystem) -> bool:
    other = alternative(system.kkt)
    if other is None:
        return False
    system.replace_solver(other)
    return True


def _regularise_hessian(system: NewtonSystem) -> bool:
    system.grow()
    return system.delta_w <= system.rule.largest


def _regularise_hessian_more(system: NewtonSystem) -> bool:
    system.delta_w = max(system.rule.growth * system.delta_w, 1e-8)
    return system.delta_w <= system.rule.largest


_S = Symptom

REPAIRS = (
    Repair("delta_c", frozenset({_S.DEFICIENT, _S.BROKEN}), 1, False, _regularise_rows),
    Repair("other ordering", frozenset({_S.BROKEN}), 1, True, _order_otherwise),
    Repair("more delta_w", frozenset({_S.INACCURATE}), 7, False, _regularise_hessian_more),
    Repair("other backend", frozenset({_S.BROKEN, _S.INACCURATE}), 1, True, _factorise_otherwise),
    Repair("delta_w", frozenset({_S.INDEFINITE, _S.DEFICIENT, _S.BROKEN}), 100, False, _regularise_hessian),
)
"""In the order in which they are tried; for NOT_FINITE there is none."""


def described(counts: dict[str, int]) -> str:
    """The repairs of an iteration in words: "delta_c, delta_w x3"."""
    return ", ".join(name if count == 1 else f"{name} x{count}" for name, count in counts.items())
