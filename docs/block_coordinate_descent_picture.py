"""Draws docs/block_coordinate_descent.png and docs/support_identification.png.

Run from the repository: ``karush bench composite_paper --json paper.json``, then
``python docs/block_coordinate_descent_picture.py paper.json``.
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from karush.problems.composite import collection
from karush.solvers.composite.minimize import minimize_composite
from karush.solvers.composite.selection import GSD

HERE = Path(__file__).parent
FLOOR = 1e-9
TITLES = {
    "A5": "A: least squares, gradient updates, tau = 5",
    "A50": "A: least squares, matrix updates, tau = 50",
    "B100": "B: logistic, Newton updates, tau = 100",
    "C100": "C: softmax, Newton updates, tau = 100",
    "D": "D: lattice of 50 x 50, exact updates",
    "E": "E: two moons, exact updates",
    "A-L1, 5": "A-L1, tau = 5",
    "A-L1, 100": "A-L1, tau = 100",
}


def draw_curves(rows):
    """Objective above its minimum, by iterations and by seconds."""
    figure, axes = plt.subplots(4, 4, figsize=(15, 12), layout="constrained")
    for (key, title), pair in zip(TITLES.items(), axes.reshape(-1, 2), strict=True):
        for row in (r for r in rows if r.get("figure") == key):
            excess = np.maximum(row["curve"], FLOOR)
            pair[0].semilogy(excess, label=row["method"], lw=1.2)
            pair[1].semilogy(row["curve_seconds"], excess, lw=1.2)
        pair[0].set_title(title, fontsize=9, loc="left")
        pair[0].legend(fontsize=6)
        pair[0].set_xlabel("iterations", fontsize=8)
        pair[1].set_xlabel("CPU seconds", fontsize=8)
        pair[1].set_xlim(0, _shown([r for r in rows if r.get("figure") == key]))
        for ax in pair:
            ax.tick_params(labelsize=7)
            ax.grid(alpha=0.3)
    figure.savefig(HERE / "block_coordinate_descent.png", dpi=55)


def _shown(rows):
    """Seconds within which most methods are over: the slowest rules would squeeze the others."""
    return 1.3 * float(np.median([row["curve_seconds"][-1] for row in rows]))


def draw_identification():
    """Nonzeros and distance to the solution on A-L1, with the bound after which the support stays."""
    problem = collection.get("A-L1")
    exact = minimize_composite(problem, method="bcd", block_size=200, update="tmp", tol=1e-13, rng=0)
    radius = exact.slack / (2 * np.linalg.eigvalsh(problem.design.X @ problem.design.X.T.toarray())[-1])
    methods = {
        "gradient, fixed blocks of 5": {"partition": "sort", "selection": "gsl", "update": "gradient"},
        "gradient, variable blocks of 5": {"selection": GSD("row-sums"), "update": "gradient"},
        "Newton, variable blocks of 5": {"update": "newton"},
        "Newton, variable blocks of 100": {"update": "newton", "block_size": 100},
    }
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for k, (label, options) in enumerate(methods.items()):
        points = []
        options = {"block_size": 5} | options
        result = minimize_composite(
            problem, method="bcd", tol=0, max_iterations=500, callback=points.append, rng=0, **options
        )
        found = result.record["identified_at"]
        wrong = [np.count_nonzero((w != 0) != (exact.x != 0)) for w in points]
        left.step(range(1, len(points) + 1), wrong, where="post", label=label, color=f"C{k}", lw=1.2)
        left.plot(found, 0, "o", color=f"C{k}", ms=6)
        distance = np.array([np.linalg.norm(w - exact.x) for w in points])
        right.semilogy(range(1, len(points) + 1), np.maximum(distance, 1e-13), color=f"C{k}", lw=1.2)
        right.plot(found, max(distance[found - 1], 1e-13), "o", color=f"C{k}", ms=6)
    left.set_title("coordinates whose support is wrong; dots: identified", fontsize=9, loc="left")
    left.set_yscale("symlog", linthresh=1)
    left.legend(fontsize=7)
    right.set_title("distance to the solution; dashed: delta / (2 L)", fontsize=9, loc="left")
    right.axhline(radius, color="k", ls="--", lw=1)
    for ax in (left, right):
        ax.set_xlabel("iterations", fontsize=8)
        ax.set_xlim(0, 300)
        ax.tick_params(labelsize=7)
        ax.grid(alpha=0.3)
    figure.savefig(HERE / "support_identification.png", dpi=80)


if __name__ == "__main__":
    draw_identification()
    if len(sys.argv) > 1:
        draw_curves(json.loads(Path(sys.argv[1]).read_text())["rows"])
