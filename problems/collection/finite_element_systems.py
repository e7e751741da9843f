"""Matrices that are not of grids, plus c_t I: finite elements on unstructured meshes, pyamg's examples.

The packages that assemble them are optional (extra ``sequences``): an ImportError names the one that is
missing. All matrices are scaled to a median diagonal of 4, that of the five-point Laplacian, so that the
shifts mean the same everywhere.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ..linear_sequence import LinearSequence, register_sequence
from .shifted_systems import Schedule, shifted_by_schedule

EXAMPLES = ("airfoil", "bar", "unit_cube", "local_disc_galerkin_diffusion")


@register_sequence("FEM-POISSON", source="scikit-fem, P1 elements")
def fem_poisson(
    points: int = 16_000,
    schedule: Schedule = "stationary",
    length: int = 200,
    low: float = 1e-4,
    high: float = 1.0,
    rng: Any = 0,
) -> LinearSequence:
    """Poisson's equation on a disc, linear elements on a Delaunay mesh of random points, plus c_t I."""
    generator = np.random.default_rng(rng)
    fem = _optional("skfem")
    basis = fem.Basis(_disc(fem, points, generator), fem.ElementTriP1())
    models = _optional("skfem.models.poisson")
    A = fem.condense(models.laplace.assemble(basis), D=basis.get_dofs(), expand=False)
    return _sequence("FEM-POISSON", A, schedule, length, (low, high), generator, "scikit-fem, P1 elements")


@register_sequence("FEM-ELASTICITY", source="scikit-fem, P1 elements")
def fem_elasticity(
    points: int = 8_000,
    schedule: Schedule = "stationary",
    length: int = 200,
    low: float = 1e-4,
    high: float = 1.0,
    rng: Any = 0,
) -> LinearSequence:
    """Plane linear elasticity (Poisson ratio .3) on a clamped disc, on a random mesh, plus c_t I."""
    generator = np.random.default_rng(rng)
    fem = _optional("skfem")
    element = fem.ElementVector(fem.ElementTriP1())
    basis = fem.Basis(_disc(fem, points, generator), element)
    elasticity = _optional("skfem.models.elasticity")
    form = elasticity.linear_elasticity(*elasticity.lame_parameters(1.0, 0.3))
    A = fem.condense(form.assemble(basis), D=basis.get_dofs(), expand=False)
    return _sequence("FEM-ELASTICITY", A, schedule, length, (low, high), generator, "scikit-fem, P1 elements")


@register_sequence("GALLERY", source="pyamg.gallery")
def gallery(
    matrix: str = "airfoil",
    schedule: Schedule = "stationary",
    length: int = 200,
    low: float = 1e-4,
    high: float = 1.0,
    rng: Any = 0,
) -> LinearSequence:
    """One of pyamg's example matrices, plus c_t I."""
    if matrix not in EXAMPLES:
        raise ValueError(f"matrix must be one of {', '.join(EXAMPLES)}, not {matrix!r}")
    A = _optional("pyamg.gallery").load_example(matrix)["A"]
    generator = np.random.default_rng(rng)
    name = f"GALLERY-{matrix.upper()}"
    return _sequence(name, A, schedule, length, (low, high), generator, "pyamg.gallery")


def _sequence(
    name: str,
    A: Any,
    schedule: Schedule,
    length: int,
    interval: tuple[float, float],
    rng: np.random.Generator,
    source: str,
) -> LinearSequence:
    A = csr_array(A, dtype=np.float64)
    A = 0.5 * (A + A.T)  # of assembly's rounding
    A = csr_array(A * (4.0 / np.median(A.diagonal())))
    return shifted_by_schedule(name, A, schedule, length, interval, rng, source=source)


def _disc(fem: Any, points: int, rng: np.random.Generator) -> Any:
    """A Delaunay mesh of the unit disc: a ring of boundary points and random ones inside, kept apart."""
    from scipy.spatial import Delaunay

    spacing = np.sqrt(np.pi / points)
    ring = np.arange(0.0, 2 * np.pi, spacing)
    boundary = np.stack([np.cos(ring), np.sin(ring)])
    lattice = np.arange(-1.0, 1.0, spacing)
    inside = np.stack([axis.ravel() for axis in np.meshgrid(lattice, lattice)])
    inside += rng.uniform(-0.3, 0.3, size=inside.shape) * spacing
    inside = inside[:, np.hypot(*inside) < 1.0 - 0.6 * spacing]
    p = np.ascontiguousarray(np.hstack([boundary, inside]))
    return fem.MeshTri(p, np.ascontiguousarray(Delaunay(p.T).simplices.T, dtype=np.int64))


def _optional(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        package = {"skfem": "scikit-fem"}.get(module.partition(".")[0], module.partition(".")[0])
        raise ImportError(f"this sequence needs the package {package}: pip install {package}") from error
