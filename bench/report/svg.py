"""Charts as SVG: no library, no script, colours from the page's style so that light and dark both work."""

from __future__ import annotations

import math

from ..profiles import Curve
from .charts import Chart
from .html import Markup, element

WIDTH, HEIGHT = 560, 330
LEFT, RIGHT, TOP, BOTTOM = 46, 22, 12, 46
SERIES_STYLES = 8


def draw(chart: Chart) -> Markup:
    """A chart as an ``<svg>`` element."""
    key = f"title-{chart.key}"
    # the first solver last, so that it lies on top
    curves = (
        element("path", element("title", label), class_=f"curve {style(index)}", d=_path(chart, curve))
        for index, (label, curve) in reversed(list(enumerate(chart.curves)))
    )
    return element(
        "svg",
        element("title", f"{chart.title}. {_summary(chart)}", id=key),
        *_axes(chart),
        *curves,
        class_="chart",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby=key,
    )


def style(index: int) -> str:
    """Class of the index-th solver's line: colour and dashes."""
    return f"s{index % SERIES_STYLES}"


def sample(index: int) -> Markup:
    """A short piece of the index-th line, for a legend."""
    line = element("path", class_=f"curve {style(index)}", d="M1 5H33")
    return element("svg", line, class_="sample", viewBox="0 0 34 10", aria_hidden="true")


def _summary(chart: Chart) -> str:
    ends = (f"{label}: {100 * curve.at(chart.high):.0f} %" for label, curve in chart.curves)
    return "At the right end " + ", ".join(ends)


def _x(chart: Chart, value: float) -> float:
    share = math.log(value / chart.low) / math.log(chart.high / chart.low)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(value: float) -> float:
    return TOP + (1.0 - value) * (HEIGHT - TOP - BOTTOM)


def _axes(chart: Chart) -> list[Markup]:
    left, right, bottom = LEFT, WIDTH - RIGHT, _y(0.0)
    parts = []
    for share in range(0, 101, 20):
        y = _y(share / 100)
        parts.append(element("path", class_="grid", d=f"M{left} {y:.1f}H{right}"))
        parts.append(_text(str(share), left - 7, y + 4, "end"))
    for tick in chart.ticks():
        x = _x(chart, tick)
        parts.append(element("path", class_="grid", d=f"M{x:.1f} {TOP}V{bottom:.1f}"))
        parts.append(_text(_tick(tick), x, bottom + 17))
    parts.append(element("path", class_="axis", d=f"M{left} {TOP}V{bottom:.1f}H{right}"))
    parts.append(_text(chart.x_label, (left + right) / 2, HEIGHT - 8))
    middle = (TOP + bottom) / 2
    parts.append(_text("% of problems", 12, middle, transform=f"rotate(-90 12 {middle:.0f})"))
    return parts


def _text(text: str, x: float, y: float, anchor: str = "middle", transform: str | None = None) -> Markup:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, transform=transform)


def _tick(tick: float) -> str:
    if 1e-4 <= tick < 1e5:
        return f"{tick:,g}" if tick < 1 else f"{tick:,.0f}"
    return f"1e{round(math.log10(tick))}"


def _path(chart: Chart, curve: Curve) -> str:
    """Steps from the left edge to the right one."""
    text = f"M{LEFT} {_y(curve.at(chart.low)):.1f}"
    for x, y in zip(curve.x, curve.y, strict=True):
        if chart.low < x <= chart.high:
            text += f"H{_x(chart, float(x)):.1f}V{_y(float(y)):.1f}"
    return text + f"H{WIDTH - RIGHT}"
