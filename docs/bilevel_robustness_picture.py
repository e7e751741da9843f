"""Draws docs/bilevel_robustness.png: oracle calls of bilevel methods at other settings than their own.

Run from the repository: ``python docs/bilevel_robustness_picture.py``; with the name of a file that
``karush bench bilevel_robustness --json FILE`` has written nothing is measured again.
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from karush.bench.cases import bilevel_robustness as case


def measured(arguments):
    """Rows of the benchmark, from a file or by running it."""
    if arguments:
        return json.loads(Path(arguments[0]).read_text(encoding="utf-8"))["rows"]
    return case.run(False, print)["rows"]


def draw(axis, rows):
    """Calls over those of the own setting; crosses at the top where there is no certified answer."""
    for problem in dict.fromkeys(row["problem"] for row in rows):
        own = [row for row in rows if row["problem"] == problem]
        reached = [row for row in own if row["ratio"] is not None]
        (line,) = axis.loglog(
            [row["factor"] for row in reached], [row["ratio"] for row in reached], "o-", ms=4, label=problem
        )
        failed = [row["factor"] for row in own if row["ratio"] is None]
        axis.plot(failed, [_TOP] * len(failed), "x", color=line.get_color())
    axis.axhspan(1.0 / case.WITHIN, case.WITHIN, color="0.92", zorder=0)
    axis.set_ylim(0.1, 1.3 * _TOP)
    axis.set_yticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
    axis.minorticks_off()
    axis.set_title(f"{rows[0]['method']}: {rows[0]['setting']}", fontsize=10)
    axis.set_xlabel("setting / its default", fontsize=9)
    axis.legend(fontsize=7, loc="lower center")


_TOP = 40.0
"""Where failures are drawn."""


def main():
    """One panel for each setting."""
    rows = measured(sys.argv[1:])
    settings = list(dict.fromkeys((row["method"], row["setting"]) for row in rows))
    figure, axes = plt.subplots(1, len(settings), figsize=(3.2 * len(settings), 3.4), layout="constrained")
    for axis, setting in zip(axes, settings, strict=True):
        draw(axis, [row for row in rows if (row["method"], row["setting"]) == setting])
    axes[0].set_ylabel("oracle calls / those at the default")
    figure.savefig(Path(__file__).with_name("bilevel_robustness.png"), dpi=130)


if __name__ == "__main__":
    main()
