"""The sequence benchmarks on tiny sequences: what their tables hold, and when a target is met."""

import numpy as np
import pytest

from karush.bench.cases import sequence as case
from karush.bench.cases import sequence_paper as paper
from karush.problems import get_sequence


@pytest.fixture(scope="module")
def iterations():
    return case._iterations(get_sequence("DIFFUSION", side=10, length=20, coefficient="lognormal"))


def test_no_learner_beats_the_instance_optimum(iterations):
    ratios = {row["solver"]: row["ratio"] for row in iterations}
    assert ratios["instance optimum"] == 1.0
    assert min(ratios.values()) == 1.0
    assert ratios["best fixed"] <= ratios["omega 1.5"]
    assert ratios["cg"] > ratios["best fixed"]


def test_every_solver_is_timed_on_the_same_systems():
    rows = case._seconds(get_sequence("DIFFUSION", side=10, length=6))
    found = {row["solver"]: row for row in rows}
    assert {"auto", "ssor-cg", "direct", "scipy cg", "scipy splu each"} <= set(found)
    assert all(np.isfinite(row["value"]) and row["value"] > 0.0 for row in rows)
    assert min(row["ratio"] for row in rows if row["solver"] != "auto") == 1.0


def test_a_target_is_met_by_its_number_alone():
    def rows(learned, portfolio):
        return [
            {"table": "iterations", "sequence": "S", "T": 200, "solver": "one-scalar", "ratio": learned},
            {
                "table": "seconds",
                "sequence": "S",
                "T": 50,
                "solver": "auto",
                "value": portfolio,
                "ratio": portfolio,
            },
            {"table": "seconds", "sequence": "S", "T": 50, "solver": "scipy cg", "value": 1.0, "ratio": 1.0},
        ]

    assert all(target["met"] for target in case._targets(rows(1.05, 0.9)))
    assert not any(target["met"] for target in case._targets(rows(1.08, 1.2)))


def test_the_published_experiment_is_counted_from_the_trajectory():
    sequence = get_sequence("HEAT", side=9, length=5000)
    counts = paper._count_heat(sequence, 500, lambda text: None)
    assert counts.table.shape == (10, 20)
    assert (counts.plain >= counts.table.min(axis=1)).all()
    assert np.allclose(
        counts.contexts, [sequence.system(t, sequence.start).context for t in range(250, 5000, 500)]
    )
    losses = paper._play("tsallis-inf", counts, 0)
    assert (counts.table.min(axis=1) <= losses).all()
    assert (losses <= counts.table.max(axis=1)).all()


def test_sor_counts_fall_with_the_shift():
    counts = paper._count_sor(get_sequence("BETASHIFT", length=12))
    easiest, hardest = np.argmax(counts.contexts), np.argmin(counts.contexts)
    assert counts.table[easiest, 0] < counts.table[hardest, 0]
