"""Answers for one system and for a sequence, with the certificate that `success` comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult

from ..status import Status

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class LinearCertificate:
    """The true residual of an answer, computed from A, b and x alone.

    Attributes
    ----------
    residual : float
        ||b - A x||_2.
    relative : float
        The same over ||b||_2 (0 where both are 0).
    backward_error : float
        ||b - A x||_inf/(||A||_inf ||x||_inf + ||b||_inf): near the unit roundoff no solver can do better.
    tolerance : float
        Largest residual that counts as solved.
    """

    residual: float
    relative: float
    backward_error: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the residual is within the tolerance."""
        return self.residual <= self.tolerance


def certify_system(A: Any, b: Vector, x: Vector, rtol: float, atol: float = 0.0) -> LinearCertificate:
    """The certificate of x: its residual must be within max(rtol ||b||, atol).

    Parameters
    ----------
    A : csr_array, shape (n, n)
        The matrix; every row stores an entry.
    b : ndarray, shape (n,)
        The right-hand side.
    x : ndarray, shape (n,)
        The answer.
    rtol, atol : float
        Tolerances on the 2-norm of the residual.
    """
    with np.errstate(all="ignore"):
        r = b - A @ x
        size = float(np.linalg.norm(b))
        residual = float(np.linalg.norm(r))
        if np.isnan(residual):
            residual = np.inf
        row_sums = np.add.reduceat(np.abs(A.data), A.indptr[:-1])  # no row is empty: there is a diagonal
        scale = float(np.max(row_sums) * np.abs(x).max() + np.abs(b).max())
        backward = float(np.abs(r).max()) / scale if scale > 0.0 else 0.0
    relative = residual / size if size > 0.0 else (0.0 if residual == 0.0 else np.inf)
    return LinearCertificate(residual, relative, backward, max(rtol * size, atol))


class SystemResult(OptimizeResult):  # type: ignore[misc]
    """Answer of `SequenceSolver.solve`; attributes are also keys, as in scipy.

    Attributes
    ----------
    x : ndarray, shape (n,)
        The solution: finite, with no larger residual than the start.
    success : bool
        True exactly if the certificate holds.
    status : Status
        Why the solve ended.
    message : str
        The same for humans.
    certificate : LinearCertificate
        True residual and backward error.
    method : str
        What solved the system.
    attempts : tuple of str
        All methods that worked on it; more than one where a backstop was needed.
    omega : float or None
        Relaxation parameter, where the method has one.
    nit : int
        Iterations, of all attempts.
    work : float
        Arithmetic in products with A, set-ups included.
    context : float or None
        As given, or the shift that was found.
    time : dict of str to float
        Seconds: "total", "setup", "solve".
    """

    def __init__(self, **values: Any) -> None:
        super().__init__()
        self.update(values)


class SequenceResult(OptimizeResult):  # type: ignore[misc]
    """Answer of `solve_sequence`; attributes are also keys, as in scipy.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Solution of the last system that was worked on.
    solutions : list of ndarray or None
        All of them, with ``keep_solutions``.
    success : bool
        True exactly if every system of the sequence was solved to the tolerance, by its certificate.
    status : Status
        CONVERGED, or why the run ended or the first system failed.
    message : str
        The same for humans.
    nit : int
        Iterations in all.
    solved : int
        Systems whose certificate holds.
    systems : list of SystemResult
        The answers, their x left out.
    omegas, iterations, seconds, residuals : ndarray, shape (T,)
        By system: relaxation parameters (NaN where there is none), iterations, seconds and relative
        residuals.
    losses : ndarray, shape (T,)
        What the learner was told, NaN where it had no part.
    estimated_regret : float or None
        The learner's own estimate against its best fixed arm.
    regret : Regret or None
        Against hindsight, with ``hindsight=True``.
    methods : dict of str to int
        Systems by method.
    time : dict of str to float
        Seconds: "total", "setup", "solve", "callback".
    solver : SequenceSolver
        To go on with, or to save: ``solver.state_dict()``.
    """

    status: Status

    def __init__(self, **values: Any) -> None:
        super().__init__()
        self.update(values)
