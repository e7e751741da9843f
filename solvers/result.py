"""The answer of a run: a superset of scipy's OptimizeResult."""

from __future__ import annotations

from typing import Any

from scipy.optimize import OptimizeResult

from ..problems.nlp import Vector
from .certificate import Certificate, InfeasibilityCertificate
from .status import Status
from .unboundedness import UnboundednessCertificate


class Result(OptimizeResult):  # type: ignore[misc]
    """Answer of `karush.minimize`; attributes are also keys, as in scipy.

    Attributes
    ----------
    x : ndarray, shape (n,)
        The point: finite, within the bounds, never worse than the start unless certified.
    fun : float
        Objective at x.
    jac : ndarray, shape (n,)
        Gradient of the objective at x.
    success : bool
        True exactly if the certificate holds to the tolerance asked for.
    status : Status
        Why the run ended.
    message : str
        The same for humans.
    nit, nfev, njev, nhev : int
        Iterations; evaluations of objective, gradient, Hessian (products included).
    maxcv : float
        Largest violation of a constraint or bound, absolute.
    y : ndarray, shape (m,)
        Multipliers of the constraints, L = f + y'c + z'x.
    z : ndarray, shape (n,)
        Multipliers of the bounds.
    certificate : Certificate or None
        Optimality recomputed from the original problem; None where x could not be evaluated.
    infeasibility : InfeasibilityCertificate or None
        Where the run ended at a stationary point of the violation.
    unboundedness : UnboundednessCertificate or None
        Where it found a ray of feasible points on which the objective falls without limit; x is the best
        point seen then.
    time : dict of str to float
        Seconds: "total", "problem", "method", "callback", "certificate".
    counts : dict of str to int
        Calls by oracle.
    record : dict
        The method's own last record.
    history : list of dict
        Records of the iterations, the last 1000 of them.
    name, method : str
        Of problem and method.
    """

    x: Vector
    fun: float
    jac: Vector
    success: bool
    status: Status
    message: str
    nit: int
    nfev: int
    njev: int
    nhev: int
    maxcv: float
    y: Vector
    z: Vector
    certificate: Certificate | None
    infeasibility: InfeasibilityCertificate | None
    unboundedness: UnboundednessCertificate | None
    time: dict[str, float]
    counts: dict[str, int]
    record: dict[str, Any]
    history: list[dict[str, Any]]
    name: str
    method: str

    def __init__(self, **values: Any) -> None:
        super().__init__()
        self.update(values)

    def __repr__(self) -> str:
        # scipy's fails at an empty dictionary, such as the record of a run that ended within its first step
        shown = {key: value for key, value in self.items() if not (isinstance(value, dict) and not value)}
        return str(OptimizeResult(shown))
