"""Draws the pictures of docs/bilevel.md: what the answers of each family of bilevel problems look like.

Run from the repository: ``python docs/bilevel_pictures.py``, or with names of pictures: ``landscapes``,
``cleaning``, ``denoising``, ``penalties``, ``svm``.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import karush
from karush.problems.bilevel import get_bilevel
from karush.problems.bilevel.data_sets import CLASSIFICATION, class_data, shipped_data
from karush.solvers.bilevel.lower_solution import solve_lower

BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "0.6"
"""Of Okabe and Ito's palette, told apart by colour-blind readers."""

# Method: marker, size, colour; the larger ones are drawn first.
METHODS = {
    "implicit": ("s", 13, PINK),
    "lv-hba": ("D", 10, GREEN),
    "penalty": ("o", 8, ORANGE),
    "auto": ("*", 7, BLUE),
}


def save(figure, name):
    """As docs/bilevel_NAME.png."""
    figure.savefig(Path(__file__).with_name(f"bilevel_{name}.png"), dpi=90)
    plt.close(figure)


def lower_answer(problem, x):
    """The lower solution at x, from the problem's start."""
    return solve_lower(problem, x, problem.y0, 1e-8).y


def draw_landscapes():
    """F(x, y*(x)) of four small problems, and the answers of all methods that take them from five starts."""
    answers = {
        "WAVES": lambda x: -x,
        "COUPLED-WAVES": lambda x: x,
        "KINK": lambda x: max(x, 0.0),
        "JUMP": lambda x: -np.sign(x),
    }
    figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    for ax, (name, answer) in zip(axes.flat, answers.items(), strict=True):
        problem = get_bilevel(name)
        low, high = problem.X.lb[0], problem.X.ub[0]
        xs = np.linspace(low, high, 400)  # 0 is none of them
        values = np.array([problem.upper.objective(np.array([x, answer(x)])) for x in xs])
        for part in (xs < 0, xs >= 0) if name == "JUMP" else (xs >= low,):
            ax.plot(xs[part], values[part], "k", lw=1.5)
        draw_answers(ax, problem, np.linspace(low, high, 7)[1:-1])
        ax.set_title(name, fontsize=10)
        ax.set_xlabel("x")
        ax.grid(alpha=0.3)
    for ax, name, x, y in ((axes[1, 0], "KINK", 0.0, 0.0), (axes[1, 1], "JUMP", 0.0, 1.0)):
        certificate = karush.certify_bilevel(get_bilevel(name), np.array([x]), np.array([y]))
        if not certificate.holds:
            ax.plot(x, certificate.F, "xk", ms=8)
    draw_psi(axes[0, 0])
    axes[1, 1].plot([0, 0], [0, 1], "k", lw=1.5)
    axes[0, 0].set_ylabel("F(x, y*(x))")
    axes[1, 0].set_ylabel("F(x, y*(x))")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9)
    save(figure, "landscapes")


def draw_answers(ax, problem, starts):
    """One marker for each run: filled where the certificate holds."""
    for method, (marker, size, colour) in METHODS.items():
        ax.plot([], [], marker, color=colour, ms=size, label=method)
        for start in starts:
            try:
                result = karush.minimize_bilevel(problem, x0=[start], method=method)
            except ValueError:  # not a problem for this method
                break
            print(
                problem.name,
                method,
                f"from {start:.2f}: x = {result.x[0]:.6f}, F = {result.fun:.6f},",
                end="",
            )
            print("", result.status.name, f"gap {result.ll_gap:.1e}")
            face = colour if result.success else "none"
            ax.plot(result.x, result.fun, marker, color=colour, ms=size, mfc=face, zorder=3)
    ax.plot([], [], "o", color="k", mfc="none", ms=8, label="no success")
    ax.plot([], [], "x", color="k", ms=8, label="refused by the certificate")


def draw_psi(ax):
    """The penalty method's psi of WAVES for some sigma, minimised over y on a grid around y*(x) = -x."""
    problem = get_bilevel("WAVES")
    xs, away = np.linspace(0.0, 3.0, 301), np.linspace(-2.0, 2.0, 801)
    points = [[np.array([x, u - x]) for u in away] for x in xs]
    F, f = (
        np.array([[level.objective(w) for w in row] for row in points])
        for level in (problem.upper, problem.lower)
    )
    for sigma, style in ((0.3, ":"), (0.1, "--"), (0.02, "-.")):
        psi = ((sigma * F + f).min(axis=1) - f.min(axis=1)) / sigma
        ax.plot(xs, psi, style, color="0.4", lw=1.2, label=f"psi, sigma = {sigma}")


def draw_cleaning():
    """Weights of samples with wrong and with right labels, and the accuracy with them."""
    cases = {
        "10 digits": {"data": "digits"},
        "3 clouds, 30 features": {"samples": 300, "features": 30},
        "3 clouds, 8 features": {"samples": 300, "features": 8},
    }
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
    for ax, (title, options) in zip(axes, cases.items(), strict=True):
        problem = get_bilevel("HYPER-CLEANING", **options)
        result = karush.minimize_bilevel(problem, method="implicit")
        wrong = np.random.default_rng(0).random(problem.n_x) < 0.3  # the problem's own draw
        weights = 1.0 / (1.0 + np.exp(-result.x))
        bins = np.linspace(0.0, 1.0, 21)
        ax.hist(weights[~wrong], bins, color=BLUE, label="right labels")
        ax.hist(weights[wrong], bins, color=ORANGE, histtype="step", lw=2, label="wrong labels")
        models = {
            "equal weights": lower_answer(problem, np.zeros(problem.n_x)),
            "learnt weights": result.y,
            "right ones only": lower_answer(problem, np.where(wrong, -30.0, 0.0)),
        }
        above, fresh = held_out(**options)
        shares = {name: accuracy(y, *(fresh or above)) for name, y in models.items()}
        print(title, result.status.name, f"{result.time['total']:.2f} s", shares)
        print("  on the data of F:", {name: accuracy(y, *above) for name, y in models.items()})
        lines = ["accuracy on " + ("fresh data" if fresh else "the data of F")]
        lines += [f"{name}: {share:.1%}" for name, share in shares.items()]
        ax.set_ylim(top=1.5 * ax.get_ylim()[1])
        ax.text(0.5, 0.97, "\n".join(lines), ha="center", va="top", fontsize=8, transform=ax.transAxes)
        ax.set_title(f"{title}, {problem.n_x} samples", fontsize=10)
        ax.set_xlabel("weight")
    axes[0].set_ylabel("samples")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    save(figure, "cleaning")


def held_out(data="synthetic", samples=0, features=0):
    """What F is made of; for made data also 10,000 samples that the run never saw, from the same clouds."""
    if data != "synthetic":
        return shipped_data(data, CLASSIFICATION)[2:], None
    return class_data(0, samples, features, 3)[2:], class_data(0, 10_000, features, 3)[2:]


def accuracy(y, A, labels):
    """Share of samples whose class has the highest score."""
    scores = A @ y.reshape(-1, A.shape[1]).T
    return float(np.mean(scores.argmax(axis=1) == labels))


SIDE, BLOCKS, FILTERS = 64, 8, 3


def draw_denoising():
    """Total variation with one weight and with many, and learnt filters; the weights and the filters."""
    problems = {
        "one weight": lambda rng: get_bilevel("TV-WEIGHTS", side=SIDE, blocks=1, rng=rng),
        f"{BLOCKS**2} weights": lambda rng: get_bilevel("TV-WEIGHTS", side=SIDE, blocks=BLOCKS, rng=rng),
        "learnt filters": lambda rng: get_bilevel("FILTERS", side=SIDE, count=FILTERS, width=0.003, rng=rng),
    }
    figure, axes = plt.subplots(2, 3, figsize=(10, 6.8), layout="constrained")
    found = {}
    for ax, (title, made) in zip(axes.flat[1:], problems.items(), strict=False):
        problem, other = made(0), made(1)
        clean = clean_image(problem)
        found[title] = result = karush.minimize_bilevel(problem, method="implicit")
        print(title, result.status.name, f"{result.time['total']:.2f} s,", f"{result.nit} steps")
        print("  on other noise:", decibels(lower_answer(other, result.x), clean))
        draw_image(ax, title, result.y, clean)
    draw_image(axes[0, 0], "noisy", problem.y0, clean)
    draw_weights(axes[1, 1], found[f"{BLOCKS**2} weights"].x, clean)
    draw_filters(axes[1, 2], found["learnt filters"].x)
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
    save(figure, "denoising")


def clean_image(problem):
    """From F = .5 mean (y - clean)^2."""
    w = problem.join(problem.x0, problem.y0)
    return problem.y0 - problem.n_y * problem.upper.gradient(w)[problem.n_x :]


def decibels(image, clean):
    """Peak signal-to-noise ratio; white is 1."""
    return -10.0 * np.log10(np.mean((image - clean) ** 2))


def draw_image(ax, title, image, clean):
    """In grey, with its ratio."""
    ax.imshow(image.reshape(SIDE, SIDE), cmap="gray", vmin=-0.2, vmax=1.2)
    ax.set_title(f"{title}: {decibels(image, clean):.1f} dB", fontsize=10)


def draw_weights(ax, x, clean):
    """Over the outlines of the clean image."""
    extent = (-0.5, SIDE - 0.5, SIDE - 0.5, -0.5)
    shown = ax.imshow(x.reshape(BLOCKS, BLOCKS) / np.log(10.0), cmap="cividis", extent=extent)
    ax.contour(clean.reshape(SIDE, SIDE), levels=[0.5], colors="w", linewidths=1.0)
    ax.figure.colorbar(shown, ax=ax, location="bottom", shrink=0.8)
    ax.set_title(f"log10 of the {BLOCKS**2} weights", fontsize=10)


def draw_filters(ax, x):
    """The filters as squares of 2 x 2 pixels."""
    down, across = np.array([[-1, -1], [1, 1]]) / 4.0, np.array([[-1, 1], [-1, 1]]) / 4.0
    patterns = np.stack([down, across, np.array([[1, -1], [-1, 1]]) / 4.0])
    kernels = np.tensordot(x.reshape(FILTERS, 3), patterns, 1)
    row = np.full((2, 3 * FILTERS - 1), np.nan)
    for k, kernel in enumerate(kernels):
        row[:, 3 * k : 3 * k + 2] = kernel
    for (i, j), value in np.ndenumerate(row):
        if np.isfinite(value):
            ax.text(j, i, f"{value:.3f}", ha="center", va="center", fontsize=7)
    size = 1.5 * abs(kernels).max()
    ax.imshow(row, cmap="PuOr", vmin=-size, vmax=size)
    ax.set_title(f"the {FILTERS} filters", fontsize=10)
    ax.set_frame_on(False)


def draw_penalties():
    """Held-out losses over one log-penalty, and over two with the steps to the answer."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.7), layout="constrained")
    single = {
        "ridge, 25 samples": (BLUE, "-", "RIDGE", {"samples": 25, "per_feature": False}),
        "logistic, wine": (ORANGE, "--", "LOGISTIC", {"data": "wine", "penalties": "one"}),
        "logistic, 80 samples": (GREEN, "-.", "LOGISTIC", {"penalties": "one"}),
    }
    for label, (colour, style, name, options) in single.items():
        problem = get_bilevel(name, **options)
        result = karush.minimize_bilevel(problem, method="implicit")
        print(label, result.status.name, result.x, result.fun, f"{result.time['total']:.2f} s, {result.nit}")
        xs = np.linspace(-12.0, 4.0, 65)
        values = [value_at(problem, [x]) / result.fun for x in xs]
        print("  least on the grid, relative to that:", min(values))
        axes[0].plot(xs, values, style, color=colour, label=label)
        axes[0].plot(result.x, 1.0, "o", color=colour, ms=7)
    axes[0].set_ylim(0.97, 1.6)
    axes[0].set_ylabel("held-out loss over its minimum")
    axes[0].set_xlabel("log-penalty")
    axes[0].set_title("one penalty", fontsize=10)
    axes[0].grid(alpha=0.3)
    for ax, draw, size in zip(axes[1:], (5, 7), (6.0, 12.0), strict=True):
        draw_two_penalties(ax, get_bilevel("RIDGE", samples=6, features=2, rng=draw), size)
        ax.set_title(f"one for each of two features, draw {draw}", fontsize=10)
    for ax in axes:
        ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    save(figure, "penalties")


def value_at(problem, x):
    """F(x, y*(x))."""
    x = np.asarray(x)
    return problem.upper.objective(problem.join(x, lower_answer(problem, x)))


def draw_two_penalties(ax, problem, size):
    """Contours of F(x, y*(x)) within +-size, the steps of `implicit`, the answer of `penalty`."""
    grid = np.linspace(-size, size, 49)
    values = np.array([[value_at(problem, [a, b]) for a in grid] for b in grid])
    levels = values.min() + (values.max() - values.min()) * np.linspace(0.0, 1.0, 25)[1:] ** 3
    ax.contour(grid, grid, values, levels, cmap="cividis", linewidths=1.0)
    steps = [problem.x0]
    result = karush.minimize_bilevel(problem, method="implicit", callback=lambda x: steps.append(x.copy()))
    ax.plot(*np.transpose(steps), ".-", color=ORANGE, label="implicit")
    other = karush.minimize_bilevel(problem, method="penalty")
    for method, found in (("implicit", result), ("penalty", other)):
        print(method, found.status.name, found.x, found.fun, "least on the grid:", values.min())
    ax.plot(*result.x, "o", color=ORANGE, ms=9, clip_on=False)
    ax.plot(*other.x, "*", color=BLUE, ms=11, label="penalty", ls="none", clip_on=False, zorder=4)
    ax.set_xlabel("first log-penalty")
    ax.set_ylabel("second log-penalty")


def draw_svm():
    """Samples with their learnt weights, and the line that separates the classes before and after."""
    problem = get_bilevel("SVM", samples=30, features=2, rng=4)
    A, labels, *above = class_data(4, 30, 2, 2)
    fresh = class_data(4, 10_000, 2, 2)[2:]
    signs = np.where(labels > 0.0, 1.0, -1.0)
    result = karush.minimize_bilevel(problem)
    print(
        "SVM", result.status.name, f"{result.time['total']:.1f} s, gap {result.ll_gap:.1e}", result.x.round(2)
    )
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    margins = signs * (A @ result.y[:2] + result.y[2])
    for sign, colour, marker in ((1.0, BLUE, "o"), (-1.0, ORANGE, "^")):
        own = signs == sign
        left.scatter(*A[own].T, 40.0 * np.exp(0.5 * result.x[own]), c=colour, marker=marker, ec="k", lw=0.5)
        right.plot(margins[own], result.x[own], marker, color=colour, mec="k", mew=0.5)
    left.set(xlim=left.get_xlim(), ylim=left.get_ylim())
    lines = {
        "equal weights": (lower_answer(problem, problem.x0), "--", "0.4"),
        "learnt weights": (result.y, "-", "k"),
    }
    for title, (y, style, colour) in lines.items():
        w, b = y[:2], y[2]
        shares = [np.mean((B @ w + b > 0.0) == (answers > 0.0)) for B, answers in (above, fresh)]
        print("  ", title, "right of F's data and of fresh data", shares)
        label = "{}: {:.0%} right of F's data, {:.0%} of fresh data".format(title, *shares)
        nearest = -b * w / (w @ w)
        left.axline(nearest, nearest + np.array([-w[1], w[0]]), ls=style, color=colour, label=label)
    left.set(xlabel="first feature", ylabel="second feature")
    left.set_title("area of a sample: root of its weight", fontsize=10)
    right.axvline(1.0, color="0.4", ls=":")
    right.set(xlabel="margin; beyond 1 a sample has no slack", ylabel="log-weight")
    right.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    save(figure, "svm")


PICTURES = {
    "landscapes": draw_landscapes,
    "cleaning": draw_cleaning,
    "denoising": draw_denoising,
    "penalties": draw_penalties,
    "svm": draw_svm,
}


if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]()
