"""Methods for one system of a sequence, each with what it remembers of the systems before.

The relaxation methods learn their parameter; the others keep a preconditioner, which a `RefreshPolicy`
renews. Costs come in two units: seconds, and work in products with the matrix, which is the same in every
run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from time import thread_time
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .cost_model import CostModel
from .direct import Direct
from .eisenstat import EisenstatCG
from .incomplete_cholesky import IncompleteCholesky
from .learners import Context, Learner, learner_from_state
from .multigrid import Multigrid
from .portfolio import Outlook
from .protocol import LinearAnswer, LinearSolver, LinearStatus
from .refresh import RefreshPolicy
from .sor import SOR

Vector = NDArray[np.float64]
Unit = Literal["time", "iterations"]


_TINY = csr_array(np.array([[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]]))
_WARM: set[type] = set()  # methods that have been used in this process

_SLOPE = -0.3  # of log cost over place: fewer iterations for wider gaps
_FEWEST_STALE = 8  # iterations that an old preconditioner is given in any case


@dataclass(frozen=True)
class Cost:
    """What something took.

    Attributes
    ----------
    seconds : float
        Processor time of this thread: what other processes do meanwhile must not decide between methods.
    work : float
        Arithmetic, in products with A.
    """

    seconds: float = 0.0
    work: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.seconds + other.seconds, self.work + other.work)

    def in_unit(self, unit: Unit) -> float:
        """The number that counts."""
        return self.seconds if unit == "time" else self.work


@dataclass(frozen=True, eq=False)
class Task:
    """One system, and how well it is to be solved.

    Attributes
    ----------
    A : csr_array, shape (n, n)
    b, start : ndarray, shape (n,)
    tolerance : float
        On the 2-norm of the residual.
    context : Context
        For the learner.
    place : float or None
        Says which systems are alike.
    max_iterations : int
        Of an attempt.
    product_seconds : float
        Time of a product with A, measured lately.
    max_time : float or None
        Seconds for an attempt.
    relaxation : float or None
        What a relaxation method is expected to cost, where one has been tried: in the portfolio's unit.
    """

    A: Any
    b: Vector
    start: Vector
    tolerance: float
    context: Context
    place: float | None
    max_iterations: int
    product_seconds: float
    max_time: float | None = None
    relaxation: float | None = None

    @property
    def limits(self) -> dict[str, Any]:
        """Tolerance and limits as `LinearSolver.solve` takes them."""
        return {
            "rtol": 0.0,
            "atol": self.tolerance,
            "max_iterations": self.max_iterations,
            "max_time": self.max_time,
        }


@dataclass(frozen=True, eq=False)
class Attempt:
    """What came of a method's work on a system.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Best point, not necessarily a solution.
    status : LinearStatus
        Why the method ended.
    iterations : int
    solve, setup : Cost
    omega : float or None
        Relaxation parameter.
    loss : float or None
        What the learner was told.
    """

    x: Vector
    status: LinearStatus
    iterations: int
    solve: Cost
    setup: Cost = Cost()
    omega: float | None = None
    loss: float | None = None


class SystemMethod(ABC):
    """A way to solve the systems of a sequence, one after the other."""

    name: ClassVar[str]

    @staticmethod
    @abstractmethod
    def _new_solver() -> LinearSolver:
        """The solver; of cached methods one whose `setup` builds and whose `update` keeps."""

    def __init__(self) -> None:
        if type(self) not in _WARM:
            # A first call imports and compiles; that is not what the method costs.
            solver = self._new_solver()
            solver.setup(_TINY)
            solver.solve(np.ones(_TINY.shape[0]))
            solver.update(_TINY)
            solver.solve(np.ones(_TINY.shape[0]))
            _WARM.add(type(self))
        self._solver = self._new_solver()

    @abstractmethod
    def outlook(self, task: Task, unit: Unit) -> Outlook:
        """What a solve is expected to cost."""

    @abstractmethod
    def solve(self, task: Task) -> Attempt:
        """Work on the system."""

    def passed(self, task: Task) -> None:  # noqa: B027, most have nothing to do
        """A system of the sequence was solved, by whichever method."""

    def failed(self) -> None:  # noqa: B027
        """The certificate does not hold at what `solve` returned."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """What was learned, in the types of JSON."""

    @abstractmethod
    def load_state(self, state: dict[str, Any]) -> None:
        """Go on with what was learned."""


class RelaxationMethod(SystemMethod):
    """A method whose relaxation parameter is learned.

    Parameters
    ----------
    learner : Learner
    unit : {"iterations", "time"}
        What its losses are.
    """

    typical_work: ClassVar[float]
    """Products that a solve takes, for a guess before the first one."""

    def __init__(self, learner: Learner, unit: Unit = "iterations") -> None:
        super().__init__()
        self.learner, self.unit = learner, unit
        self._costs: dict[Unit, CostModel] = {unit: CostModel(_SLOPE) for unit in ("time", "iterations")}

    def outlook(self, task: Task, unit: Unit) -> Outlook:
        """By the costs so far at like places."""
        model = self._costs[unit]
        scale = 1.0 if unit == "iterations" else task.product_seconds
        model.guess(self.typical_work * scale, task.place)
        return Outlook(*model.outlook(task.place))

    def solve(self, task: Task) -> Attempt:
        """Choose omega, solve, tell the learner."""
        choice = self.learner.choose(task.context)
        started = thread_time()
        solver: Any = self._solver  # that takes omega
        setup = solver.update(task.A)
        answer = solver.solve(task.b, task.start, omega=choice.omega, **task.limits)
        cost = Cost(thread_time() - started, setup.work + answer.work)  # the split serves this A alone
        loss = float(max(answer.iterations, 1)) if self.unit == "iterations" else cost.seconds
        self.learner.update(choice, loss)
        for unit, model in self._costs.items():
            model.add(task.place, cost.in_unit(unit))
        return Attempt(answer.x, answer.status, answer.iterations, cost, omega=choice.omega, loss=loss)

    def state_dict(self) -> dict[str, Any]:
        """Learner and costs."""
        return {
            "learner": self.learner.state_dict(),
            "costs": {unit: model.state_dict() for unit, model in self._costs.items()},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on with what was learned."""
        self.learner = learner_from_state(state["learner"])
        for unit in self._costs:
            self._costs[unit] = CostModel.from_state(state["costs"][unit])


class SSORCGMethod(RelaxationMethod):
    """Conjugate gradients with SSOR, by Eisenstat's trick."""

    name = "ssor-cg"
    typical_work = 100.0

    @staticmethod
    def _new_solver() -> Any:
        return EisenstatCG()


class SORMethod(RelaxationMethod):
    """Successive over-relaxation: for general matrices, and to compare with."""

    name = "sor"
    typical_work = 600.0

    @staticmethod
    def _new_solver() -> Any:
        return SOR()


class CachedMethod(SystemMethod):
    """Conjugate gradients with a preconditioner that serves many systems.

    A solve with an old preconditioner is cut off when it has cost as much as a new one, and goes on with
    that.

    Parameters
    ----------
    unit : {"time", "iterations"}
        What the refresh policy weighs: seconds or work.
    """

    guessed_setup: ClassVar[float]  # in products
    guessed_solve: ClassVar[float]
    slope: ClassVar[float] = 0.0  # of the log of the fresh solve's cost over place
    ageing: ClassVar[float] = 0.3  # log of how much longer it takes one place away
    rebuild_share: ClassVar[float] = 1.0  # of the first set-up, what later ones of the same pattern cost

    def __init__(self, unit: Unit = "time") -> None:
        super().__init__()
        self.unit = unit
        self.policy = RefreshPolicy(self.slope, self.ageing)
        self._built = False
        self._pattern: Any = None  # a matrix that has it
        self._per_iteration: Cost | None = None

    def outlook(self, task: Task, unit: Unit) -> Outlook:
        """Fresh cost at like places, with what age costs where nothing is rebuilt."""
        scale = 1.0 if unit == "iterations" else task.product_seconds
        policy = self.policy
        policy.guess(self._guessed_solve(task, scale), task.place)
        due = self._is_due(task)
        age = 0.0 if due else policy.foreseen_excess(task.place)
        solve, hopeful = policy.fresh_outlook(task.place)
        return Outlook(
            solve=solve + age,
            hopeful=hopeful + age,
            setup=self.guessed_setup * scale if policy.setup is None else policy.setup,
            due=due,
            rebuild_rate=policy.rebuild_rate,
        )

    def _guessed_solve(self, task: Task, scale: float) -> float:
        return self.guessed_solve * scale

    def solve(self, task: Task) -> Attempt:
        """Solve with what there is, or with a new preconditioner where that is due or the old one fails."""
        if self._is_due(task):
            return self._solve_anew(task)
        answer, cost = self._iterate(task, self._patience_left())
        done = answer.converged or answer.status in (LinearStatus.TIME_LIMIT, LinearStatus.INTERRUPTED)
        self.policy.solved(task.place, cost.in_unit(self.unit), fresh=False, cut=not done)
        if done:
            return Attempt(answer.x, answer.status, answer.iterations, cost)
        anew = self._solve_anew(replace(task, start=answer.x), whole=False)
        return replace(anew, iterations=anew.iterations + answer.iterations, setup=anew.setup + cost)

    def _solve_anew(self, task: Task, whole: bool = True) -> Attempt:
        """With a preconditioner for this very matrix; not the `whole` solve where another one began it."""
        first = self._pattern is None or not _same_pattern(self._pattern, task.A)
        started = thread_time()
        setup = self._solver.setup(task.A)
        paid = Cost(thread_time() - started, setup.work)
        if setup.failure is not None:
            self.failed()
            return Attempt(task.start, setup.failure, 0, Cost(), paid)
        self._pattern, self._built = task.A, True
        self.policy.rebuilt(task.place, paid.in_unit(self.unit) * (self.rebuild_share if first else 1.0))
        answer, cost = self._iterate(task, task.max_iterations, fresh=True)
        if whole:
            self.policy.solved(task.place, cost.in_unit(self.unit), fresh=True)
        return Attempt(answer.x, answer.status, answer.iterations, cost, paid)

    def _iterate(self, task: Task, most: int, fresh: bool = False) -> tuple[LinearAnswer, Cost]:
        limits = {**task.limits, "max_iterations": min(most, task.max_iterations)}
        started = thread_time()
        if not fresh:
            self._solver.update(task.A)
        answer = self._solver.solve(task.b, task.start, **limits)
        cost, steps = Cost(thread_time() - started, answer.work), max(answer.iterations, 1)
        self._per_iteration = Cost(cost.seconds / steps, cost.work / steps)
        return answer, cost

    def _patience_left(self) -> int:
        """Iterations with an old preconditioner that cost as much as a new one."""
        if self._per_iteration is None or self.policy.setup is None:
            return _FEWEST_STALE
        price = self.policy.setup / self._per_iteration.in_unit(self.unit)
        return max(int(price), _FEWEST_STALE)

    def _is_due(self, task: Task) -> bool:
        if not self._built or self._pattern is None or not _same_pattern(self._pattern, task.A):
            return True
        return self.policy.due(task.place)

    def passed(self, task: Task) -> None:
        """Keep the rate of rebuilds."""
        self.policy.passed(task.place)

    def failed(self) -> None:
        """Do not use this preconditioner again."""
        self._built = False
        self.policy.failed()

    def state_dict(self) -> dict[str, Any]:
        """The policy; preconditioners are built anew."""
        return {"policy": self.policy.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on with what was learned, and nothing built."""
        self.policy = RefreshPolicy.from_state(state["policy"])
        self._built = False


class IncompleteCholeskyMethod(CachedMethod):
    """Incomplete Cholesky with a drop tolerance."""

    name = "incomplete-cholesky"
    guessed_setup = 130.0
    guessed_solve = 130.0
    slope = _SLOPE
    relative = 1.1
    """Of what SSOR-CG takes on the same system: .6 to .9 on heterogeneous matrices, 1.7 on constant ones."""

    def _guessed_solve(self, task: Task, scale: float) -> float:
        if task.relaxation is None:
            return super()._guessed_solve(task, scale)
        return self.relative * task.relaxation

    @staticmethod
    def _new_solver() -> LinearSolver:
        return IncompleteCholesky()


class MultigridMethod(CachedMethod):
    """Algebraic multigrid."""

    name = "multigrid"
    guessed_setup = 400.0
    guessed_solve = 500.0

    @staticmethod
    def _new_solver() -> LinearSolver:
        return Multigrid()


class DirectMethod(CachedMethod):
    """A sparse factorisation: refinement with a new one, conjugate gradients with an old one."""

    name = "direct"
    guessed_setup = 450.0
    guessed_solve = 45.0
    ageing = 1.5
    rebuild_share = 0.4

    @staticmethod
    def _new_solver() -> LinearSolver:
        return Direct()


class GeneralDirectMethod(DirectMethod):
    """A sparse factorisation of every matrix: conjugate gradients are not for these."""

    def _is_due(self, task: Task) -> bool:
        return True


def _same_pattern(A: Any, other: Any) -> bool:
    """Whether two CSR matrices have their entries in the same places."""
    return A.shape == other.shape and all(
        one is two or (one.size == two.size and (np.shares_memory(one, two) or np.array_equal(one, two)))
        for one, two in ((A.indptr, other.indptr), (A.indices, other.indices))
    )
