"""karush's methods inside `scipy.optimize.minimize`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .methods import get_method
from .minimize import minimize
from .result import Result


def scipy_method(name: str = "exact-al") -> Callable[..., Result]:
    """A method for ``scipy.optimize.minimize(..., method=scipy_method(name))``.

    Parameters
    ----------
    name : str, default "exact-al"
        Name of a registered method.

    Returns
    -------
    callable
        Takes scipy's arguments; scipy's ``options`` are those of `karush.minimize`, and ``tol`` arrives among
        them. The answer is a `Result`, which is an `OptimizeResult`.

    Raises
    ------
    ValueError
        Unknown name; the nearest ones are listed.

    Examples
    --------
    >>> from scipy.optimize import minimize, rosen, rosen_der
    >>> import karush
    >>> result = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=karush.scipy_method("exact-al"))
    >>> result.success
    True
    """
    get_method(name)

    def method(
        fun: Callable[..., Any],
        x0: Any,
        args: tuple[Any, ...] = (),
        tol: float | None = None,
        rng: Any = None,
        **call_and_options: Any,
    ) -> Result:
        parts = ("jac", "hess", "hessp", "bounds", "constraints", "callback")
        call = {part: call_and_options.pop(part) for part in parts if part in call_and_options}
        return minimize(fun, x0, args=args, tol=tol, method=name, options=call_and_options, rng=rng, **call)

    method.__name__ = f"karush_{name.replace('-', '_')}"
    return method
