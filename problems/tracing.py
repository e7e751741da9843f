"""From a pattern's recorded graph to the source of its kernels: differentiated and simplified once, by sympy.

A kernel evaluates a block of elements at a time, structure-of-arrays: local variable (then parameter) ``j``
of element ``e`` stands in ``x[j * stride + e]``, output ``l`` in ``out[l * stride + e]``. The loop over the
elements is inside, so the compiler vectorises it, and one indirect call serves the whole block.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

# Bump when the text that `kernel_source` prints changes its meaning: it is part of the cache key.
SOURCE_VERSION = 1

_HEADER = '''"""A karush pattern: {summary}. Generated; safe to delete."""

import math

VARIABLES = {variables}
PARAMETERS = {parameters}
GRADIENT = {gradient}
HESSIAN = {hessian}
DEFINITION = {definition}
'''


def kernel_source(lines: Sequence[str], variables: int, parameters: int) -> str:
    """Source of the module with a pattern's three kernels.

    Parameters
    ----------
    lines : sequence of str
        The normalised graph (`expressions.normalise`); its last line is the pattern's value.
    variables, parameters : int
        Numbers of local variables and of parameters.

    Returns
    -------
    str
        Module text: ``VARIABLES``, ``PARAMETERS``, ``GRADIENT`` (variables with a nonzero derivative),
        ``HESSIAN`` (pairs (a, b), a >= b, with a nonzero second derivative) and the functions ``value``,
        ``gradient`` (value first, then one output a variable) and ``hessian`` (one output a pair).
    """
    from sympy.core.parameters import distribute

    x, p = _symbols("x", variables), _symbols("p", parameters)
    with distribute(
        False
    ):  # keep 2*(a - b): distributing it doubles the work and loses digits where a is near b
        value = _to_sympy(lines, x, p)
        slopes = [_derivative(value, v) for v in x]
        curvatures = {(a, b): _derivative(slopes[a], x[b]) for a in range(variables) for b in range(a + 1)}
    hessian = {pair: h for pair, h in curvatures.items() if h != 0}
    header = _HEADER.format(
        summary=f"{variables} variables, {parameters} parameters",
        variables=variables,
        parameters=parameters,
        gradient=tuple(a for a in range(variables) if slopes[a] != 0),
        hessian=tuple(hessian),
        definition=repr("\n".join(lines)),
    )
    symbols = [*x, *p]
    return "\n\n".join(
        [
            header,
            _function("value", symbols, [value]),
            _function("gradient", symbols, [value, *slopes]),
            _function("hessian", symbols, list(hessian.values())),
        ]
    )


def _symbols(letter: str, count: int) -> list[Any]:
    import sympy

    return [sympy.Symbol(f"{letter}{j}", real=True) for j in range(count)]


def _derivative(expression: Any, variable: Any) -> Any:
    """Derivative almost everywhere: that of sign (a Dirac delta in sympy) counts as zero."""
    import sympy

    return expression.diff(variable).replace(sympy.DiracDelta, lambda *_: sympy.S.Zero)


def _to_sympy(lines: Sequence[str], x: list[Any], p: list[Any]) -> Any:
    functions = _sympy_functions()
    values: list[Any] = []
    for line in lines:
        operation, *operands = line.split()
        if operation == "variable":
            values.append(x[int(operands[0])])
        elif operation == "parameter":
            values.append(p[int(operands[0])])
        elif operation == "constant":
            values.append(_constant(float.fromhex(operands[0])))
        else:
            values.append(functions[operation](*(values[int(i)] for i in operands)))
    return values[-1]


def _constant(value: float) -> Any:
    import sympy

    if value.is_integer() and abs(value) < 2**53:
        return sympy.Integer(int(value))
    return sympy.Float(value)


def _power(base: Any, exponent: Any) -> Any:
    """Powers with dyadic exponents stay exact, so that x**0.5 is a square root and x**2.0 a product."""
    import sympy

    if isinstance(exponent, sympy.Float) and (8 * float(exponent)).is_integer():
        exponent = sympy.Rational(int(8 * float(exponent)), 8)
    return sympy.Pow(base, exponent)


@functools.cache
def _sympy_functions() -> dict[str, Any]:
    import sympy

    def where(condition: Any, a: Any, b: Any) -> Any:
        return sympy.Piecewise((a, condition), (b, True))

    return {
        "add": sympy.Add,
        "sub": lambda a, b: a - b,
        "mul": sympy.Mul,
        "div": lambda a, b: a / b,
        "pow": _power,
        "neg": lambda a: -a,
        "min": lambda a, b: where(sympy.Le(a, b), a, b),
        "max": lambda a, b: where(sympy.Ge(a, b), a, b),
        "where": where,
        "lt": sympy.Lt,
        "le": sympy.Le,
        "gt": sympy.Gt,
        "ge": sympy.Ge,
        "eq": sympy.Eq,
        "ne": sympy.Ne,
        "and": sympy.And,
        "or": sympy.Or,
        "not": sympy.Not,
        "abs": sympy.Abs,
        **{
            name: getattr(sympy, name)
            for name in [
                "exp",
                "log",
                "sin",
                "cos",
                "tan",
                "asin",
                "acos",
                "atan",
                "sinh",
                "cosh",
                "tanh",
                "sqrt",
                "sign",
                "erf",
            ]
        },
    }


def _function(name: str, symbols: list[Any], outputs: list[Any]) -> str:
    """A kernel that computes ``outputs``, sharing their common subexpressions."""
    import sympy

    shared, reduced = sympy.cse(outputs, symbols=sympy.numbered_symbols("t", real=True))
    used = set().union(*(e.free_symbols for e in [*reduced, *(right for _, right in shared)]))
    show = _printer().doprint
    body = [f"{s} = x[{_at(j)}]" for j, s in enumerate(symbols) if s in used]
    body += [f"{left} = {show(right)}" for left, right in shared]
    body += [f"out[{_at(l)}] = {show(e)}" for l, e in enumerate(reduced)]
    lines = [f"def {name}(count, stride, x, out):", "    for e in range(count):"]
    return "\n".join([*lines, *("        " + line for line in body or ["pass"])]) + "\n"


def _at(position: int) -> str:
    return {0: "e", 1: "stride + e"}.get(position, f"{position} * stride + e")


@functools.cache
def _printer() -> Any:
    import sympy
    from sympy.printing.precedence import PRECEDENCE
    from sympy.printing.pycode import PythonCodePrinter

    class NumbaPrinter(PythonCodePrinter):  # type: ignore[misc]
        """Doubles throughout, square roots as such, small integer powers left to the compiler."""

        def _print_Float(self, expr: Any) -> str:
            return repr(float(expr))

        _print_Rational = _print_Integer = _print_Float
        _print_One = _print_Zero = _print_NegativeOne = _print_Half = _print_Pi = _print_Exp1 = _print_Float

        def _print_Pow(self, expr: Any, rational: bool = False) -> str:
            base, exponent = expr.as_base_exp()
            atom = self.parenthesize(base, PRECEDENCE["Pow"] + 1)
            if exponent.is_Integer:
                power: str = atom if abs(exponent) == 1 else f"{atom}**{abs(int(exponent))}"
                return str(power) if exponent > 0 else f"1.0/{power}"
            if exponent.is_Rational and exponent.q == 2:
                whole, root = int(abs(exponent) - 1 / sympy.Integer(2)), f"math.sqrt({self._print(base)})"
                power = {0: root, 1: f"({atom}*{root})"}.get(whole, f"({atom}**{whole}*{root})")
                return str(power) if exponent > 0 else f"1.0/{power}"
            return f"{atom}**{self.parenthesize(exponent, PRECEDENCE['Pow'])!s}"

        def _print_Piecewise(self, expr: Any) -> str:
            *cases, (last, _) = expr.args
            text = self._print(last)
            for value, condition in reversed(cases):
                text = f"({self._print(value)} if {self._print(condition)} else {text})"
            return text

        def _print_Abs(self, expr: Any) -> str:
            return f"abs({self._print(expr.args[0])})"

        def _print_sign(self, expr: Any) -> str:
            a = self.parenthesize(expr.args[0], PRECEDENCE["Atom"])
            return f"(({a} > 0.0) - ({a} < 0.0))"

        def _print_nan(self, expr: Any) -> str:
            return "math.nan"

        _print_NaN = _print_ComplexInfinity = _print_nan

        def _print_Infinity(self, expr: Any) -> str:
            return "math.inf"

        def _print_NegativeInfinity(self, expr: Any) -> str:
            return "-math.inf"

    return NumbaPrinter({"fully_qualified_modules": True, "standard": "python3"})
