"""AMPL's .nl files, as AMPL, Pyomo and JuMP write them, read by CasADi.

D. M. Gay, "Writing .nl files", Sandia report SAND2005-7907P (2005).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .casadi_functions import import_casadi
from .casadi_problems import CasadiProblem, from_casadi


def from_nl(path: str | os.PathLike[str], *, name: str | None = None) -> CasadiProblem:
    """The problem of an .nl file, with exact sparse derivatives.

    Parameters
    ----------
    path : path
        The file, text or binary.
    name : str, optional
        Name of the problem; by default the file's without its ending.

    Returns
    -------
    CasadiProblem
        A maximisation is turned into the minimisation of the negative. The file's start is taken; that of the
        multipliers is not, since its sign is not laid down.

    Raises
    ------
    ImportError
        If CasADi is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no .nl file that CasADi can read, or has integer variables.
    """
    casadi = import_casadi("reading .nl files")
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"path: there is no file {os.fspath(path)!r}")
    builder = casadi.NlpBuilder()
    try:
        builder.import_nl(str(file))
    except RuntimeError as error:
        raise ValueError(f"path: CasADi cannot read {os.fspath(path)!r} as an .nl file: {error}") from error
    if any(builder.discrete):
        places = [str(k) for k, discrete in enumerate(builder.discrete) if discrete]
        raise ValueError(
            f"path: {os.fspath(path)!r} has {len(places)} integer variables (number {', '.join(places[:5])}"
            f"{', ...' if len(places) > 5 else ''}); karush takes continuous ones"
        )
    return from_casadi(
        casadi.vertcat(*builder.x),
        builder.f,
        list(builder.g),
        x0=_numbers(builder.x_init),
        lbx=_numbers(builder.x_lb),
        ubx=_numbers(builder.x_ub),
        lbg=_numbers(builder.g_lb),
        ubg=_numbers(builder.g_ub),
        name=file.stem if name is None else name,
        source=f"file {file.name}",
    )


def _numbers(values: Any) -> Any:
    return np.array(values, dtype=np.float64)
