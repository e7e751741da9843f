"""The lower level replaced by its optimality conditions: one nonlinear problem of (x, y, u, v).

With the lower constraints written as ``s(x, y) >= 0`` (one row a bound) and ``h(x, y) = 0``,

    min F(x, y)  subject to  X, G,  grad_y f - s_y' u + h_y' v = 0,  h = 0,  s >= 0,  u >= 0,
                             and  u_i s_i <= t  where the relaxation t is finite (Scholtes, 2001).

Without the last rows it is for branches: which s_i and which u_i are zero is then said by bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_array, csr_array

from ..nlp import NLP, Capabilities, IndexVector, Metadata, Vector, deliver
from ..sparse_patterns import merge_entries
from .problem import BilevelProblem

_ABSENT = 1e20
_STEP, _COARSE_STEP = 1e-5, 1e-3
"""Relative steps of the central differences of Hessians: exact ones, and ones that are differences."""


@dataclass(frozen=True, eq=False)
class LowerRows:
    """The lower constraints as one-sided rows: ``sign (value - bound) >= 0``.

    The values are those of the constraints of the lower level, then y.

    Attributes
    ----------
    row : ndarray of int, shape (p,)
        Constraint, or m + index of y.
    sign, bound : ndarray, shape (p,)
        +1 for a lower bound, -1 for an upper one.
    equal, level : ndarray of int and of float, shape (q,)
        Equations: value = level.
    m : int
        Constraints of the lower level.
    """

    row: IndexVector
    sign: Vector
    bound: Vector
    equal: IndexVector
    level: Vector
    m: int

    @classmethod
    def of(cls, problem: BilevelProblem) -> LowerRows:
        """Those of a problem."""
        lower = problem.lower_rows
        low = np.concatenate([lower.cl, lower.lb[problem.n_x :]])
        high = np.concatenate([lower.cu, lower.ub[problem.n_x :]])
        equal = low == high
        below = np.flatnonzero((low > -_ABSENT) & ~equal)
        above = np.flatnonzero((high < _ABSENT) & ~equal)
        return cls(
            np.concatenate([below, above]),
            np.concatenate([np.ones(below.size), -np.ones(above.size)]),
            np.concatenate([low[below], high[above]]),
            np.flatnonzero(equal),
            low[equal],
            lower.m,
        )

    def slack(self, values: Vector) -> Vector:
        """The s_i of the values of constraints and y."""
        return self.sign * (values[self.row] - self.bound)

    def from_lower_solution(self, c: Vector, z: Vector) -> tuple[Vector, Vector]:
        """U and v of multipliers c of the constraints and z of the bounds in the library's sign."""
        every = np.concatenate([c, z])
        return np.maximum(-self.sign * every[self.row], 0.0), every[self.equal]


class KKTSystem(NLP):
    """The single-level problem of the lower level's optimality conditions.

    Variables are (x, y, u, v); constraints those of the upper level, the n_y of stationarity, the equations
    and the slacks s of the lower level that are constraints (y's own bounds stay bounds), and the products.
    Third derivatives of the lower level, which the Hessian needs, are central differences of second ones:
    exact to rounding for quadratic f and g.

    Parameters
    ----------
    problem : BilevelProblem
        With second derivatives.
    relaxation : float or None
        t; None: no rows for the products.
    """

    def __init__(self, problem: BilevelProblem, relaxation: float | None = None) -> None:
        if not problem.has_second_derivatives:
            raise ValueError(
                f"problem {problem.name!r} has no second derivatives, which its KKT system needs"
            )
        self.problem, self.rows = problem, LowerRows.of(problem)
        self._upper, self._lower = problem.upper_rows, problem.lower_rows
        rows, n_y, n_x = self.rows, problem.n_y, problem.n_x
        self.p, self.q = rows.row.size, rows.equal.size
        self._w = problem.n_x + n_y
        self._products = relaxation is not None
        self._slacks = np.flatnonzero(rows.row < rows.m)
        self._equations = np.flatnonzero(rows.equal < rows.m)
        u, lo = self._upper, self._lower
        lb, ub = u.lb.copy(), u.ub.copy()
        lb[n_x:], ub[n_x:] = np.maximum(lb[n_x:], lo.lb[n_x:]), np.minimum(ub[n_x:], lo.ub[n_x:])
        counts = n_y, self._equations.size, self._slacks.size, self.p if self._products else 0
        self.blocks = np.cumsum([0, u.m, *counts])
        low = np.concatenate([u.cl, np.zeros(sum(counts[:3])), np.full(counts[3], -np.inf)])
        high = np.concatenate([u.cu, np.zeros(sum(counts[:2])), np.full(counts[2], np.inf)])
        high = np.concatenate([high, np.full(counts[3], 0.0 if relaxation is None else relaxation)])
        super().__init__(
            Metadata(
                name=f"{problem.name} (KKT)",
                x0=np.concatenate([problem.x0, problem.y0, np.ones(self.p), np.zeros(self.q)]),
                lb=np.concatenate([lb, np.zeros(self.p), np.full(self.q, -np.inf)]),
                ub=np.concatenate([ub, np.full(self.p + self.q, np.inf)]),
                cl=low,
                cu=high,
                y0=np.zeros(low.size),
                capabilities=Capabilities(
                    first="exact",
                    second="finite-difference"
                    if problem.lower.capabilities.second != "exact"
                    else problem.upper.capabilities.second,
                ),
            )
        )
        self._patterns()

    def relax(self, t: float) -> None:
        """Change the bound of the products."""
        self.cu[self.blocks[4] :] = t

    # ---- parts of a point ----------------------------------------------------------------------------------

    def parts(self, z: Vector) -> tuple[Vector, Vector, Vector]:
        """(x, y) together, u and v."""
        return z[: self._w], z[self._w : self._w + self.p], z[self._w + self.p :]

    def values(self, w: Vector) -> Vector:
        """Lower constraints and y."""
        return np.concatenate([self._lower.constraints(w), w[self.problem.n_x :]])

    def point(self, x: Vector, y: Vector, u: Vector | None = None, v: Vector | None = None) -> Vector:
        """The variables put together; u is 1, v is 0 by default."""
        return np.concatenate(
            [x, y, np.ones(self.p) if u is None else u, np.zeros(self.q) if v is None else v]
        )

    # ---- oracles -------------------------------------------------------------------------------------------

    def objective(self, x: Vector) -> float:
        """f(x)."""
        return self._upper.objective(self.parts(x)[0])

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Gradient of f, shape (n,)."""
        value = np.zeros(self.n)
        value[: self._w] = self._upper.gradient(self.parts(x)[0])
        return deliver(value, out)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), shape (m,)."""
        w, u, v = self.parts(x)
        rows = self.rows
        values = self.values(w)
        slack = rows.slack(values)
        equations = values[rows.equal] - rows.level
        return deliver(
            np.concatenate(
                [
                    self._upper.constraints(w),
                    self._stationarity(w, u, v),
                    equations[self._equations],
                    slack[self._slacks],
                    u * slack if self._products else np.zeros(0),
                ]
            ),
            out,
        )

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the Jacobian."""
        return self._jacobian_pattern

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Values of c'(x), shape (nnzj,)."""
        w, u, v = self.parts(x)
        values = self._level_jacobian(w)
        every = self._every(u, v)
        hessian = self._lower.hessian_values(w, every[: self.rows.m])[self._hessian_source]
        n_y_rows = [
            hessian[self._hessian_y],
            self._unit_sign * values[self._multiplier_entries],
        ]
        pieces = [self._upper.jacobian_values(w), *n_y_rows]
        pieces.append(values[self._equation_entries])
        pieces.append(self._slack_sign * values[self._slack_entries])
        if self._products:
            slack = self.rows.slack(self.values(w))
            pieces.append(u[self._product_row] * self._product_sign * values[self._product_entries])
            pieces.append(slack)
        data = np.zeros(self._jacobian_pattern[1].size)
        for piece, place in zip(pieces, self._jacobian_places, strict=True):
            data[place] += piece
        return deliver(data, out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the lower triangle of the Hessian of the Lagrangian."""
        return self._hessian_pattern

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Values of the lower triangle of ``sigma f'' + sum y_i c_i''``, shape (nnzh,)."""
        w, u, v = self.parts(x)
        rows, blocks = self.rows, self.blocks
        y = np.zeros(self.m) if y is None else y
        of_upper, of_stationarity, of_equations, of_slacks, of_products = (
            y[a:b] for a, b in pairwise(blocks)
        )
        data = np.zeros(self._hessian_pattern[1].size)
        data[self._hessian_places[0]] += self._upper.hessian_values(w, of_upper, sigma)
        # Lower constraints: equations, slacks and products are sums of their curvatures.
        weights = np.zeros(rows.m + self.problem.n_y)
        np.add.at(weights, rows.equal[self._equations], of_equations)
        np.add.at(weights, rows.row[self._slacks], (rows.sign[self._slacks] * of_slacks))
        if self._products:
            np.add.at(weights, rows.row, rows.sign * u * of_products)
        curved = self._lower.hessian_values(w, weights[: rows.m], 0.0)
        bent, of_jacobian = self._directional(w, self._every(u, v), of_stationarity)
        data[self._hessian_places[1]] += curved + bent
        # Mixed entries (u or v, w): of the stationarity, and of the products.
        mixed = self._unit_of * of_jacobian[self._mixed_entries]
        if self._products:
            products = np.concatenate([of_products, np.zeros(self.q)])
            gradient = self._level_jacobian(w)[self._mixed_entries]
            mixed = mixed + products[self._mixed_row] * self._mixed_sign * gradient
        data[self._hessian_places[2]] += mixed
        return deliver(data, out)

    # ---- pieces --------------------------------------------------------------------------------------------

    def _every(self, u: Vector, v: Vector) -> Vector:
        """Multipliers of constraints and of y's bounds in the library's sign."""
        every = np.zeros(self.rows.m + self.problem.n_y)
        np.add.at(every, self.rows.row, -self.rows.sign * u)
        np.add.at(every, self.rows.equal, v)
        return every

    def _stationarity(self, w: Vector, u: Vector, v: Vector) -> Vector:
        """Gradient of the lower Lagrangian by y."""
        n_x, m = self.problem.n_x, self.rows.m
        every = self._every(u, v)
        gradient = self._lower.gradient(w)[n_x:] + every[m:]
        if m:
            gradient = gradient + self._lower.vjp(w, every[:m])[n_x:]
        return gradient

    def _level_jacobian(self, w: Vector) -> Vector:
        """Entries of the Jacobian of the lower constraints, then those of y: ones."""
        return np.concatenate([self._lower.jacobian_values(w), np.ones(self.problem.n_y)])

    def _directional(self, w: Vector, every: Vector, nu: Vector) -> tuple[Vector, Vector]:
        """Derivatives in the direction (0, nu) of the lower Lagrangian's Hessian and of the Jacobian."""
        size = float(abs(nu).max(initial=0.0))
        entries = self._level_jacobian(w)
        if size == 0.0:
            return np.zeros(self._lower.hessian_structure()[1].size), np.zeros(entries.size)
        n_x = self.problem.n_x
        relative = _STEP if self._lower.capabilities.second == "exact" else _COARSE_STEP
        step = relative * max(1.0, float(abs(w[n_x:]).max())) / size
        ahead, behind = w.copy(), w.copy()
        ahead[n_x:] += step * nu
        behind[n_x:] -= step * nu
        multipliers = every[: self.rows.m]
        hessian = self._lower.hessian_values(ahead, multipliers)
        hessian = (hessian - self._lower.hessian_values(behind, multipliers)) / (2.0 * step)
        jacobian = (self._level_jacobian(ahead) - self._level_jacobian(behind)) / (2.0 * step)
        return hessian, jacobian

    # ---- patterns ------------------------------------------------------------------------------------------

    def _patterns(self) -> None:
        """Where the entries of the parts go."""
        n_x, w, rows = self.problem.n_x, self._w, self.rows
        indptr, indices = self._lower.jacobian_structure()
        row_of = np.repeat(np.arange(rows.m), np.diff(indptr))
        entry_row = np.concatenate([row_of, rows.m + np.arange(self.problem.n_y)])
        entry_column = np.concatenate([indices, n_x + np.arange(self.problem.n_y)])
        by_row = csr_array(
            (np.arange(1, entry_row.size + 1), (entry_row, entry_column)),
            shape=(rows.m + self.problem.n_y, w),
        )
        constraint = np.concatenate([rows.row, rows.equal])
        sign = np.concatenate([-rows.sign, np.ones(self.q)])
        picked = coo_array(by_row[constraint])  # one row for each u and v
        entries = picked.data - 1
        self._mixed_entries, self._mixed_row = entries, picked.row
        self._unit_of = sign[picked.row]
        self._mixed_sign = np.concatenate([rows.sign, np.zeros(self.q)])[picked.row]
        self._hessian_layout(picked.row + w, picked.col)
        in_y = picked.col >= n_x
        self._multiplier_entries, self._unit_sign = entries[in_y], sign[picked.row[in_y]]
        hessian_rows, hessian_columns = self._lower_hessian_rows()
        block = self.blocks
        u_indptr, u_indices = self._upper.jacobian_structure()
        pieces = [
            (np.repeat(np.arange(self._upper.m), np.diff(u_indptr)), u_indices),
            (hessian_rows + block[1], hessian_columns),
            (picked.col[in_y] - n_x + block[1], picked.row[in_y] + w),
        ]
        equations = coo_array(by_row[rows.equal[self._equations]])
        self._equation_entries = equations.data - 1
        pieces.append((equations.row + block[2], equations.col))
        slacks = coo_array(by_row[rows.row[self._slacks]])
        self._slack_entries = slacks.data - 1
        self._slack_sign = rows.sign[self._slacks][slacks.row]
        pieces.append((slacks.row + block[3], slacks.col))
        if self._products:
            products = coo_array(by_row[rows.row])
            self._product_entries, self._product_row = products.data - 1, products.row
            self._product_sign = rows.sign[products.row]
            every = np.arange(self.p)
            pieces += [(products.row + block[4], products.col), (every + block[4], every + w)]
        first, second, places = merge_entries(
            [piece[0] for piece in pieces], [piece[1] for piece in pieces], (self.m, self.n)
        )
        self._jacobian_pattern, self._jacobian_places = (first, second), places

    def _lower_hessian_rows(self) -> tuple[IndexVector, IndexVector]:
        """Coordinates of the rows of y in the full Hessian of the lower level, and their values' places."""
        (indptr, indices), source = self._lower._full_hessian_pattern()
        rows = np.repeat(np.arange(self._w), np.diff(indptr))
        self._hessian_source = source
        self._hessian_y = np.flatnonzero(rows >= self.problem.n_x)
        return rows[self._hessian_y] - self.problem.n_x, indices[self._hessian_y]

    def _hessian_layout(self, mixed_rows: IndexVector, mixed_columns: IndexVector) -> None:
        pieces = []
        for level in (self._upper, self._lower):
            indptr, indices = level.hessian_structure()
            pieces.append((np.repeat(np.arange(self._w), np.diff(indptr)), indices))
        pieces.append((mixed_rows, mixed_columns))
        first, second, places = merge_entries(
            [piece[0] for piece in pieces], [piece[1] for piece in pieces], (self.n, self.n)
        )
        self._hessian_pattern, self._hessian_places = (first, second), places
