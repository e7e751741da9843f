"""Named lists of problems, and the way from a text to a list."""

from __future__ import annotations

import fnmatch
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..problems.nlp import NLP
from .spec import Spec, did_you_mean, parse_settings, parse_spec, split_specs

if TYPE_CHECKING:
    from ..problems.entries import Entry

SMALL = 200


def build(name: str, sizes: Mapping[str, Any]) -> NLP:
    """A problem from the registry, or from a file of one's own.

    Parameters
    ----------
    name : str
        Registry name, or ``path/to/file.py:function``: the function, called with the sizes, returns an `NLP`;
        or ``path/to/model.nl``.
    sizes : mapping
        Sizes as keyword arguments; for ``sif:NAME`` the folder stands among them as ``path``.

    Raises
    ------
    ValueError, TypeError
        Unknown name or size; no such function; what it returns is no `NLP`.
    ImportError
        CasADi, which reads .nl files, is not installed.
    """
    if _is_nl_file(name):
        from ..problems import from_nl

        return from_nl(name)
    path, function = own_file(name)
    if path is None:
        from ..problems import registry

        found: NLP = registry.get(name, **sizes)
        return found
    problem = load_function(path, function)(**sizes)
    if not isinstance(problem, NLP):
        raise TypeError(f"{name} returned {type(problem).__name__}, an NLP is wanted")
    return problem


def own_file(name: str) -> tuple[Path | None, str]:
    """Path and function of ``path/to/file.py:function``; (None, "") for any other name."""
    path, colon, function = name.rpartition(":")
    return (Path(path), function) if colon and path.endswith(".py") else (None, "")


def load_function(path: Path, function: str) -> Callable[..., Any]:
    """A function of a file of one's own; ValueError where there is no such file or function."""
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    specification = importlib.util.spec_from_file_location(f"karush_own_{path.stem}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    found = getattr(module, function, None)
    if not callable(found):
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ValueError(f"{path} has no function {function!r}.{did_you_mean(function, names)}")
    loaded: Callable[..., Any] = found
    return loaded


def _native(pattern: str = "*") -> list[Spec]:
    """Native problems at their default sizes; the pattern is one of names or of classifications."""
    from ..problems import registry

    wanted = pattern.upper()
    return [
        Spec(entry.name)
        for entry in registry.select(collection="native")
        if fnmatch.fnmatchcase(entry.name.upper(), wanted)
        or fnmatch.fnmatchcase(entry.classification, wanted)
    ]


def _s2mpj(pattern: str = "*", largest: int | None = None) -> list[Spec]:
    """S2MPJ problems at their default sizes, optionally only those with n + m up to a largest."""
    from ..problems import s2mpj

    found = []
    for name in s2mpj.names():
        if not fnmatch.fnmatchcase(name, pattern.upper()):
            continue
        if largest is not None:
            information = s2mpj.information(name)
            if information.n is None or information.m is None or information.n + information.m > largest:
                continue
        found.append(Spec(f"s2mpj:{name}"))
    return found


def _sif(where: str) -> list[Spec]:
    """Problems of a folder of SIF files at their default sizes.

    ``where`` is the folder (none: MASTSIF), or ends, after a slash or alone, in a pattern of names or
    classifications. The specifications carry the folder: their jobs run in other processes.
    """
    from ..problems.sif.collection import SIFCollection

    folder, pattern = where, "*"
    if not Path(where).is_dir():
        folder, _, pattern = where.replace(os.sep, "/").rpartition("/")
        folder = folder or ("/" if where.startswith("/") else "")
    return [
        Spec.of(entry.name, {"path": str(entry.folder)})
        for entry in SIFCollection(folder or None).entries()
        if fnmatch.fnmatchcase(entry.file.stem.upper(), pattern.upper())
        or fnmatch.fnmatchcase(entry.classification, pattern.upper())
    ]


_PATTERNS: Mapping[str, Callable[[str], list[Spec]]] = {"native": _native, "s2mpj": _s2mpj, "sif": _sif}


def _smoke() -> list[Spec]:
    return [parse_spec(text) for text in SMOKE]


SMOKE = (
    # small ones with a reputation
    *(
        "HS6",
        "HS15",
        "HS19",
        "HS26",
        "HS35",
        "HS43",
        "HS49",
        "HS63",
        "HS71",
        "HS77",
        "HS85",
        "HS100",
        "HS106",
    ),
    *("HS109", "HS114", "HS116", "HS118", "BT1", "BT4", "BT9", "BT11"),
    *("ROSENBR", "BEALE", "HELIX", "BROWNDEN", "WATSON", "MEYER3"),
    # of some hundreds or thousands of variables
    *(
        "CHAIN",
        "CAMSHAPE[n=100]",
        "ELEC[points=25]",
        "ROCKET[nh=50]",
        "STEERING",
        "MINSURF",
        "CVXQP1[n=1000]",
    ),
    *("POLYGON[nv=25]", "BRATU2D", "TORSION1", "CRAGGLVY"),
    # of real size, n >= 10,000: equalities, inequalities, bounds, none, optimal control, PDE control
    *("LUKVLE1", "LUKVLI3", "DTOC4", "ORTHREGC", "AUG2DC", "JNLBRNG1", "OBSTCLAE", "COSINE"),
    *("SROSENBR[n=10000]", "POISSONCONTROL2D", "DIRICHLETCONTROL2D"),
)

SUITES: dict[str, tuple[str, Callable[[], list[Spec]]]] = {
    "smoke": (
        "a few dozen native problems of all kinds, some with n >= 10,000; what `make sweep` runs",
        _smoke,
    ),
    "native": ("all native problems at their default sizes", _native),
    "cutest-small": (
        f"S2MPJ problems with n + m <= {SMALL} (needs karush[cutest])",
        lambda: _s2mpj(largest=SMALL),
    ),
    "cutest": ("all S2MPJ problems at their default sizes (needs karush[cutest])", _s2mpj),
}


def resolve(text: str) -> list[Spec]:
    """Problems of a suite or of a list of names, without repetition.

    Parameters
    ----------
    text : str
        Comma list of suite names, problem names with or without sizes (``LUKVLE1[n=10000]``,
        ``s2mpj:HS71``), and patterns: ``native:HS*``, ``native:OOR2-*`` (a classification), ``s2mpj:BT*``.
        Files: ``sif:DIR`` (a folder), ``sif:DIR/HS*``, ``path/to/HS71.SIF``, ``path/to/model.nl``; a comma in
        DIR would end it.

    Raises
    ------
    ValueError
        Nothing given, a name that is none, a pattern that fits nothing.
    """
    found: list[Spec] = []
    for piece in split_specs(text):
        found.extend(_resolve_one(piece))
    if not found:
        raise ValueError(f"no problems given; suites are {', '.join(SUITES)}")
    return list(dict.fromkeys(found))


def _resolve_one(piece: str) -> list[Spec]:
    if piece.lower() in SUITES:
        return SUITES[piece.lower()][1]()
    source, colon, pattern = piece.partition(":")
    is_pattern = any(character in pattern for character in "*?")
    matching = _PATTERNS.get(source.lower()) if colon else None
    if matching and (is_pattern or source.lower() == "native" or _is_folder(source, pattern)):
        found = matching(pattern)
        if not found:
            raise ValueError(f"{piece!r} fits no problem; see `karush problems list`")
        return found
    try:
        return [problem_spec(piece)]
    except LookupError as error:
        hint = did_you_mean(piece, SUITES)
        raise ValueError(str(error) + (f" Or a suite?{hint}" if hint else "")) from error


def _is_folder(source: str, where: str) -> bool:
    """Whether ``sif:WHERE`` means all files of a folder."""
    return source.lower() == "sif" and (not where or Path(where).is_dir())


def _is_sif_file(name: str) -> bool:
    return name.upper().endswith(".SIF")


def _is_nl_file(name: str) -> bool:
    return name.lower().endswith(".nl")


def _checked_nl_file(spec: Spec) -> Spec:
    """An .nl file by its full path, since jobs run in other processes."""
    file = Path(spec.name).expanduser()
    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    if spec.settings:
        raise ValueError(f"{spec.name} takes no sizes, an .nl file has one size")
    return Spec(str(file.resolve()))


def problem_spec(name: str, sizes: Iterable[str] = (), path: str | None = None) -> Spec:
    """A problem from its name, with sizes in brackets or as ``key=value`` texts, checked.

    ``path`` is the folder of ``sif:NAME``. A SIF file may also be named by its own path.

    Raises
    ------
    ValueError, TypeError, LookupError
        Unknown problem or size, a size of the wrong type; near names are named.
    """
    spec = parse_spec(name, "size")
    given = parse_settings(sizes, "size")
    for key in given:
        if key in spec.keywords:
            raise ValueError(f"size {key!r} is given twice")
    if path is not None:
        given["path"] = path
    return check_problem(Spec.of(spec.name, {**spec.keywords, **given}))


def check_problem(spec: Spec) -> Spec:
    """The specification with the name as registered; errors as in `problem_spec`, nothing is built."""
    if _is_nl_file(spec.name):
        return _checked_nl_file(spec)
    path, function = own_file(spec.name)
    if path is not None:
        load_function(path, function)
        return Spec(f"{path.resolve()}:{function}", spec.settings)
    spec = _with_folder(spec)
    entry, keywords = entry_of(spec)
    for key, value in keywords.items():
        if key not in entry.sizes:
            if entry.open_sizes:
                continue
            takes = ", ".join(f"{k}={v}" for k, v in entry.sizes.items()) or "no sizes"
            raise ValueError(
                f"{spec.name} has no size {key!r}.{did_you_mean(key, entry.sizes)} It takes {takes}."
            )
        default = entry.sizes[key]
        if isinstance(default, int) and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise ValueError(f"size {key} of {spec.name} must be a positive integer, got {value!r}")
    if folder := getattr(entry, "folder", None):
        keywords["path"] = str(folder)  # jobs run in other processes
    return Spec.of(entry.name, keywords)


def entry_of(spec: Spec) -> tuple[Entry, dict[str, Any]]:
    """The registry's entry of a problem, and its sizes without the folder."""
    from ..problems import registry

    sizes: dict[str, Any] = spec.keywords
    folder = sizes.pop("path", None)
    return registry.find(spec.name, path=None if folder is None else str(folder)), sizes


def _with_folder(spec: Spec) -> Spec:
    """A SIF file that is named by its path, or as ``sif:DIR/NAME``: as ``sif:NAME`` with its folder."""
    prefixed = spec.name.lower().startswith("sif:")
    file = Path(spec.name[4:] if prefixed else spec.name).expanduser()
    if _is_sif_file(spec.name):
        if not file.is_file():
            raise ValueError(f"there is no file {file}")
        file = file.with_suffix("")
    elif not prefixed or file.name == str(file):
        return spec
    if "path" in spec.keywords:
        raise ValueError(f"{spec.name} names its folder; path={spec.keywords['path']!r} names another")
    return Spec.of(f"sif:{file.name}", {**spec.keywords, "path": str(file.parent.resolve())})
