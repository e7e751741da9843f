"""Whether a SIF file, compiled here, gives the values that Fortran CUTEst gives.

The reference (one JSON line a problem) holds counts, and norms and weighted sums of value, gradient,
constraints, Jacobian and Hessian of f + y'c at two points; see `quantities` for the weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...problems.nlp import NLP
from ...problems.sif.problem import SIFProblem, from_sif

TOLERANCE = 1e-8
"""Relative difference that is agreement: CUTEst's decoder keeps 11 digits of the data."""

ROUNDING = 1e-13
"""What is left of sums that cancel, relative to the size of their terms, says nothing."""


class Disagreement(NamedTuple):
    """A quantity whose value here is not CUTEst's."""

    quantity: str
    here: float
    reference: float


def read_reference(folder: Path) -> dict[str, dict[str, float]]:
    """The reference values by problem name."""
    with open(folder / "reference.jsonl", encoding="utf-8") as stream:
        return {entry["name"]: entry for entry in map(json.loads, stream)}


def disagreements(path: Path, reference: Mapping[str, float]) -> list[Disagreement]:
    """Compile a file at its default size and compare everything that the reference holds.

    Parameters
    ----------
    path : Path
        The SIF file.
    reference : mapping
        Its line of the reference; what is missing or not finite there is not compared.

    Returns
    -------
    list of Disagreement
        Counts that differ, and values that differ by more than `TOLERANCE` times the larger of the value and
        the norm of the array that it sums, plus `ROUNDING` times the size of the terms behind that.
    """
    problem = from_sif(path)
    found = [
        Disagreement(name, count, reference[name])
        for name, count in counts(problem).items()
        if count != reference[name]
    ]
    with np.errstate(all="ignore"):
        for name, value, norm, terms in quantities(problem):
            wanted = float(reference.get(name, np.nan))
            if not np.isfinite(wanted):
                continue
            if not abs(value - wanted) <= TOLERANCE * max(abs(wanted), norm) + ROUNDING * terms:
                found.append(Disagreement(name, value, wanted))
    return found


def counts(problem: SIFProblem) -> dict[str, int]:
    """Numbers of variables and constraints by kind, as CUTEst's tools count them."""
    lower, upper = np.isfinite(problem.lb), np.isfinite(problem.ub)
    fixed = problem.lb == problem.ub
    equality = problem.cl == problem.cu
    bounded_below, bounded_above = np.isfinite(problem.cl), np.isfinite(problem.cu)
    linear = problem.trivial_constraints
    masks = {
        "free": ~lower & ~upper,
        "lower": lower & ~upper,
        "upper": ~lower & upper,
        "both": lower & upper & ~fixed,
        "fixed": fixed,
        "eq": equality,
        "lin": linear,
        "lineq": linear & equality,
        "range": bounded_below & bounded_above & ~equality,
        "ge": bounded_below & ~bounded_above,
        "le": ~bounded_below & bounded_above,
    }
    return {"n": problem.n, "m": problem.m, **{name: int(mask.sum()) for name, mask in masks.items()}}


def quantities(problem: NLP) -> Iterator[tuple[str, float, float, float]]:
    """(name, value, norm of the array behind it, size of the terms) of everything that is compared.

    The points are x0 and x0_i + 1e-3 (1 + i mod 7), the multipliers y_i = 1 + i mod 3, all indices from 0.
    The size of the terms of f and c is |grad f|'|x| and ||J||x||; of derivatives it is taken as 1.
    """
    i, k = np.arange(problem.n), np.arange(problem.m)
    y = (1 + k % 3).astype(np.float64)
    # The Hessian's lower triangle is enough, and half of a large matrix.
    indptr, column = problem.hessian_structure()
    row = np.repeat(i, np.diff(indptr))
    hessian_weights = (1.0 + row % 5) * (1.0 + column % 5)
    twice = np.where(row == column, 1.0, 2.0)
    for suffix, x in (("0", problem.x0), ("1", problem.x0 + 1e-3 * (1 + i % 7))):
        f, gradient = problem.objective(x), problem.gradient(x)
        yield f"f{suffix}", f, abs(f), 1.0 + float(np.abs(gradient) @ np.abs(x))
        yield from _summary("g", suffix, gradient, 1.0 + i % 5)
        if problem.m:
            jacobian = problem.jacobian(x)
            terms = 1.0 + float(np.linalg.norm(abs(jacobian) @ np.abs(x)))
            yield from _summary("c", suffix, problem.constraints(x), 1.0 + k % 5, terms)
            row, column = jacobian.tocoo().coords
            yield from _summary("J", suffix, jacobian.data, (1.0 + row % 3) * (1.0 + column % 5))
        hessian = problem.hessian_values(x, y)
        norm = float(np.sqrt((hessian * twice) @ hessian))
        yield f"H{suffix}", norm, norm, 1.0
        yield f"Hw{suffix}", float((hessian * twice) @ hessian_weights), norm, 1.0


def _summary(
    name: str, suffix: str, values: np.ndarray, weights: np.ndarray, terms: float = 1.0
) -> Iterator[tuple[str, float, float, float]]:
    norm = float(np.linalg.norm(values))
    yield f"{name}{suffix}", norm, norm, terms
    yield f"{name}w{suffix}", float(values @ weights), norm, terms
