"""Draws docs/exact_augmented_lagrangian_convergence.png: residuals of exact and inexact Newton directions.

Run from the repository: ``python docs/exact_augmented_lagrangian_pictures.py``. The orders are tested in
tests/solvers/nonlinear/test_convergence_order.py.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

import karush
from karush.solvers.nonlinear import matrix_free


@dataclass(frozen=True)
class Rule:
    """A forcing term theta(b): how small the residual of a direction is, relative to the right-hand side.

    ``order`` is that of the method by theory, ``start`` the b below which it shows: above it the term is cut
    off at 1/10, or Newton's method itself has not got close.
    """

    label: str
    theta: object
    order: float
    start: float


RULES = {
    "constant": Rule("theta = 1/10", lambda b: 0.1, 1.0, 0.1),
    "superlinear": Rule("theta = min(1/10, b^(1/2))", lambda b: min(0.1, b**0.5), 1.5, 0.02),
    "quadratic": Rule("theta = min(1/10, b)", lambda b: min(0.1, b), 2.0, 0.1),
    "exact": Rule("factorised", None, 2.0, 1.0),
}

ROUNDING = 1e-12
"""Residuals below this have more of rounding in them than of the method."""


def spring_chain(n=2000):
    """Strictly convex, of condition 1e3, with ten equations, one square in each."""
    model = karush.Model("spring chain")
    x = model.variables(n, start=0.5)
    model.minimize(lambda a, w: w * (np.cosh(a) - 0.3 * a), x, np.logspace(0, 3, n))
    model.minimize(lambda a, b: 10 * (a - b) ** 2 + (a * b) ** 2, x[:-1], x[1:])
    rows = model.subject_to(lambda a: 0.3 * a**2, x[:10], lower=1, upper=1)
    A = np.random.default_rng(0).standard_normal((10, n)) / np.sqrt(n)
    rows[:, None].add_linear(A, x)
    return model.build()


@contextmanager
def forcing(rule):
    """Directions to the accuracy of a rule; gives the options of `karush.minimize` that go with it."""
    if rule.theta is None:
        yield {"linear_solver": "auto"}
    else:
        with mock.patch.object(matrix_free, "forcing", rule.theta):
            yield {"linear_solver": "krylov"}


def residuals(problem, rule):
    """Norms of (grad f + J'y, c) from iteration to iteration, and the Krylov iterations spent by then."""
    norms, spent = [], []

    def look(intermediate_result):
        now = intermediate_result
        gradient = problem.gradient(now.x) + problem.jacobian(now.x).T @ now.y
        violation = problem.constraints(now.x) - problem.cl
        norms.append(float(np.hypot(np.linalg.norm(gradient), np.linalg.norm(violation))))
        spent.append(now.record["inner_iterations"])

    with forcing(rule) as options:
        options |= {"globalisation": "exact-merit", "tol": 1e-13, "scale": False, "max_iterations": 100}
        karush.minimize(problem, callback=look, options=options)
    return np.array(norms), np.array(spent)


def pairs(norms, start):
    """Successive residuals (e_k, e_k+1), from the start of the asymptotic range down to rounding."""
    below = np.flatnonzero(norms[:-1] >= start)
    first = below[-1] + 1 if below.size else 0
    before, after = norms[first:-1], norms[first + 1 :]
    above = after > ROUNDING
    return before[above], after[above]


def order(norms, start):
    """Slope of log e_k+1 over log e_k, least squares; nan with fewer than two pairs."""
    before, after = pairs(norms, start)
    return np.polyfit(np.log(before), np.log(after), 1)[0] if before.size > 1 else np.nan


def main():
    """Measure and draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    problem = spring_chain()
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12.5, 4.2), layout="constrained")
    for rule, marker in zip(RULES.values(), "osD^", strict=True):
        norms, spent = residuals(problem, rule)
        before, after = pairs(norms, rule.start)
        slope = order(norms, rule.start)
        print(rule.label, norms.size, int(spent[-1]), f"{slope:.2f}")
        norms = np.maximum(norms, 1e-16)
        left.semilogy(norms, marker=marker, ms=4, label=rule.label)
        if rule.theta is not None:
            middle.semilogy(spent, norms, marker=marker, ms=4)
        else:
            middle.plot([], [])
        right.loglog(before, after, marker=marker, ms=5, label=f"slope {slope:.2f}, in theory {rule.order:g}")
    left.set(xlabel="iterations", ylabel="norm of the KKT residual", title="exact and inexact directions")
    middle.set(xlabel="conjugate gradient iterations", title="what accuracy costs")
    right.set(xlabel="residual", ylabel="the next one", title="order of convergence")
    for axes in (left, middle, right):
        axes.grid(alpha=0.3)
    left.legend(fontsize=8)
    right.legend(fontsize=8)
    figure.savefig(Path(__file__).with_name("exact_augmented_lagrangian_convergence.png"), dpi=120)


if __name__ == "__main__":
    main()
