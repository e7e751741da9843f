"""Patterns and their compiled kernels, cached on disk between processes and keyed by the normalised graph."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from .expressions import Expression, normalise, record
from .kernel_source import SOURCE_VERSION, kernel_source

logger = logging.getLogger("karush.problems")

_patterns: dict[str, Pattern] = {}
_lock = threading.RLock()


class Pattern:
    """A scalar function of local variables and parameters, differentiated once, compiled once.

    Attributes
    ----------
    key : str
        Digest of the normalised graph and the numbers of arguments.
    variables, parameters : int
        Numbers of local variables and of parameters.
    gradient_variables : tuple of int
        Local variables with a derivative that is not identically zero.
    hessian_pairs : tuple of (int, int)
        Pairs (a, b), a >= b, with a second derivative that is not identically zero; the order of the Hessian
        kernel's outputs.
    """

    def __init__(self, key: str, module: ModuleType) -> None:
        self.key = key
        self.variables: int = module.VARIABLES
        self.parameters: int = module.PARAMETERS
        self.gradient_variables: tuple[int, ...] = module.GRADIENT
        self.hessian_pairs: tuple[tuple[int, int], ...] = module.HESSIAN
        self._module = module
        self._compiled: dict[str, Any] = {}

    @property
    def width(self) -> int:
        """Most elements in a block, which is the distance between the kernels' outputs."""
        return int(self._module.WIDTH)

    @property
    def has_constant_hessian(self) -> bool:
        """True where the second derivatives depend on nothing."""
        return bool(self._module.CONSTANT_HESSIAN)

    @property
    def is_linear(self) -> bool:
        """True where the first derivatives do not depend on the variables: not for abs, which has a kink."""
        return bool(self._module.LINEAR)

    def address(self, kernel: str) -> int:
        """Machine address of a kernel (see `kernel_source`), compiled at the first request."""
        with _lock:
            if kernel not in self._compiled:
                self._compiled[kernel] = _compile(getattr(self._module, kernel))
            return int(self._compiled[kernel].address)

    def loaded_from_disk(self, kernel: str) -> bool:
        """True where `address` found the kernel in the disk cache (for tests and reports)."""
        self.address(kernel)
        return bool(self._compiled[kernel].cache_hits)


def pattern_of(fun: Callable[..., Any], arguments: Sequence[str | int]) -> Pattern:
    """The pattern that a Python function computes.

    Parameters
    ----------
    fun : callable
        Takes one scalar symbol per argument, returns the value; see `expressions` for what it may do.
    arguments : sequence of {"parameter"} or int
        What each argument is: a parameter, or the local variable of this number (the same number twice: both
        arguments are the same variable).
    """
    nodes: list[Expression] = []
    variables: dict[int, Expression] = {}
    parameters = 0
    for argument in arguments:
        if isinstance(argument, str):
            nodes.append(Expression("parameter", payload=parameters))
            parameters += 1
        else:
            nodes.append(variables.setdefault(argument, Expression("variable", payload=argument)))
    return pattern_from_graph(normalise(record(fun, nodes)), len(variables), parameters)


def pattern_from_graph(lines: Sequence[str], variables: int, parameters: int) -> Pattern:
    """The pattern of a normalised graph, from memory, from disk, or traced now."""
    text = "\n".join([f"karush {SOURCE_VERSION} {variables} {parameters}", *lines])
    return pattern_from_source(text, lambda: kernel_source(lines, variables, parameters))


def pattern_from_source(text: str, source: Callable[[], str]) -> Pattern:
    """The pattern that ``text`` defines, from memory, from disk, or printed now by ``source``."""
    key = hashlib.sha256(text.encode()).hexdigest()[:32]
    with _lock:
        if key not in _patterns:
            _patterns[key] = Pattern(key, _load(_stored_source(key, source)))
        return _patterns[key]


def forget_patterns() -> None:
    """Let the process know no pattern, as if it had just begun; problems that are built keep theirs.

    For measurements of what building costs, and for tests.
    """
    with _lock:
        _patterns.clear()


def cache_folder() -> Path:
    """Where generated sources and compiled kernels live.

    ``KARUSH_CACHE_DIR`` where set, else the platform's user cache folder; a folder of the process's own where
    that cannot be written.
    """
    import numba

    root = os.environ.get("KARUSH_CACHE_DIR")
    if root:
        base = Path(root)
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "karush"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches" / "karush"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "karush"
    version = f"py{sys.version_info.major}{sys.version_info.minor}-numba{numba.__version__}"
    return _writable(base / version / "patterns")


def _writable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    logger.warning("the kernel cache %s cannot be written: kernels are compiled anew in this process", folder)
    return Path(_process_folder())


_temporary: list[tempfile.TemporaryDirectory[str]] = []


def _process_folder() -> str:
    if not _temporary:
        _temporary.append(tempfile.TemporaryDirectory(prefix="karush-"))
    return _temporary[0].name


def _stored_source(key: str, source: Callable[[], str]) -> Path:
    path = cache_folder() / f"p{key}.py"
    if not path.exists():
        logger.info("tracing pattern %s", key)
        # Written aside and renamed: another process never sees half a file, and numba's stamp stays.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False) as stream:
            stream.write(source())
        os.replace(stream.name, path)
    return path


def _load(path: Path) -> ModuleType:
    name = f"karush_pattern_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:  # pragma: no cover - the path always ends in .py
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module  # numba pickles functions by module name
    return module


def _compile(function: Callable[..., Any]) -> Any:
    from numba import cfunc, types

    pointer = types.CPointer(types.float64)
    signature = types.void(types.int64, types.CPointer(pointer), pointer)
    logger.debug("compiling or loading %s.%s", function.__module__, function.__name__)
    # numpy's error model: a division by zero gives inf or nan, as the driver loops expect.
    return cfunc(signature, cache=True, error_model="numpy")(function)
