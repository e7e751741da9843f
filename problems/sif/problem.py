"""From a SIF file to a problem: reader, translator and the partially separable form put together."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..nlp import Capabilities, Metadata
from ..partially_separable import PartiallySeparable
from ..term_problem import TermProblem
from .errors import SIFError
from .reader import read_structure
from .structure import Adjustable, Structure
from .translate import Translator

_Type = TypeVar("_Type")


class SIFProblem(TermProblem):
    """A problem compiled from a SIF file; made by `from_sif`.

    Pickled as what it was made from: the file must be there where it is unpickled.

    Attributes
    ----------
    path : str
        The file.
    parameters : dict of str to number
        What was given in the place of the file's defaults.
    adjustable : tuple of Adjustable
        What can be given, with defaults and the file's alternatives.
    variable_names, constraint_names : list of str
        Names, in order.
    trivial_constraints : ndarray of bool, shape (m,)
        Constraints of trivial type and without elements: those that CUTEst calls linear. `linear_constraints`
        holds also those whose elements happen to be affine functions.
    """

    def __init__(
        self, structure: Structure, path: str, parameters: Mapping[str, float], *, cutest_digits: bool
    ) -> None:
        form = partially_separable(structure, path, cutest_digits=cutest_digits)
        super().__init__(form.metadata, *form.row_functions())
        self.path, self.parameters, self.cutest_digits = path, dict(parameters), cutest_digits
        self.adjustable: tuple[Adjustable, ...] = structure.adjustable
        self.variable_names = structure.variables
        names = zip(structure.groups, form.is_constraint, strict=True)
        self.constraint_names = [name for name, is_constraint in names if is_constraint]
        self.trivial_constraints = form.trivial_groups[form.is_constraint]

    def __reduce__(self) -> Any:
        return _rebuild, (self.path, self.parameters, self.cutest_digits)


def from_sif(
    path: str | PathLike[str],
    /,
    *,
    cutest_digits: bool = True,
    parameters: Mapping[str, float] | None = None,
    **overrides: float,
) -> SIFProblem:
    """Compile a SIF file, CUTEst's problem format; no Fortran and no other tool is needed.

    Parameters
    ----------
    path : path
        The file, in fixed format.
    cutest_digits : bool
        As CUTEst's decoder does (the default, since results are compared with CUTEst's), round the data to 11
        significant digits and take literals of function cards without a D exponent as single precision, so
        that ``0.1`` is 0.100000001490116. False takes all numbers as they are written.
    parameters : mapping of str to number, optional
        Values of parameters marked ``$-PARAMETER`` in the file, in the place of its defaults.
    **overrides : number
        The same by keyword, for names that are not keywords here.

    Returns
    -------
    SIFProblem
        Its ``adjustable`` lists what can be given.

    Raises
    ------
    SIFError
        Where the file cannot be read or translated, or needs Fortran subprograms of its own.
    ValueError
        For a parameter that the file does not offer, a value that does not fit it, or one given twice.
    OSError
        Where the file cannot be opened.

    References
    ----------
    A. R. Conn, N. I. M. Gould, Ph. L. Toint, *LANCELOT: a Fortran package for large-scale nonlinear
    optimization*, Springer 1992, ch. 7.
    """
    both = set(parameters or {}) & set(overrides)
    if both:
        raise ValueError(f"given twice, by keyword and in parameters: {', '.join(sorted(both))}")
    given = {**(parameters or {}), **overrides}
    file = str(Path(fspath(path)).absolute())
    structure = read_structure(file, given, cutest_digits=cutest_digits)
    return SIFProblem(structure, file, given, cutest_digits=cutest_digits)


def _rebuild(path: str, parameters: dict[str, float], cutest_digits: bool) -> SIFProblem:
    return from_sif(path, cutest_digits=cutest_digits, parameters=parameters)


def partially_separable(
    structure: Structure, file: str = "", *, cutest_digits: bool = True
) -> PartiallySeparable:
    """The group partially separable form of an expanded SIF file, its functions translated.

    Raises
    ------
    SIFError
        Where a function cannot be translated, or the file has subprograms of its own.
    """
    if structure.subprograms:
        raise SIFError(
            f"needs the Fortran subprograms {', '.join(structure.subprograms)}, which are not translated",
            file=file,
        )
    elements = Translator(structure.element_functions, file=file, cutest_digits=cutest_digits)
    groups = Translator(structure.group_functions, file=file, cutest_digits=cutest_digits)
    element_function, element_kinds = _used(structure.element_type, structure.element_types)
    group_function, group_kinds = _used(structure.group_type, structure.group_types)
    return PartiallySeparable(
        metadata=_metadata(structure, file),
        element_functions=[elements.element(kind) for kind in element_kinds],
        element_function=element_function,
        element_start=structure.element_start,
        element_variables=structure.element_variables,
        parameter_start=structure.parameter_start,
        element_parameters=structure.element_parameters,
        use_group=structure.use_group,
        use_element=structure.use_element,
        use_weight=structure.use_weight,
        is_constraint=structure.kinds != "N",
        linear=structure.linear,
        constant=structure.constant,
        factor=1.0 / structure.scale,
        group_functions=[groups.group(kind) for kind in group_kinds],
        group_function=group_function,
        group_parameter_start=structure.group_parameter_start,
        group_parameters=structure.group_parameters,
        quadratic=structure.quadratic,
    )


def _used(index: np.ndarray, kinds: list[_Type]) -> tuple[np.ndarray, list[_Type]]:
    """Types that something has, renumbered; -1 stays."""
    used = np.unique(index[index >= 0])
    number = np.full(len(kinds) + 1, -1)
    number[used] = np.arange(used.size)
    return number[index], [kinds[i] for i in used.tolist()]


def _metadata(structure: Structure, file: str) -> Metadata:
    """Bounds of the constraints from their kinds and ranges, which the scales do not touch."""
    rows = structure.kinds != "N"
    kinds, ranges = structure.kinds[rows], structure.ranges[rows]
    return Metadata(
        name=structure.name,
        x0=structure.x0,
        lb=structure.lb,
        ub=structure.ub,
        cl=np.where(kinds == "L", -ranges, 0.0),
        cu=np.where(kinds == "G", ranges, 0.0),
        y0=structure.y0[rows],
        classification=structure.classification,
        source=f"SIF file {Path(file).name}" if file else "SIF",
        capabilities=Capabilities(matrix_free=True),
    )
