"""The reader on CUTEst's own files: counts of variables, bounds and constraints, heads, sizes.

The files and the reference values of the Fortran CUTEst lie in ``../shared/data/sif``, beside the repository.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from karush.problems.sif.reader import read_head, read_structure

COLLECTION = Path(__file__).resolve().parents[4] / "shared" / "data" / "sif"
# A classification with too many dashes, and files whose NAME card says another name than the file's.
MALFORMED = {"ANTWERP"}
OTHER_NAMES = {"10FOLDTRLS": "n10FOLDTRL", "BA-L1SP": "BAmL1SP", "BA-L1SPLS": "BAmL1SPLS", "TAX1B": "TAX1"}
# Seconds each, for default sizes between a hundred thousand and a million elements.
LARGE = {
    "LUBRIF",
    "LUBRIFC",
    "RDW2D51F",
    "RDW2D51U",
    "YATP1CNE",
    "YATP1SQ",
    "YATP2CLS",
    "GPP",
    "KSS",
    "CHANDHEU",
}

pytestmark = pytest.mark.skipif(
    not COLLECTION.is_dir(), reason="CUTEst's files (shared/data/sif) are not beside the repository"
)


def reference():
    if not COLLECTION.is_dir():
        return []
    lines = (COLLECTION / "reference.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def counts(structure):
    """The counts of reference.jsonl that the structure alone decides."""
    lower, upper = np.isfinite(structure.lb), np.isfinite(structure.ub)
    fixed = structure.lb == structure.ub
    constraint = structure.kinds != "N"
    equation = structure.kinds == "E"
    ranged = constraint & ~equation & np.isfinite(structure.ranges)
    linear = constraint & (structure.group_type < 0)
    linear[structure.use_group] = False
    masks = {
        "free": ~lower & ~upper,
        "lower": lower & ~upper,
        "upper": ~lower & upper,
        "both": lower & upper & ~fixed,
        "fixed": fixed,
        "m": constraint,
        "eq": equation,
        "lin": linear,
        "lineq": linear & equation,
        "range": ranged,
        "ge": (structure.kinds == "G") & ~ranged,
        "le": (structure.kinds == "L") & ~ranged,
    }
    return {name: int(mask.sum()) for name, mask in masks.items()} | {
        "n": len(structure.variables),
        "exter": int(bool(structure.subprograms)),
    }


def test_counts_agree_with_the_fortran_decoder():
    """On every third file, and on all whose counts were hard to get right."""
    hard = {"NUFFIELD", "MGH10SLS", "DECONVC", "TAX1B", "ACOPP30", "CAR2", "DRUGDISE", "HS68"}
    differing = {}
    for index, record in enumerate(reference()):
        name = record["name"]
        if name in LARGE or (index % 3 and name not in hard):
            continue
        got = counts(read_structure(COLLECTION / f"{name}.SIF"))
        wrong = {key: (value, record[key]) for key, value in got.items() if value != record[key]}
        if wrong:
            differing[name] = wrong
    assert differing == {}


def test_heads_of_the_whole_collection():
    solutions = json.loads((COLLECTION / "solutions.json").read_text(encoding="utf-8"))
    heads = {name: read_head(COLLECTION / f"{name}.SIF") for name in solutions}
    assert {name: head.name for name, head in heads.items() if head.name != name} == OTHER_NAMES
    differing = {
        name for name, head in heads.items() if head.classification != solutions[name]["classification"]
    }
    assert differing == MALFORMED
    assert [each.default for each in heads["TRIDIA"].adjustable] == [5000, 2.0, 1.0, 1.0, 1.0]


def test_every_offered_size_can_be_read():
    """One problem at all its sizes: n follows the parameter."""
    path = COLLECTION / "LUKVLE1.SIF"
    (size,) = read_head(path).adjustable
    assert (size.name, size.default, size.alternatives) == ("N", 10_000, (100, 1000, 100_000))
    for n in (100, 1000, 10_000):
        structure = read_structure(path, {"N": n})
        assert len(structure.variables) == n
        assert np.count_nonzero(structure.kinds == "E") == n - 2
