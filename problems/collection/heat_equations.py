"""The heat equation with a coefficient that varies in time, by Crank-Nicolson steps: a system a step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..linear_sequence import LinearSequence, LinearSystem, register_sequence
from ..nlp import Vector
from .grids import five_point_laplacian

KHODAK = "Khodak, Chow, Balcan & Talwalkar, ICLR 2024 (arXiv:2310.02246), heat equation experiment"


@register_sequence("HEAT", source=KHODAK)
def heat(side: int = 99, length: int = 5000, end: float = 5.0) -> LinearSequence:
    """Heat equation on the unit square, kappa(t) = max(.1 sin 2 pi t, -10 sin 2 pi t), a source going round.

    u_t = kappa(t) Laplace(u) + f(t, x) on ``side`` x ``side`` inner points with zero boundary values, in
    ``length`` steps to the time ``end``. The context is kappa in the middle of the step. The matrix is
    I + dt/2 kappa L with the positive L, so its condition swings with kappa.
    """
    dt = end / length
    laplacian = five_point_laplacian(side, side)
    laplacian.data *= (side + 1.0) ** 2
    diagonal = laplacian.indices == np.repeat(np.arange(side**2), np.diff(laplacian.indptr))
    x, y = (axis.ravel() for axis in np.meshgrid(*2 * [np.arange(1, side + 1) / (side + 1)], indexing="ij"))

    def system(t: int, previous: Vector) -> LinearSystem:
        middle = (t + 0.5) * dt
        kappa = diffusivity(middle)
        centre = 0.5 + np.cos(16 * np.pi * middle) / 4, 0.5 + np.sin(16 * np.pi * middle) / 4
        half = 0.5 * dt * kappa
        data = half * laplacian.data
        data[diagonal] += 1.0
        A = csr_array((data, laplacian.indices, laplacian.indptr), shape=laplacian.shape)
        source = 32.0 * _bump(x, y, centre, 0.125)
        return LinearSystem(A, previous - half * (laplacian @ previous) + dt * source, kappa)

    return LinearSequence(
        name="HEAT",
        n=side**2,
        length=length,
        system=system,
        start=_bump(x, y, (0.5, 0.5), 0.25),
        stepping=True,
        context_range=(0.0, 10.0),
        grid=(side, side),
        source=KHODAK,
    )


def diffusivity(t: float) -> float:
    """kappa(t): one half of each period of length 1 diffuses a hundred times faster than the other."""
    wave = np.sin(2 * np.pi * t)
    return float(max(0.1 * wave, -10.0 * wave))


def _bump(
    x: NDArray[np.float64], y: NDArray[np.float64], centre: tuple[float, float], radius: float
) -> Vector:
    """exp(1 - 1/(1 - s)) with s the squared distance from the centre in radii; 0 beyond s = 1."""
    s = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / radius**2
    inside = s < 1.0
    value = np.zeros_like(s)
    value[inside] = np.exp(1.0 - 1.0 / (1.0 - s[inside]))
    return value
