"""Solvers that a sweep compares: karush's own methods, SciPy's, IPOPT and Uno where they are installed."""

from __future__ import annotations

from .protocol import Answer, Peer
from .registry import get, names

__all__ = ["Answer", "Peer", "get", "names"]
