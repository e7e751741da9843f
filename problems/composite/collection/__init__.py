"""Composite problems by name: ``collection.get("A", rng=0)``.

The experiments of J. Nutini, I. Laradji, M. Schmidt, JMLR 23(131), 2022 (A to E and A-L1), and label
propagation on a large lattice. All are drawn at random: the same `rng`, the same problem.
"""

from __future__ import annotations

from .generators import Generator, generator, get, names, register

__all__ = ["Generator", "generator", "get", "names", "register"]
