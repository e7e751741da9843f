"""The contract as checks: each takes a subject and raises `Broken` where the subject breaks it.

The numbers are those of the contract in the documentation. Checks marked portable make sense for any solver
behind a plain interface, and scipy's methods are measured by them for the comparison table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from karush.problems.nlp import NLP
from karush.solvers.certificate import certify

from ..solvers.small_problems import Dense, circle, quadratic, rosenbrock
from . import battery
from .subjects import Answer, Subject


class Broken(AssertionError):  # noqa: N818 - reads better in reports
    """The contract is broken, and how."""


@dataclass(frozen=True)
class Check:
    """One promise of the contract; `solving`: it asks for solutions, not for manners alone."""

    number: int
    title: str
    verify: Callable[[Subject], None]
    portable: bool
    solving: bool


CHECKS: list[Check] = []


def promise(
    number: int, title: str, portable: bool = True, solving: bool = False
) -> Callable[[Callable[[Subject], None]], Any]:
    """Enter a check under its number in the contract."""

    def enter(verify: Callable[[Subject], None]) -> Callable[[Subject], None]:
        CHECKS.append(Check(number, title, verify, portable, solving))
        return verify

    return enter


def require(condition: Any, what: str) -> None:
    if not condition:
        raise Broken(what)


def takes(subject: Subject, problem: NLP) -> bool:
    """Whether the subject takes this kind of problem at all."""
    bounded = bool(np.isfinite(problem.lb).any() or np.isfinite(problem.ub).any())
    equations = bool((problem.cl == problem.cu).all())
    return (
        (subject.constraints or problem.m == 0)
        and (subject.bounds or not bounded)
        and (equations or getattr(subject, "inequalities", True))
    )


def regular(subject: Subject) -> Iterator[tuple[str, Dense, float]]:
    for name, (maker, optimum) in battery.REGULAR.items():
        problem = maker()
        if takes(subject, problem):
            yield name, problem, optimum


def attempt(subject: Subject, problem: NLP, what: str, **options: Any) -> Answer:
    """The subject's answer; an exception is a broken promise."""
    try:
        return subject.solve(problem, **options)
    except Exception as error:
        raise Broken(f"{what}: raised {type(error).__name__}: {error}") from error


def attempt_quietly(subject: Subject, problem: NLP, **options: Any) -> Answer | None:
    """The subject's answer; None where it raises, which other checks than the caller's are about."""
    try:
        return subject.solve(problem, **options)
    except Broken:
        raise
    except Exception:
        return None


# ---- 1: success comes from the certificate only ------------------------------------------------------------


@promise(1, "success is confirmed by the certificate")
def success_is_certified(subject: Subject) -> None:
    for name, problem, _ in regular(subject):
        answer = attempt_quietly(subject, problem)
        if answer and answer.success:
            error = certify(problem, answer.x, answer.y, answer.z, subject.tol).error
            require(error <= subject.tol, f"{name}: success with a scaled error of {error:.1e}")


@promise(1, "no success on infeasible or unbounded problems")
def no_success_without_solution(subject: Subject) -> None:
    for maker in battery.INFEASIBLE + battery.UNBOUNDED:
        problem = maker()
        if takes(subject, problem):
            answer = attempt_quietly(subject, problem)
            said = answer.said if answer else ""
            require(not (answer and answer.success), f"{problem.name}: success reported ({said})")


@promise(1, "a small step is no success")
def small_steps_are_no_success(subject: Subject) -> None:
    for problem in (battery.holed("f"), battery.holed("fg"), battery.holed("fgh")):
        answer = attempt_quietly(subject, problem)
        if answer and answer.success:
            error = certify(rosenbrock(), answer.x).error
            require(error <= 1e-2, f"{problem.name}: success with a scaled error of {error:.1e}")


@promise(1, "regular problems are solved", solving=True)
def regular_problems_are_solved(subject: Subject) -> None:
    missed = []
    for name, problem, optimum in regular(subject):
        try:
            answer = subject.solve(problem)
        except Exception as error:
            missed.append(f"{name} ({type(error).__name__})")
            continue
        near = abs(answer.f - optimum) <= max(1e-6, 10 * subject.tol) * max(1.0, abs(optimum))
        if not (
            near and certify(problem, answer.x, answer.y, answer.z, subject.tol).holds and answer.success
        ):
            missed.append(name)
    require(not missed, f"not solved: {', '.join(missed)}")


# ---- 2: what is not finite ---------------------------------------------------------------------------------


@promise(2, "a trial that is not finite is only rejected")
def nonfinite_trials_are_rejected(subject: Subject) -> None:
    problem = battery.logarithm()
    answer = attempt(subject, problem, problem.name)
    require(abs(answer.x[0] - 1) <= 1e-3, f"LOGARITHM: ended at {answer.x[0]:.3g}, not at 1")
    for where in ("f", "g", "fg", "fgh"):
        if where == "g" and not uses_gradient(subject):
            continue
        problem = battery.holed(where)
        answer = attempt(subject, problem, problem.name)
        require(np.isfinite(answer.f), f"{problem.name}: returned f = {answer.f}")


@promise(2, "a start that is not finite is reported, not raised")
def nonfinite_start(subject: Subject) -> None:
    for bad in (np.nan, np.inf):
        for part, value in (("_f", bad), ("_g", [bad, bad])):
            if part == "_g" and not uses_gradient(subject):
                continue
            problem = rosenbrock()
            setattr(problem, part, lambda x, value=value: value)
            answer = attempt(subject, problem, f"{part[1:]} = {bad} everywhere")
            require(not answer.success, f"{part[1:]} = {bad} everywhere: success reported")
        if subject.constraints:
            problem = circle()
            problem._c = lambda x, bad=bad: [bad]
            answer = attempt(subject, problem, f"c = {bad} everywhere")
            require(not answer.success, f"c = {bad} everywhere: success reported")


@promise(2, "status NONFINITE_START", portable=False)
def nonfinite_start_has_its_status(subject: Subject) -> None:
    for part, value in (("_f", np.nan), ("_g", [np.nan, 0.0]), ("_c", [np.inf]), ("_j", [[np.nan, 0.0]])):
        problem = circle()
        setattr(problem, part, lambda x, value=value: value)
        answer = attempt(subject, problem, part)
        require(answer.raw.status.name == "NONFINITE_START", f"{part}: status {answer.raw.status.name}")
        require(np.array_equal(answer.x, problem.x0), f"{part}: did not return the start")


# ---- 3: never worse than the start -------------------------------------------------------------------------


@promise(3, "the returned point is finite and never worse than the start")
def never_worse_than_the_start(subject: Subject) -> None:
    for problem in [*(p for _, p, _ in regular(subject)), *battery.wild()]:
        if not takes(subject, problem):
            continue
        clean = Reference(problem)
        answer = attempt_quietly(subject, problem, max_iterations=200)
        if answer is None:
            continue
        require(np.isfinite(answer.x).all(), f"{problem.name}: x = {answer.x}")
        require(
            clean.not_worse(answer.x) or answer.success or clean.certified_infeasible(answer),
            f"{problem.name}: returned a point worse than the start",
        )


class Reference:
    """Lexicographic order (violation, f) by the values that the problem itself gave."""

    def __init__(self, problem: Dense) -> None:
        self.problem = problem
        self.seen: dict[bytes, list[float]] = {}
        self.start = np.clip(problem.x0, problem.lb, problem.ub)
        plain = problem._f

        def recording(x: Any) -> Any:
            value = plain(x)
            self.seen.setdefault(np.asarray(x, dtype=float).tobytes(), []).append(float(value))
            return value

        problem._f = recording
        self.f0 = float(recording(self.start.copy()))
        self.v0 = self.violation(self.start)

    def violation(self, x: Any) -> float:
        c = self.problem.constraints(np.array(x, dtype=float))
        excess = np.maximum(self.problem.cl - c, c - self.problem.cu)
        return max(float(excess.max(initial=0.0)), 0.0)

    def not_worse(self, x: Any) -> bool:
        values = self.seen.get(np.asarray(x, dtype=float).tobytes(), [float(self.problem._f(np.array(x)))])
        slack = 1e-6 if "noise" in self.problem.name else 1e-8
        worst = self.violation(x) - self.v0
        same = worst <= slack * max(1.0, self.v0)
        return worst < -slack or (
            same and min(values) <= self.f0 + 0.05 * abs(self.f0) * ("noise" in self.problem.name)
        )

    @staticmethod
    def certified_infeasible(answer: Answer) -> bool:
        return getattr(answer.raw, "infeasibility", None) is not None


# ---- 4: everything is bounded ------------------------------------------------------------------------------


@promise(4, "every loop is bounded")
def loops_are_bounded(subject: Subject) -> None:
    for problem in battery.wild():
        if not takes(subject, problem):
            continue
        calls, plain = [0], problem._f

        def counted(x: Any, plain: Any = plain, calls: Any = calls, name: str = problem.name) -> Any:
            calls[0] += 1
            require(calls[0] < 20_000, f"{name}: more than 20,000 evaluations in 100 iterations")
            return plain(x)

        problem._f = counted
        attempt_quietly(subject, problem, max_iterations=100)


# ---- 5: bounds ---------------------------------------------------------------------------------------------


@promise(5, "user code never sees a point beyond the bounds")
def bounds_are_kept(subject: Subject) -> None:
    for name, problem, _ in regular(subject):
        require_inside(subject, name, problem)
    near = rosenbrock(x0=(0.5 - 1e-9, 2.0), lb=[-2.0, -2.0], ub=[0.5, 2.0])
    require_inside(subject, "start next to a bound", near)
    narrow = rosenbrock(x0=(0.3, 0.0), lb=[0.3, -2.0], ub=[0.3 + 1e-10, 2.0])
    require_inside(subject, "almost fixed variable", narrow)


def require_inside(subject: Subject, name: str, problem: Dense) -> None:
    beyond = [0.0]
    for part in ("_f", "_g", "_c", "_j"):
        plain = getattr(problem, part)
        if plain is not None:

            def watching(x: Any, plain: Any = plain) -> Any:
                beyond[0] = max(beyond[0], float(np.maximum(problem.lb - x, x - problem.ub).max()))
                return plain(x)

            setattr(problem, part, watching)
    answer = attempt_quietly(subject, problem)
    if answer is None:
        return
    require(beyond[0] <= 0.0, f"{name}: evaluated {beyond[0]:.1e} beyond a bound")
    inside = (answer.x >= problem.lb).all() and (answer.x <= problem.ub).all()
    require(inside, f"{name}: returned a point beyond the bounds")
    require(answer.outside == 0, f"{name}: asked for {answer.outside} points beyond the bounds")


# ---- 6: exceptions and callbacks ---------------------------------------------------------------------------


@promise(6, "a user's exception arrives unchanged")
def exceptions_pass(subject: Subject) -> None:
    for part in ("_f", "_g", "_c", "_j"):
        if not subject.constraints and part in ("_c", "_j"):
            continue
        for after in (1, 4):
            problem = next(filter(partial(takes, subject), (circle(cl=(-np.inf,)), circle(), rosenbrock())))
            error = LookupError("of the user")
            raise_after(problem, part, after, error)
            try:
                subject.solve(problem)
            except LookupError as caught:
                require(caught is error, f"{part[1:]}: another exception arrived")
            except Exception as other:
                raise Broken(f"{part[1:]}: {type(other).__name__} arrived instead") from other
            else:
                require(part in ("_g", "_j") and not uses_gradient(subject), f"{part[1:]}: was swallowed")


def uses_gradient(subject: Subject) -> bool:
    return getattr(subject, "gradient", True)


def raise_after(problem: Dense, part: str, calls: int, error: Exception) -> None:
    plain, count = getattr(problem, part), [0]

    def raising(x: Any) -> Any:
        count[0] += 1
        if count[0] >= calls:
            raise error
        return plain(x)

    setattr(problem, part, raising)


@promise(6, "StopIteration from the callback stops with the best point")
def callback_stops(subject: Subject) -> None:
    best = [np.inf]

    def callback(intermediate_result: Any) -> None:
        best[0] = min(best[0], float(intermediate_result.fun))
        if len(seen) >= 3:
            raise StopIteration
        seen.append(intermediate_result.x)

    seen: list[Any] = []
    answer = attempt(subject, rosenbrock(), "callback by keyword", callback=callback)
    require(seen, "callback by keyword: was not called")
    require(answer.iterations <= 5, f"went on for {answer.iterations} iterations")
    require(answer.f <= best[0], f"returned f = {answer.f:.3g}, though f = {best[0]:.3g} was seen")
    require(not answer.success, f"success reported ({answer.said})")


@promise(6, "a callback with another signature gets x")
def callback_gets_x(subject: Subject) -> None:
    seen: list[Any] = []

    def callback(x: Any, *_: Any) -> None:
        seen.append(x.copy())

    attempt(subject, rosenbrock(), "callback(x)", callback=callback)
    require(seen and all(x.shape == (2,) for x in seen), "callback(x) was not called with x")


# ---- 7: arrays ---------------------------------------------------------------------------------------------


@promise(7, "the caller's arrays are unchanged, and oracles may spoil what they are given")
def arrays_are_private(subject: Subject) -> None:
    for maker in (rosenbrock, battery.hs71, circle):
        plain, spoiled = maker(), maker()
        if not takes(subject, plain):
            continue
        for part in ("_f", "_g", "_c", "_j", "_h", "_hc"):
            spoil(spoiled, part)
        kept = [np.array(a) for a in (spoiled.x0, spoiled.lb, spoiled.ub, spoiled.cl, spoiled.cu)]
        one, other = attempt(subject, plain, plain.name), attempt(subject, spoiled, f"{plain.name}, spoiled")
        for before, after in zip(
            kept, (spoiled.x0, spoiled.lb, spoiled.ub, spoiled.cl, spoiled.cu), strict=True
        ):
            require(np.array_equal(before, after), f"{plain.name}: an array of the caller was changed")
        require(np.array_equal(one.x, other.x), f"{plain.name}: an oracle that writes into x changed the run")


def spoil(problem: Dense, part: str) -> None:
    plain = getattr(problem, part)
    if plain is not None:

        def spoiling(x: Any) -> Any:
            value = plain(np.array(x))
            if x.flags.writeable:
                x[:] = 1e3
            return value

        setattr(problem, part, spoiling)


# ---- 8: the same run again, in threads, within itself ------------------------------------------------------


@promise(8, "the same run gives the same bits, in threads too")
def runs_repeat(subject: Subject) -> None:
    names = [name for name, _, _ in regular(subject)]

    def bits(name: str) -> tuple[bytes, float, int]:
        answer = attempt_quietly(subject, battery.REGULAR[name][0]())
        if answer is None:
            return b"", 0.0, 0
        return answer.x.tobytes(), answer.f, answer.iterations

    serial = [bits(name) for name in names]
    require([bits(name) for name in names] == serial, "a second run differs")
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(bits, names * 2))
    require(threaded == serial * 2, "runs in threads differ")


@promise(8, "a run within a run")
def runs_nest(subject: Subject) -> None:
    def inner_minimum(t: float) -> Any:
        return subject.solve(quadratic([[1.0]], [-t], [0.0])).x

    problem = Dense(
        [3.0],
        lambda x: (x[0] - 1.0) ** 2 + 0.5 * float(inner_minimum(x[0])[0] - x[0]) ** 2,
        lambda x: [2 * (x[0] - 1.0)],
        lambda x: [[2.0]],
        name="NESTED",
    )
    answer = attempt(subject, problem, "nested")
    require(abs(answer.x[0] - 1.0) < 1e-5, f"nested: ended at {answer.x[0]:.6g}, not at 1")


# ---- 9: the tough battery ----------------------------------------------------------------------------------


@promise(9, "the order of the variables does not matter", solving=True)
def permutations(subject: Subject) -> None:
    makers = [(rosenbrock, [1, 0])] + ([(battery.hs71, [2, 0, 3, 1])] if subject.constraints else [])
    for maker, order in makers:
        one = attempt(subject, maker(), "plain")
        other = attempt(subject, battery.permuted(maker(), order), "permuted")
        require(one.success and other.success, f"{maker().name}: not solved in one order")
        require(
            np.allclose(one.x[order], other.x, atol=1e-4), f"{maker().name}: another answer when permuted"
        )


@promise(9, "badly scaled variables are solved", solving=True)
def bad_scales(subject: Subject) -> None:
    cases = [(rosenbrock, [1e-3, 1e3], 0.0)]
    if subject.constraints:
        cases += [(circle, [1e3, 1e-2], -2.0), (battery.hs71, [1e-2, 1e3, 1.0, 1e2], 17.0140172891)]
    missed = []
    for maker, scale, optimum in cases:
        problem = battery.rescaled(maker(), scale)
        answer = attempt(subject, problem, problem.name)
        if abs(answer.f - optimum) > 1e-5 * max(1.0, abs(optimum)) or not answer.success:
            missed.append(f"{problem.name} (f = {answer.f:.6g})")
    require(not missed, f"not solved: {', '.join(missed)}")


@promise(9, "an objective times 1e8 or 1e-8 is solved", solving=True)
def multiples(subject: Subject) -> None:
    missed = []
    for factor in (1e8, 1e-8):
        for maker, solution in ((rosenbrock, [1.0, 1.0]), (circle, [-1.0, -1.0])):
            problem = battery.multiplied(maker(), factor)
            if not takes(subject, problem):
                continue
            answer = attempt(subject, problem, problem.name)
            wrong = factor > 1 and not np.allclose(answer.x, solution, atol=1e-3)
            if wrong or (problem.m and not answer.success):
                missed.append(problem.name)
    require(not missed, f"not solved: {', '.join(missed)}")


@promise(9, "infeasible problems are recognised", portable=False, solving=True)
def infeasible_is_recognised(subject: Subject) -> None:
    missed = []
    for maker in battery.INFEASIBLE:
        answer = attempt(subject, maker(), maker.__name__)
        if answer.raw.status.name != "INFEASIBLE" or not answer.raw.infeasibility.holds:
            missed.append(f"{maker.__name__} ({answer.raw.status.name})")
    require(not missed, f"not recognised: {', '.join(missed)}")


@promise(9, "unbounded problems are recognised", portable=False, solving=True)
def unbounded_is_recognised(subject: Subject) -> None:
    missed = []
    for maker in battery.UNBOUNDED:
        answer = attempt(subject, maker(), maker.__name__)
        if answer.raw.status.name != "UNBOUNDED":
            missed.append(f"{maker.__name__} ({answer.raw.status.name})")
    require(not missed, f"not recognised: {', '.join(missed)}")


@promise(9, "polluted objectives (NaN, Inf, 1e30, -1e30, noise) are survived")
def pollution_is_survived(subject: Subject) -> None:
    for problem in battery.wild():
        if takes(subject, problem):
            answer = attempt(subject, problem, problem.name, max_iterations=200)
            require(np.isfinite(answer.x).all(), f"{problem.name}: x = {answer.x}")
            require(answer.f < np.inf, f"{problem.name}: f = {answer.f}")
