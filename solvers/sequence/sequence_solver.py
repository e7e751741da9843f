"""A solver for related linear systems that remembers: parameters, preconditioners, what was fast."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from time import perf_counter, thread_time
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from ...problems.validation import as_vector
from ..status import Status
from .learners import Context, ContextInterval, Learner, make_learner
from .learners.protocol import restored_rng, saved_rng
from .matrices import as_square_csr
from .portfolio import Outlook, Portfolio
from .sequence_gap import GapTracker, lanczos_gap
from .sequence_result import LinearCertificate, SystemResult, certify_system
from .system_methods import (
    Attempt,
    CachedMethod,
    Cost,
    DirectMethod,
    GeneralDirectMethod,
    IncompleteCholeskyMethod,
    MultigridMethod,
    RelaxationMethod,
    SORMethod,
    SSORCGMethod,
    SystemMethod,
    Task,
    Unit,
)

Vector = NDArray[np.float64]
Loss = Literal["auto", "iterations", "time"]

logger = logging.getLogger("karush")

METHODS = ("auto", "ssor-cg", "sor", "incomplete-cholesky", "multigrid", "direct")
LOSSES = ("auto", "iterations", "time")

_MAX_ITERATIONS = 10_000
_ASYMMETRY = 1e-12  # relative, of matrices that count as symmetric

_RELAXATIONS: dict[str, type[RelaxationMethod]] = {"ssor-cg": SSORCGMethod, "sor": SORMethod}
_CACHED: dict[str, type[CachedMethod]] = {
    method.name: method for method in (IncompleteCholeskyMethod, MultigridMethod, DirectMethod)
}
_AUTO = {"pos": ("ssor-cg", "incomplete-cholesky", "multigrid", "direct"), "gen": ("sor", "direct")}
_DECISION_SHARE = 30.0  # solves must have cost this many times the last decision before the next one
_BACKSTOPS = {"pos": ("ssor-cg", "direct"), "gen": ("sor", "direct")}
_NEEDS = {"incomplete-cholesky": "ilupp", "multigrid": "pyamg"}


@dataclass(frozen=True)
class _Options:
    rtol: float
    atol: float
    max_iterations: int
    loss: Loss
    horizon: int | None


class SequenceSolver:
    """Solves A_t x = b_t for one t after the other, and gets better at it.

    For embedding in a time stepper: call `solve` in every step. It starts from the last solution, chooses a
    method and its parameters by what they cost before, and certifies the answer by its true residual; where a
    method fails another one takes over.

    Parameters
    ----------
    method : str or sequence of str
        "auto": a portfolio of all that can be had; several names: a portfolio of these; one name: that one,
        with "direct" as backstop. "ssor-cg" is SSOR-preconditioned conjugate gradients by Eisenstat's trick,
        "incomplete-cholesky" needs ilupp, "multigrid" needs pyamg, "direct" is a sparse factorisation whose
        symbolic part is made once. "sor" is for general matrices, where "auto" means "sor" and "direct".
    learner : str, float or Learner
        How "ssor-cg" and "sor" find omega: see `learners.make_learner`. Default "one-scalar".
    loss : {"auto", "iterations", "time"}
        What is minimised. "time": measured seconds; such runs are not reproducible bit for bit. "iterations":
        methods are compared by nominal arithmetic, parameters by iterations, and the same calls with the same
        ``rng`` give the same bits. "auto": methods by time, parameters by iterations, since an iteration
        takes the same time for every omega.
    rtol, atol : float
        A system is solved when ||b - A x|| <= max(rtol ||b||, atol).
    max_iterations : int
        Of one attempt on one system.
    context_range : (float, float), optional
        Where contexts lie; "contextual" and "chebcb" need it.
    context_scale : {"linear", "log"}
        How contexts are spread over that.
    horizon : int, optional
        Number of systems in all, where it is known: a set-up pays only if enough systems follow.
    assume_a : {"pos", "gen"}, optional
        "pos": symmetric positive definite; "gen": anything with a nonzero diagonal. By default the first
        matrix decides, by its symmetry and the signs of its diagonal.
    rng : None, int or Generator
        For the learners that draw.

    Examples
    --------
    >>> solver = SequenceSolver(rtol=1e-8)
    >>> for step in range(steps):
    ...     A, b = assemble(step)
    ...     x = solver.solve(A, b).x
    """

    def __init__(
        self,
        method: str | Sequence[str] = "auto",
        learner: str | float | Learner = "one-scalar",
        *,
        loss: Loss = "auto",
        rtol: float = 1e-8,
        atol: float = 0.0,
        max_iterations: int = _MAX_ITERATIONS,
        context_range: tuple[float, float] | None = None,
        context_scale: Literal["linear", "log"] = "linear",
        horizon: int | None = None,
        assume_a: Literal["pos", "gen"] | None = None,
        rng: Any = None,
    ) -> None:
        self._wanted = _checked_methods(method)
        if loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {loss!r}")
        if assume_a not in (None, "pos", "gen"):
            raise ValueError(f"assume_a must be 'pos', 'gen' or None, got {assume_a!r}")
        if horizon is not None and horizon < 1:
            raise ValueError(f"horizon must be at least 1, got {horizon}")
        for name, value in (("rtol", rtol), ("atol", atol)):
            if not (math.isfinite(value) and value >= 0.0):
                raise ValueError(f"{name} must be finite and nonnegative, got {value}")
        if max_iterations < 1:
            raise ValueError(f"max_iterations must be at least 1, got {max_iterations}")
        self._interval: ContextInterval | None = None
        if context_range is not None:
            low, high = context_range
            self._interval = ContextInterval(float(low), float(high), context_scale)
        self._options = _Options(float(rtol), float(atol), int(max_iterations), loss, horizon)
        self._learner_spec, self._rng = learner, np.random.default_rng(rng)
        self._assume_a = assume_a
        make_learner(learner, interval=self._interval, rng=0)  # names what is wrong with it now
        self._methods: dict[str, SystemMethod] = {}
        self._portfolio: Portfolio | None = None
        self._backstops: tuple[str, ...] = ()
        self._chosen, self._keep_until = "", 0.0
        self._kind: Literal["pos", "gen"] | None = None
        self._tracker = GapTracker(lanczos_gap)
        self._previous: Vector | None = None
        self._product_seconds = math.inf
        self.systems = 0
        """Systems that were worked on."""

    # ---- one system --------------------------------------------------------------------------------------

    def solve(
        self,
        A: Any,
        b: ArrayLike,
        context: float | None = None,
        *,
        x0: ArrayLike | None = None,
        max_time: float = math.inf,
    ) -> SystemResult:
        """Solve the next system.

        Parameters
        ----------
        A : sparse array or array_like, shape (n, n)
            The matrix. Handing over the same ``indptr`` and ``indices`` every time saves comparisons.
        b : array_like, shape (n,)
            The right-hand side.
        context : float, optional
            What is known of how this system differs from the others.
        x0 : array_like, shape (n,), optional
            A start. By default the last solution; the zero vector where its residual is smaller.
        max_time : float
            Seconds after which no further attempt is begun.

        Returns
        -------
        SystemResult
            With ``success`` False, a status that says why, and the best point found, where no method reached
            the tolerance.

        Raises
        ------
        ValueError, TypeError
            Wrong shapes or types, entries that are not finite, a zero on the diagonal of a general matrix, a
            context that is missing. Nothing of the solver's memory changes.
        """
        started = perf_counter()
        A, b, x0 = _checked_system(A, b, x0)
        if context is not None:
            context = _checked_context(context)
        if not self._methods:
            self._build_methods(self._assume_a or _kind_of(A))
        task = self._task(A, b, x0, context)
        result = _Solve(self, task, started, max_time).result()
        self._previous = result.x.copy()
        self.systems += 1
        for method in self._methods.values():
            method.passed(task)
        self._tracker.solved(result.work)
        return result

    def _build_methods(self, kind: Literal["pos", "gen"]) -> None:
        """The methods for matrices of this kind."""
        self._kind = kind
        names = _available(self._wanted, kind)
        self._portfolio = Portfolio(names)
        self._backstops = _BACKSTOPS[kind]
        for name in dict.fromkeys((*names, *self._backstops)):
            self._methods[name] = self._method(name, kind)

    def _method(self, name: str, kind: str) -> SystemMethod:
        if (kind, name) == ("gen", "direct"):
            return GeneralDirectMethod(self.unit)
        if name in _CACHED:
            return _CACHED[name](self.unit)
        losses: Unit = "time" if self._options.loss == "time" else "iterations"
        spec = self._learner_spec
        if kind == "gen" and spec in ("one-scalar", "closed-form"):
            spec = "tsallis-inf"  # there is no gap to go by
        learner = make_learner(
            spec,
            iteration="sor" if name == "sor" else "ssor-cg",
            interval=self._interval,
            rng=self._rng,
            floor=1.0 if losses == "iterations" else 0.0,
        )
        return _RELAXATIONS[name](learner, losses)

    @property
    def unit(self) -> Unit:
        """What methods are compared by."""
        return "iterations" if self._options.loss == "iterations" else "time"

    def _task(self, A: Any, b: Vector, x0: Vector | None, context: float | None) -> Task:
        start = x0 if x0 is not None else self._previous
        if start is None or start.size != b.size:
            start = np.zeros(b.size)
        if start.any() or not math.isfinite(self._product_seconds):
            A @ b  # into the caches
            started = perf_counter()
            residual = float(np.linalg.norm(b - A @ start))
            self._product_seconds = min(self._product_seconds * 1.02, perf_counter() - started)
            if not residual < np.linalg.norm(b):
                start = np.zeros(b.size)
        gap = self._tracker.gap(A) if self._wants_gap() else None
        return Task(
            A=A,
            b=b,
            start=start,
            tolerance=max(self._options.rtol * float(np.linalg.norm(b)), self._options.atol),
            context=Context(context, gap),
            place=self._place(context, gap),
            max_iterations=self._options.max_iterations,
            product_seconds=self._product_seconds,
        )

    def _wants_gap(self) -> bool:
        relaxations = [method for method in self._methods.values() if isinstance(method, RelaxationMethod)]
        return any(method.learner.needs_gap for method in relaxations)

    def _place(self, context: float | None, gap: float | None) -> float | None:
        if gap is not None:
            return 0.5 * math.log(max(gap, 1e-12)) + 2.0
        if self._interval is not None and context is not None:
            return 2.0 * self._interval.unit(Context(context))
        return None

    @property
    def tolerances(self) -> tuple[float, float]:
        """`rtol` and `atol`."""
        return self._options.rtol, self._options.atol

    @property
    def estimate_products(self) -> float:
        """Products with matrices that went into estimates of gaps."""
        return self._tracker.products

    def method_counts(self) -> dict[str, int]:
        """How many systems each method has solved."""
        return {} if self._portfolio is None else self._portfolio.solves()

    def estimated_regret(self) -> float | None:
        """The learner's own estimate of its losses above its best fixed arm's, None where it has none."""
        found = [
            method.learner.estimated_regret()
            for method in self._methods.values()
            if isinstance(method, RelaxationMethod)
        ]
        return found[0] if found else None

    # ---- what is remembered ------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What was learned, in the types of JSON: learners, costs, policies, the portfolio.

        Not the last solution and no preconditioners: the next solve starts from zero unless it is given
        ``x0``, and builds anew. A run with ``loss="iterations"`` and one relaxation method that is taken up
        again with ``x0`` goes on bit for bit.
        """
        if not self._methods:
            return {"systems": self.systems, "methods": None}
        assert self._portfolio is not None
        return {
            "systems": self.systems,
            "kind": self._kind,
            "methods": {name: method.state_dict() for name, method in self._methods.items()},
            "portfolio": self._portfolio.state_dict(),
            "tracker": self._tracker.state_dict(),
            "rng": saved_rng(self._rng),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on with what a solver with the same options had learned.

        Raises
        ------
        ValueError
            Where the state is none, or that of a solver with other methods.
        """
        if not isinstance(state, dict) or not {"systems", "methods"} <= state.keys():
            raise ValueError("state must come from SequenceSolver.state_dict()")
        self.systems = state["systems"]
        if state["methods"] is None:
            return
        self._assume_a = state["kind"]
        self._rng = restored_rng(state["rng"])
        self._build_methods(state["kind"])
        if set(state["methods"]) != set(self._methods):
            raise ValueError(
                f"state has the methods {', '.join(state['methods'])}, this solver {', '.join(self._methods)}"
            )
        for name, saved in state["methods"].items():
            self._methods[name].load_state(saved)
        self._portfolio = Portfolio.from_state(state["portfolio"])
        self._tracker.load_state(state["tracker"])

    # ---- the choice --------------------------------------------------------------------------------------

    def _chain(self, task: Task) -> list[str]:
        """The method of choice and those that take over where it fails."""
        assert self._portfolio is not None
        names = self._portfolio.names
        if len(names) == 1:
            return list(dict.fromkeys((*names, *self._backstops)))
        if self.unit == "time" and self._portfolio.elapsed < self._keep_until and self._chosen:
            chosen = self._chosen
        else:
            started = thread_time()
            outlooks = self._outlooks(task, names)
            chosen = self._chosen = self._portfolio.choose(outlooks, self._remaining())
            # Where systems are tiny, deciding anew for each of them would cost more than it gains.
            price = _DECISION_SHARE * (thread_time() - started)
            self._keep_until = self._portfolio.elapsed + price
        return list(dict.fromkeys((chosen, *self._backstops)))

    def _outlooks(self, task: Task, names: Sequence[str]) -> dict[str, Outlook]:
        """Relaxation first: what it has taken tells of the others."""
        outlooks: dict[str, Outlook] = {}
        for name in sorted(names, key=lambda name: name not in _RELAXATIONS):
            outlooks[name] = self._methods[name].outlook(task, self.unit)
            if name in _RELAXATIONS and self.method_counts().get(name, 0) > 0:
                task = replace(task, relaxation=outlooks[name].solve)
        return outlooks

    def _certify(self, task: Task, x: Vector) -> LinearCertificate:
        return certify_system(task.A, task.b, x, self._options.rtol, self._options.atol)

    def _remaining(self) -> int | None:
        horizon = self._options.horizon
        return None if horizon is None else max(horizon - self.systems, 1)


class _Solve:
    """The attempts on one system, and the answer."""

    def __init__(self, solver: SequenceSolver, task: Task, started: float, max_time: float) -> None:
        self.solver, self.task = solver, task
        self.started, self.deadline = started, started + max_time
        self.x = task.start
        self.certificate = solver._certify(task, task.start)
        self.attempts: list[tuple[str, Attempt]] = []

    def result(self) -> SystemResult:
        """Solve by the method of choice, else by the backstops."""
        if self.certificate.holds:
            return self._assemble(Status.CONVERGED)
        status = Status.NUMERICAL_FAILURE
        for name in self.solver._chain(self.task):
            left = self.deadline - perf_counter()
            if left <= 0.0:
                status = Status.TIME_LIMIT
                break
            status = self._attempt(name, left)
            if self.certificate.holds or status in (Status.INTERRUPTED, Status.TIME_LIMIT):
                break
        return self._assemble(Status.CONVERGED if self.certificate.holds else status)

    def _attempt(self, name: str, seconds: float) -> Status:
        """Let a method work on it, and tell the portfolio."""
        method, portfolio = self.solver._methods[name], self.solver._portfolio
        assert portfolio is not None
        limit = None if math.isinf(seconds) else seconds
        attempt = method.solve(replace(self.task, start=self.x, max_time=limit))
        self.attempts.append((name, attempt))
        certificate = self.solver._certify(self.task, attempt.x)
        if certificate.residual <= self.certificate.residual:
            self.x, self.certificate = attempt.x, certificate
        cost = (attempt.solve + attempt.setup).in_unit(self.solver.unit)
        if self.certificate.holds:
            portfolio.update(name, cost)
            return Status.CONVERGED
        status = attempt.status.status
        if status not in (Status.INTERRUPTED, Status.TIME_LIMIT):
            method.failed()
            portfolio.failed(name, cost)
            self.solver._chosen = ""
            logger.info("%s failed on system %d: %s", name, self.solver.systems, attempt.status.message)
        return Status.STALLED if status is Status.CONVERGED else status

    def _assemble(self, status: Status) -> SystemResult:
        solve = sum((attempt.solve for _, attempt in self.attempts), Cost())
        setup = sum((attempt.setup for _, attempt in self.attempts), Cost())
        name, last = self.attempts[-1] if self.attempts else ("start", None)
        return SystemResult(
            x=self.x.copy(),
            success=self.certificate.holds,
            status=status,
            message=status.message,
            certificate=self.certificate,
            method=name,
            attempts=tuple(name for name, _ in self.attempts),
            omega=last.omega if last is not None else None,
            loss=last.loss if last is not None else None,
            nit=sum(attempt.iterations for _, attempt in self.attempts),
            work=solve.work + setup.work,
            context=self.task.context.value,
            gap=self.task.context.gap,
            time={
                "total": perf_counter() - self.started,
                "setup": setup.seconds,
                "solve": solve.seconds,
            },
        )


def _checked_methods(method: Any) -> tuple[str, ...]:
    names = (method,) if isinstance(method, str) else tuple(method)
    for name in names:
        if name not in METHODS:
            raise ValueError(f"method must be of {', '.join(METHODS)}, got {name!r}")
    if not names:
        raise ValueError("method must name at least one method")
    if len(set(names)) < len(names) or ("auto" in names and len(names) > 1):
        raise ValueError(f"method must be 'auto' or different names, got {method!r}")
    return names


def _available(wanted: tuple[str, ...], kind: str) -> tuple[str, ...]:
    """The methods for matrices of this kind whose packages are installed.

    Raises
    ------
    ImportError
        Where one was asked for by name and its package is missing.
    ValueError
        Where one was asked for that is not for general matrices.
    """
    if wanted == ("auto",):
        return tuple(name for name in _AUTO[kind] if name not in _NEEDS or find_spec(_NEEDS[name]))
    for name in wanted:
        if name in _NEEDS and not find_spec(_NEEDS[name]):
            raise ImportError(f"method {name!r} needs the package {_NEEDS[name]}: pip install {_NEEDS[name]}")
        if kind == "gen" and name not in _AUTO["gen"]:
            raise ValueError(
                f"method {name!r} is for symmetric positive definite matrices, and this is not one; "
                "give assume_a='pos' where it is"
            )
    return wanted


def _kind_of(A: Any) -> Literal["pos", "gen"]:
    """By symmetry and the signs of the diagonal."""
    difference = abs(A - A.T)
    symmetric = difference.nnz == 0 or difference.max() <= _ASYMMETRY * abs(A).max()
    return "pos" if symmetric and (A.diagonal() > 0.0).all() else "gen"


def _checked_system(A: Any, b: Any, x0: Any) -> tuple[Any, Vector, Vector | None]:
    """Matrix and vectors in the form of the kernels; see `SequenceSolver.solve` for errors."""
    if not sp.issparse(A):
        A = np.asarray(A)
    matrix = as_square_csr(A)
    vectors: list[Vector | None] = []
    for name, value in (("b", b), ("x0", x0)):
        if value is None and name == "x0":
            vectors.append(None)
            continue
        vector = as_vector(name, value, matrix.shape[0])
        if not np.isfinite(vector).all():
            raise ValueError(f"{name} has entries that are not finite")
        vectors.append(vector)
    if not np.isfinite(matrix.data).all():
        raise ValueError("A has entries that are not finite")
    assert vectors[0] is not None
    return matrix, vectors[0], vectors[1]


def _checked_context(context: Any) -> float:
    try:
        value = float(context)
    except (TypeError, ValueError):
        raise TypeError(f"context must be a number, got {context!r}") from None
    if not math.isfinite(value):
        raise ValueError(f"context must be finite, got {value}")
    return value
