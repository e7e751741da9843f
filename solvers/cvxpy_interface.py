"""`solve_cvxpy`: karush's methods on problems of cvxpy, with the answer put into cvxpy's variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..problems.cvxpy_problems import Outcome, from_cvxpy
from .minimize import minimize
from .result import Result
from .status import Status

# Only what a certificate confirms is optimal; limits leave the best point, as cvxpy's other solvers do.
_OUTCOMES: Mapping[Status, Outcome] = {
    Status.CONVERGED: "optimal",
    Status.ACCEPTABLE: "optimal_inaccurate",
    Status.INFEASIBLE: "infeasible",
    Status.UNBOUNDED: "unbounded",
    Status.ITERATION_LIMIT: "user_limit",
    Status.EVALUATION_LIMIT: "user_limit",
    Status.TIME_LIMIT: "user_limit",
    Status.USER_STOP: "user_limit",
    Status.INTERRUPTED: "user_limit",
}


def solve_cvxpy(
    problem: Any,
    *,
    method: Any = None,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    x0: Mapping[Any, Any] | None = None,
    callback: Callable[..., Any] | None = None,
    rng: Any = None,
) -> Result:
    """Solve a cvxpy problem and put the answer into its variables.

    Parameters
    ----------
    problem : cvxpy.Problem
        A disciplined nonlinear program, ``problem.is_dnlp()``; convex programs without cone constraints are
        such, too.
    method, tol, options, callback, rng
        As in `karush.minimize`. The callback sees the lowered variables.
    x0 : mapping of cvxpy.Variable to array_like, optional
        Start of some variables. The others start at their values, so that a second call with other values of
        parameters starts where the first one ended; without a value, as cvxpy starts them.

    Returns
    -------
    Result
        Of the problem that cvxpy lowers this one to, with its certificate: more variables and rows than the
        problem has, and the negative objective where it is maximised. In cvxpy's problem are then set
        ``status``, ``value``, ``solver_stats``, the values of variables and the dual values of constraints,
        with cvxpy's signs: "optimal" where the result is a success, "optimal_inaccurate" for a looser
        tolerance, "infeasible" and "unbounded" (of nonconvex problems: locally), "user_limit" with the best
        point at a limit, and "solver_error" without values elsewhere. No exception is raised for these.

    Raises
    ------
    ImportError
        If cvxpy 1.9 is not installed.
    TypeError, ValueError
        Bad input, named; see `karush.problems.from_cvxpy`.

    Examples
    --------
    >>> import cvxpy as cp
    >>> import karush
    >>> x = cp.Variable(2, value=[2.0, 1.0])
    >>> problem = cp.Problem(cp.Minimize(cp.sum_squares(x)), [cp.prod(x) >= 1])
    >>> karush.solve_cvxpy(problem).success
    True
    >>> problem.status
    'optimal'
    """
    lowered = from_cvxpy(problem, x0)
    result = minimize(lowered, method=method, tol=tol, options=options, callback=callback, rng=rng)
    outcome = "optimal" if result.success else _OUTCOMES.get(result.status, "solver_error")
    lowered.assign(outcome, result.x, result.y, iterations=result.nit, seconds=result.time.get("total"))
    return result
