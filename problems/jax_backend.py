"""Derivatives by JAX: functions written with ``jax.numpy``, compiled at the first call.

J. Bradbury et al., "JAX: composable transformations of Python+NumPy programs" (2018).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .derivative_backends import DifferentiatedFunction, explained, import_tool
from .nlp import Vector

_HINT = "karush: derivatives by jax want functions that use jax.numpy in place of numpy"


class JaxFunction(DifferentiatedFunction):
    """A function that JAX compiles and differentiates, always in double precision.

    JAX computes in single precision unless told otherwise, which is too coarse for optimality conditions; it
    is told so for these calls only, and the setting of the process stays as it is. A function whose control
    flow depends on values of x cannot be compiled and runs uncompiled.
    """

    def __init__(self, label: str, fun: Callable[..., Any], args: tuple[Any, ...], n: int) -> None:
        super().__init__(label, fun, args, n)
        self._jax = import_tool("jax")
        numpy = import_tool("jax", "jax.numpy")

        def vector(x: Any) -> Any:
            return numpy.ravel(numpy.asarray(fun(x, *args)))

        self._vector = vector
        self._value = _Compiled(self._jax, vector)
        self._hessian = _Compiled(self._jax, self._jax.hessian(lambda x, w: numpy.dot(w, vector(x))))
        self._jacobian: _Compiled | None = None

    def value(self, x: Vector) -> Any:
        """The function at x, in double precision too."""
        return self._value(x)

    def jacobian(self, x: Vector) -> Any:
        """Jacobian at x: in reverse mode where it is wide, forward where it is tall."""
        if self._jacobian is None:
            mode = self._jax.jacrev if self.value(x).size <= self.n else self._jax.jacfwd
            self._jacobian = _Compiled(self._jax, mode(self._vector))
        return self._jacobian(x)

    def hessian(self, x: Vector, weights: Vector) -> Any:
        """Hessian of the weighted sum at x, forward over reverse mode."""
        return self._hessian(x, weights)


class _Compiled:
    """A function of JAX arrays on numpy's, in double precision, compiled where that is possible."""

    def __init__(self, jax: Any, fun: Callable[..., Any]) -> None:
        self._jax, self._plain = jax, fun
        self._fun = jax.jit(fun)

    def __call__(self, *arguments: Vector) -> Any:
        with _double_precision(self._jax):
            given = [self._jax.numpy.asarray(argument) for argument in arguments]
            try:
                return np.asarray(self._run(given), dtype=np.float64)
            except Exception as error:
                raise explained(error, _HINT)  # noqa: B904 - the error itself, with a note

    def _run(self, arguments: list[Any]) -> Any:
        try:
            return self._fun(*arguments)
        except self._jax.errors.ConcretizationTypeError:
            if self._fun is self._plain:
                raise
            self._fun = self._plain
            return self._fun(*arguments)


def _double_precision(jax: Any) -> Any:
    """A context in which JAX computes in double precision; it has changed its place in jax 0.8."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64

    return enable_x64(True)
