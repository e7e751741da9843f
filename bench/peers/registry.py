"""Solvers by name."""

from __future__ import annotations

from collections.abc import Callable

from ..spec import did_you_mean
from .ipopt import IpoptPeer
from .karush_methods import KarushPeer
from .protocol import Peer
from .scipy_methods import METHODS, ScipyPeer
from .uno import UnoPeer

_OTHERS: dict[str, Callable[[], Peer]] = {"ipopt": IpoptPeer, "uno": UnoPeer}


def names() -> list[str]:
    """Names of all solvers, karush's own first."""
    from ...solvers.methods import method_names

    return [*method_names(), *_OTHERS, *METHODS]


def get(name: str) -> Peer:
    """A solver by its name, case aside.

    Raises
    ------
    ValueError
        Unknown name; the nearest ones are named.
    """
    known = {other.lower(): other for other in names()}
    found = known.get(name.lower())
    if found is None:
        hint = did_you_mean(name, known.values()) or f" Known are {', '.join(known.values())}."
        raise ValueError(f"unknown solver {name!r}.{hint}")
    if found in _OTHERS:
        return _OTHERS[found]()
    return ScipyPeer(found) if found in METHODS else KarushPeer(found)
