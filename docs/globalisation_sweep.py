"""Measures what `globalisation="auto"` and `barrier_update="auto"` are decided by.

Run from the repository: ``python docs/globalisation_sweep.py FOLDER_OF_SIF_FILES RESULTS``. Native problems
with more than 1,000 variables are made smaller; of the SIF files with n + m <= 2000 that have no native
counterpart 150 are drawn, evenly over the sizes within each class. One worker; half an hour.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from karush import problems
from karush.bench.cases._nlp_sets import sif as small_files
from karush.bench.jobs import Limits
from karush.bench.outcomes import Outcome
from karush.bench.profiles import shifted_geometric_mean
from karush.bench.spec import Spec
from karush.bench.store import Store
from karush.bench.sweep import sweep

CLASSES = {"unconstrained": 30, "bounds": 25, "equality": 35, "general": 60}
"""Classes of problems, and SIF files drawn of each."""

SOLVERS = [
    Spec.of("exact-al", {"globalisation": search, "barrier_update": update})
    for search in ("exact-merit", "filter")
    for update in ("monotone", "adaptive")
] + [Spec.of("exact-al", {"globalisation": "auto"})]

LIMIT = 5.0
DIVISORS = (2, 3, 5, 10, 12, 20, 32, 50, 100, 200)


def class_of(problem):
    """Its class: "general" has inequalities, or bounds beside equations."""
    bounded = np.isfinite(problem.lb).any() or np.isfinite(problem.ub).any()
    if problem.m == 0:
        return "bounds" if bounded else "unconstrained"
    return "general" if bounded or (problem.cl != problem.cu).any() else "equality"


def native():
    """Native problems with n <= 1000, by class."""
    for entry in problems.select(collection="native"):
        sizes, problem = _at_most(entry, 1000)
        if problem is not None:
            yield class_of(problem), Spec.of(entry.name, sizes)


def _at_most(entry, largest):
    problem = problems.get(entry.name)
    whole = {key: value for key, value in entry.sizes.items() if type(value) is int}
    if problem.n <= largest or not whole:
        return {}, problem if problem.n <= largest else None
    for divisor in DIVISORS:
        for keys in ([max(whole, key=whole.get)], list(whole)):
            sizes = {key: max(2, whole[key] // divisor) for key in keys}
            try:
                problem = problems.get(entry.name, **sizes)
            except ValueError:  # sizes that do not go together
                continue
            if largest // 5 <= problem.n <= largest:
                return sizes, problem
    return {}, None


def sif(folder, known, rng):
    """SIF files drawn, by class."""
    found = defaultdict(list)
    for spec in small_files(Path(folder)):
        if spec.name.removeprefix("sif:") in known:
            continue
        try:
            problem = problems.get(spec.name, **spec.keywords)
        except ValueError:  # with Fortran subprograms
            continue
        found[class_of(problem)].append((problem.n + problem.m, str(spec), spec))
    for kind, wanted in CLASSES.items():
        for part in np.array_split(np.arange(len(found[kind])), wanted):
            yield kind, sorted(found[kind])[rng.choice(part)][2]


def table(out, kinds):
    """Print a row for each class and solver; means of evaluations and iterations where all solve."""
    rows = defaultdict(dict)
    with Store(out) as store:
        for row in store.rows():
            rows[Spec.of(row["problem"], row["parameters"])][Spec.of(row["solver"], row["options"])] = row
    for kind in (*CLASSES, "all"):
        chosen = [rows[spec] for spec in kinds if kind in ("all", kinds[spec])]
        by_all = [row for row in chosen if all(row[s]["outcome"] is Outcome.SOLVED for s in SOLVERS)]
        for solver in SOLVERS:
            solved = [row[solver]["outcome"] is Outcome.SOLVED for row in chosen]
            seconds = [
                row[solver]["cpu_time"] if won else LIMIT for row, won in zip(chosen, solved, strict=True)
            ]
            evaluations, iterations = (
                shifted_geometric_mean(np.array([row[solver][what] for row in by_all]), 1.0)
                for what in ("evaluations", "iterations")
            )
            mean = shifted_geometric_mean(np.array(seconds), 0.01)
            print(
                f"{kind:13} {len(chosen):4} {solver!s:60} {sum(solved):4} "
                f"{evaluations:6.1f} {iterations:6.1f} {1e3 * mean:7.1f} ms"
            )


def main(folder, out):
    """Choose, run, print."""
    rng = np.random.default_rng(5)
    chosen = list(native())
    chosen += sif(folder, {spec.name for _, spec in chosen}, rng)
    kinds = {chosen[i][1]: chosen[i][0] for i in rng.permutation(len(chosen))}
    sweep(list(kinds), SOLVERS, out, limits=Limits(time_limit=LIMIT))
    table(out, kinds)


if __name__ == "__main__":
    main(*sys.argv[1:])
