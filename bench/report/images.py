"""The charts as PNG files, by matplotlib (extra ``plot``)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from .charts import Chart

_COLOURS = ("#0b57b0", "#c2410c", "#0b7a55", "#a21c7a", "#7a5c00", "#4b2fb3", "#3d4653", "#0e7490")
_DASHES = ("-", "--", ":", "-.", (0, (12, 4)), (0, (4, 2)), (0, (1, 2)), (0, (10, 2, 2, 2, 2, 2)))


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def write_images(charts: list[Chart], folder: Path) -> list[Path]:
    """One PNG per chart; no display, no global state of pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    written = []
    for chart in charts:
        figure = Figure(figsize=(6.4, 4.4), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for index, (label, curve) in enumerate(chart.curves):
            x = np.concatenate([[chart.low], curve.x[curve.x > chart.low], [chart.high]])
            y = [100 * curve.at(float(value)) for value in x]
            axes.step(
                x,
                y,
                where="post",
                label=label,
                color=_COLOURS[index % len(_COLOURS)],
                linestyle=_DASHES[index % len(_DASHES)],
                linewidth=2.0,
            )
        axes.set_xscale("log", base=chart.base)
        axes.set_xticks(chart.ticks(), [f"{tick:g}" for tick in chart.ticks()])
        axes.minorticks_off()
        axes.set(xlim=(chart.low, chart.high), ylim=(-2, 102), xlabel=chart.x_label, ylabel="% of problems")
        axes.set_title(chart.title, fontsize=11)
        axes.grid(alpha=0.3)
        figure.legend(
            loc="outside lower center", ncols=min(4, len(chart.curves)), fontsize=8, handlelength=3.5
        )
        path = folder / f"{chart.key}.png"
        figure.savefig(path)
        written.append(path)
    return written
