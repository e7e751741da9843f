"""SIF files compiled here against the values of the Fortran CUTEst.

A stratified sample, another one each week, is drawn from all 905 files; ``KARUSH_AGREEMENT`` takes a number
to draw by instead of the week's, or ``all``. Files that are refused or that disagree stand in
``disagreements.json``, each with what is found: either ``refused`` and the reason, or ``differs`` and the
quantities. The test holds them to it.
"""

import datetime
import json
import os
from pathlib import Path

import numpy as np
import pytest

from karush.bench.cases._cutest_agreement import disagreements, read_reference
from karush.problems import SIFError

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "sif"
LISTED = json.loads((Path(__file__).parent / "disagreements.json").read_text(encoding="utf-8"))
REFERENCE = read_reference(FOLDER) if FOLDER.is_dir() else {}
AT_LEAST = 895
SAMPLE = 150
# Beyond this the Hessian alone takes gigabytes and tens of seconds (one file): with "all" only.
LARGEST_HESSIAN = 20_000_000

pytestmark = pytest.mark.skipif(
    not REFERENCE, reason="CUTEst's files (shared/data/sif) are not beside the repository"
)


def stratum(name):
    """Kind of objective and of constraints in CUTEst's classification, and the decade of the size."""
    entry = REFERENCE[name]
    return CLASSIFICATIONS[name][:2], min(int(np.log10(entry["n"] + entry["m"])), 4)


def sampled():
    """Every few from the files in the order of their strata, shuffled within each."""
    names = sorted(set(REFERENCE) - set(LISTED))
    chosen = os.environ.get("KARUSH_AGREEMENT", "")
    if chosen == "all" or not names:
        return names
    year, week, _ = datetime.date.today().isocalendar()
    rng = np.random.default_rng(int(chosen) if chosen else 100 * year + week)
    names = [name for name in names if REFERENCE[name]["nnzh"] <= LARGEST_HESSIAN]
    ordered = sorted(rng.permutation(names).tolist(), key=stratum)
    step = len(ordered) / SAMPLE
    return [ordered[int(at)] for at in np.arange(rng.uniform(0, step), len(ordered), step)]


CLASSIFICATIONS = (
    {
        name: entry["classification"]
        for name, entry in json.loads((FOLDER / "solutions.json").read_text(encoding="utf-8")).items()
    }
    if REFERENCE
    else {}
)


@pytest.mark.parametrize("name", sampled())
def test_values_are_cutests(name):
    assert disagreements(FOLDER / f"{name}.SIF", REFERENCE[name]) == []


@pytest.mark.parametrize("name", sorted(LISTED))
def test_what_is_listed_disagrees_as_it_says(name):
    claim = LISTED[name]
    if "refused" in claim:
        with pytest.raises(SIFError) as refusal:
            disagreements(FOLDER / f"{name}.SIF", REFERENCE[name])
        assert claim["refused"] in refusal.value.reason
        return
    found = disagreements(FOLDER / f"{name}.SIF", REFERENCE[name])
    assert sorted({quantity for quantity, _, _ in found}) == sorted(claim["differs"])


def test_no_more_are_listed_than_may_be():
    assert set(LISTED) <= set(REFERENCE)
    assert len(REFERENCE) - len(LISTED) >= AT_LEAST
