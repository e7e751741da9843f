"""How problems and solvers are written: ``LUKVLE1[n=10000]``, ``exact-al[max_iterations=50]``."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Scalar = bool | int | float | str | None

_WORDS: Mapping[str, Scalar] = {"true": True, "false": False, "none": None}


@dataclass(frozen=True)
class Spec:
    """A name and its settings.

    Attributes
    ----------
    name : str
        Name of a problem (with its source: ``s2mpj:HS71``) or of a solver.
    settings : tuple of (str, value)
        Sizes of a problem, options of a solver, sorted by key, so that equal specifications compare equal.
    """

    name: str
    settings: tuple[tuple[str, Scalar], ...] = field(default=())

    @classmethod
    def of(cls, name: str, settings: Mapping[str, Scalar] | None = None) -> Spec:
        """Build one from a mapping."""
        return cls(name, tuple(sorted((settings or {}).items())))

    @property
    def keywords(self) -> dict[str, Scalar]:
        """The settings as keyword arguments."""
        return dict(self.settings)

    @property
    def canonical(self) -> str:
        """The settings as JSON, the same text for the same settings."""
        return json.dumps(dict(self.settings), sort_keys=True)

    def __str__(self) -> str:
        if not self.settings:
            return self.name
        return f"{self.name}[{','.join(f'{key}={value}' for key, value in self.settings)}]"


def parse_value(text: str) -> Scalar:
    """An int, float, bool or None where the text is one, else the text itself."""
    text = text.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parse_settings(items: Iterable[str], what: str = "setting") -> dict[str, Scalar]:
    """Turn ``["n=1000", "tol=1e-6"]`` into a dict.

    Raises
    ------
    ValueError
        Where an item is not of the form key=value, or a key comes twice.
    """
    settings: dict[str, Scalar] = {}
    for item in items:
        key, equals, value = item.partition("=")
        key = key.strip()
        # Parameters of SIF files have names such as N/2, too.
        if not equals or not re.fullmatch(r"[^\W\d]\S*", key) or not value.strip():
            raise ValueError(f"{what} {item!r} is not of the form key=value, such as n=1000")
        if key in settings:
            raise ValueError(f"{what} {key!r} is given twice")
        settings[key] = parse_value(value)
    return settings


def parse_spec(text: str, what: str = "setting") -> Spec:
    """Read ``NAME`` or ``NAME[key=value,...]``.

    Raises
    ------
    ValueError
        Where the text has another form.
    """
    text = text.strip()
    name, bracket, rest = text.partition("[")
    if not name.strip() or "]" in name or (bracket and not rest.endswith("]")):
        raise ValueError(f"{text!r} is not of the form NAME or NAME[key=value,...]")
    items = [item for item in rest[:-1].split(",") if item.strip()] if bracket else []
    return Spec.of(name.strip(), parse_settings(items, what))


def split_specs(text: str) -> list[str]:
    """Split at the commas that stand outside brackets; empty pieces vanish."""
    pieces, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            pieces.append(text[start:position])
            start = position + 1
    pieces.append(text[start:])
    return [piece.strip() for piece in pieces if piece.strip()]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'HS71'?`` for the nearest of the known names (case aside), else ``""``."""
    by_lower: dict[str, str] = {}
    for name in known:
        by_lower.setdefault(name.lower(), name)
    near = difflib.get_close_matches(word.lower(), list(by_lower), n=3, cutoff=0.5)
    if not near:
        return ""
    return f" Did you mean {' or '.join(repr(by_lower[name]) for name in near)}?"


def to_json(value: Any, **options: Any) -> str:
    """Strict JSON: NaN and infinities become null, numpy scalars and arrays plain numbers and lists."""
    return json.dumps(_plain(value), allow_nan=False, **options)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)
