"""Exact sweeps over forest blocks, accelerated by conjugate gradients.

Sweeps over blocks b by x_b <- argmin converge like Gauss and Seidel's. With A = L + D + L', D the forest
blocks, one sweep forth and one back is the preconditioner (D + L) D^-1 (D + L'), and conjugate gradients with
it take about the square root of the sweeps. Eisenstat's trick (SIAM J. Sci. Stat. Comput. 2, 1981) makes an
iteration as cheap as one sweep: in the variables v = (D + L') x the operator is

    v -> D (t + u),    t = (D + L')^-1 v,    u = (D + L)^-1 (v - D t) = (D + L)^-1 L't,

self-adjoint for <v, D^-1 w>; D times t + u is v - L u, so that D is never multiplied with. For two forests
this is conjugate gradients on the Schur complement of the first, preconditioned by the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Indices
from .driver import Run, State
from .partition import Blocks, Trees, require_sparse_graph
from .trees import ForestFactor, graph_arrays
from .update import smooth_penalty

_CHUNK = 16
"""Iterations in a step at most: for each one w is brought into its own order."""

_MARGIN = 0.5
"""Of the tolerance: the residual is measured in another norm than the certificate's."""


@dataclass
class _State(State):
    """With the iteration's vectors; `rho` is the squared norm of the preconditioned residual."""

    sweeps: Any = None
    rho: float = np.inf
    target: float = 0.0


@dataclass(frozen=True)
class ForestConjugateGradient:
    """Minimises a sparse positive definite quadratic form: label propagation, graph problems.

    Few forests cover the graph (first fit); a sweep over them is exact in each. Conjugate gradients
    accelerate the sweeps. Plain sweeps are ``method="bcd", partition="trees", selection="cyclic",
    update="trees"``.

    Parameters
    ----------
    order : {"natural", "lipschitz"}
        In which the vertices are taken when forests are made. The natural one keeps memory in order.
    tol : float
        Tolerance of the certificate.
    max_iterations : int
        Limit of steps, of up to 16 iterations each.
    """

    order: str = "natural"
    tol: float = 1e-6
    max_iterations: int = 100_000

    def check(self, problem: CompositeProblem) -> None:
        """A sparse quadratic form of w and a penalty without kinks and bounds."""
        require_sparse_graph(problem, "method 'forest-cg'")
        smooth_penalty(problem, "method 'forest-cg'")

    def init(self, run: Run, w: Array, b: Array) -> _State:
        """Forests, their factors and the couplings between them."""
        problem = run.problem
        blocks = Trees(self.order).blocks(problem, 0)
        sweeps = ForestSweeps(problem, blocks, w)
        sweeps.restart()
        first = sweeps.w
        return _State(
            first,
            b,
            problem.objective(first),
            sweeps=sweeps,
            rho=sweeps.rho,
            target=(_MARGIN * self.tol) ** 2 * sweeps.rho,
            settled=not sweeps.rho > 0.0,
        )

    def step(self, run: Run, state: _State) -> _State:
        """Some iterations; a look of the certificate where the residual has become small."""
        sweeps = state.sweeps
        if state.settled:  # it did not hold: on from the true residual, to a smaller one
            sweeps.restart()
            state.target = 0.01 * min(state.target, sweeps.rho)
        fall = 0.0
        for _ in range(_CHUNK):
            run.check_deadline()
            fall += sweeps.iterate()
            if not sweeps.rho > state.target:
                break
        return _State(
            sweeps.w,
            state.b,
            state.objective - fall,
            settled=not sweeps.rho > state.target,
            record={"iterations": sweeps.iterations, "residual": float(np.sqrt(sweeps.rho))},
            sweeps=sweeps,
            rho=sweeps.rho,
            target=state.target,
        )


class ForestSweeps:
    """Conjugate gradients on symmetric sweeps over forest blocks, the first of which is eliminated.

    The first block is kept at its minimiser for given others. Its residual is then zero, and so is its part
    of every vector of the iteration: only the other blocks carry vectors.

    Parameters
    ----------
    problem : CompositeProblem
        A sparse quadratic form of w.
    blocks : Blocks
        Whose graphs are forests.
    w : ndarray, shape (n,)
        Start.

    Attributes
    ----------
    rho : float
        (b - A w)'M^-1 (b - A w) of the present point, M the preconditioner.
    iterations : int
    """

    def __init__(self, problem: CompositeProblem, blocks: Blocks, w: Array) -> None:
        datafit: Any = problem.datafit
        linear, l2 = smooth_penalty(problem, "method 'forest-cg'")
        self._A, self._b, self._l2 = datafit.A, datafit.b - linear, l2
        self._starts = blocks.starts
        self._rest = int(self._starts[1])
        self._factorise(graph_arrays(datafit.A), blocks)
        # One array each: untouched first parts cost no memory.
        self._v, self._p, self._t, self._s, self._u, self._q, self._r, self._z = (
            np.zeros(w.size) for _ in range(8)
        )
        self._x, self._c = w[self._order], self._b[self._order]
        self.iterations = 0
        self.rho = np.inf

    def _factorise(self, graph: tuple[Indices, Indices, Array], blocks: Blocks) -> None:
        from .trees_sweep_kernels import count_couplings, fill_couplings

        indptr, indices, _ = graph
        n = blocks.order.size
        self._order, place = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int32)
        parent, inverse, factors = np.empty(n, dtype=np.int32), np.empty(n), np.empty(n)
        for k, block in enumerate(blocks):
            first, last = self._starts[k : k + 2]
            tree = ForestFactor(graph, block, self._l2[block])
            self._order[first:last] = tree.order
            parent[first:last] = first + np.where(tree.parent >= 0, tree.parent, np.arange(block.size))
            inverse[first:last], factors[first:last] = 1.0 / tree.pivots, tree.factors
        self._forest = parent, inverse, factors
        place[self._order] = np.arange(n, dtype=np.int32)
        low, up = np.empty((2, n + 1), dtype=np.int32)
        count_couplings(indptr, indices, self._order, place, self._starts, low, up)
        columns = [np.empty(rows[-1], dtype=np.int32) for rows in (low, up)]
        entries = [np.empty(rows[-1]) for rows in (low, up)]
        fill_couplings(
            *graph, self._order, place, self._starts, columns[0], entries[0], columns[1], entries[1]
        )
        self._low, self._up = (low, columns[0], entries[0]), (up, columns[1], entries[1])

    @property
    def w(self) -> Array:
        """The present point in the problem's order, its first block minimised."""
        from .trees_sweep_kernels import add_couplings, solve_forest

        rest = self._rest
        self._x[:rest] = self._c[:rest]
        add_couplings(0, rest, *self._up, self._x, -1.0, self._x)
        solve_forest(0, rest, *self._forest, self._x)
        w = np.empty(self._x.size)
        w[self._order] = self._x
        return w

    def restart(self) -> None:
        """Forget the directions and compute the residual anew."""
        from .trees_sweep_kernels import start

        w = self.w
        residual = (self._b - self._A @ w - self._l2 * w)[self._order]
        self._z[:] = 0.0
        start(self._starts, *self._low, *self._forest, residual, self._r, self._z)
        self._v[:], self._p[:] = self._r, self._z
        self.rho = float(self._r @ self._z)

    def iterate(self) -> float:
        """One iteration; what it lowered the objective by."""
        from . import trees_sweep_kernels as kernels

        if not self.rho > 0.0:
            return 0.0
        kernels.sweep_back(self._starts, *self._up, *self._forest, self._p, self._t, self._s, self._u)
        curvature = kernels.sweep_forth(
            self._starts, *self._low, *self._forest, self._s, self._v, self._t, self._u, self._q
        )
        if not curvature > 0.0:
            self.rho = 0.0
            return 0.0
        alpha, before = self.rho / curvature, self.rho
        self.rho = kernels.advance(
            self._rest, alpha, self._v, self._t, self._u, self._q, self._x, self._r, self._z
        )
        kernels.turn(self._rest, self.rho / before, self._r, self._z, self._v, self._p)
        self.iterations += 1
        return float(0.5 * alpha * before)
