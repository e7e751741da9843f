"""KKT systems by randomised linear algebra, used where it proves cheaper than plain Krylov methods.

Two ways, both from `karush.sketching`:

- a randomised Nystrom preconditioner of the Hessian as G of the constraint preconditioner, gated by the gain
  that it predicts (Frangella, Tropp, Udell 2023): for Hessians that are a diagonal plus a matrix whose
  spectrum decays, such as those of dense regression problems;
- block sketch-and-project (Kaczmarz++) on the rows of K, where K has entries and is small.

Clocks would make a run depend on the machine, so the price of both is *multiplications*: of products with H
and J, of factorisations and of projections. On the first system of a run the contenders run against each
other: CG with the plain preconditioner sets the price, and what does not stay below it is not used again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_array, csr_array, diags_array, issparse
from scipy.sparse.linalg import LinearOperator

from ....problems.nlp import Vector
from ....sketching.nystrom import NystromPreconditioner
from ....sketching.sketch_and_project import SketchAndProject
from .iterative import KrylovKKT, PreconditionerKind
from .krylov import Ending
from .preconditioners import DiagonalMetric, Metric
from .protocol import Inertia, KKTPattern

SMALLEST = 200
"""Variables below which nothing is sketched: all solves are cheap there."""

PROJECTION_LIMIT = 2000
"""Unknowns up to which sketch-and-project may try, which works on rows of K as a matrix."""

ACCURACY = 1e-4
"""Relative residual to which the contenders of the first system run: that of the last, dear iterations."""

LARGEST_RANK = 64
"""Of the Nystrom approximation."""


PROJECTION_WEIGHT = 6.0
"""Time of a multiplication in a projection, whose blocks are small, in those of a product; measured."""


class NystromMetric:
    """``G = D^(1/2) (A + I) D^(1/2)``, A the Nystrom approximation of ``D^(-1/2) H D^(-1/2)``.

    Parameters
    ----------
    root : ndarray, shape (n,)
        ``D^(1/2)``.
    inner : NystromPreconditioner
        Of the scaled matrix, shift 1. Its inverse is that of ``A + I`` times ``w_l + 1``; the factor does not
        matter to conjugate gradients, but is taken out so that G is near ``H + D``.
    """

    def __init__(self, root: Vector, inner: NystromPreconditioner) -> None:
        self.root, self.inner = root, inner
        self._level = 1.0 / (float(inner.w[-1]) + inner.mu)

    def solve(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        """``G^-1 v``."""
        root = self.root if v.ndim == 1 else self.root[:, None]
        return np.asarray(self._level * (self.inner.apply(v / root) / root))


@dataclass
class _Account:
    """Multiplications that a way of solving took, and whether it got there; or why it was not tried."""

    price: float
    reached: bool
    refused: str = ""

    def __str__(self) -> str:
        return self.refused or f"{self.price:.1e}{'' if self.reached else ' without result'}"


class SketchedKKT(KrylovKKT):
    """Projected CG with a Nystrom preconditioner, or sketch-and-project, where these proved cheaper.

    Parameters
    ----------
    pattern : KKTPattern
    preconditioner : {"auto", "constraint", "block-diagonal"}
    rng : None, int, Generator, optional
        Of the sketches.
    """

    def __init__(
        self, pattern: KKTPattern, preconditioner: PreconditionerKind = "auto", rng: Any = 0
    ) -> None:
        super().__init__(pattern, preconditioner)
        self._rng = np.random.default_rng(rng)
        self._way = "undecided" if pattern.n >= SMALLEST else "plain"
        self._plain = True
        self._built: NystromPreconditioner | None = None
        self._spent = 0.0
        self._refused = ""
        self.products = 0
        """Products with the Hessian that sketches took."""
        self.note = "" if pattern.n >= SMALLEST else f"too small to be sketched, n = {pattern.n}"
        self._primal, self._dual = np.zeros(pattern.n), np.zeros(pattern.m)

    @property
    def name(self) -> str:
        """What the method is called in records."""
        if self._way == "projections":
            return "sketched: block sketch-and-project"
        if self._way == "nystrom":
            return super().name.replace("krylov: ", "sketched: Nystrom-preconditioned ")
        return super().name

    def factor(self, primal: Vector, dual: Vector) -> Inertia:
        """Build the preconditioner; see `KrylovKKT.factor`."""
        self._primal, self._dual = primal, dual
        self._plain = self._way != "nystrom"
        return super().factor(primal, dual)

    def _outer_metric(self, metric: DiagonalMetric, primal: Vector) -> Metric:
        if self._plain or self._hessian is None:
            return metric
        if self._built is None:
            self._built = self._sketch(metric)
        if self._built is None:
            return metric
        return NystromMetric(self._root(metric), self._built)

    def _root(self, metric: DiagonalMetric) -> Vector:
        return np.sqrt(np.maximum(self._primal, 1e-8 * float(metric.diagonal.mean())))

    def _sketch(self, metric: DiagonalMetric) -> NystromPreconditioner | None:
        """The approximation; None where the Hessian is not semidefinite, or the predicted gain is too small.

        It is made once: the Hessians of later systems resemble the first, and a sketch costs as much as tens
        of iterations.
        """
        root, n = self._root(metric), self.pattern.n
        scaled = LinearOperator(
            (n, n),
            matvec=lambda v: (self._curved(np.ravel(v) / root)) / root,
            rmatvec=lambda v: (self._curved(np.ravel(v) / root)) / root,
            dtype=np.float64,
        )
        try:
            built = NystromPreconditioner.build(
                scaled, mu=1.0, max_rank=min(LARGEST_RANK, n // 2), rng=self._rng
            )
        except ValueError:
            self._refused = "refused: the Hessian is not positive semidefinite"
            return None
        self.products += built.products
        if built.gain < 10.0:
            self._refused = (
                f"refused: predicted to lower the condition number {max(built.gain, 1.0):.2g} times"
            )
            return None
        return built

    # ---- the contest

    def solve(self, rhs: Vector) -> tuple[Vector, float]:
        """See `KrylovKKT.solve`; the first system that is not trivial decides the way."""
        if self._way == "undecided" and float(np.linalg.norm(rhs)) > 0.0 and self._hessian is not None:
            self._way = "plain"
            self._decide(rhs)
        if self._way == "projections" and self.run is None:
            found = self._project(rhs, self.tolerance, np.inf)
            if found is not None:
                return found, self.tolerance / max(float(np.linalg.norm(rhs)), 1e-300)
        return super().solve(rhs)

    def _decide(self, rhs: Vector) -> None:
        tolerance, self.tolerance = self.tolerance, ACCURACY * float(np.linalg.norm(rhs))
        plain = self._priced(rhs)
        accounts = {"nystrom": self._nystrom_account(rhs)}
        if self._has_rows() and self.pattern.order <= PROJECTION_LIMIT:
            accounts["sketch-and-project"] = self._projection_account(rhs, plain.price)
        self.tolerance = tolerance
        best = min(accounts, key=lambda way: accounts[way].price if accounts[way].reached else np.inf)
        won = accounts[best].reached and not (plain.reached and plain.price <= accounts[best].price)
        if won:
            self._way = "nystrom" if best == "nystrom" else "projections"
        tried = ", ".join(f"{way} {account}" for way, account in accounts.items())
        self.note = (
            f"{'faster' if won else 'not faster'}, in multiplications on the first system: {tried}; "
            f"plain Krylov {plain}"
        )
        self._plain = self._way != "nystrom"
        super().factor(self._primal, self._dual)

    def _priced(self, rhs: Vector) -> _Account:
        """A solve with the preconditioner of the moment."""
        before = self.iterations
        self.run = None
        super().solve(rhs)
        price = (self.iterations - before + 1.0) * self._price_of_iteration()
        return _Account(price, self.run is not None and self.run.ending is Ending.CONVERGED)

    def _nystrom_account(self, rhs: Vector) -> _Account:
        if not self.projects:
            return _Account(np.inf, False, "refused: no constraint preconditioner")
        self._plain, before = False, self.products
        super().factor(self._primal, self._dual)
        spent = (self.products - before) * self._price_of_product()
        if self._built is None:
            return _Account(np.inf, False, self._refused)
        # Orthonormal bases of the test vectors and of their images.
        rank = self.products - before
        account = self._priced(rhs)
        return _Account(account.price + spent + 4.0 * self.pattern.n * rank**2, account.reached)

    def _projection_account(self, rhs: Vector, budget: float) -> _Account:
        # Every number of a block's rows is read for the residual and for the step, after one factorisation.
        found = self._project(rhs, self.tolerance, budget)
        return _Account(self._spent, found is not None)

    def _has_rows(self) -> bool:
        return issparse(self._hessian) and (
            issparse(self._jacobian) or isinstance(self._jacobian, np.ndarray)
        )

    def _project(self, rhs: Vector, tolerance: float, budget: float) -> Vector | None:
        """Kaczmarz++ from zero within so many multiplications; None where it does not get there."""
        K = self._rows()
        block = max(1, round(2.0 * K.shape[0] ** 0.5))
        price = PROJECTION_WEIGHT * (4.0 * K.nnz * block / K.shape[0] + 2.0 * block**2)
        steps = min(budget / price, 200.0 * K.shape[0])
        method = SketchAndProject("kaczmarz++", block_size=block)
        state = method.init(K, rhs, rng=self._rng)
        self._spent = block * float(K.nnz)
        looks = max(1, K.shape[0] // block)
        done = 0
        while done < steps:
            method.step(state, looks)
            done += looks
            self._spent += looks * price + K.nnz
            if state.residual_norm() <= tolerance:
                return np.asarray(state.x)
            if self.check is not None:
                self.check()
        return None

    def _rows(self) -> csr_array:
        upper = self._hessian + diags_array(self._primal)
        if self.pattern.m == 0:
            return csr_array(upper)
        J = csr_array(self._jacobian)
        return csr_array(block_array([[upper, J.T], [J, diags_array(-self._dual)]]))

    def _price_of_product(self) -> float:
        n = self.pattern.n
        return float(self._hessian.nnz) if issparse(self._hessian) else float(n * n)

    def _price_of_iteration(self) -> float:
        """A product with H, four with J, and the vectors; a Nystrom preconditioner's as well."""
        n, m = self.pattern.n, self.pattern.m
        J = float(self._jacobian_values.size) if self._jacobian_values is not None else float(n * m)
        metric = getattr(self._precondition, "metric", None)
        rank = metric.inner.rank if isinstance(metric, NystromMetric) else 0
        return self._price_of_product() + 4.0 * J + 10.0 * n + 4.0 * n * rank
