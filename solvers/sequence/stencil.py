"""SOR on rectangular grids without a matrix: five-point stencils with constant or variable coefficients."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, diags_array

from .colouring import TwoColourSweeps, shared
from .matrices import positive
from .protocol import LinearAnswer, LinearStatus, Setup, Vector
from .relaxation import RelaxationSolver, check_sweeps
from .run import Run
from .sor import NaturalSweeps, Order, Sweep, SweepSequence, iterate

Grid = NDArray[np.float64]

WORKERS_BLOCK = 16
"""Grid rows that threads share among each other at a time."""


@dataclass(frozen=True, eq=False)
class FivePoint:
    """A symmetric operator on a grid that couples a point to its four neighbours; outside, unknowns are zero.

    ``(A u)[j, i] = center u[j, i] + horizontal (u[j, i-1] + u[j, i+1]) + vertical (u[j-1, i] + u[j+1, i])``,
    the coefficients being those of the point and of its four edges. Unknowns are numbered row by row.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the grid.
    center : float or ndarray, shape (rows, columns)
        The diagonal.
    horizontal : float or ndarray, shape (rows, columns - 1)
        Entry [j, i] couples points (j, i) and (j, i + 1).
    vertical : float or ndarray, shape (rows - 1, columns)
        Entry [j, i] couples points (j, i) and (j + 1, i).

    Raises
    ------
    ValueError
        For an array of another shape.

    Examples
    --------
    The negative Laplacian times h^2 with zero boundary values: ``FivePoint((100, 100), 4.0, -1.0, -1.0)``.
    """

    shape: tuple[int, int]
    center: Any
    horizontal: Any
    vertical: Any

    def __post_init__(self) -> None:
        rows, columns = self.shape
        if rows < 1 or columns < 1:
            raise ValueError(f"shape must be positive, got {self.shape}")
        shapes = {
            "center": (rows, columns),
            "horizontal": (rows, columns - 1),
            "vertical": (rows - 1, columns),
        }
        for name, shape in shapes.items():
            object.__setattr__(self, name, _coefficient(name, getattr(self, name), shape))

    @property
    def constant(self) -> bool:
        """Whether there are three numbers for the whole grid."""
        return all(np.ndim(part) == 0 for part in (self.center, self.horizontal, self.vertical))

    @property
    def n(self) -> int:
        """Number of unknowns."""
        return self.shape[0] * self.shape[1]

    def arrays(self) -> tuple[Grid, Grid, Grid]:
        """Coefficients of all points and edges; edges to the outside are there, and zero."""
        rows, columns = self.shape
        center = np.full(self.shape, 0.0)
        center[:] = self.center
        horizontal, vertical = np.zeros((rows, columns + 1)), np.zeros((rows + 1, columns))
        horizontal[:, 1:-1] = self.horizontal
        vertical[1:-1] = self.vertical
        return center, horizontal, vertical

    def __matmul__(self, v: Vector) -> Vector:
        """A v."""
        u = v.reshape(self.shape)
        product = self.center * u
        product[:, :-1] += self.horizontal * u[:, 1:]
        product[:, 1:] += self.horizontal * u[:, :-1]
        product[:-1] += self.vertical * u[1:]
        product[1:] += self.vertical * u[:-1]
        return np.asarray(product.ravel())

    def tocsr(self) -> csr_array:
        """The same as a matrix."""
        center, horizontal, vertical = self.arrays()
        columns = self.shape[1]
        right, up = horizontal[:, 1:].ravel()[:-1], vertical[1:-1].ravel()
        matrix = diags_array(center.ravel(), offsets=0).tocsr()
        for values, offset in ((right, 1), (up, columns)):
            if values.size:
                matrix = matrix + diags_array([values, values], offsets=[offset, -offset])
        matrix = csr_array(matrix)
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return matrix


class StencilSOR(RelaxationSolver):
    """Successive over-relaxation with a `FivePoint` operator; several times as fast as with its matrix.

    Parameters
    ----------
    omega, sweep, order, workers
        As in `SOR`; "multicolour" is red-black here, and has no symmetric sweep.

    Raises
    ------
    ValueError
        For an option that is none of these.
    """

    name = "stencil-sor"

    def __init__(
        self, omega: float = 1.0, sweep: Sweep = "forward", order: Order = "natural", workers: int = 1
    ) -> None:
        self.omega = positive("omega", omega, 2.0)
        check_sweeps(sweep, order, workers)
        if order == "multicolour" and sweep == "symmetric":
            raise ValueError("order='multicolour' needs sweep='forward' or 'backward'")
        self.sweep, self.order, self.workers = sweep, order, int(workers)
        self._A: FivePoint | None = None
        self._failure: LinearStatus | None = None
        self._coefficients: tuple[Any, ...] = ()

    def setup(self, A: FivePoint) -> Setup:
        """Look at the coefficients; see `LinearSolver.setup`."""
        started = time.perf_counter()
        if not isinstance(A, FivePoint):
            raise TypeError(f"A must be a FivePoint, got {type(A).__name__}")
        self._A = A
        parts = (A.center, A.horizontal, A.vertical)
        self._coefficients = tuple(float(part) for part in parts) if A.constant else A.arrays()
        self._failure = None
        if not all(np.isfinite(part).all() for part in parts):
            self._failure = LinearStatus.NONFINITE
        elif np.abs(A.center).min() < np.finfo(np.float64).tiny:
            self._failure = LinearStatus.ZERO_DIAGONAL
        return Setup(self._failure, 1.0, time.perf_counter() - started)

    def update(self, A: FivePoint) -> Setup:
        """The same as `setup`: there is nothing to keep."""
        return self.setup(A)

    def _size(self) -> tuple[int, int]:
        assert self._A is not None
        return self._A.n, 5 * self._A.n

    def _iterate(self, run: Run, omega: float) -> LinearAnswer:
        assert self._A is not None
        work = 2.0 if self.sweep == "symmetric" else 1.0
        return iterate(run, self._sweeps(self._A, omega, run), omega, work)

    def _sweeps(self, A: FivePoint, omega: float, run: Run) -> SweepSequence:
        from . import stencil_kernels as kernels

        b, x0 = run.b.reshape(A.shape), np.pad(run.x0.reshape(A.shape), 1)
        if self.order == "natural":
            kernel = kernels.constant_natural if A.constant else kernels.variable_natural
            return _PaddedSweeps(kernel, self._coefficients, self.sweep, omega, b, x0)
        kernel = kernels.constant_colour if A.constant else kernels.variable_colour
        edges = np.append(np.arange(0, A.shape[0], WORKERS_BLOCK), A.shape[0])
        ranges = np.column_stack([edges[:-1], edges[1:]]).astype(np.uint64)

        def update(colour: int, step: float, old: Grid, others: Grid, new: Grid) -> float:
            arguments = (colour, step, *self._coefficients, b, old, others, new)
            return float(shared(self.workers, kernel, ranges, arguments).sum())

        return TwoColourSweeps(update, 1 if self.sweep == "backward" else 0, omega, x0, _interior)


class _PaddedSweeps(NaturalSweeps):
    """Natural sweeps over a padded grid."""

    @property
    def x(self) -> Vector:
        """The newest iterate, without the border."""
        return _interior(super().x)


def _interior(padded: Grid) -> Vector:
    return padded[1:-1, 1:-1].ravel()


def _coefficient(name: str, value: ArrayLike, shape: tuple[int, int]) -> Any:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real, got dtype {array.dtype}")
    if array.ndim and array.shape != shape:
        raise ValueError(f"{name} must be a number or have shape {shape}, got {array.shape}")
    return array.astype(np.float64)
