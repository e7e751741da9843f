"""Which linear algebra a run works with: solver of the KKT systems, source of the Hessian, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from ...problems.nlp import NLP
from .form import SlackForm
from .kkt import DENSE_LIMIT, kkt_solver
from .kkt.dense import DenseKKT
from .newton import NewtonSystem, RegularisationRule

if TYPE_CHECKING:
    from ...problems.evaluator import Evaluator
    from .form import Form
    from .kkt.iterative import KrylovKKT

LinearSolver = Literal["auto", "dense", "sparse", "krylov", "sketched"]
HessianChoice = Literal["auto", "exact", "lbfgs", "bfgs", "gauss-newton"]

LINEAR_SOLVERS: tuple[str, ...] = get_args(LinearSolver)
HESSIANS: tuple[str, ...] = get_args(HessianChoice)

PRODUCTS_LIMIT = 200
"""Variables up to which a Hessian known by products is formed, by as many products, and factorised."""

HEAVY_ROW, HEAVY_ORDER = 50, 3000
"""Entries per row of the lower triangle, and variables, beyond which a Hessian is used by its products.

A factorisation fills such a matrix almost completely, and its cost grows as n^3.
"""

BFGS_LIMIT = 200
"""Variables up to which a dense quasi-Newton matrix costs less than the limited-memory one's solves."""


@dataclass(frozen=True)
class LinearAlgebra:
    """A choice made.

    Attributes
    ----------
    solver : {"auto", "dense", "sparse", "krylov", "sketched"}
        "auto": a factorisation, dense or sparse by the size of the system.
    hessian : {"exact", "lbfgs", "bfgs", "gauss-newton"}
    reason : str
        Why, in words.
    preconditioner : LinearOperator, callable, str or None
        The user's.
    hessian_products, jacobian_products : bool
        Whether derivatives are taken as products.
    rng : None, int, Generator, optional
        Of sketches.
    """

    solver: str = "auto"
    hessian: str = "exact"
    reason: str = ""
    preconditioner: Any = None
    hessian_products: bool = False
    jacobian_products: bool = False
    rng: Any = 0

    @property
    def iterative(self) -> bool:
        """Whether linear systems are solved without factorisation, to an adaptive accuracy."""
        return self.solver in ("krylov", "sketched")

    @classmethod
    def choose(
        cls,
        problem: NLP,
        solver: LinearSolver = "auto",
        hessian: HessianChoice = "auto",
        preconditioner: Any = None,
        rng: Any = 0,
    ) -> LinearAlgebra:
        """Settle what is "auto" by the structure of the problem.

        Raises
        ------
        TypeError, ValueError
            What is asked for and what the problem offers do not fit.
        """
        source = _hessian_source(problem, hessian)
        _check_preconditioner(preconditioner, solver)
        by_products = _by_products(problem) if source == "exact" else ""
        no_jacobian = not problem.capabilities.jacobian_matrix
        if no_jacobian and solver in ("dense", "sparse"):
            raise ValueError(
                f"linear_solver={solver!r} needs Jacobian values, but {problem.name!r} has products only"
            )
        iterative = solver in ("krylov", "sketched")
        if solver != "auto":
            reason = "as asked for"
        elif preconditioner is not None:
            reason, iterative = "a preconditioner was given", True
        elif no_jacobian:
            reason, iterative = "derivatives are known by products only", True
        elif by_products:
            reason, iterative = by_products, True
        else:
            dense = problem.n + problem.m <= DENSE_LIMIT
            reason = f"{problem.n + problem.m} unknowns, " + ("small" if dense else "sparse")
        return cls(
            solver=("krylov" if iterative else "auto") if solver == "auto" else solver,
            hessian=source,
            reason=reason,
            preconditioner=preconditioner,
            hessian_products=source == "exact" and iterative and (no_jacobian or bool(by_products)),
            jacobian_products=no_jacobian,
            rng=rng,
        )

    def form(self, evaluator: Evaluator, scale: bool, slack_relaxation: float) -> SlackForm:
        """The problem in slack form, with the derivatives that this choice needs."""
        if self.jacobian_products or self.hessian_products:
            from .matrix_free import ProductForm

            return ProductForm(evaluator, scale, slack_relaxation, self.jacobian_products, self.hessian)
        if self.hessian == "exact":
            return SlackForm(evaluator, scale, slack_relaxation)
        from . import hessian_forms

        forms: dict[str, type[SlackForm]] = {
            "lbfgs": hessian_forms.LimitedMemoryForm,
            "bfgs": hessian_forms.DampedForm,
            "gauss-newton": hessian_forms.GaussNewtonForm,
        }
        return forms[self.hessian](evaluator, scale, slack_relaxation)

    def system(self, form: Form, rule: RegularisationRule) -> NewtonSystem:
        """The Newton system of a form."""
        if self.iterative:
            from .matrix_free import MatrixFreeSystem

            return MatrixFreeSystem(form, self._krylov(form), rule, self.preconditioner)
        direct = kkt_solver(form.pattern, self.solver)  # type: ignore[arg-type]
        if self.hessian == "lbfgs":
            from .limited_memory import LimitedMemoryKKT

            return NewtonSystem(form, LimitedMemoryKKT(direct), rule)
        return NewtonSystem(form, direct, rule)

    def _krylov(self, form: Form) -> KrylovKKT:
        kind: Any = self.preconditioner if isinstance(self.preconditioner, str) else "auto"
        if self.solver == "krylov":
            from .kkt.iterative import KrylovKKT

            return KrylovKKT(form.pattern, kind)
        from .kkt.sketched import SketchedKKT

        return SketchedKKT(form.pattern, kind, rng=self.rng)

    def describe(self, system: NewtonSystem) -> dict[str, str]:
        """What was chosen, and why, for the record of a run."""
        name: str = getattr(system.kkt, "name", "")
        if not name:
            innermost: Any = system.kkt
            while hasattr(innermost, "inner"):
                innermost = innermost.inner
            name = "dense" if isinstance(innermost, DenseKKT) else "sparse"
        note: str = getattr(system.kkt, "note", "")
        reason = f"{self.reason}; {note}" if note else self.reason
        return {"linear_solver": name, "linear_solver_reason": reason, "hessian": self.hessian}


def _hessian_source(problem: NLP, asked: str) -> str:
    second = problem.capabilities.second
    if asked == "gauss-newton":
        if not getattr(problem, "is_least_squares", False):
            raise ValueError(
                "hessian='gauss-newton' needs an objective that is a sum of squares by its structure (groups "
                f"with a square for group function, in a model or a SIF file); {problem.name!r} has none"
            )
        return asked
    if asked == "exact" and second == "none":
        raise ValueError(
            f"hessian='exact', but problem {problem.name!r} has no second derivatives: 'auto', 'lbfgs' or "
            "'bfgs' is wanted"
        )
    if asked != "auto":
        return asked
    if second != "none":
        return "exact"
    return "bfgs" if problem.n <= BFGS_LIMIT and problem.capabilities.jacobian_matrix else "lbfgs"


def _check_preconditioner(given: Any, solver: str) -> None:
    if given is None:
        return
    if isinstance(given, str):
        if given not in ("constraint", "block-diagonal"):
            raise ValueError(f"preconditioner must be 'constraint' or 'block-diagonal', got {given!r}")
    elif not (callable(given) or hasattr(given, "matvec") or hasattr(given, "__matmul__")):
        raise TypeError(
            "preconditioner must be a LinearOperator, a matrix, a callable or a name, got "
            f"{type(given).__name__}"
        )
    if solver in ("dense", "sparse"):
        raise ValueError(f"preconditioner is given, but linear_solver={solver!r} takes none")


def _by_products(problem: NLP) -> str:
    """Why the Hessian had better be taken as products; "" where there is no reason."""
    if not problem.capabilities.hessian_matrix and problem.n > PRODUCTS_LIMIT:
        return f"the Hessian is known by products only, n = {problem.n}"
    entries = problem.hessian_entries_bound()
    if problem.n > HEAVY_ORDER and entries > HEAVY_ROW * problem.n:
        return f"the Hessian may have {entries / problem.n:.0f} entries in a row, n = {problem.n}"
    return ""
