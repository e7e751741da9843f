"""Small problems written by hand, independent of the model layer."""

from __future__ import annotations

import numpy as np

from karush.problems.nlp import NLP, Capabilities, Metadata


class Dense(NLP):
    """A problem given by dense functions: f, g, H(x) of f and c, J, list of constraint Hessians."""

    def __init__(
        self, x0, f, g, h, *, c=None, jac=None, hc=None, lb=-np.inf, ub=np.inf, cl=(), cu=(), name="P"
    ):
        x0 = np.array(x0, dtype=float)
        n, m = x0.size, len(cl)
        super().__init__(
            Metadata(
                name=name,
                x0=x0,
                lb=np.broadcast_to(np.array(lb, dtype=float), n).copy(),
                ub=np.broadcast_to(np.array(ub, dtype=float), n).copy(),
                cl=np.array(cl, dtype=float),
                cu=np.array(cu, dtype=float),
                y0=np.zeros(m),
                capabilities=Capabilities(),
            )
        )
        self._f, self._g, self._h, self._c, self._j, self._hc = f, g, h, c, jac, hc
        self._rows, self._columns = np.tril_indices(n)

    def objective(self, x):
        return float(self._f(x))

    def gradient(self, x, out=None):
        return _into(out, self._g(x))

    def constraints(self, x, out=None):
        return _into(out, self._c(x) if self.m else np.zeros(0))

    def jacobian_structure(self):
        return np.arange(self.m + 1) * self.n, np.tile(np.arange(self.n), self.m)

    def jacobian_values(self, x, out=None):
        return _into(out, np.asarray(self._j(x), dtype=float).ravel() if self.m else np.zeros(0))

    def hessian_structure(self):
        return np.concatenate([[0], np.cumsum(np.arange(1, self.n + 1))]), self._columns

    def hessian_values(self, x, y=None, sigma=1.0, out=None):
        total = sigma * np.asarray(self._h(x.copy()), dtype=float)
        if y is not None and self.m:
            total = total + sum(
                yi * np.asarray(hi, dtype=float) for yi, hi in zip(y, self._hc(x), strict=True)
            )
        return _into(out, total[self._rows, self._columns])


def _into(out, value):
    if out is None:
        return np.array(value, dtype=float)
    out[:] = value
    return out


def quadratic(H, q, x0, *, A=None, cl=(), cu=(), lb=-np.inf, ub=np.inf, name="QP"):
    """min 1/2 x'Hx + q'x subject to cl <= Ax <= cu, lb <= x <= ub."""
    H, q = np.atleast_2d(np.array(H, dtype=float)), np.array(q, dtype=float)
    A = np.zeros((0, q.size)) if A is None else np.atleast_2d(np.array(A, dtype=float))
    return Dense(
        x0,
        lambda x: 0.5 * x @ H @ x + q @ x,
        lambda x: H @ x + q,
        lambda x: H,
        c=lambda x: A @ x,
        jac=lambda x: A,
        hc=lambda x: [np.zeros_like(H)] * A.shape[0],
        lb=lb,
        ub=ub,
        cl=cl,
        cu=cu,
        name=name,
    )


def rosenbrock(x0=(-1.2, 1.0), **bounds):
    """Rosenbrock's function."""
    return Dense(
        x0,
        lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2,
        lambda x: [-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)],
        lambda x: [[1200 * x[0] ** 2 - 400 * x[1] + 2, -400 * x[0]], [-400 * x[0], 200]],
        name="ROSENBR",
        **bounds,
    )


def circle(cl=(2.0,), cu=(2.0,), x0=(0.5, -1.0), **bounds):
    """min x0 + x1 subject to cl <= x0^2 + x1^2 <= cu; with cu = 2 the solution is (-1, -1), y = 1/2."""
    return Dense(
        x0,
        lambda x: x[0] + x[1],
        lambda x: [1.0, 1.0],
        lambda x: np.zeros((2, 2)),
        c=lambda x: [x @ x],
        jac=lambda x: [2 * x],
        hc=lambda x: [2 * np.eye(2)],
        cl=cl,
        cu=cu,
        name="CIRCLE",
        **bounds,
    )
