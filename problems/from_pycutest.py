"""Problems of an installed CUTEst, by way of pycutest (extra ``pycutest``), under the protocol of `NLP`.

pycutest decodes a SIF file with SIFDecode, compiles it with gfortran and calls CUTEst's tools. Signs agree:
CUTEst's Lagrangian is f + v'c, too, and its multipliers, bounds and constraint bounds are taken as they are.

J. Fowkes, L. Roberts and A. Burmen, "PyCUTEst: an open source Python package of optimization test problems",
Journal of Open Source Software 7 (2022) 4377; N. I. M. Gould, D. Orban and Ph. L. Toint, "CUTEst: a
Constrained and Unconstrained Testing Environment with safe threads for mathematical optimization",
Computational Optimization and Applications 60 (2015) 545-557.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from .nlp import NLP, Capabilities, IndexVector, Metadata, Vector

_INFINITY = 1e20  # CUTEst's convention: a bound this large is none
# The letters of the classification by pycutest's words for them.
_OBJECTIVES = {
    "none": "N",
    "constant": "C",
    "linear": "L",
    "quadratic": "Q",
    "sum of squares": "S",
    "other": "O",
}
_CONSTRAINTS = {
    "unconstrained": "U",
    "fixed": "X",
    "bound": "B",
    "adjacency": "N",
    "linear": "L",
    "quadratic": "Q",
    "other": "O",
}
_ORIGINS = {"academic": "A", "modelling": "M", "real-world": "R"}
_SMALLEST_SIGMA = 1e-8  # a smaller weight of the objective is not put on it by scaling the multipliers


def from_pycutest(
    problem_or_name: Any,
    *,
    sifParams: Mapping[str, float] | None = None,
    destination: str | None = None,
) -> PycutestProblem:
    """A CUTEst problem, or pycutest's object of one, as an `NLP`.

    Parameters
    ----------
    problem_or_name : str or pycutest.CUTEstProblem
        CUTEst name such as "HS71": decoded and compiled by pycutest at the first call, which takes seconds;
        fixed variables are kept. A problem object is taken as it is; pycutest's own default is to hide the
        fixed variables.
    sifParams : mapping of str to number, optional
        Parameters of the SIF file, as pycutest takes them; for a name only.
    destination : str, optional
        Name of the compiled problem in pycutest's cache, by default the problem's; for a name only.

    Raises
    ------
    ImportError
        If pycutest, or the CUTEst that it needs, is not installed.
    TypeError
        If the problem is neither, or a problem object comes with parameters.
    RuntimeError
        What pycutest raises when it cannot decode or compile the problem.
    """
    if isinstance(problem_or_name, str):
        parameters = dict(sifParams) if sifParams else None
        raw = import_pycutest().import_problem(
            problem_or_name, destination=destination, sifParams=parameters, drop_fixed_variables=False
        )
        return PycutestProblem(raw, (problem_or_name, parameters, destination))
    if sifParams is not None or destination is not None:
        raise TypeError("sifParams and destination go with a name; a problem object is compiled already")
    missing = [method for method in ("obj", "scons", "sphess") if not hasattr(problem_or_name, method)]
    if missing:
        raise TypeError(
            f"problem_or_name must be a CUTEst name or a pycutest.CUTEstProblem, not {problem_or_name!r}"
        )
    return PycutestProblem(problem_or_name)


def import_pycutest() -> ModuleType:
    """The module pycutest.

    Raises
    ------
    ImportError
        If it, or the CUTEst that it needs, is not installed.
    """
    try:
        import pycutest
    except (ImportError, RuntimeError) as error:  # RuntimeError: it does not find CUTEst
        raise ImportError(
            "problems named cutest:... need pycutest (pip install 'karush[pycutest]'), gfortran, and CUTEst "
            "with SIFDecode and the SIF files, found by the environment variables CUTEST, SIFDECODE and "
            f"MASTSIF ({error}); without them, sif:NAME reads SIF files and s2mpj:NAME is their S2MPJ form"
        ) from error
    module: ModuleType = pycutest
    return module


def names() -> list[str]:
    """Names of the problems in pycutest's SIF folder, sorted."""
    return sorted(import_pycutest().find_problems())


def classification(name: str) -> str:
    """CUTEst classification string of a problem, put together again from what pycutest makes of it.

    Raises
    ------
    KeyError
        Where pycutest knows no such problem.
    """
    found = import_pycutest().problem_properties(name)
    sizes = ("V" if size == "variable" else str(size or 0) for size in (found["n"], found["m"]))
    return "-".join(
        [
            f"{_OBJECTIVES[found['objective']]}{_CONSTRAINTS[found['constraints']]}"
            f"{'R' if found['regular'] else 'I'}{found['degree']}",
            f"{_ORIGINS[found['origin']]}{'Y' if found['internal'] else 'N'}",
            *sizes,
        ]
    )


class PycutestProblem(NLP):
    """A problem object of pycutest as an `NLP`.

    Calls are serialised by a lock, since CUTEst's tools keep the state of the last point.

    Attributes
    ----------
    raw : pycutest.CUTEstProblem
        The problem object itself.
    """

    def __init__(self, raw: Any, load_arguments: tuple[Any, ...] | None = None) -> None:
        n, m = int(raw.n), int(raw.m)
        metadata = Metadata(
            name=str(raw.name).strip(),
            x0=_copy(raw.x0, n),
            lb=_bounds(raw.bl, n),
            ub=_bounds(raw.bu, n),
            cl=_bounds(raw.cl, m),
            cu=_bounds(raw.cu, m),
            y0=_copy(raw.v0, m),
            source="CUTEst, by pycutest",
            capabilities=Capabilities(matrix_free=True),
        )
        super().__init__(metadata)
        self.raw = raw
        self._load_arguments = load_arguments
        self._lock = threading.RLock()
        self._jacobian_keys: IndexVector | None = None
        self._hessian_keys: IndexVector | None = None

    def __reduce__(self) -> Any:
        if self._load_arguments is None:
            raise TypeError(f"{self!r} was made from a problem object: only one made by name can be pickled")
        return _load, self._load_arguments

    def objective(self, x: Vector) -> float:
        """f(x)."""
        with self._lock:
            return float(self.raw.obj(x))

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Gradient of f, shape (n,)."""
        return self.objective_and_gradient(x, out)[1]

    def objective_and_gradient(self, x: Vector, out: Vector | None = None) -> tuple[float, Vector]:
        """f(x) and grad f(x) in one call."""
        with self._lock:
            value, gradient = self.raw.obj(x, gradient=True)
        return float(value), _deliver(gradient, out)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), shape (m,)."""
        if not self.m:
            return _deliver(np.zeros(0), out)
        with self._lock:
            return _deliver(self.raw.cons(x), out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the Jacobian, as CUTEst returns it near x0."""
        return _rows(self._known_jacobian_keys(), self.m, self.n)

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Values of c'(x), shape (nnzj,)."""
        keys, values = self._jacobian_entries(x)
        return _deliver(_place(keys, values, self._known_jacobian_keys(), "Jacobian"), out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Lower pattern of the Hessian, as CUTEst returns it near x0."""
        return _rows(self._known_hessian_keys(), self.n, self.n)

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Values of the lower triangle of ``sigma f'' + sum y_i c_i''``, shape (nnzh,)."""
        pattern = self._known_hessian_keys()
        value = np.zeros(pattern.size)
        for factor, multipliers in self._lagrangians(y, sigma):
            value += factor * _place(*self._hessian_entries(x, multipliers), pattern, "Hessian")
        return _deliver(value, out)

    def hvp(
        self, x: Vector, v: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Hessian of ``sigma f + y'c`` times v, shape (n,), without forming it."""
        value = np.zeros(self.n)
        with self._lock:
            for factor, multipliers in self._lagrangians(y, sigma):
                value += factor * (
                    self.raw.hprod(v, x=x, v=multipliers) if self.m else self.raw.hprod(v, x=x)
                )
        return _deliver(value, out)

    def jvp(self, x: Vector, v: Vector, out: Vector | None = None) -> Vector:
        """c'(x) v, shape (m,), without forming c'(x)."""
        if not self.m:
            return _deliver(np.zeros(0), out)
        with self._lock:
            return _deliver(self.raw.jprod(v, x=x), out)

    def vjp(self, x: Vector, w: Vector, out: Vector | None = None) -> Vector:
        """c'(x)' w, shape (n,), without forming c'(x)."""
        if not self.m:
            return _deliver(np.zeros(self.n), out)
        with self._lock:
            return _deliver(self.raw.jprod(w, transpose=True, x=x), out)

    def _lagrangians(self, y: Vector | None, sigma: float) -> list[tuple[float, Vector]]:
        """``sigma f + y'c`` as a combination of CUTEst's ``f + v'c``: pairs of a factor and v."""
        zero = np.zeros(self.m)
        if y is None or not np.any(y):
            return [(sigma, zero)] if sigma else []
        if abs(sigma) >= _SMALLEST_SIGMA:
            return [(sigma, y / sigma)]
        return [(1.0, np.array(y, dtype=np.float64)), (sigma - 1.0, zero)]

    def _jacobian_entries(self, x: Vector) -> tuple[IndexVector, Vector]:
        if not self.m:
            return np.zeros(0, np.int64), np.zeros(0)
        with self._lock:
            matrix = self.raw.scons(x, gradient=True)[1].tocoo()
        return matrix.row.astype(np.int64) * self.n + matrix.col, matrix.data

    def _hessian_entries(self, x: Vector, v: Vector) -> tuple[IndexVector, Vector]:
        """Keys and values of the lower triangle of the Hessian of f + v'c."""
        with self._lock:
            matrix = (self.raw.sphess(x, v) if self.m else self.raw.sphess(x)).tocoo()
        lower = matrix.row >= matrix.col
        return matrix.row[lower].astype(np.int64) * self.n + matrix.col[lower], matrix.data[lower]

    def _known_jacobian_keys(self) -> IndexVector:
        if self._jacobian_keys is None:
            points = self._sample_points()
            self._jacobian_keys = np.unique(np.concatenate([self._jacobian_entries(x)[0] for x in points]))
        return self._jacobian_keys

    def _known_hessian_keys(self) -> IndexVector:
        if self._hessian_keys is None:
            v = np.random.default_rng(0).uniform(1.0, 2.0, self.m)
            points = self._sample_points()
            self._hessian_keys = np.unique(np.concatenate([self._hessian_entries(x, v)[0] for x in points]))
        return self._hessian_keys

    def _sample_points(self) -> list[Vector]:
        """x0 and two points beside it, where entries that vanish by chance at x0 do not."""
        rng = np.random.default_rng(0)
        scale = 1e-3 * np.maximum(1.0, np.abs(self.x0))
        return [self.x0, *(self.x0 + scale * rng.uniform(0.1, 1.0, self.n) for _ in range(2))]


def _load(name: str, parameters: dict[str, float] | None, destination: str | None) -> PycutestProblem:
    return from_pycutest(name, sifParams=parameters, destination=destination)


def _place(keys: IndexVector, values: Vector, pattern: IndexVector, matrix: str) -> Vector:
    """The values at the places of their keys in the pattern, which is sorted; repeated keys add."""
    places = np.minimum(np.searchsorted(pattern, keys), max(pattern.size - 1, 0))
    strange = pattern[places] != keys if pattern.size else np.ones(keys.size, dtype=bool)
    if strange.any():
        if np.any(values[strange] != 0.0):
            raise RuntimeError(f"CUTEst returned an entry of the {matrix} that is not in its pattern near x0")
        places, values = places[~strange], values[~strange]
    return np.bincount(places, weights=values, minlength=pattern.size).astype(np.float64, copy=False)


def _rows(keys: IndexVector, rows: int, columns: int) -> tuple[IndexVector, IndexVector]:
    """CSR pattern of sorted keys ``row * columns + column``."""
    indptr = np.zeros(rows + 1, dtype=np.int64)
    np.cumsum(np.bincount(keys // max(columns, 1), minlength=rows), out=indptr[1:])
    return indptr, keys % max(columns, 1)


def _copy(values: Any, size: int) -> Vector:
    """A vector of pycutest's, None where there are no constraints."""
    return np.zeros(size) if values is None else np.array(values, dtype=np.float64).reshape(size)


def _bounds(values: Any, size: int) -> Vector:
    bounds = _copy(values, size)
    bounds[bounds <= -_INFINITY] = -np.inf
    bounds[bounds >= _INFINITY] = np.inf
    return bounds


def _deliver(value: Vector, out: Vector | None) -> Vector:
    if out is None:
        return np.array(value, dtype=np.float64)
    out[...] = value
    return out
