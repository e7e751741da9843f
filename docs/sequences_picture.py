"""Draws docs/sequences.png: omega learned over time, and what it saves, on the heat equation.

Run from the repository: ``python docs/sequences_picture.py``.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import karush
from karush import problems
from karush.solvers.sequence.eisenstat import EisenstatCG
from karush.solvers.sequence.learners import omega_grid

SIDE, STEPS, STRIDE = 49, 1500, 25
LEARNERS = {
    "one-scalar": "C0",
    "chebcb": "C1",
    "tsallis-inf": "C2",
    "closed-form": "C3",
    1.5: "C4",
    1.0: "C5",
}


def best_omegas(sequence):
    """Middle of the best relaxation parameters of a fine grid, every few steps."""
    solver, omegas, x = EisenstatCG(), omega_grid(96), sequence.start
    steps, best = [], []
    for t in range(STEPS):
        system = sequence.system(t, x)
        solver.setup(system.A)
        if t % STRIDE == 0:
            counts = np.array([solver.solve(system.b, x, omega=w).iterations for w in omegas])
            steps.append(t)
            best.append(omegas[counts == counts.min()].mean())
        x = solver.solve(system.b, x, omega=1.5, rtol=1e-10).x
    return steps, best


def main():
    """Solve and draw."""
    sequence = problems.get_sequence("HEAT", side=SIDE)
    results = {
        learner: karush.solve_sequence(sequence, "ssor-cg", learner, loss="iterations", length=STEPS, rng=0)
        for learner in LEARNERS
    }
    figure, (above, below) = plt.subplots(2, 1, figsize=(8, 6.5), sharex=True, layout="constrained")
    above.plot(*best_omegas(sequence), "k", linewidth=3, alpha=0.4, label="best for each system")
    for learner in ("tsallis-inf", "chebcb", "one-scalar"):
        every = 10 if learner == "tsallis-inf" else 3
        omegas = results[learner].omegas[::every]
        above.plot(
            np.arange(STEPS)[::every], omegas, ".", color=LEARNERS[learner], markersize=3, label=learner
        )
    above.set_ylabel("relaxation parameter")
    above.set_title(f"heat equation, {SIDE} x {SIDE} points, diffusivity that swings by 100")
    above.legend(loc="upper right", fontsize=8, markerscale=3)
    reference = np.cumsum(results[1.0].iterations)
    for learner, colour in LEARNERS.items():
        name = f"omega = {learner}" if isinstance(learner, float) else learner
        below.plot(np.cumsum(results[learner].iterations) / 1e3, color=colour, label=name)
        print(name, results[learner].nit, results[learner].nit / reference[-1])
    below.set_xlabel("time step")
    below.set_ylabel("thousands of iterations so far")
    below.legend(fontsize=8)
    for axes in (above, below):
        axes.grid(alpha=0.3)
    figure.savefig(Path(__file__).with_name("sequences.png"), dpi=120)


if __name__ == "__main__":
    main()
