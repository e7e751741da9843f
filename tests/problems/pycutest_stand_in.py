"""A stand-in for the module pycutest: its interface, over problems of the native collection.

Shapes, the refusals, 1e20 for infinity, None where there are no constraints and the sign of the Lagrangian
are pycutest 1.8's. As in CUTEst, sparse matrices hold structural entries, zeros included, in no order.
"""

import numpy as np
from scipy.sparse import coo_matrix

from karush import problems


class CUTEstProblem:
    """pycutest.CUTEstProblem, over a native problem."""

    def __init__(self, problem, sifParams=None, drop_fixed_variables=True):
        self._problem = problem
        fixed = problem.lb == problem.ub
        self._kept = np.flatnonzero(~fixed) if drop_fixed_variables else np.arange(problem.n)
        self.name, self.m, self.n = problem.name, problem.m, self._kept.size
        self.sifParams = sifParams
        self.x0 = problem.x0[self._kept]
        self.bl = np.maximum(problem.lb, -1e20)[self._kept]
        self.bu = np.minimum(problem.ub, 1e20)[self._kept]
        self.cl = np.maximum(problem.cl, -1e20) if self.m else None
        self.cu = np.minimum(problem.cu, 1e20) if self.m else None
        self.v0 = problem.y0 if self.m else None
        self.is_eq_cons = problem.cl == problem.cu if self.m else None

    def _full(self, x, base):
        if x.shape != (self.n,):
            raise RuntimeError(f"x has wrong shape (got {x.shape}, expect ({self.n},))")
        full = base.copy()
        full[self._kept] = x
        return full

    def _x(self, x):
        return self._full(x, self._problem.lb if self.n < self._problem.n else self._problem.x0)

    def _check_v(self, v):
        if self.m == 0:
            assert v is None, "v must be None for unconstrained problems"
        else:
            assert v is not None, "v must be specified for constrained problems"
            assert v.shape == (self.m,)

    def _shuffled(self, matrix, shape):
        entries = matrix.tocoo()
        order = np.random.default_rng(1).permutation(entries.nnz)
        coordinates = entries.coords[0][order], entries.coords[1][order]
        full = coo_matrix((entries.data[order], coordinates), shape=shape).tocsc()[:, self._kept]
        return full.tocoo()

    def obj(self, x, gradient=False):
        f, g = self._problem.objective_and_gradient(self._x(x))
        return (f, g[self._kept]) if gradient else f

    def cons(self, x, index=None, gradient=False):
        assert index is None
        assert not gradient, "dense"
        return self._problem.constraints(self._x(x)) if self.m else None

    def scons(self, x, index=None, gradient=False):
        if not self.m:
            return None
        assert index is None
        full, shape = self._x(x), (self.m, self._problem.n)
        c = self._problem.constraints(full)
        return (c, self._shuffled(self._problem.jacobian(full), shape)) if gradient else c

    def sphess(self, x, v=None):
        self._check_v(v)
        full, n = self._x(x), self._problem.n
        return self._shuffled(self._problem.hessian(full, v), (n, n)).tocsr()[self._kept].tocoo()

    def hprod(self, p, x=None, v=None):
        self._check_v(v)
        full = self._full(p, np.zeros(self._problem.n))
        return self._problem.hvp(self._x(x), full, v)[self._kept]

    def jprod(self, p, transpose=False, x=None):
        if transpose:
            return self._problem.vjp(self._x(x), p)[self._kept]
        return self._problem.jvp(self._x(x), self._full(p, np.zeros(self._problem.n)))


def import_problem(
    problemName,
    destination=None,
    sifParams=None,
    sifOptions=None,
    efirst=False,
    lfirst=False,
    nvfirst=False,
    quiet=True,
    drop_fixed_variables=True,
):
    """pycutest.import_problem; the sizes of the native problem are its parameters."""
    native = problems.get(problemName, **(sifParams or {}))
    return CUTEstProblem(native, sifParams, drop_fixed_variables)


def find_problems(**_):
    """pycutest.find_problems without conditions."""
    return ["ROSENBR", "HS71"]


def problem_properties(problemName):
    """pycutest.problem_properties."""
    common = {"regular": True, "degree": 2, "origin": "academic"}
    return {
        "HS71": {"objective": "other", "constraints": "other", "internal": True, "n": 4, "m": 2},
        "ROSENBR": {
            "objective": "sum of squares",
            "constraints": "unconstrained",
            "internal": False,
            "n": 2,
            "m": 0,
        },
    }[problemName] | common
