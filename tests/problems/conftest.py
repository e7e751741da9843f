"""An evaluator of term problems that shares nothing with the compiled drivers and takes complex numbers."""

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import erf

from karush.problems.row_function import RowFunction
from karush.problems.term_problem import TermProblem

_STEP = 1e-40


class _ComplexFunctions:
    """The functions of the math module that kernels use, continued to complex arrays."""

    nan, inf = np.nan, np.inf
    erf = staticmethod(erf)
    asin, acos, atan = staticmethod(np.arcsin), staticmethod(np.arccos), staticmethod(np.arctan)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _absolute(z: Any) -> Any:
    return np.where(np.real(z) < 0, -z, z)


def _continued(kernel: Callable[..., None]) -> Callable[..., None]:
    """The kernel's Python code with complex functions; numpy compares complex numbers by their real parts."""
    scope = {"math": _ComplexFunctions(), "abs": _absolute, "range": range}
    return types.FunctionType(kernel.__code__, scope)


class ComplexEvaluator:
    """Values and weighted gradients of a `RowFunction` in plain numpy, for complex x."""

    def __init__(self, function: RowFunction) -> None:
        self.function = function

    def values(self, x: np.ndarray) -> np.ndarray:
        """F(x)."""
        return self._grouped(self._arguments(x))

    def gradient(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Gradient of w'F."""
        f = self.function
        weights = np.asarray(w, dtype=complex).copy()
        if f.groups:
            a = self._arguments(x)
            for group in f.groups:
                weights[group.rows] *= self._outputs(group, a, "gradient")[1] * _weight(group)
        out = np.zeros(f.n, dtype=complex)
        for family in f.families:
            slopes = self._outputs(family, x, "gradient")[1:]
            for variable, slope in zip(family.variables, slopes, strict=True):
                np.add.at(out, variable, weights[family.rows] * _weight(family) * slope)
        np.add.at(out, f.linear.column, f.linear.value * weights[f.linear.row])
        return out

    def _arguments(self, x: np.ndarray) -> np.ndarray:
        f = self.function
        a = np.zeros(f.count, dtype=complex)
        for family in f.families:
            np.add.at(a, family.rows, _weight(family) * self._outputs(family, x, "value")[0])
        np.add.at(a, f.linear.row, f.linear.value * x[f.linear.column])
        return a if f.constant is None else a - f.constant

    def _grouped(self, a: np.ndarray) -> np.ndarray:
        out = a.copy()
        for group in self.function.groups:
            out[group.rows] = _weight(group) * self._outputs(group, a, "value")[0]
        return out

    def _outputs(self, family: Any, x: np.ndarray, kernel: str) -> np.ndarray:
        run = _continued(getattr(family.pattern._module, kernel))
        count = 1 if kernel == "value" else 1 + family.pattern.variables
        shape = (family.elements,)
        inputs = [*x[family.variables], *(np.broadcast_to(p, shape) for p in family.parameters)]
        width = family.pattern.width
        out: dict[int, Any] = {}
        try:
            run(1, [[column] for column in inputs], out)  # one "element" whose numbers are whole arrays
            return np.array(
                [np.broadcast_to(np.asarray(out[l * width], complex), shape) for l in range(count)]
            )
        except ValueError:  # a branch on an array: the kernel has conditions, so element by element
            result = np.zeros((count, *shape), dtype=complex)
            for e in range(family.elements):
                run(1, [[column[e]] for column in inputs], out)
                result[:, e] = [out[l * width] for l in range(count)]
            return result


def _weight(family: Any) -> Any:
    return 1.0 if family.weight is None else family.weight


def _largest(array: Any) -> float:
    return float(np.max(np.abs(array), initial=0.0))


def complex_step_errors(problem: TermProblem, x: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Relative differences between a problem's oracles and complex steps along a random direction."""
    objective, constraints = ComplexEvaluator(problem._objective), ComplexEvaluator(problem._constraints)
    v, y, sigma = rng.normal(size=problem.n), rng.normal(size=problem.m), 0.7
    z = x + 1j * _STEP * v
    f, c = objective.values(z).sum(), constraints.values(z)
    ones = np.ones(problem._objective.count)
    lagrangian = sigma * objective.gradient(z, ones) + constraints.gradient(z, y)
    g, jacobian, hessian = problem.gradient(x), problem.jacobian(x), problem.hessian(x, y, sigma)
    slope, along, curvature = f.imag / _STEP, c.imag / _STEP, lagrangian.imag / _STEP
    pairs = {
        "objective": (problem.objective(x), f.real, _largest(objective.values(x.astype(complex)))),
        "gradient": (g @ v, slope, _largest(g * v)),
        "constraints": (problem.constraints(x), c.real, _largest(c)),
        "jacobian": (jacobian @ v, along, _largest(abs(jacobian) @ abs(v))),
        "jvp": (problem.jvp(x, v), along, _largest(abs(jacobian) @ abs(v))),
        "vjp": (problem.vjp(x, y), constraints.gradient(x.astype(complex), y).real, 0.0),
        "hessian": (hessian @ v, curvature, _largest(abs(hessian) @ abs(v))),
        "hvp": (problem.hvp(x, v, y, sigma), curvature, _largest(abs(hessian) @ abs(v))),
    }
    if problem.n <= 500:
        dense = hessian.toarray()
        pairs["symmetry"] = (dense, dense.T, 0.0)
    scale = 1e-8
    return {
        name: _largest(np.asarray(ours) - theirs) / max(_largest(ours), _largest(theirs), size, scale)
        for name, (ours, theirs, size) in pairs.items()
    }


@pytest.fixture
def derivative_errors() -> Callable[..., dict[str, float]]:
    """Function (problem, x, rng) -> {oracle: relative error against complex steps}."""
    return complex_step_errors
