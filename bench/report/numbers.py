"""Numbers as people read them."""

from __future__ import annotations

import math

DASH = "\u2013"


def seconds(value: float | None) -> str:
    """A time with three or four figures that matter."""
    if value is None or math.isnan(value):
        return DASH
    if value < 0.01:
        return f"{1000 * value:.1f} ms"
    if value < 1.0:
        return f"{1000 * value:.0f} ms"
    return f"{value:.2f} s" if value < 100.0 else f"{value:.0f} s"


def percent(part: int, whole: int) -> str:
    """A share of a count."""
    return f"{100 * part / whole:.1f} %" if whole else DASH
