"""A folder of SIF files as a collection: listed and classified by the files' heads, nothing expanded."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..entries import ConstraintKind, dimensions_of, kinds_of
from .errors import SIFError

if TYPE_CHECKING:
    from ..nlp import NLP
    from .reader import Head
    from .structure import Adjustable

logger = logging.getLogger("karush.problems")

_ENVIRONMENT = "MASTSIF"  # CUTEst's own name for the folder


class SIFEntry:
    """A SIF file, as the registry knows it before it is built.

    Parameters
    ----------
    file : Path
        The file; its stem is the problem's name.
    """

    collection = "sif"
    optimum = None
    open_sizes = False

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def name(self) -> str:
        """Full name, with the source's prefix."""
        return f"sif:{self.file.stem}"

    @property
    def folder(self) -> Path:
        """Where the file stands: the keyword ``path`` of `karush.problems.get`."""
        return self.file.parent.resolve()

    @cached_property
    def head(self) -> Head:
        """Name, classification and adjustable parameters; `SIFError` where it is no SIF file."""
        from .reader import read_head

        return read_head(self.file)

    @property
    def classification(self) -> str:
        """CUTEst classification string, or ""."""
        return self.head.classification

    @property
    def source(self) -> str:
        """Where it comes from."""
        return f"SIF file {self.file}"

    @property
    def summary(self) -> str:
        """One line about it."""
        return f"SIF file {self.file.name}"

    @property
    def adjustable(self) -> tuple[Adjustable, ...]:
        """Parameters that can be given, with their defaults and the file's alternatives."""
        return self.head.adjustable

    @property
    def sizes(self) -> dict[str, Any]:
        """Adjustable parameters with their defaults."""
        return {parameter.name: parameter.default for parameter in self.adjustable}

    @property
    def dimensions(self) -> tuple[int, int]:
        """(n, m) as classified; 0 where the classification says that they vary."""
        return dimensions_of(self.classification)

    @property
    def constraint_kinds(self) -> frozenset[ConstraintKind]:
        """Kinds of constraints as classified: general constraints count as equalities and inequalities."""
        return kinds_of(self.classification)

    def build(self, **sizes: Any) -> NLP:
        """The problem with the given parameters; errors as in `karush.problems.sif.from_sif`."""
        from . import from_sif

        digits = {key: sizes.pop(key) for key in ("cutest_digits",) if key in sizes}
        problem: NLP = from_sif(self.file, parameters=sizes, **digits)
        return problem


class SIFCollection:
    """The SIF files of a folder.

    Parameters
    ----------
    path : str or path, optional
        The folder; by default what the environment variable MASTSIF names.

    Raises
    ------
    ValueError
        Where there is no such folder, or none is named.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        named = os.environ.get(_ENVIRONMENT, "") if path is None else os.fspath(path)
        if not named:
            raise ValueError(
                f"sif: problems stand in a folder of SIF files: give it as path=..., or in {_ENVIRONMENT}"
            )
        self.folder = Path(named).expanduser()
        if not self.folder.is_dir():
            origin = _ENVIRONMENT if path is None else "path"
            raise ValueError(f"{origin} is {named!r}, which is not a folder; a folder of SIF files is wanted")

    def entries(self) -> Iterator[SIFEntry]:
        """Its problems by name; a file whose head cannot be read is left out with a warning."""
        for _, file in sorted(self._files.items()):
            entry = SIFEntry(file)
            try:
                _ = entry.head
            except (SIFError, OSError) as error:
                logger.warning("%s is left out: %s", file, error)
                continue
            yield entry

    def entry(self, name: str) -> SIFEntry:
        """The problem of this name, in any case; KeyError where there is none."""
        return SIFEntry(self._files[name.upper()])

    @cached_property
    def _files(self) -> dict[str, Path]:
        files = (file for file in self.folder.iterdir() if file.suffix.upper() == ".SIF")
        return {file.stem.upper(): file for file in files}
