"""Draws docs/design_loop.png and prints the table of docs/design_loop.md: cold and warm starts of its loop.

Run from the repository: ``python docs/design_loop_picture.py [SIDE]``; the problem and the preconditioner are
the page's own.
"""

import re
import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import karush

PAGE = Path(__file__).with_name("design_loop.md")
STEPS = np.linspace(1.0, 2.0, 11)
ROUNDS = 3


def functions_of_the_page():
    """`heated_plate` and `matched`, from the page's examples."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {"np": np, "karush": karush}
    for block in blocks:
        if "\ndef " in block:
            exec(re.split(r"\n(?=\w+ = )", block)[0], names)
    return names["heated_plate"], names["matched"]


def timed(problem, x0=None, **options):
    """The answer, and the least of a few times."""
    seconds = np.inf
    for _ in range(ROUNDS):
        start = time.perf_counter()
        result = karush.minimize(problem, x0, options=options)
        seconds = min(seconds, time.perf_counter() - start)
    assert result.success, result.message
    return result, seconds


def walk(side, heated_plate, matched):
    """Iterations and seconds of each step, by way of solving it; and the barrier's warm answers."""
    table = {name: [] for name in ("cold", "warm", "active set", "MINRES, cold", "MINRES, warm")}
    answers = []
    for wanted in STEPS:
        problem = heated_plate(wanted, side)
        M = {"preconditioner": matched(problem)}
        cold = timed(problem)
        runs = {"cold": cold, "MINRES, cold": timed(problem, **M)}
        if answers:
            near = answers[-1]
            warm = timed(problem, near.x, warm_start=near)
            runs |= {
                "warm": warm,
                "active set": timed(problem, near.x, warm_start=near, inequalities="active-set"),
                "MINRES, warm": timed(problem, near.x, warm_start=near, **M),
            }
            for name, (result, seconds) in runs.items():
                assert abs(result.fun - cold[0].fun) <= 1e-5 * cold[0].fun, (name, result.fun, cold[0].fun)
                table[name].append((result.nit, seconds))
                print(f"{wanted:.1f} {name:13} {result.nit:3} {seconds:6.2f} s", flush=True)
        answers.append(runs.get("warm", cold)[0])
    return {name: np.array(rows) for name, rows in table.items()}, answers


def main(side=64):
    """Measure, print, draw."""
    table, answers = walk(side, *functions_of_the_page())
    for name, rows in table.items():
        print(
            f"{side} x {side} {name:13} {rows[:, 0].mean():5.1f} iterations {rows[:, 1].mean():6.3f} s a step"
        )
    figure, axes = plt.subplots(1, 4, figsize=(13.5, 3.4), layout="constrained", width_ratios=(1, 1, 1, 1.25))
    last, middle = answers[-1], answers[len(answers) // 2]
    for ax, values, title in (
        (axes[0], middle.x.reshape(2, side, side)[1], "heat, 1.5 wanted"),
        (axes[1], last.x.reshape(2, side, side)[1], "heat, 2.0 wanted"),
        (axes[2], last.x.reshape(2, side, side)[0], "temperature, 2.0 wanted"),
    ):
        image = ax.imshow(values.T, origin="lower", extent=(0, 1, 0, 1), cmap="inferno")
        ax.add_patch(plt.Circle((0.35, 0.5), 0.25, fill=False, color="white", lw=1))
        ax.add_patch(plt.Rectangle((0.7, 0.2), 0.2, 0.6, fill=False, color="cyan", lw=1))
        ax.set(title=title, xticks=[], yticks=[])
        figure.colorbar(image, ax=ax, shrink=0.75)
    for name, marker in (("cold", "o"), ("warm", "s"), ("active set", "^")):
        axes[3].plot(STEPS[1:], table[name][:, 0], marker=marker, label=name)
    axes[3].set(xlabel="wanted temperature", title="iterations", ylim=(0, 1.25 * table["cold"][:, 0].max()))
    axes[3].grid(alpha=0.3)
    axes[3].legend(fontsize=8, ncols=3, loc="upper center")
    figure.savefig(PAGE.with_suffix(".png"), dpi=120)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
