"""Solvers that keep a preconditioner for many matrices: conjugate gradients around it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from .flexible_cg import preconditioned_cg
from .matrices import as_square_csr
from .protocol import LinearAnswer, LinearStatus, Preconditioner, Setup, Vector
from .run import Run


@dataclass(frozen=True)
class Built:
    """A preconditioner and its price.

    Attributes
    ----------
    apply : callable
        z = M^-1 r in a new array.
    setup_work, work : float
        Of building it and of one application, in products with A: what took as long on five-point grids.
    """

    apply: Preconditioner
    setup_work: float
    work: float


class PreconditionedSolver(ABC):
    """Conjugate gradients with a preconditioner that `setup` builds and `update` keeps: a `LinearSolver`."""

    name: str

    def __init__(self) -> None:
        self._A: Any = None
        self._built: Built | None = None
        self._failure: LinearStatus | None = None

    @property
    def preconditioner(self) -> Preconditioner | None:
        """What was built last."""
        return None if self._built is None else self._built.apply

    @abstractmethod
    def _build(self, A: Any) -> Built | None:
        """A preconditioner for A, canonical and finite CSR; None or an exception where there is none."""

    def setup(self, A: Any) -> Setup:
        """Build the preconditioner for A; see `LinearSolver.setup`."""
        started = time.perf_counter()
        self._A, self._built = as_square_csr(A), None
        self._failure = None if np.isfinite(self._A.data).all() else LinearStatus.NONFINITE
        if self._failure is None:
            try:
                self._built = self._build(self._A)
            except ImportError:
                raise
            except Exception:  # libraries raise what they like where a factorisation breaks down
                self._built = None
            if self._built is None or not self._serves():
                self._built, self._failure = None, LinearStatus.NO_FACTORISATION
        work = 0.0 if self._built is None else self._built.setup_work
        return Setup(self._failure, work, time.perf_counter() - started)

    def _serves(self) -> bool:
        """Whether the preconditioner maps a vector of ones to something finite."""
        assert self._built is not None
        with np.errstate(all="ignore"):
            return bool(np.isfinite(self._built.apply(np.ones(self._A.shape[0]))).all())

    def update(self, A: Any) -> Setup:
        """Take A with the preconditioner that there is; see `LinearSolver.update`."""
        started = time.perf_counter()
        matrix = as_square_csr(A)
        if self._built is None or matrix.shape != self._A.shape:
            return self.setup(matrix)
        self._A = matrix
        self._failure = None if np.isfinite(matrix.data).all() else LinearStatus.NONFINITE
        return Setup(self._failure, 0.0, time.perf_counter() - started)

    def solve(
        self,
        b: Vector,
        x0: Vector | None = None,
        *,
        rtol: float = 1e-8,
        atol: float = 0.0,
        max_iterations: int = 10_000,
        max_time: float | None = None,
    ) -> LinearAnswer:
        """Solve; see `LinearSolver.solve`."""
        if self._A is None:
            raise RuntimeError("solve needs a setup before it")
        A = self._A
        if self._failure is not None or self._built is None:
            run = Run(A.__matmul__, A.shape[0], A.nnz, b, x0, rtol, atol, max_iterations, max_time)
            return run.failed(self._failure or LinearStatus.NO_FACTORISATION)
        return preconditioned_cg(
            A,
            b,
            x0,
            self._built.apply,
            preconditioner_work=self._built.work,
            rtol=rtol,
            atol=atol,
            max_iterations=max_iterations,
            max_time=max_time,
        )


def installed(package: str, wanted_by: str) -> Any:
    """The imported package; ImportError that says who wants it and how to get it."""
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(f"{wanted_by} needs the package {package}: pip install {package}") from error
