"""CUTEst's systems of nonlinear equations whose least-squares forms are better known.

The published experiments with AdaSketch-Newton (Hong, Na, Mahoney & Kolar, 2023) count them among their 47
problems. Names, forms and starts are CUTEst's.
"""

from typing import Any

import numpy as np

from ..model import Model
from ..registry import register
from .more_garbow_hillstrom import PAPER
from .sizes import check_size


@register(classification="NOR2-MN-V-V", source="SciPy's benchmark Trigonometric01, as CUTEst's TRIGON1NE")
def trigon1ne(model: Model, n: int = 10) -> None:
    """Equations sum_j cos x_j + i (cos x_i + sin x_i) = n + i."""
    x = model.variables(n, start=0.1)
    i = np.arange(1.0, n + 1)
    rows = model.constraints(n, lower=0, upper=0, constant=n + i)
    rows[:, None].add(lambda a: np.cos(a), x[None, :])
    rows.add(lambda a, i: i * (np.cos(a) + np.sin(a)), x, i)


@register(classification="NOR2-MN-V-V", source=PAPER + "28")
def morebvne(model: Model, n: int = 10) -> None:
    """Discrete boundary value problem u'' = (u + t + 1)^3 / 2."""
    check_size("n", n, least=2)
    h = 1 / (n + 1)
    t = h * np.arange(1.0, n + 1)
    x = model.variables(n, start=t * (t - 1))
    rows = model.constraints(n, lower=0, upper=0)
    rows.add(lambda a, t: 2 * a + h**2 * (a + t + 1) ** 3 / 2, x, t)
    rows[1:].add_linear(-1.0, x[:-1])
    rows[:-1].add_linear(-1.0, x[1:])


@register(classification="NOR2-AN-2-2", source="Dennis & Schnabel (1983), p. 98, as CUTEst's DENSCHNCNE")
def denschncne(model: Model) -> None:
    """Dennis and Schnabel's equations in two variables."""
    a, b = model.variables(2, start=[2.0, 3.0])
    model.subject_to(lambda a, b: a**2 + b**2, a, b, lower=2, upper=2)
    model.subject_to(lambda a, b: np.exp(a - 1) + b**3, a, b, lower=2, upper=2)


# Columns: rotation (3), translation (3), radial distortion (2), focal length; one camera a row.
_CAMERAS = np.array(
    [
        [0.01574151594, -0.0127909362, -0.0044008498, -0.0340938396, -0.107513871, 1.1202240291,
         -3.177064e-7, 5.882049e-13, 399.75152639],
        [0.01597732412, -0.0252244646, -0.0094001416, -0.0085667661, -0.1218804907, 0.7190133075,
         -3.780477e-7, 9.307431e-13, 402.01753386],
        [0.01484625118, -0.0210628994, -0.001166948, -0.0249509707, -0.1139847055, 0.92166020737,
         -3.295265e-7, 6.732885e-13, 400.40175368],
        [0.01991666998, -1.22433082, 0.0119988756, -1.411897512, -0.1148065151, 0.44915582738,
         5.95875e-8, -2.48391e-13, 407.03024568],
        [0.02082242153, -1.238434791, 0.01389314763, -1.049686225, -0.1299513286, 0.33798380231,
         4.5673127e-8, -1.79243e-13, 405.91764962],
        [0.01658816461, -1.247226838, 0.01846788123, -0.8617315756, -0.1321089362, 0.28256800868,
         4.7465711e-8, -1.50881e-13, 404.73590637],
    ]
)  # fmt: skip
_POINT = np.array([-0.6120001572, 0.57175904776, -1.847081276])
_SEEN = np.array(
    [
        [-332.65, 262.09],
        [-199.76, 166.7],
        [-253.06, 202.27],
        [58.13, 271.89],
        [238.22, 237.37],
        [317.55, 221.15],
    ]
)


@register(
    name="BA-L1",
    classification="NOR2-MN-57-12",
    source="Agarwal, Snavely, Seitz & Szeliski (2010), Bundle adjustment in the large: Ladybug, one point",
)
def ba_l1(model: Model) -> None:
    """Bundle adjustment: the pictures of one point in six cameras are to be where they were seen.

    As in CUTEst, with the slip in its rotation. The linear terms of BA-L1SP are the derivatives at the start.
    """
    start = np.concatenate([_POINT, _CAMERAS.ravel()])
    variables = model.variables(start.size, start=start)
    point, cameras = variables[:3], variables[3:]
    index = 9 * np.arange(len(_CAMERAS))
    columns = [cameras[index + k] for k in range(9)]
    rows = model.constraints((len(_CAMERAS), 2), lower=0, upper=0, constant=_SEEN)
    rows[:, 0].add(lambda *v: _projection(*v)[0], *point, *columns)
    rows[:, 1].add(lambda *v: _projection(*v)[1], *point, *columns)


def _projection(
    x: Any, y: Any, z: Any, r1: Any, r2: Any, r3: Any, t1: Any, t2: Any, t3: Any, k1: Any, k2: Any, f: Any
) -> tuple[Any, Any]:
    """Picture of (x, y, z): rotation by the vector r, translation, pinhole along -z, radial distortion."""
    angle = np.sqrt(r1**2 + r2**2 + r3**2)
    a1, a2, a3 = r1 / angle, r2 / angle, r3 / angle
    cosine, sine = np.cos(angle), np.sin(angle)
    along = (a1 * x + a2 * y + a3 * z) * (1 - cosine)
    p1 = x * cosine + (a2 * z - a3 * y) * sine + a1 * along + t1
    p2 = y * cosine + (a3 * x - a1 * z) * sine + a1 * along + t2  # CUTEst's a1, where a2 is meant
    p3 = z * cosine + (a1 * y - a2 * x) * sine + a3 * along + t3
    u, v = -p1 / p3, -p2 / p3
    radius2 = u**2 + v**2
    distortion = f * (1 + k1 * radius2 + k2 * radius2**2)
    return distortion * u, distortion * v
