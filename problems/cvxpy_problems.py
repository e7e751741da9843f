"""Problems of cvxpy as `NLP`, on cvxpy's own exact derivatives. All that depends on cvxpy's version is here.

A disciplined nonlinear program (DNLP) is lowered by cvxpy's reductions: attributes of variables become
smaller variables, functions with kinks become epigraphs. What comes out are smooth expressions of the lowered
variables. cvxpy differentiates them with its engine SparseDiffPy, one of its dependencies; no other solver
for nonlinear programs need be installed. Disciplined convex programs without cone constraints are DNLP, too.

S. Diamond, S. Boyd, "CVXPY: a Python-embedded modeling language for convex optimization", JMLR 17 (2016).
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np

from .derivative_backends import import_tool
from .nlp import NLP, IndexVector, Metadata, Vector

OLDEST = (1, 9)
"""The first version of cvxpy with disciplined nonlinear programs."""

Outcome = Literal["optimal", "optimal_inaccurate", "infeasible", "unbounded", "user_limit", "solver_error"]

# Bounds of a row's expression, and the factor that turns our multiplier of it into cvxpy's.
_ROWS: Mapping[str, tuple[float, float, float]] = {
    "Equality": (0.0, 0.0, 1.0),  # left - right
    "Zero": (0.0, 0.0, 1.0),
    "Inequality": (-np.inf, 0.0, 1.0),  # left - right
    "NonPos": (-np.inf, 0.0, 1.0),
    "NonNeg": (0.0, np.inf, -1.0),
}


def from_cvxpy(problem: Any, start: Mapping[Any, Any] | None = None, *, name: str = "cvxpy") -> CvxpyProblem:
    """A cvxpy problem as an `NLP`.

    Parameters
    ----------
    problem : cvxpy.Problem
        A disciplined nonlinear program (``problem.is_dnlp()``) with real, continuous variables. Values of its
        parameters are read now; the problem and its variables are left as they are.
    start : mapping of cvxpy.Variable to array_like, optional
        Start of some variables. The others start at their values; those that have none as cvxpy starts them:
        in the middle of two bounds, at a distance of 1 from a single one, else at 0.
    name : str, default "cvxpy"
        Name of the problem.

    Returns
    -------
    CvxpyProblem
        In the lowered variables. A maximisation is turned into the minimisation of the negative.

    Raises
    ------
    ImportError
        If cvxpy is not installed, older than 1.9, or no longer has what this file relies on.
    TypeError
        If `problem` is no cvxpy problem, or `start` no mapping of its variables.
    ValueError
        Where the problem is not DNLP (the parts are named), has integer or complex variables or parameters
        without value, or `start` does not fit.
    """
    cvxpy = import_cvxpy()
    if not isinstance(problem, cvxpy.Problem):
        raise TypeError(f"problem must be a cvxpy.Problem, got {type(problem).__name__}")
    _refuse_unsuitable(problem)
    with _quietly(), _initial_values(problem, start):
        return CvxpyProblem(problem, _lower(problem), name)


def import_cvxpy() -> Any:
    """The module cvxpy.

    Raises
    ------
    ImportError
        If it is not installed, or too old.
    """
    cvxpy = import_tool("cvxpy", wanted_for="reading a cvxpy problem")
    version = tuple(int(part) for part in cvxpy.__version__.split(".")[:2])
    if version < OLDEST:
        raise ImportError(
            f"disciplined nonlinear programs need cvxpy {OLDEST[0]}.{OLDEST[1]}, not {cvxpy.__version__}: "
            "pip install 'karush[cvxpy]'"
        )
    return cvxpy


class CvxpyProblem(NLP):
    """A cvxpy problem, lowered to smooth expressions, as an `NLP`.

    Variables are the entries of the lowered variables, rows those of the lowered constraints, both column by
    column. A row ``left <= right`` is ``left - right <= 0`` and an equation ``left - right == 0``, whose
    multipliers are cvxpy's dual values.

    Attributes
    ----------
    problem : cvxpy.Problem
        The problem itself.
    """

    def __init__(self, problem: Any, lowered: _Lowered, name: str) -> None:
        cl, cu = lowered.row_bounds()
        lb, ub = lowered.variable_bounds()
        super().__init__(
            Metadata(name=name, x0=lowered.start(), lb=lb, ub=ub, cl=cl, cu=cu, y0=np.zeros(cl.size))
        )
        self.problem = problem
        self._lowered = lowered
        self._engine = _Engine(lowered.problem, self.n, self.m)

    def __reduce__(self) -> NoReturn:
        # Identifiers of cvxpy's variables are unique in one process only.
        raise TypeError(f"{self!r} cannot be sent to another process: build the cvxpy problem there")

    def objective(self, x: Vector) -> float:
        """f(x), of a maximisation the negative."""
        return self._engine.objective(x)

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Gradient of f, shape (n,)."""
        return _deliver(self._engine.gradient(x), out)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), shape (m,)."""
        return _deliver(self._engine.constraints(x), out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the Jacobian."""
        return self._engine.jacobian_entries.pattern

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Values of c'(x), shape (nnzj,)."""
        return _deliver(self._engine.jacobian(x), out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the lower triangle of the Hessian of the Lagrangian."""
        return self._engine.hessian_entries.pattern

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Values of the lower triangle of ``sigma f'' + sum y_i c_i''``, shape (nnzh,)."""
        return _deliver(self._engine.hessian(x, np.zeros(self.m) if y is None else y, sigma), out)

    def assign(
        self,
        outcome: Outcome,
        x: Vector,
        y: Vector,
        *,
        iterations: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Put an answer into the cvxpy problem, as a solver of cvxpy's own would.

        Sets the status and value of the problem, its ``solver_stats``, the values of its variables and the
        dual values of its constraints. For "infeasible" and "unbounded" values are None and the value is
        infinite; for "solver_error" there are neither values nor a value.

        Parameters
        ----------
        outcome : str
            Status in cvxpy's words.
        x : ndarray, shape (n,)
            The point.
        y : ndarray, shape (m,)
            Multipliers.
        iterations : int, optional
            How many the solver took.
        seconds : float, optional
            How long it took.
        """
        if outcome == "solver_error":
            self.problem._clear_solution()
            self.problem._status = outcome
            return
        internals = _internals()
        record = {internals.NUM_ITERS: iterations, internals.SOLVE_TIME: seconds}
        if outcome in ("infeasible", "unbounded"):
            value = np.inf if outcome == "infeasible" else -np.inf
            solution = internals.Solution(outcome, value, {}, {}, record)
        else:
            parts = self._lowered.values(x), self._lowered.duals(y)
            solution = internals.Solution(outcome, self.objective(x), *parts, record)
        solution = self._lowered.lifted(solution)
        if outcome not in ("infeasible", "unbounded"):
            for (
                variable
            ) in self.problem.variables():  # one that occurs only times 0 is not in the lowered form
                solution.primal_vars.setdefault(variable.id, np.zeros(variable.shape))
        with _quietly():
            self.problem.unpack(solution)
        self.problem._solver_stats = internals.SolverStats.from_dict(record, "karush")


# ---- cvxpy's reductions ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Internals:
    """What cvxpy does not document, all of it."""

    CvxAttr2Constr: Any
    Dnlp2Smooth: Any
    FlipObjective: Any
    Oracles: Any
    Solution: Any
    SolverStats: Any
    lower_value: Callable[..., Any]
    NUM_ITERS: str
    SOLVE_TIME: str


def _internals() -> _Internals:
    try:
        from cvxpy.problems.problem import SolverStats
        from cvxpy.reductions.cvx_attr2constr import CvxAttr2Constr, lower_value
        from cvxpy.reductions.dnlp2smooth.dnlp2smooth import Dnlp2Smooth
        from cvxpy.reductions.flip_objective import FlipObjective
        from cvxpy.reductions.solution import Solution
        from cvxpy.reductions.solvers.nlp_solvers.nlp_solver import Oracles
        from cvxpy.settings import NUM_ITERS, SOLVE_TIME
    except ImportError as error:
        raise ImportError(
            f"cvxpy {import_cvxpy().__version__} has moved what karush needs of it ({error}): "
            "pip install 'karush[cvxpy]' installs a version that works"
        ) from error
    return _Internals(
        CvxAttr2Constr=CvxAttr2Constr,
        Dnlp2Smooth=Dnlp2Smooth,
        FlipObjective=FlipObjective,
        Oracles=Oracles,
        Solution=Solution,
        SolverStats=SolverStats,
        lower_value=lower_value,
        NUM_ITERS=NUM_ITERS,
        SOLVE_TIME=SOLVE_TIME,
    )


@dataclass(frozen=True)
class _Lowered:
    """A problem of smooth expressions, and the way back to the one it came from.

    Attributes
    ----------
    problem : cvxpy.Problem
        The lowered problem.
    steps : tuple of (reduction, inverse data)
        In the order in which they were applied.
    """

    problem: Any
    steps: tuple[tuple[Any, Any], ...]

    def start(self) -> Vector:
        """Values of the lowered variables."""
        start = np.concatenate(
            [np.zeros(0), *(np.ravel(_start_of(v), order="F") for v in self.problem.variables())]
        ).astype(np.float64)
        start[~np.isfinite(start)] = 0.0  # epigraphs of functions that are not defined at the start
        return start

    def variable_bounds(self) -> tuple[Vector, Vector]:
        """Bounds of the entries of the lowered variables."""
        sides = []
        for k in range(2):
            bounds = (
                np.ravel(np.broadcast_to(v.get_bounds()[k], v.shape), order="F")
                for v in self.problem.variables()
            )
            sides.append(np.concatenate([np.zeros(0), *bounds]).astype(np.float64))
        return sides[0], sides[1]

    def row_bounds(self) -> tuple[Vector, Vector]:
        """Bounds of the rows."""
        sides = []
        for k in range(2):
            bounds = (np.full(c.size, _row_kind(c)[k]) for c in self.problem.constraints)
            sides.append(np.concatenate([np.zeros(0), *bounds]))
        return sides[0], sides[1]

    def values(self, x: Vector) -> dict[Any, Any]:
        """Values of the lowered variables by their identifiers."""
        variables = self.problem.variables()
        return {v.id: part for v, part in zip(variables, _split(x, variables), strict=True)}

    def duals(self, y: Vector) -> dict[Any, Any]:
        """Dual values of the lowered constraints by their identifiers."""
        constraints = self.problem.constraints
        parts = zip(constraints, _split(y, constraints), strict=True)
        return {c.id: _row_kind(c)[2] * part for c, part in parts}

    def lifted(self, solution: Any) -> Any:
        """A solution of the lowered problem as one of the problem itself."""
        for reduction, inverse_data in reversed(self.steps):
            solution = reduction.invert(solution, inverse_data)
        return solution


def _lower(problem: Any) -> _Lowered:
    """Lower a problem whose variables all have values."""
    internals = _internals()
    steps = []
    if type(problem.objective).__name__ == "Maximize":
        flip = internals.FlipObjective()
        problem, inverse_data = flip.apply(problem)
        steps.append((flip, inverse_data))
    shrink = internals.CvxAttr2Constr(reduce_bounds=False)
    problem, inverse_data = shrink.apply(problem)
    steps.append((shrink, inverse_data))
    if inverse_data:  # smaller variables for symmetric ones do not inherit the values
        smaller, original, _ = inverse_data
        for key, variable in smaller.items():
            if variable._value is None:
                lowered = internals.lower_value(original[key])
                variable.save_value(np.reshape(lowered, variable.shape, order="F"))
    smooth = internals.Dnlp2Smooth()
    problem, inverse_data = smooth.apply(problem)
    steps.append((smooth, inverse_data))
    return _Lowered(problem, tuple(steps))


def _row_kind(constraint: Any) -> tuple[float, float, float]:
    kind = type(constraint).__name__
    if kind not in _ROWS:
        raise ValueError(f"problem has a constraint of type {kind}, which is no nonlinear row: {constraint}")
    return _ROWS[kind]


def _start_of(variable: Any) -> Any:
    return np.zeros(variable.shape) if variable._value is None else variable.value


def _split(vector: Vector, items: Any) -> Iterator[Any]:
    """The parts of a vector that belong to variables or constraints, in their shapes."""
    position = 0
    for item in items:
        yield np.reshape(vector[position : position + item.size], item.shape, order="F")
        position += item.size


# ---- what is refused, and where to start -------------------------------------------------------------------


def _refuse_unsuitable(problem: Any) -> None:
    """Raise a ValueError that names what no nonlinear program can have."""
    discrete = [v.name() for v in problem.variables() if v.attributes["boolean"] or v.attributes["integer"]]
    if discrete:
        raise ValueError(
            f"problem has integer variables ({', '.join(discrete)}); karush takes continuous ones"
        )
    for kind, found in (
        ("complex variables", [v.name() for v in problem.variables() if v.is_complex()]),
        ("semidefinite variables", [v.name() for v in problem.variables() if v.is_psd() or v.is_nsd()]),
        ("parameters without a value", [p.name() for p in problem.parameters() if p.value is None]),
    ):
        if found:
            raise ValueError(f"problem has {kind}: {', '.join(found)}")
    # Cones have no method is_dnlp, and cvxpy's own test of the problem stumbles over them.
    parts = [part for part in (problem.objective, *problem.constraints) if not _is_dnlp(part)]
    if parts:
        raise ValueError(
            "problem must be a disciplined nonlinear program (DNLP); these parts are none: "
            + "; ".join(f"{type(part).__name__} {_shortened(part)}" for part in parts)
            + ("; cvxpy's conic solvers take this problem" if problem.is_dcp() else "")
        )


def _is_dnlp(part: Any) -> bool:
    return type(part).__name__ in (*_ROWS, "Minimize", "Maximize") and bool(part.is_dnlp())


def _shortened(part: Any, length: int = 80) -> str:
    text = " ".join(str(part).split())
    return text if len(text) <= length else text[: length - 3] + "..."


@contextmanager
def _quietly() -> Iterator[None]:
    """Without warnings of what cvxpy does itself.

    It reads sparse variables as dense ones, and evaluates its expressions outside their domains, too.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.filterwarnings("ignore", message="Reading from a sparse CVXPY expression")
        yield


@contextmanager
def _initial_values(problem: Any, start: Mapping[Any, Any] | None) -> Iterator[None]:
    """Give every variable a value, from which the reductions start their new variables; undo it after."""
    variables = problem.variables()
    kept = [variable._value for variable in variables]  # the stored form, also of sparse variables
    try:
        _put(variables, start)
        for variable in variables:
            if variable._value is None:
                variable.save_value(_default_value(variable.get_bounds(), variable.shape))
        yield
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable._value = value


def _put(variables: Any, start: Mapping[Any, Any] | None) -> None:
    if start is None:
        return
    if not isinstance(start, Mapping):
        raise TypeError(f"start must be a mapping of variables to values, got {type(start).__name__}")
    known = {variable.id for variable in variables}
    for variable, value in start.items():
        if getattr(variable, "id", None) not in known:
            raise TypeError(f"start has the key {variable}, which is no variable of the problem")
        try:
            variable.value = value
        except ValueError as error:
            raise ValueError(f"start of {variable.name()}: {error}") from error


def _default_value(bounds: Any, shape: tuple[int, ...]) -> Any:
    low, high = (np.broadcast_to(bound, shape) for bound in bounds)
    value = np.zeros(shape)
    above, below = np.isfinite(low), np.isfinite(high)
    value = np.where(above, np.where(above, low, 0.0) + 1.0, value)
    value = np.where(below, np.where(below, high, 0.0) - 1.0, value)
    return np.where(above & below, 0.5 * (np.where(above, low, 0.0) + np.where(below, high, 0.0)), value)


# ---- cvxpy's differentiation engine ------------------------------------------------------------------------


class _Entries:
    """The engine's coordinates, which are in its own order, as a CSR pattern; repeated ones add."""

    def __init__(self, coordinates: Any, shape: tuple[int, int]) -> None:
        rows, columns = coordinates
        keys = np.asarray(rows, dtype=np.int64) * shape[1] + np.asarray(columns, dtype=np.int64)
        unique, self._target = np.unique(keys, return_inverse=True)
        self._is_sorted = np.array_equal(unique, keys)
        indptr = np.zeros(shape[0] + 1, dtype=np.int64)
        np.cumsum(np.bincount(unique // max(shape[1], 1), minlength=shape[0]), out=indptr[1:])
        self.pattern: tuple[IndexVector, IndexVector] = (indptr, unique % max(shape[1], 1))

    def placed(self, values: Any) -> Vector:
        """The values in the order of the pattern."""
        if self._is_sorted:
            return np.asarray(values, dtype=np.float64)
        size = self.pattern[1].size
        return np.bincount(self._target, weights=values, minlength=size).astype(np.float64)


class _Engine:
    """cvxpy's oracles, which keep the state of the last point.

    First derivatives are taken where values were last computed, and second ones use the first ones computed
    last. So objective and constraints, whose trees share their leaves, are brought to the same point before
    either is differentiated, and both are differentiated before the Hessian is asked for. A lock guards all.
    """

    def __init__(self, problem: Any, n: int, m: int) -> None:
        self._oracles = _internals().Oracles(problem, verbose=False)
        self._lock = threading.Lock()
        self._m = m
        self._known: dict[str, tuple[bytes, Any]] = {}
        self.jacobian_entries = _Entries(self._oracles.jacobianstructure(), (m, n))
        self.hessian_entries = _Entries(self._oracles.hessianstructure(), (n, n))

    def objective(self, x: Vector) -> float:
        """f(x)."""
        with self._lock:
            return float(self._value("objective", x))

    def constraints(self, x: Vector) -> Vector:
        """c(x)."""
        with self._lock:
            return np.asarray(self._value("constraints", x)) if self._m else np.zeros(0)

    def gradient(self, x: Vector) -> Vector:
        """Grad f(x)."""
        with self._lock:
            return np.asarray(self._derivative("gradient", x))

    def jacobian(self, x: Vector) -> Vector:
        """Values of c'(x)."""
        with self._lock:
            return self.jacobian_entries.placed(self._derivative("jacobian", x))

    def hessian(self, x: Vector, y: Vector, sigma: float) -> Vector:
        """Values of the lower triangle of the Hessian of ``sigma f + y'c``."""
        with self._lock:
            self._derivative("gradient", x)
            self._derivative("jacobian", x)
            duals = np.ascontiguousarray(y, dtype=np.float64)
            return self.hessian_entries.placed(self._oracles.hessian(x, duals, float(sigma)))

    def _value(self, oracle: str, x: Vector) -> Any:
        key = x.tobytes()
        if oracle not in self._known or self._known[oracle][0] != key:
            for derivative in ("gradient", "jacobian"):
                self._known.pop(derivative, None)
            self._known[oracle] = key, np.array(getattr(self._oracles, oracle)(x), dtype=np.float64)
        return self._known[oracle][1]

    def _derivative(self, oracle: str, x: Vector) -> Any:
        self._value("objective", x)
        self._value("constraints", x)
        # A value computed since at any other point has thrown the derivative away.
        if oracle not in self._known:
            value = np.array(getattr(self._oracles, oracle)(x), dtype=np.float64)
            self._known[oracle] = x.tobytes(), value
        return self._known[oracle][1]


def _deliver(value: Vector, out: Vector | None) -> Vector:
    if out is None:
        return value.copy()
    out[...] = value
    return out
