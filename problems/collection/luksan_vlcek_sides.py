"""What the Luksan-Vlcek problems share: sides of constraints, periodic starting points, the reference."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

PAPER = "Luksan & Vlcek (1999), Technical Report 767, Academy of Sciences of the Czech Republic, problem "


class Side(TypedDict):
    """Bounds of constraint rows."""

    lower: float
    upper: float


EQUAL = Side(lower=0.0, upper=0.0)
AT_MOST = Side(lower=-np.inf, upper=0.0)
AT_LEAST = Side(lower=0.0, upper=np.inf)


def cycle(values: Sequence[float], n: int) -> NDArray[np.float64]:
    """Values repeated up to length n."""
    return np.resize(np.asarray(values, dtype=float), n)
