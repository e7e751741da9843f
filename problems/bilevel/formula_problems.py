"""Bilevel problems written as formulas, one a line of a JSON file (the BOLIB collection, for one)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..formulas import FormulaProblem, Formulas
from ..nlp import Metadata, Vector
from .problem import BilevelProblem


def bilevel_from_formulas(
    upper: str,
    lower: str,
    n_x: int,
    n_y: int,
    *,
    upper_constraints: Sequence[str] = (),
    lower_constraints: Sequence[str] = (),
    start: Sequence[float] | None = None,
    name: str = "bilevel problem",
    optimum: float | None = None,
    source: str = "",
) -> BilevelProblem:
    """A bilevel problem of formulas of ``x1, x2, ..., y1, y2, ...``.

    Parameters
    ----------
    upper, lower : str
        F and f.
    n_x, n_y : int
        Numbers of variables.
    upper_constraints, lower_constraints : sequence of str
        G and g, with ``G >= 0`` and ``g >= 0``. Those that are linear in a single variable of their own level
        become bounds.
    start : sequence of float, optional
        x, then y; default 0.
    name, optimum, source : optional
        See `BilevelProblem`.

    Returns
    -------
    BilevelProblem

    Raises
    ------
    TypeError, ValueError
        Numbers of variables, a start of another length, or a formula that cannot be read.
    """
    for argument, count in (("n_x", n_x), ("n_y", n_y)):
        if count < 1:
            raise ValueError(f"{argument} must be at least 1, got {count}")
    names = [f"x{i + 1}" for i in range(n_x)] + [f"y{i + 1}" for i in range(n_y)]
    x0 = np.zeros(n_x + n_y) if start is None else np.array(start, dtype=float)
    if x0.shape != (n_x + n_y,):
        raise ValueError(f"start must hold {n_x + n_y} numbers, x and then y, got {x0.size}")
    own = (range(n_x), range(n_x, n_x + n_y))
    levels = [
        _level(f"{name}, {level}", fun, rows, names, variables, x0)
        for level, fun, rows, variables in (
            ("upper level", upper, upper_constraints, own[0]),
            ("lower level", lower, lower_constraints, own[1]),
        )
    ]
    return BilevelProblem(levels[0], levels[1], n_x, name=name, optimum=optimum, source=source)


def read_bilevel(path: str | os.PathLike[str]) -> Iterator[BilevelProblem]:
    """The problems of a file of JSON lines with the keys name, n_x, n_y, F, G, f, g, start, reference.

    ``reference`` holds ``F`` and ``kind``; the value becomes the problem's `optimum` unless unknown.
    """
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield from_record(json.loads(line))


def from_record(record: Mapping[str, Any]) -> BilevelProblem:
    """The problem of one line."""
    reference = record.get("reference") or {}
    return bilevel_from_formulas(
        record["F"],
        record["f"],
        record["n_x"],
        record["n_y"],
        upper_constraints=record.get("G", ()),
        lower_constraints=record.get("g", ()),
        start=record.get("start"),
        name=record["name"],
        optimum=reference.get("F"),
        source="BOLIB",
    )


def _level(
    name: str, fun: str, rows: Sequence[str], names: list[str], own: range, x0: Vector
) -> FormulaProblem:
    """One level; constraints of a single variable of its own become bounds."""
    lb, ub = np.full(len(names), -np.inf), np.full(len(names), np.inf)
    kept = []
    read = Formulas.read(rows, names)
    for k, text in enumerate(rows):
        bound = read.bound(k)
        if bound is None or bound[0] not in own:
            kept.append(text)
        else:
            variable, a, b = bound
            side, choose = (lb, max) if a > 0.0 else (ub, min)
            side[variable] = choose(side[variable], -b / a)
    if (lb > ub).any():  # an empty level is a property of the problem: its rows say so
        lb[:], ub[:], kept = -np.inf, np.inf, list(rows)
    metadata = Metadata(
        name=name,
        x0=x0,
        lb=lb,
        ub=ub,
        cl=np.zeros(len(kept)),
        cu=np.full(len(kept), np.inf),
        y0=np.zeros(len(kept)),
    )
    return FormulaProblem(Formulas.read([fun, *kept], names), metadata)
