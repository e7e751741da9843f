"""Draws docs/sketching.png: backward error against time for one dense least-squares problem.

Run from the repository: ``python docs/sketching_picture.py``.
"""

import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import scipy.linalg as sla
from scipy.sparse.linalg import lsmr, lsqr
from threadpoolctl import threadpool_limits

from karush.bench.cases import sketching as case
from karush.sketching import lstsq

SHAPE, CONDITION = (50_000, 200), 1e8


def best_of(solve, rounds=3):
    """Least time of a few rounds, and the answer."""
    seconds = np.inf
    for _ in range(rounds):
        start = time.perf_counter()
        x = solve()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds, x


def main():
    """Measure and draw."""
    system = case._dense_system(*SHAPE, CONDITION)
    A, b = system.A, system.b
    tolerances = (1e-1, 1e-3, 1e-5, 1e-7, 1e-9, 1e-12, None)
    limits = (50, 100, 200, 400)
    curves = {
        "karush lstsq, rtol from 1e-1 to none": [
            lambda r=r: lstsq(A, b, method="spir", rtol=r, rng=0, workers=1).x for r in tolerances
        ],
        "scipy lsqr, 50 to 400 steps": [
            lambda k=k: lsqr(A, b, atol=1e-15, btol=1e-15, conlim=0, iter_lim=k)[0] for k in limits
        ],
        "scipy lsmr, 50 to 400 steps": [
            lambda k=k: lsmr(A, b, atol=1e-15, btol=1e-15, conlim=0, maxiter=k)[0] for k in limits
        ],
        "sketch and solve": [lambda: lstsq(A, b, method="sketch-and-solve", rng=0, workers=1).x],
        "scipy clarkson_woodruff_transform": [lambda: case._clarkson_woodruff(A, b)],
        "QR (LAPACK)": [lambda: case._by_qr(A, b)],
        "gelsy (LAPACK)": [lambda: sla.lstsq(A, b, lapack_driver="gelsy")[0]],
        "gelsd (LAPACK)": [lambda: sla.lstsq(A, b, lapack_driver="gelsd")[0]],
    }
    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    with threadpool_limits(1):
        for (label, solvers), marker in zip(curves.items(), "os^vPD*X", strict=True):
            points = [best_of(solve) for solve in solvers]
            seconds = [point[0] for point in points]
            errors = [system.judge(point[1])[0] for point in points]
            axes.loglog(seconds, errors, marker=marker, label=label, linestyle="-" if len(points) > 1 else "")
            print(label, list(zip(seconds, errors, strict=True)))
    axes.set_xlabel("seconds (one thread)")
    axes.set_ylabel("relative backward error")
    axes.set_title(f"least squares, {SHAPE[0]:,} x {SHAPE[1]}, condition {CONDITION:.0e}")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(Path(__file__).with_name("sketching.png"), dpi=130)


if __name__ == "__main__":
    main()
