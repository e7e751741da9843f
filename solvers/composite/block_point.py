"""A point of block descent: w, and what moving a block needs to have at hand, kept up to date.

For a quadratic form of w the gradient is kept, and a move touches the neighbours of the block only. Elsewhere
the predictor X w + offset + b is kept; gradients come from it when they are asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ...problems.composite.datafits import QuadraticForm
from ...problems.composite.design import DenseDesign, SparseDesign
from ...problems.composite.group_penalties import SparseGroupLasso
from ...problems.composite.penalties import NoPenalty, PiecewiseQuadratic
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Indices, MismatchError, Penalty
from .trees import graph_arrays

_NOTHING = NoPenalty()


class Block:
    """Coordinates of w, flat, and the number of the block where blocks are fixed."""

    __slots__ = ("coordinates", "index")

    def __init__(self, coordinates: Indices, index: int | None = None) -> None:
        self.coordinates, self.index = coordinates, index

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.coordinates.size


class PenaltyParts:
    """The penalty, block by block."""

    def __init__(self, problem: CompositeProblem) -> None:
        self.penalty = problem.penalty
        self.shape = problem.shape
        self.nothing = isinstance(self.penalty, NoPenalty)
        self._cached: dict[int, Penalty] = {}
        self.arrays: tuple[Array, ...] | None = None
        if isinstance(self.penalty, PiecewiseQuadratic):
            outputs = int(np.prod(problem.shape[1:]))
            parts = self.penalty.arrays(problem.p)
            self.arrays = parts if outputs == 1 else tuple(np.repeat(part, outputs) for part in parts)

    def of(self, block: Block) -> Penalty:
        """The penalty of the block alone."""
        if self.nothing:
            return _NOTHING
        if self.arrays is not None:
            return self.piece(block)
        if block.index is None:
            return self.penalty.restricted(block.coordinates)
        if block.index not in self._cached:
            self._cached[block.index] = self._restricted(block, block.index)
        return self._cached[block.index]

    def _restricted(self, block: Block, index: int) -> Penalty:
        penalty = self.penalty
        if not isinstance(penalty, SparseGroupLasso):
            return penalty.restricted(block.coordinates)
        levels = penalty.layout(self.shape)[2]  # blocks are the groups, in their order
        group = [np.arange(block.size)]
        return SparseGroupLasso(1.0, group, penalty.l1, levels[index : index + 1], penalty.l2)

    def piece(self, block: Block) -> PiecewiseQuadratic:
        """The same where it is known to be piecewise quadratic; unchecked, since its parts have been."""
        assert self.arrays is not None
        made = PiecewiseQuadratic.__new__(PiecewiseQuadratic)
        i = block.coordinates
        made.l1, made.l2, made.linear, made.lower, made.upper = (part[i] for part in self.arrays)
        return made

    def coordinate_values(self, x: Array) -> Array:
        """Omega by coordinates, x within the bounds.

        Raises
        ------
        MismatchError
            Where the penalty is not piecewise quadratic.
        """
        if self.nothing:
            return np.zeros_like(x)
        if self.arrays is None:
            raise self.penalty.lacks(
                "its values by coordinates, which greedy rules other than 'gs-r' compare "
                "(piecewise quadratic penalties do)"
            )
        l1, l2, linear, _, _ = self.arrays
        return l1 * np.abs(x) + (0.5 * l2 * x + linear) * x

    def flat_prox(self, v: Array, step: Array | float) -> Array:
        """The prox of flat vectors."""
        if self.nothing:
            return v
        shaped = step if np.ndim(step) == 0 else np.reshape(step, self.shape)
        return self.penalty.prox(v.reshape(self.shape), shaped).ravel()


class BlockPoint:
    """What both kinds of points have: w flat, its objective, and when its support last changed.

    Attributes
    ----------
    x : ndarray, shape (n,)
        W, flat; changed in place.
    b : ndarray
        Intercept.
    smooth, penalty_value : float
        The two parts of the objective.
    support_changes : int
        Number of moves that changed the support.
    local : bool
        Whether a move changes few slopes, those of `touched`.
    """

    local = False

    def __init__(self, problem: CompositeProblem, w: Array, b: Array) -> None:
        self.problem, self.parts = problem, PenaltyParts(problem)
        self.x = np.array(w, dtype=np.float64).ravel()
        self.b = np.array(b, dtype=np.float64)
        self.support_changes = 0
        self.refresh()

    @property
    def w(self) -> Array:
        """A copy of w in its shape."""
        return self.x.reshape(self.problem.shape).copy()

    @property
    def objective(self) -> float:
        """Smooth part plus penalty."""
        return self.smooth + self.penalty_value

    def refresh(self) -> None:
        """Compute everything anew, so that roundings do not add up."""
        w = self.x.reshape(self.problem.shape)
        self.penalty_value = self.problem.penalty.value(w)
        self.smooth = self._recomputed()

    def gradient(self) -> Array:
        """Of the smooth part, flat; not to be changed."""
        raise NotImplementedError

    def slopes(self, block: Block) -> Array:
        """The block's part of it."""
        raise NotImplementedError

    def smooth_after(self, block: Block, d: Array) -> float:
        """The smooth part at x + d, d of the block."""
        raise NotImplementedError

    def hessian(self, block: Block) -> Array:
        """The block's part of the Hessian at this point."""
        raise NotImplementedError

    def touched(self) -> Indices | None:
        """Coordinates whose slopes the last move changed, None where they may be all."""
        return None

    def objective_at(self, block: Block, target: Array, d: Array) -> float:
        """The objective where the block is `target`, which is d from here."""
        penalty = self.parts.of(block)
        change = penalty.value(target) - penalty.value(self.x[block.coordinates])
        return self.smooth_after(block, d) + self.penalty_value + change

    def move(self, block: Block, d: Array) -> None:
        """Go to x + d, d of the block; for penalties that are nothing or smooth."""
        self.place(block, self.x[block.coordinates] + d, d)

    def place(self, block: Block, target: Array, d: Array | None = None) -> None:
        """Go to where the block is `target`, d from here: zeros and bounds are met without rounding."""
        before = self.x[block.coordinates]
        if not self.parts.nothing:
            penalty = self.parts.of(block)
            self.penalty_value += penalty.value(target) - penalty.value(before)
            if not np.array_equal(penalty.support(before), penalty.support(target)):
                self.support_changes += 1
        self.x[block.coordinates] = target
        self._move_smooth(block, target - before if d is None else d)

    def _recomputed(self) -> float:
        raise NotImplementedError

    def _move_smooth(self, block: Block, d: Array) -> None:
        """Follow x, which has moved by d."""
        raise NotImplementedError


class QuadraticPoint(BlockPoint):
    """A point of a quadratic form x'Ax/2 - b'x with its gradient."""

    def __init__(self, problem: CompositeProblem, w: Array, b: Array) -> None:
        assert isinstance(problem.datafit, QuadraticForm)
        self.datafit = problem.datafit
        self.sparse = self.local = sparse.issparse(self.datafit.A)
        n = problem.p
        if self.sparse:
            self.graph = graph_arrays(self.datafit.A)
            self._place, self._found = np.full(n, -1, dtype=np.int64), np.empty(n, dtype=np.int64)
        super().__init__(problem, w, b)

    def _recomputed(self) -> float:
        self._g = self.datafit.gradient(self.x)
        return 0.5 * float(self.x @ (self._g - self.datafit.b))

    def gradient(self) -> Array:
        return self._g

    def slopes(self, block: Block) -> Array:
        return self._g[block.coordinates]

    def hessian(self, block: Block) -> Array:
        if not self.sparse:
            return self.datafit.hessian_block(block.coordinates)
        from .block_kernels import submatrix

        out = np.zeros((block.size, block.size))
        submatrix(*self.graph, block.coordinates, self._place, out)
        return out

    def smooth_after(self, block: Block, d: Array) -> float:
        return self.smooth + float(d @ (self.slopes(block) + 0.5 * (self.hessian(block) @ d)))

    def _move_smooth(self, block: Block, d: Array) -> None:
        i = block.coordinates
        before = self._g[i]
        if self.sparse:
            from .block_kernels import add_rows

            add_rows(*self.graph, i, d, self._g)
            self._last_block = i
        else:
            self._g += d @ self.datafit.A[i]
        self.smooth += 0.5 * float(d @ (before + self._g[i]))

    def touched(self) -> Indices | None:
        if not self.sparse:
            return None
        from .block_kernels import neighbours

        indptr, indices, _ = self.graph
        count = neighbours(indptr, indices, self._last_block, self._place, self._found)
        return self._found[:count]


class PredictorPoint(BlockPoint):
    """A point of a function of the linear predictor, with that."""

    def __init__(self, problem: CompositeProblem, w: Array, b: Array) -> None:
        self.outputs = int(np.prod(problem.shape[1:]))
        super().__init__(problem, w, b)

    def _recomputed(self) -> float:
        problem = self.problem
        self.eta = np.ascontiguousarray(problem.predictor(self.x.reshape(problem.shape), self.b))
        self._last: tuple[Block, Array, Array, float] | None = None
        self._u: Array | None = None
        self._g: Array | None = None
        return problem.datafit.value(self.eta)

    @property
    def residual(self) -> Array:
        """Gradient of the datafit by the predictor."""
        if self._u is None:
            self._u = np.ascontiguousarray(self.problem.datafit.gradient(self.eta))
        return self._u

    def gradient(self) -> Array:
        if self._g is None:
            self._g = self.problem.design.adjoint(self.residual).ravel()
        return self._g

    def slopes(self, block: Block) -> Array:
        if self._g is not None:
            return self._g[block.coordinates]
        features, outputs = np.divmod(block.coordinates, self.outputs)
        u = self.residual.reshape(-1, self.outputs)
        design = self.problem.design
        if not isinstance(design, SparseDesign | DenseDesign):
            return u[features, outputs]
        from .block_kernels import dense_slopes, sparse_slopes

        out = np.empty(block.size)
        if isinstance(design, SparseDesign):
            sparse_slopes(*design.parts, features, outputs, u, out)
        else:
            dense_slopes(design.X, features, outputs, u, out)
        return out

    def _predictor_after(self, block: Block, d: Array) -> Array:
        features, outputs = np.divmod(block.coordinates, self.outputs)
        eta = self.eta.copy()
        flat = eta.reshape(-1, self.outputs)
        design = self.problem.design
        if isinstance(design, SparseDesign):
            from .block_kernels import sparse_add

            sparse_add(*design.parts, features, outputs, d, flat)
        elif isinstance(design, DenseDesign):
            from .block_kernels import dense_add

            dense_add(design.X, features, outputs, d, flat)
        else:
            flat[features, outputs] += d
        return eta

    def smooth_after(self, block: Block, d: Array) -> float:
        eta = self._predictor_after(block, d)
        value = self.problem.datafit.value(eta)
        self._last = (block, d, eta, value)
        return value

    def _move_smooth(self, block: Block, d: Array) -> None:
        if self._last is None or self._last[0] is not block or self._last[1] is not d:
            self.smooth_after(block, d)
        assert self._last is not None
        _, _, self.eta, self.smooth = self._last
        if self.problem.intercept:
            self._best_intercept()
        self._last = self._u = self._g = None

    def _best_intercept(self) -> None:
        """The intercept is a block of its own, minimised exactly after every move."""
        b = self.problem.best_intercept(self.eta - self.b, self.b)
        self.eta = np.ascontiguousarray(self.eta + (b - self.b))
        self.b = b
        self.smooth = self.problem.datafit.value(self.eta)

    def hessian(self, block: Block) -> Array:
        problem, datafit = self.problem, self.problem.datafit
        probabilities = getattr(datafit, "probabilities", None)
        if probabilities is not None:
            return self._softmax_hessian(block, probabilities(self.eta))
        if datafit.provides("output_bound"):
            raise datafit.lacks("probabilities: its outputs are coupled, the Hessian is not known at a point")
        if self.outputs == 1 and self.eta.ndim == 1:
            return problem.hessian_block(block.coordinates, self.eta)
        features, outputs = np.divmod(block.coordinates, self.outputs)
        columns, weights = problem.design.columns(features), datafit.hessian_diagonal(self.eta)
        same = outputs[:, None] == outputs
        return np.asarray(same * (columns.T @ (weights[:, outputs] * columns)))

    def _softmax_hessian(self, block: Block, p: Array) -> Array:
        """Of pairs (feature, class): x_j' diag(s p_c (1[c = c'] - p_c')) x_j'."""
        features, outputs = np.divmod(block.coordinates, self.outputs)
        columns, s = self.problem.design.columns(features), self.problem.sample_weights[:, None]
        likely = p[:, outputs] * columns
        weighted = s * likely
        same: NDArray[np.bool_] = outputs[:, None] == outputs
        return np.asarray(same * (columns.T @ weighted) - likely.T @ weighted)


def point_of(problem: CompositeProblem, w: Array, b: Any) -> BlockPoint:
    """The kind of point that suits the problem.

    Raises
    ------
    MismatchError
        A quadratic form of X w: only forms of w itself are known by blocks.
    """
    if isinstance(problem.datafit, QuadraticForm):
        if problem.design.kind != "identity" or problem.offset is not None:
            raise MismatchError(
                "block descent takes QuadraticForm as a form of w itself: no X and no offset; X'AX is one too"
            )
        return QuadraticPoint(problem, w, b)
    return PredictorPoint(problem, w, b)
