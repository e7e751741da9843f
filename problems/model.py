"""Models: problems written as mathematics, in patterns repeated over index data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .families import Family, alias_classes
from .nlp import Capabilities, Metadata, Vector
from .pattern_cache import pattern_of
from .row_function import LinearPart, RowFunction
from .term_problem import TermProblem

Shape = int | tuple[int, ...]


class Variables:
    """A block of a model's variables; indexes like an ndarray.

    Attributes
    ----------
    index : ndarray of int64
        Positions in x.
    """

    __array_ufunc__ = None  # arithmetic belongs inside pattern functions: numpy must not try it here

    def __init__(self, index: NDArray[np.int64]) -> None:
        self.index = index

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the block."""
        return self.index.shape

    @property
    def size(self) -> int:
        """Number of variables."""
        return int(self.index.size)

    @property
    def T(self) -> Variables:
        """The block transposed."""
        return Variables(self.index.T)

    def ravel(self) -> Variables:
        """The block in one dimension."""
        return Variables(self.index.ravel())

    def __getitem__(self, key: Any) -> Variables:
        return Variables(np.asarray(self.index[key]))

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[Variables]:
        return (Variables(np.asarray(i)) for i in self.index)

    def __repr__(self) -> str:
        return f"Variables(shape={self.shape})"


class Rows:
    """Rows of the constraints, or groups of the objective, that take terms; indexes like an ndarray."""

    def __init__(self, builder: _RowBuilder, index: NDArray[np.int64]) -> None:
        self._builder = builder
        self.index = index

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the block of rows."""
        return self.index.shape

    def __getitem__(self, key: Any) -> Rows:
        return Rows(self._builder, np.asarray(self.index[key]))

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[Rows]:
        return (Rows(self._builder, np.asarray(i)) for i in self.index)

    def __repr__(self) -> str:
        return f"Rows(shape={self.shape})"

    def add(self, fun: Callable[..., Any], *args: Any, weight: ArrayLike = 1.0) -> Rows:
        """Add terms ``weight * fun(*args)`` to the rows.

        Parameters
        ----------
        fun : callable
            Takes one scalar symbol per argument; see `Model`.
        *args : Variables or array_like of float
            Broadcast with each other and with the rows: one term for each element. A row that occurs several
            times gets the sum.
        weight : array_like of float
            Factor of each term.
        """
        self._builder.add_terms(self.index, fun, args, weight)
        return self

    def add_linear(self, coefficient: ArrayLike, variables: Variables) -> Rows:
        """Add ``coefficient * variable``, all broadcast with the rows."""
        self._builder.add_linear(self.index, coefficient, variables)
        return self


class Model:
    """A problem under construction.

    Functions given to a model are *patterns*: they get one scalar symbol per argument, whatever the size of
    the arguments, and are run once. They may use + - * / **, abs, comparisons with & | ~, numpy's exp, log,
    sin, cos, tan, arcsin, arccos, arctan, sinh, cosh, tanh, sqrt, square, sign, minimum, maximum and where,
    and scipy.special.erf. Arguments that are `Variables` are variables, numbers and arrays are parameters.

    Parameters
    ----------
    name : str
        The problem's name.
    trace : bool
        False: sizes and bounds only, no patterns are traced; such a model cannot be built.

    Examples
    --------
    >>> model = Model("chained Rosenbrock")
    >>> x = model.variables(1000, start=-1.0)
    >>> model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (1 - a) ** 2, x[:-1], x[1:])
    >>> problem = model.build()
    """

    def __init__(self, name: str = "model", *, trace: bool = True) -> None:
        self.name = name
        self.traced = trace
        self._start: list[Vector] = []
        self._lower: list[Vector] = []
        self._upper: list[Vector] = []
        self._n = 0
        self._objective = _RowBuilder(self)
        self._constraints = _RowBuilder(self)
        self._cl: list[Vector] = []
        self._cu: list[Vector] = []
        self._y0: list[Vector] = []
        # All ungrouped objective terms share one row.
        self._objective_row = self._objective.new_rows((), 0.0)

    def variables(
        self,
        shape: Shape = (),
        *,
        start: ArrayLike = 0.0,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> Variables:
        """Add a block of variables.

        Parameters
        ----------
        shape : int or tuple of int
            Shape of the block; () gives one variable.
        start, lower, upper : array_like of float
            Start and bounds, broadcast to the shape. ``lower == upper`` fixes a variable.

        Raises
        ------
        ValueError
            Where the shape is not one, or a bound is NaN or crossed.
        """
        shape = _shape(shape)
        values = {name: _full(value, shape, name) for name, value in (("lower", lower), ("upper", upper))}
        for name, value in values.items():
            if np.isnan(value).any():
                raise ValueError(f"{name} of the variables holds NaN; numbers or +-inf are wanted")
        if (values["lower"] > values["upper"]).any():
            raise ValueError("lower of the variables exceeds upper somewhere")
        self._start.append(_full(start, shape, "start"))
        self._lower.append(values["lower"])
        self._upper.append(values["upper"])
        size = int(np.prod(shape, dtype=np.int64))
        index = np.arange(self._n, self._n + size).reshape(shape)
        self._n += size
        return Variables(index)

    def minimize(self, fun: Callable[..., Any], *args: Any, weight: ArrayLike = 1.0) -> None:
        """Add ``weight * fun(*args)``, summed over the elements of the broadcast, to the objective."""
        self._objective_row.add(fun, *args, weight=weight)

    def minimize_linear(self, coefficient: ArrayLike, variables: Variables) -> None:
        """Add ``sum of coefficient * variable`` to the objective."""
        self._objective_row.add_linear(coefficient, variables)

    def minimize_constant(self, value: float) -> None:
        """Add a number to the objective."""
        self._objective.shift(self._objective_row.index, -float(value))

    def groups(
        self,
        shape: Shape,
        fun: Callable[..., Any],
        *parameters: ArrayLike,
        constant: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
    ) -> Rows:
        """Add ``sum of fun(a_r; parameters_r) / scale_r`` to the objective.

        The arguments a_r are what is added to the returned rows (`Rows.add`, `Rows.add_linear`), less
        ``constant``.

        Parameters
        ----------
        shape : int or tuple of int
            Shape of the block of groups.
        fun : callable
            The group function g(a, *parameters), a pattern.
        *parameters, constant, scale : array_like of float
            Broadcast to the shape.
        """
        shape = _shape(shape)
        rows = self._objective.new_rows(shape, constant)
        self._objective.set_group(rows.index, fun, parameters, scale)
        return rows

    def subject_to(
        self,
        fun: Callable[..., Any],
        *args: Any,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        multiplier: ArrayLike = 0.0,
    ) -> Rows:
        """Add the constraints ``lower <= fun(*args) <= upper``, one for each element of the broadcast.

        Returns
        -------
        Rows
            Of the shape of the broadcast; further terms can be added to them.

        Raises
        ------
        ValueError
            Where neither ``lower`` nor ``upper`` is given, or they are NaN or crossed.
        """
        if np.all(np.equal(lower, -np.inf)) and np.all(np.equal(upper, np.inf)):
            raise ValueError("subject_to needs lower= or upper= (both the same for an equation)")
        shape = np.broadcast_shapes(*(_shape_of(a) for a in args))
        rows = self.constraints(shape, lower=lower, upper=upper, multiplier=multiplier)
        return rows.add(fun, *args)

    def constraints(
        self,
        shape: Shape = (),
        *,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        group: Callable[..., Any] | None = None,
        parameters: Sequence[ArrayLike] = (),
        constant: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        multiplier: ArrayLike = 0.0,
    ) -> Rows:
        """Add the constraints ``lower <= group(a_r; parameters_r) / scale_r <= upper``, with a_r still empty.

        Parameters
        ----------
        shape : int or tuple of int
            Shape of the block of rows.
        lower, upper : array_like of float
            Bounds of the constraint, broadcast to the shape.
        group : callable, optional
            Group function, a pattern; the identity where absent.
        parameters : sequence of array_like
            Parameters of the group function.
        constant : array_like of float
            Subtracted from a_r.
        scale : array_like of float
            Divides the value.
        multiplier : array_like of float
            Start of the multipliers.
        """
        shape = _shape(shape)
        cl, cu = _full(lower, shape, "lower"), _full(upper, shape, "upper")
        if np.isnan(cl).any() or np.isnan(cu).any():
            raise ValueError("lower or upper of the constraints holds NaN; numbers or +-inf are wanted")
        if (cl > cu).any():
            raise ValueError("lower of the constraints exceeds upper somewhere")
        rows = self._constraints.new_rows(shape, constant)
        if group is not None or np.any(np.asarray(scale) != 1.0):
            self._constraints.set_group(rows.index, group or (lambda a: a), parameters, scale)
        self._cl.append(cl)
        self._cu.append(cu)
        self._y0.append(_full(multiplier, shape, "multiplier"))
        return rows

    def build(
        self,
        *,
        classification: str = "",
        optimum: float | None = None,
        source: str = "",
        name: str | None = None,
    ) -> TermProblem:
        """The problem, on compiled kernels.

        Raises
        ------
        ValueError
            Where the model has no variables.
        """
        if self._n == 0 or not self.traced:
            raise ValueError(f"model {self.name!r} has no variables, or was made with trace=False")
        metadata = self._metadata(name or self.name, classification, optimum, source)
        return TermProblem(metadata, self._objective.finish(self._n), self._constraints.finish(self._n))

    def dimensions(self) -> Metadata:
        """Start and bounds as they stand, without building anything."""
        return self._metadata(self.name, "", None, "")

    def _metadata(self, name: str, classification: str, optimum: float | None, source: str) -> Metadata:
        return Metadata(
            name=name,
            x0=_joined(self._start),
            lb=_joined(self._lower),
            ub=_joined(self._upper),
            cl=_joined(self._cl),
            cu=_joined(self._cu),
            y0=_joined(self._y0),
            classification=classification,
            optimum=optimum,
            source=source,
            capabilities=Capabilities(matrix_free=True),
        )


@dataclass(eq=False)
class _RowBuilder:
    """Collects the terms of one row function."""

    model: Model
    count: int = 0
    constants: list[Vector] = field(default_factory=list)
    families: list[Family] = field(default_factory=list)
    groups: list[Family] = field(default_factory=list)
    linear: list[tuple[np.ndarray, np.ndarray, Vector]] = field(default_factory=list)
    shifts: list[tuple[int, float]] = field(default_factory=list)

    def new_rows(self, shape: tuple[int, ...], constant: ArrayLike) -> Rows:
        size = int(np.prod(shape, dtype=np.int64))
        index = np.arange(self.count, self.count + size).reshape(shape)
        self.count += size
        self.constants.append(_full(constant, shape, "constant"))
        return Rows(self, index)

    def shift(self, row: np.ndarray, constant: float) -> None:
        self.shifts.append((int(row), constant))

    def add_terms(
        self, rows: np.ndarray, fun: Callable[..., Any], args: tuple[Any, ...], weight: ArrayLike
    ) -> None:
        if not self.model.traced:
            return
        if not any(isinstance(a, Variables) for a in args):
            raise ValueError("a term needs at least one argument that is Variables")
        shape = np.broadcast_shapes(rows.shape, np.shape(weight), *(_shape_of(a) for a in args))
        rows = _spread(rows, shape, np.int32)
        factor = None if np.all(np.asarray(weight) == 1.0) else _spread_or_scalar(weight, shape)
        arguments = [_spread(a.index, shape, np.int32) if isinstance(a, Variables) else a for a in args]
        parameters = [_spread_or_scalar(a, shape) for a in args if not isinstance(a, Variables)]
        kinds = [isinstance(a, Variables) for a in args]
        variables = np.stack([a for a, is_variable in zip(arguments, kinds, strict=True) if is_variable])
        for selected, aliases in alias_classes(variables):
            pattern = pattern_of(fun, _interleave(kinds, aliases))
            distinct = [aliases.index(j) for j in range(max(aliases) + 1)]
            self.families.append(
                Family(
                    pattern,
                    np.ascontiguousarray(variables[distinct][:, selected]),
                    rows[selected],
                    tuple(_take(p, selected) for p in parameters),
                    None if factor is None else _take(factor, selected),
                )
            )

    def add_linear(self, rows: np.ndarray, coefficient: ArrayLike, variables: Variables) -> None:
        shape = np.broadcast_shapes(rows.shape, np.shape(coefficient), variables.shape)
        value = _spread(_numbers(coefficient, "coefficient"), shape, np.float64)
        self.linear.append((_spread(rows, shape, np.int32), _spread(variables.index, shape, np.int32), value))

    def set_group(
        self, rows: np.ndarray, fun: Callable[..., Any], parameters: Sequence[ArrayLike], scale: ArrayLike
    ) -> None:
        if not self.model.traced:
            return
        factor = 1.0 / _numbers(scale, "scale")
        self.groups.append(
            Family(
                pattern_of(fun, [0, *(["parameter"] * len(parameters))]),
                rows.ravel().astype(np.int32)[None, :],
                rows.ravel().astype(np.int32),
                tuple(_spread_or_scalar(p, rows.shape) for p in parameters),
                None if np.all(factor == 1.0) else _spread_or_scalar(factor, rows.shape),
            )
        )

    def finish(self, n: int) -> RowFunction:
        constant = _joined(self.constants)
        for row, value in self.shifts:
            constant[row] += value
        linear = (
            LinearPart(*(np.concatenate(part) for part in zip(*self.linear, strict=True)))
            if self.linear
            else None
        )
        return RowFunction(n, self.count, self.families, linear, constant, self.groups)


def _interleave(kinds: list[bool], aliases: list[int]) -> list[str | int]:
    """What `pattern_of` wants to know of each argument."""
    numbers = iter(aliases)
    return [next(numbers) if is_variable else "parameter" for is_variable in kinds]


def _shape(shape: Shape) -> tuple[int, ...]:
    sizes = (shape,) if np.ndim(shape) == 0 else tuple(shape)  # type: ignore[arg-type]
    if not all(isinstance(s, int | np.integer) and not isinstance(s, bool) and s >= 0 for s in sizes):
        raise ValueError(f"shape must be a nonnegative int or a tuple of such, not {shape!r}")
    return tuple(int(s) for s in sizes)  # type: ignore[arg-type]


def _shape_of(argument: Any) -> tuple[int, ...]:
    return argument.shape if isinstance(argument, Variables) else np.shape(argument)


def _numbers(value: Any, name: str) -> Vector:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, not {array.dtype}")
    return array.astype(np.float64)


def _full(value: ArrayLike, shape: tuple[int, ...], name: str) -> Vector:
    try:
        return np.broadcast_to(_numbers(value, name), shape).ravel().copy()
    except ValueError:
        raise ValueError(f"{name} has shape {np.shape(value)}, which does not broadcast to {shape}") from None


def _spread(array: np.ndarray, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(array, shape), dtype=dtype).ravel()


def _spread_or_scalar(value: ArrayLike, shape: tuple[int, ...]) -> Vector:
    """The parameter of each element, or one number where all share it."""
    array = _numbers(value, "parameter")
    return array.reshape(1) if array.size == 1 else _spread(array, shape, np.float64)


def _take(parameter: Vector, selected: np.ndarray | slice) -> Vector:
    return parameter if parameter.size == 1 else parameter[selected]


def _joined(parts: list[Vector]) -> Vector:
    return np.concatenate(parts) if parts else np.zeros(0)
