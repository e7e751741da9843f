"""A user's function of x with values of shape (m,), and its Jacobian by the best way there is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, issparse
from scipy.sparse.linalg import LinearOperator

from .colouring import Pattern
from .evaluator import LimitReached, charge
from .finite_differences import (
    SCHEMES,
    Scheme,
    complex_slope,
    contradicts_differences,
    jacobian_by_complex_step,
    jacobian_by_differences,
    offsets,
)
from .nlp import DerivativeSource, Vector
from .parallel_map import Bound, MapLike, ferried, landed
from .validation import as_real_array, checked_scalar, checked_vector

# Sparse answers get a sparse pattern only above this size: reading a pattern off values may miss entries.
DENSE_LIMIT = 100_000


class _LosesImaginaryParts(Exception):  # noqa: N818 - a message within this module
    """The function cannot be trusted with complex arguments."""


class CallableFunction:
    """A function R^n -> R^m given as a callable, remembered at the last point.

    Parameters
    ----------
    label : str
        What the user calls the function, for messages.
    fun : callable
        ``fun(x, *args)``, or with ``jac=True`` ``fun(x, *args) -> (value, jacobian)``.
    args : tuple
        Extra arguments.
    jac : callable, True, "2-point", "3-point", "cs" or None
        None: the complex step where it proves right, else central differences: they cost twice as much as
        forward ones, whose error, about 1e-8 times the curvature, would spoil a certificate at 1e-8.
    lb, ub : ndarray, shape (n,)
        Bounds that no evaluation leaves.
    oracle : {"objective", "constraints"}
        As what evaluations for differences count; "objective": one value, a number.
    m : int, optional
        Number of values; None: known after the first evaluation.
    sparsity : array_like or sparse, shape (m, n), optional
        Where the Jacobian may be nonzero.
    relative_step : array_like, optional
        Steps of the differences, see `offsets`.
    mapper : callable, optional
        Evaluates at several points, with the signature of `map`.
    tool : str, optional
        Name of what made the callable `jac` out of `fun`. It is put to the test at the first gradient.
    """

    def __init__(
        self,
        label: str,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        jac: Any,
        lb: Vector,
        ub: Vector,
        *,
        oracle: Literal["objective", "constraints"],
        m: int | None = None,
        jac_label: str = "jac",
        sparsity: Any = None,
        relative_step: ArrayLike | None = None,
        mapper: MapLike = map,
        tool: str | None = None,
    ) -> None:
        self.label, self.jac_label, self.oracle = label, jac_label, oracle
        self._fun, self._args, self._lb, self._ub = fun, args, lb, ub
        self._given: Callable[..., Any] | None = jac if callable(jac) else None
        self._paired = jac is True
        self._scheme: Scheme | None = jac if jac in SCHEMES else None
        self._complex_is_doubtful = not (self._given or self._paired or self._scheme)
        # What was asked for by name is tested once: it is kept, or found wrong.
        self._untested: str | None = tool if tool is not None else ("cs" if self._scheme == "cs" else None)
        self._gradients_checked = 0
        self._mapper = mapper
        self._bound = Bound(fun, args)
        self._relative_step = relative_step
        self.n = lb.size
        self._m = 1 if oracle == "objective" else m
        self._pattern: Pattern | None = None if sparsity is None else self._checked_sparsity(sparsity)
        self._last: tuple[bytes, Vector, Any] | None = None
        self._last_jacobian: tuple[bytes, Vector] | None = None

    # ---- values --------------------------------------------------------------------------------------------

    @property
    def m(self) -> int:
        """Number of values."""
        if self._m is None:
            raise RuntimeError(f"{self.label} has not been evaluated yet")
        return self._m

    def values(self, x: Vector) -> Vector:
        """The function at x, shape (m,); the caller may not change it."""
        key = x.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = (key, *self._call(x.copy()))
        return self._last[1]

    def _call(self, x: Vector) -> tuple[Vector, Any]:
        """Value and, where `fun` returns it along, the raw Jacobian; x is handed over for good."""
        result = self._fun(x, *self._args)
        jacobian = None
        if self._paired:
            if not isinstance(result, tuple | list) or len(result) != 2:
                raise ValueError(
                    f"{self.label} must return a pair (value, gradient) where jac=True, "
                    f"got {type(result).__name__}"
                )
            result, jacobian = result
        return self._checked(result), jacobian

    def _checked(self, result: Any) -> Vector:
        if self.oracle == "objective":
            return np.array([checked_scalar(self.label, result)])
        try:
            array = np.atleast_1d(result)
        except ValueError:
            array = result
        if self._m is None:
            self._m = int(np.size(array))
        return checked_vector(self.label, array, self._m)

    def _perturbed(self, x: Vector) -> Vector:
        """The function at a point that no solver asked for: charged to the run under way."""
        charge(self.oracle)
        return self._call(x)[0]

    def _values_at(self, points: Iterable[Vector]) -> Iterator[Vector]:
        """The function at several such points."""
        return map(self._checked, self._mapper(self._bound, self._charged(points)))

    def _charged(self, points: Iterable[Any], oracle: str | None = None) -> Iterator[Any]:
        for point in points:
            charge(oracle or self.oracle)
            yield point

    def _base(self, x: Vector) -> Vector:
        if self._last is None or self._last[0] != x.tobytes():
            charge(self.oracle)
        return self.values(x)

    def _complex(self, z: NDArray[np.complex128]) -> NDArray[Any]:
        """The function at a complex point."""
        return next(self._complex_at([z]))

    def _complex_at(self, points: Iterable[NDArray[np.complex128]]) -> Iterator[NDArray[Any]]:
        """The function at complex points."""
        if self._scheme == "cs":
            for raw in self._mapper(self._bound, self._charged(points)):
                value = np.atleast_1d(raw)
                if not np.iscomplexobj(value):
                    raise TypeError(f"{self.label} must keep complex values for jac='cs', got {value.dtype}")
                yield self._checked_complex(value)
            return
        try:
            for raw in self._mapper(self._bound, self._charged(points)):
                yield self._checked_complex(np.atleast_1d(raw))
        except (LimitReached, _LosesImaginaryParts):
            raise
        except Exception as error:  # whatever a function does that never meant to see complex numbers
            raise _LosesImaginaryParts from error

    def _checked_complex(self, value: NDArray[Any]) -> NDArray[Any]:
        if value.size != self.m or value.dtype.kind not in "fciub":
            raise _LosesImaginaryParts
        return value.reshape(self.m)

    # ---- Jacobian ------------------------------------------------------------------------------------------

    def source(self, x0: Vector) -> DerivativeSource:
        """Where the Jacobian comes from; the complex step is put to the test if it has not been yet."""
        if self._given or self._paired:
            return "exact"
        if self._complex_is_doubtful and self._gradients_checked == 0:
            self._test_complex_step(x0)
        return "complex-step" if self._scheme in (None, "cs") else "finite-difference"

    @property
    def is_differenced(self) -> bool:
        """Whether the Jacobian is (as far as is known) a difference of values."""
        return self._scheme in ("2-point", "3-point")

    def pattern(self, x0: Vector) -> Pattern:
        """Pattern of the Jacobian, shape (m, n). Dense, unless given or read off large sparse answers."""
        if self._pattern is None:
            self._pattern = self._find_pattern(x0)
        return self._pattern

    @landed
    def jacobian_values(self, x: Vector) -> Vector:
        """Values of the Jacobian in the order of its pattern; the caller may not change them."""
        key = x.tobytes()
        if self._last_jacobian is None or self._last_jacobian[0] != key:
            self._last_jacobian = (key, self._jacobian_values(x))
        return self._last_jacobian[1]

    def transposed_product(self, x: Vector, w: Vector) -> Vector:
        """Jacobian' w, shape (n,)."""
        pattern = self.pattern(x)
        return self._times(self.jacobian_values(x), pattern, w)

    def _times(self, values: Vector, pattern: Pattern, w: Vector) -> Vector:
        terms = values * w[pattern.rows]
        return np.bincount(pattern.columns, weights=terms, minlength=self.n).astype(np.float64)

    def transposed_products(self, points: Iterable[Vector], w: Vector) -> Iterator[Vector]:
        """Jacobian' w at points that no solver asked for, side by side where the user gives the Jacobian."""
        charged = self._charged(points, "gradient" if self.oracle == "objective" else "jacobian")
        if self._given is None or self._mapper is map:
            product = ferried(self.transposed_product)
            yield from (product(x, w) for x in charged)
            return
        for raw in self._mapper(Bound(self._given, self._args), charged):
            pattern = self._pattern
            assert pattern is not None  # the product at the base point found it
            yield self._times(self._extract(raw, pattern), pattern, w)

    @ferried
    def complex_transposed_product(self, z: NDArray[np.complex128], w: Vector) -> NDArray[Any]:
        """Jacobian' w at a complex point, from the user's own Jacobian."""
        charge(self.oracle)
        raw = self._fun(z, *self._args)[1] if self._given is None else self._given(z, *self._args)
        raw = raw.toarray() if issparse(raw) else np.asarray(raw)
        return np.asarray(w @ raw.reshape(self.m, self.n))

    def _jacobian_values(self, x: Vector) -> Vector:
        if self._untested is not None:
            self._test_claim(x)
        if self._given or self._paired:
            return self._extract(self._raw_jacobian(x), self.pattern(x))
        if self._complex_is_doubtful and self._is_time_to_check():
            self._test_complex_step(x)
        if self._scheme in (None, "cs"):
            try:
                with np.errstate(all="ignore"):
                    return jacobian_by_complex_step(self._complex_at, x, self.pattern(x))
            except _LosesImaginaryParts:
                self._distrust_complex_step()
        assert self._scheme is not None
        step = offsets(x, self._lb, self._ub, self._scheme, self._relative_step)
        return jacobian_by_differences(self._values_at, x, self._base(x), step, self.pattern(x))

    def _is_time_to_check(self) -> bool:
        """At the 1st, 2nd, 4th, 8th, ... gradient: a branch not taken so far may lose imaginary parts."""
        self._gradients_checked += 1
        return (self._gradients_checked & (self._gradients_checked - 1)) == 0

    def _test_complex_step(self, x: Vector) -> None:
        self._gradients_checked = max(self._gradients_checked, 1)
        base = self._base(x)
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                wrong = self._contradicts(x, base, complex_slope(self._complex, x))
        except _LosesImaginaryParts:
            wrong = True
        if wrong:
            self._distrust_complex_step()

    def _contradicts(self, x: Vector, base: Vector, slope: Callable[[Vector], Vector]) -> bool:
        return contradicts_differences(self._perturbed, slope, x, base, self._lb, self._ub)

    def _test_claim(self, x: Vector) -> None:
        """Put derivatives that were asked for by the name of a tool to the test, once."""
        tool, self._untested = self._untested, None
        base = self._base(x)
        if tool == "cs":
            with np.errstate(all="ignore"):
                wrong = self._contradicts(x, base, complex_slope(self._complex, x))
            if wrong:
                raise ValueError(
                    f"{self.jac_label}: the complex step of {self.label} disagrees with differences, so that "
                    "it is not analytic (abs, norm, conjugates and comparisons lose imaginary parts); write "
                    "it otherwise, or leave the choice open"
                )
            return
        with np.errstate(all="ignore"):
            wrong = self._contradicts(x, base, self._given_slope(x))
        if wrong:
            warnings.warn(
                f"{self.jac_label}={tool!r} disagrees with differences of {self.label}: it has a kink where "
                f"the run starts, or does something that {tool} does not see",
                RuntimeWarning,
                stacklevel=2,
            )

    def _given_slope(self, x: Vector) -> Callable[[Vector], Vector]:
        pattern = self.pattern(x)
        values = self._extract(self._raw_jacobian(x), pattern)
        return lambda along: np.bincount(
            pattern.rows, weights=values * along[pattern.columns], minlength=self.m
        ).astype(np.float64)

    def _distrust_complex_step(self) -> None:
        if self._scheme == "cs":
            raise TypeError(f"{self.label} must accept complex arguments and return {self.m} values for 'cs'")
        self._scheme, self._complex_is_doubtful = "3-point", False

    def _raw_jacobian(self, x: Vector) -> Any:
        if self._given is not None:
            return self._given(x.copy(), *self._args)
        if self._last is None or self._last[0] != x.tobytes():
            charge(self.oracle)
            self.values(x)
        assert self._last is not None
        return self._last[2]

    def _extract(self, raw: Any, pattern: Pattern) -> Vector:
        """Values of a Jacobian that the user returned, in the order of the pattern."""
        matrix = as_matrix(self.jac_label, raw, self.m, self.n)
        return values_in_pattern(self.jac_label, matrix, pattern)

    def _checked_sparsity(self, sparsity: Any) -> Pattern:
        pattern = sparsity if isinstance(sparsity, Pattern) else Pattern.of(sparsity)
        if pattern.shape[1] != self.n or (self._m is not None and pattern.shape[0] != self._m):
            wanted = "m" if self._m is None else self._m
            raise ValueError(
                f"the sparsity of {self.label} must have shape ({wanted}, {self.n}), got {pattern.shape}"
            )
        return pattern

    def _find_pattern(self, x0: Vector) -> Pattern:
        if self.m * self.n <= DENSE_LIMIT or not (self._given or self._paired):
            return Pattern.dense(self.m, self.n)
        if not issparse(self._raw_jacobian(x0)):
            return Pattern.dense(self.m, self.n)
        return union_of_patterns([self._raw_jacobian(x) for x in nearby(x0, self._lb, self._ub)])


def as_matrix(label: str, raw: Any, m: int, n: int) -> NDArray[np.float64] | csr_array:
    """What a user's callable returned as a dense (m, n) array or a csr_array, checked.

    Raises
    ------
    TypeError
        Not real numbers.
    ValueError
        Wrong shape.
    """
    if isinstance(raw, LinearOperator):
        raw = raw @ np.eye(n)
    if issparse(raw):
        matrix = csr_array(raw)
        if matrix.dtype.kind not in "fiub":
            raise TypeError(f"{label} must return real numbers, got {matrix.dtype}")
        matrix = matrix.astype(np.float64)
    else:
        matrix = as_real_array(f"the value of {label}", raw)
        if m == 1 and matrix.size == n:
            matrix = matrix.reshape(1, n)
    if matrix.shape != (m, n):
        wanted = f"({n},)" if m == 1 else f"({m}, {n})"
        raise ValueError(f"{label} must return shape {wanted}, got {np.shape(raw)}")
    return matrix


def values_in_pattern(label: str, matrix: NDArray[np.float64] | csr_array, pattern: Pattern) -> Vector:
    """Entries of a matrix in the order of a pattern.

    Raises
    ------
    ValueError
        If the matrix has a nonzero outside the pattern.
    """
    if pattern.is_dense:
        return np.ravel(matrix if isinstance(matrix, np.ndarray) else matrix.toarray())
    entries = csr_array(matrix).tocoo()
    keys = entries.row.astype(np.int64) * entries.shape[1] + entries.col
    position = np.minimum(np.searchsorted(pattern.keys, keys), pattern.rows.size - 1)
    stray = (pattern.keys[position] != keys) & (entries.data != 0.0)
    if stray.any():
        k = int(np.argmax(stray))
        raise ValueError(
            f"{label} returned a nonzero at ({entries.row[k]}, {entries.col[k]}), outside its pattern "
            "(read off values near the start unless given): keep explicit zeros, or pass the pattern"
        )
    kept = pattern.keys[position] == keys
    return np.bincount(position[kept], weights=entries.data[kept], minlength=pattern.rows.size).astype(float)


def union_of_patterns(matrices: list[Any]) -> Pattern:
    """Pattern that holds the stored entries of all these matrices."""
    patterns = [Pattern.of(matrix) for matrix in matrices]
    columns = patterns[0].shape[1]
    keys = np.unique(np.concatenate([pattern.keys for pattern in patterns]))
    return Pattern(patterns[0].shape, keys // columns, keys % columns)


def nearby(x0: Vector, lb: Vector, ub: Vector) -> list[Vector]:
    """The start and two generic points near it, within the bounds; few zeros stay zero at all three."""
    rng = np.random.default_rng(0)
    spread = 0.1 * np.maximum(1.0, np.abs(x0))
    return [x0] + [np.clip(x0 + spread * rng.uniform(-1.0, 1.0, x0.size), lb, ub) for _ in range(2)]
