"""Which block is updated next: rules by chance, by turns, and the greedy ones.

A rule is a generator of blocks; when it is asked for the next one the point has moved. The greedy rules
compare what the blocks promise by a quadratic model with Hessian c I, L_b I, diag(D) or H_b,

    -min over d of g_b'd + d'Hd / 2 + Omega(x + d) - Omega(x),

which without a penalty is g_b'H^-1 g_b / 2; the names GS, GSL, GSD, GSQ are those of Nutini, Laradji and
Schmidt (2022), section 3 and 4.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import cho_solve

from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Indices, MismatchError
from .block_bounds import DIAGONALS, BlockBounds, regular_factor
from .block_point import Block, BlockPoint
from .model import minimize_model
from .partition import Blocks, require_sparse_graph, sparse_graph

_TINY = float(np.finfo(np.float64).tiny)


class Setting:
    """What a selection rule and an update are given of a run.

    Attributes
    ----------
    problem : CompositeProblem
    point : BlockPoint
        Where the run is.
    blocks : Blocks or None
        The fixed blocks, None where they are variable.
    size : int
        Wanted size of variable blocks.
    bounds : BlockBounds
    rng : numpy.random.Generator
    """

    def __init__(
        self,
        problem: CompositeProblem,
        point: BlockPoint,
        blocks: Blocks | None,
        size: int,
        rng: np.random.Generator,
    ) -> None:
        self.problem, self.point, self.blocks, self.rng = problem, point, blocks, rng
        self.n = point.x.size
        self.size = min(size, self.n)
        self.bounds = BlockBounds(problem, point, self.size)

    def block(self, k: Any) -> Block:
        """The k-th fixed block."""
        assert self.blocks is not None
        return Block(self.blocks[int(k)], int(k))

    @cached_property
    def block_lipschitz(self) -> Array:
        """L_b of the fixed blocks."""
        assert self.blocks is not None
        return np.array([self.bounds.lipschitz(self.block(k)) for k in range(len(self.blocks))])


class Selection:
    """A rule that chooses blocks; subclass it for one of your own.

    Attributes
    ----------
    greedy : bool
        Whether it looks at the whole gradient.
    random : bool
        Whether blocks may have to wait for many epochs for their turn.
    """

    greedy = False
    random = False

    def check(self, problem: CompositeProblem, variable: bool) -> None:
        """Raise `MismatchError` or ValueError where it does not suit the problem or the kind of blocks."""

    def epoch(self, setting: Setting) -> int:
        """Updates in which every coordinate can have had its turn."""
        return len(setting.blocks) if setting.blocks is not None else -(-setting.n // setting.size)

    def picks(self, setting: Setting) -> Iterator[Block]:
        """The blocks, one after the other, without end."""
        raise NotImplementedError


@dataclass(frozen=True)
class Random(Selection):
    """Every block, or every coordinate of a variable block, with the same probability."""

    random = True

    def picks(self, setting: Setting) -> Iterator[Block]:
        rng = setting.rng
        while True:
            if setting.blocks is None:
                yield Block(
                    rng.choice(setting.n, setting.size, replace=False, shuffle=False).astype(np.int64)
                )
            else:
                yield setting.block(rng.integers(len(setting.blocks)))


@dataclass(frozen=True)
class Cyclic(Selection):
    """By turns; variable blocks are one random permutation cut into pieces, the same in every round."""

    def picks(self, setting: Setting) -> Iterator[Block]:
        blocks = setting.blocks or Blocks.cut(setting.rng.permutation(setting.n), setting.size)
        fixed = [Block(block, k) for k, block in enumerate(blocks)]
        while True:
            yield from fixed


@dataclass(frozen=True)
class Permutation(Selection):
    """By turns in an order that every round draws anew; variable blocks are cut from it."""

    def picks(self, setting: Setting) -> Iterator[Block]:
        while True:
            if setting.blocks is None:
                for block in Blocks.cut(setting.rng.permutation(setting.n), setting.size):
                    yield Block(block)
            else:
                for k in setting.rng.permutation(len(setting.blocks)):
                    yield setting.block(k)


@dataclass(frozen=True)
class Lipschitz(Selection):
    """With probabilities proportional to L_b, or to L_i without replacement where blocks are variable."""

    random = True

    def picks(self, setting: Setting) -> Iterator[Block]:
        rng = setting.rng
        weights = setting.bounds.coordinate if setting.blocks is None else setting.block_lipschitz
        cumulative = np.cumsum(weights)
        while True:
            if setting.blocks is None:
                yield Block(_weighted_sample(weights, setting.size, rng))
            else:
                k = np.searchsorted(cumulative, cumulative[-1] * rng.random(), side="right")
                yield setting.block(min(int(k), weights.size - 1))


def _weighted_sample(weights: Array, size: int, rng: np.random.Generator) -> Indices:
    """Draws without replacement by exponential clocks (Efraimidis and Spirakis 2006); zero weights last."""
    with np.errstate(divide="ignore"):
        clocks = rng.standard_exponential(weights.size) / weights
    return np.sort(_smallest(clocks, size))


@dataclass(frozen=True)
class Greedy(Selection):
    """Common to the greedy rules: scores of coordinates added up over blocks, or the tau best coordinates."""

    greedy = True

    def check(self, problem: CompositeProblem, variable: bool) -> None:
        if not problem.penalty.separable:
            raise MismatchError(
                f"greedy rules other than 'gs-r' need a penalty that adds up over coordinates, not "
                f"{type(problem.penalty).__name__}"
            )

    def curvature(self, setting: Setting) -> Array | float:
        """H of the model, a diagonal, by coordinates."""
        raise NotImplementedError

    def picks(self, setting: Setting) -> Iterator[Block]:
        point, D = setting.point, self.curvature(setting)
        if point.local and point.parts.nothing:
            yield from _tournament(setting, D)
        while True:
            scores = promises(point, D)
            yield _best_block(setting, scores)


def _best_block(setting: Setting, scores: Array) -> Block:
    """The block of the largest sum, or the tau largest; among those at zero the support comes first.

    When all but a few coordinates of the support are at their minimiser, this is what still takes the whole
    support together, without which the end is not finite.
    """
    if setting.blocks is not None:
        return setting.block(np.argmax(setting.blocks.sums(scores)))
    if not setting.point.parts.nothing:
        shape = setting.problem.shape
        scores = scores + _TINY * setting.problem.penalty.support(setting.point.x.reshape(shape)).ravel()
    return Block(_largest(scores, setting.size))


def promises(point: BlockPoint, D: Array | float) -> Array:
    """Twice what each coordinate promises by the model with Hessian diag(D); zero where D is."""
    g = point.gradient()
    with np.errstate(divide="ignore", invalid="ignore"):
        if point.parts.nothing:
            return np.where(np.asarray(D) > 0, g * g / D, 0.0)
        x, parts = point.x, point.parts
        moved = parts.flat_prox(x - g / D, 1.0 / np.asarray(D))
        d = moved - x
        change = parts.coordinate_values(moved) - parts.coordinate_values(x)
        return np.where(np.asarray(D) > 0, np.maximum(-2.0 * (g * d + change) - D * d * d, 0.0), 0.0)


def _steps(point: BlockPoint, D: Array, d: Array, slope: Array) -> Array:
    """From x + d, with that slope, where the model with Hessian diag(D) is least; seen from x."""
    with np.errstate(divide="ignore", invalid="ignore"):
        step = point.parts.flat_prox(point.x + d - slope / D, 1.0 / D) - point.x
    return np.where(D > 0, step, 0.0)


@dataclass(frozen=True)
class GS(Greedy):
    """Gauss-Southwell: the largest ||g_b||_2; with a penalty GS-q, one L for all in the model."""

    def curvature(self, setting: Setting) -> Array | float:
        return 1.0 if setting.point.parts.nothing else setting.bounds.whole


@dataclass(frozen=True)
class GSL(Greedy):
    """The largest ||g_b||^2 / L_b; with a penalty GSL-q. For fixed blocks."""

    def check(self, problem: CompositeProblem, variable: bool) -> None:
        super().check(problem, variable)
        if variable:
            raise ValueError("selection 'gsl' is for fixed blocks: variable ones have no L_b, take 'gsd'")

    def curvature(self, setting: Setting) -> Array | float:
        assert setting.blocks is not None
        return setting.block_lipschitz[setting.blocks.owner]


@dataclass(frozen=True)
class GSD(Greedy):
    """The largest sum of g_i^2 / D_i; with a penalty GSD-q.

    Parameters
    ----------
    diagonal : {"lipschitz", "row-sums", "size"}
        D_i = L_i (best with matrix updates), sum_j |M_ij| (best with gradient updates) or tau L_i (a bound of
        every block of tau coordinates, the one with a proof).
    """

    diagonal: str = "lipschitz"

    def __post_init__(self) -> None:
        if self.diagonal not in DIAGONALS:
            raise ValueError(f"diagonal must be one of {', '.join(DIAGONALS)}, got {self.diagonal!r}")

    def curvature(self, setting: Setting) -> Array | float:
        return setting.bounds.diagonal(self.diagonal)


@dataclass(frozen=True)
class GSQ(Greedy):
    """The largest decrease of the model with H_b, g_b'H_b^-1 g_b without a penalty; with one GSQ-q.

    On quadratics this is the maximum improvement rule. Every block costs a solve, so that it suits few or
    small blocks; for variable blocks see `GSQHardThresholding`.
    """

    def check(self, problem: CompositeProblem, variable: bool) -> None:
        super().check(problem, variable)
        if variable:
            raise ValueError("selection 'gsq' is for fixed blocks; 'gsq-iht' is its form for variable ones")

    def picks(self, setting: Setting) -> Iterator[Block]:
        assert setting.blocks is not None
        blocks = [setting.block(k) for k in range(len(setting.blocks))]
        while True:
            yield blocks[int(np.argmax([self._promise(setting, block) for block in blocks]))]

    def _promise(self, setting: Setting, block: Block) -> float:
        point, bounds = setting.point, setting.bounds
        g = point.slopes(block) if setting.problem.datafit.quadratic else point.gradient()[block.coordinates]
        if point.parts.nothing:
            return float(g @ bounds.solve(block, g))
        x, H, penalty = point.x[block.coordinates], bounds.hessian(block), point.parts.of(block)
        target = minimize_model(H, g, x, penalty)
        d = target - x
        return -2.0 * (float(g @ d) + penalty.value(target) - penalty.value(x)) - float(d @ H @ d)


@dataclass(frozen=True)
class GSQHardThresholding(Greedy):
    """GSQ for variable blocks by iterative hard thresholding of the model with the whole bound M.

    From the block that GSD takes on: d minimises the model over the block; of d - mu (g + M d) / L, in the
    scale of the L_i, the tau largest entries make the next block where the model falls, else mu is halved.
    The paper iterates d - mu (g + M d) with mu = 1 / lmax(M), which hardly leaves its start where columns
    differ in length; the scale, and solving over the block (hard thresholding pursuit, Foucart 2011), lead to
    half of the iterations. The solves and the products with M make every pick dear.

    Parameters
    ----------
    steps : int
        Of thresholding.
    """

    steps: int = 10

    def check(self, problem: CompositeProblem, variable: bool) -> None:
        super().check(problem, variable)
        if not variable:
            raise ValueError("selection 'gsq-iht' is for variable blocks; take 'gsq'")

    def picks(self, setting: Setting) -> Iterator[Block]:
        point, L = setting.point, setting.bounds.diagonal("lipschitz")
        while True:
            block = _best_block(setting, promises(point, L))
            d, least = self._minimised(setting, block)
            slope, mu = point.gradient() + setting.bounds.product(d), 1.0
            for _ in range(self.steps):
                step = _steps(point, L / mu, d, slope)
                trial = _best_block(setting, L * step * step)
                moved, value = self._minimised(setting, trial)
                if value < least:
                    block, d, least = trial, moved, value
                    slope = point.gradient() + setting.bounds.product(d)
                else:
                    mu *= 0.5
            yield block

    def _minimised(self, setting: Setting, block: Block) -> tuple[Array, float]:
        """The step that minimises the model over a block, zero elsewhere, and the model's value there."""
        point, i = setting.point, block.coordinates
        g, H = point.gradient()[i], setting.bounds.hessian(block)
        d = np.zeros(setting.n)
        if point.parts.nothing:
            d[i] = -cho_solve(regular_factor(H), g, check_finite=False)
            return d, 0.5 * float(g @ d[i])
        x, penalty = point.x[i], point.parts.of(block)
        target = minimize_model(H, g, x, penalty)
        d[i] = target - x
        change = penalty.value(target) - penalty.value(x)
        return d, float(d[i] @ (g + 0.5 * (H @ d[i]))) + change


@dataclass(frozen=True)
class GSR(Greedy):
    """The longest proximal gradient steps, ||prox(x - g / L) - x||: for any penalty that has a prox.

    Of Nutini, Schmidt, Laradji, Friedlander and Koepke (2015); without a penalty it is GS.
    """

    def check(self, problem: CompositeProblem, variable: bool) -> None:
        if variable and not problem.penalty.separable:
            raise MismatchError("variable blocks need a penalty that adds up over coordinates")

    def picks(self, setting: Setting) -> Iterator[Block]:
        point, L = setting.point, setting.bounds.whole
        while True:
            g = point.gradient()
            yield _best_block(setting, (point.parts.flat_prox(point.x - g / L, 1.0 / L) - point.x) ** 2)


@dataclass(frozen=True)
class GreedyTree(Selection):
    """A forest of a sparse graph, vertices tried by descending |g_i|: exact updates of it cost O(|b|).

    Parameters
    ----------
    order : {"gradient", "random"}
        By descending |g_i|, or by chance.
    """

    order: str = "gradient"
    greedy = True

    def __post_init__(self) -> None:
        if self.order not in ("gradient", "random"):
            raise ValueError(f"order must be 'gradient' or 'random', got {self.order!r}")

    def check(self, problem: CompositeProblem, variable: bool) -> None:
        require_sparse_graph(problem, "selection 'greedy-tree'")
        if not variable:
            raise ValueError("selection 'greedy-tree' needs partition='variable'")

    def epoch(self, setting: Setting) -> int:
        return 2  # a forest takes half of the vertices or more

    def picks(self, setting: Setting) -> Iterator[Block]:
        from .partition_kernels import greedy_forest

        indptr, indices, _ = sparse_graph(setting.problem, "selection 'greedy-tree'")
        n = setting.n
        while True:
            if self.order == "random":
                order = setting.rng.permutation(n)
            else:
                order = np.argsort(-np.abs(setting.point.gradient()), kind="stable")
            yield Block(greedy_forest(indptr, indices, order, n))


@dataclass(frozen=True)
class RandomTree(GreedyTree):
    """The same with the vertices in random order."""

    random = True
    order: str = "random"


SELECTIONS: dict[str, type[Selection]] = {
    "random": Random,
    "cyclic": Cyclic,
    "permutation": Permutation,
    "lipschitz": Lipschitz,
    "gs": GS,
    "gsl": GSL,
    "gsd": GSD,
    "gsq": GSQ,
    "gsq-iht": GSQHardThresholding,
    "gs-r": GSR,
    "greedy-tree": GreedyTree,
    "random-tree": RandomTree,
}


def selection_of(given: Any) -> Selection:
    """A selection rule of its name, or itself.

    Raises
    ------
    ValueError, TypeError
        An unknown name, or neither.
    """
    if isinstance(given, Selection):
        return given
    if not isinstance(given, str):
        raise TypeError(f"selection must be a name or a Selection, got {given!r}")
    if given not in SELECTIONS:
        raise ValueError(f"selection must be one of {', '.join(SELECTIONS)}, got {given!r}")
    return SELECTIONS[given]()


# ---- arg max -----------------------------------------------------------------------------------------------


def _smallest(values: Array, count: int) -> Indices:
    if count >= values.size:
        return np.arange(values.size)
    return np.argpartition(values, count - 1)[:count]


def _largest(values: Array, count: int) -> Indices:
    """Where the `count` largest are, ascending: blocks are walked through in the order of memory."""
    return np.sort(_smallest(-values, count))


def _tournament(setting: Setting, D: Array | float) -> Iterator[Block]:
    """The same picks where a move changes few slopes: only their blocks' scores are computed anew."""
    from .selection_kernels import build, champion, change, leaders

    point, blocks = setting.point, setting.blocks
    D = np.broadcast_to(np.asarray(D, dtype=np.float64), (setting.n,))
    inverse = np.divide(1.0, D, out=np.zeros(setting.n), where=D > 0)
    squares = point.gradient() ** 2 * inverse
    count = setting.n if blocks is None else len(blocks)
    tree = np.full(2 << max(count - 1, 1).bit_length(), -1.0)
    first = tree.size // 2
    tree[first : first + count] = squares if blocks is None else blocks.sums(squares)
    build(tree)
    chosen = np.empty(setting.size, dtype=np.int64)
    while True:
        if blocks is not None:
            yield setting.block(champion(tree))
        else:
            leaders(tree, setting.size, chosen)
            yield Block(np.sort(chosen))
        touched = point.touched()
        assert touched is not None
        if blocks is None:
            change(tree, touched, point.gradient()[touched] ** 2 * inverse[touched])
        else:
            dirty = np.unique(blocks.owner[touched])
            scores = np.array([point.slopes(setting.block(k)) ** 2 @ inverse[blocks[int(k)]] for k in dirty])
            change(tree, dirty, scores)
