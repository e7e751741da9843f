"""The table of known answers: its answers, and what it makes of rows."""

import numpy as np
import pytest

from karush.bench.cases import bilevel_known
from karush.problems.bilevel import get_bilevel
from karush.solvers.bilevel.lower_solution import solve_lower

UNIQUE = [
    case for case in bilevel_known.CASES if case.name not in ("LLC", "LLC-BLOCKS", "MANY-ANSWERS", "JUMP")
]


@pytest.mark.parametrize("case", UNIQUE, ids=lambda case: case.name)
def test_answers_are_local_minima(case):
    """Of F(x, y*(x)), where the lower answer is unique; the first has the known optimum."""
    problem = get_bilevel(case.name)

    def reduced(x):
        lower = solve_lower(problem, x, problem.y0, 1e-9)
        return problem.upper.objective(problem.join(x, lower.y))

    answers = [np.asarray(answer, dtype=float) for answer in case.answers(problem)]
    values = [reduced(x) for x in answers]
    assert values[0] == pytest.approx(problem.optimum, abs=1e-6)
    assert min(values) == values[0]
    rng = np.random.default_rng(0)
    for x, value in zip(answers, values, strict=True):
        for direction in rng.standard_normal((4, x.size)):
            assert reduced(problem.X.project(x + 1e-2 * direction)) > value - 1e-7


def test_the_nearest_of_many_answers():
    problem = get_bilevel("MANY-ANSWERS")
    (x,) = bilevel_known._nearest_lower_answer(problem)
    # F is .5 ||w - w0||^2: y is the lower answer at x that is nearest to w0's.
    y0 = -problem.upper.gradient(np.zeros(15))[5:]
    w = problem.join(x, y0)
    H, g = problem.lower.hessian(w).toarray()[5:, 5:], problem.lower.gradient(w)[5:]
    y = y0 - np.linalg.pinv(H, rcond=1e-10) @ g
    assert problem.upper.objective(problem.join(x, y)) == pytest.approx(problem.optimum, rel=1e-8)


def test_what_methods_claim():
    case = {case.name: case for case in bilevel_known.CASES}
    assert bilevel_known.claims("kkt", case["WAVES"])
    assert not bilevel_known.claims("penalty", case["WAVES"])  # not convex for x > 1
    assert bilevel_known.claims("maid", case["FOLLOW"])
    assert not bilevel_known.claims("implicit", case["MANY-ANSWERS"])  # not strongly convex


def row(**changes):
    made = {
        "problem": "A",
        "method": "kkt",
        "claims": True,
        "x error": 1e-7,
        "answer": "best",
        "success": True,
    }
    return {**made, **changes}


def test_targets_name_what_fails():
    def values(*rows):
        return [target["value"] for target in bilevel_known._targets(list(rows))]

    assert values(row(), row(problem="B", answer="local")) == [1, "none", "none", "none"]
    far = row(method="penalty", **{"x error": np.nan})
    assert values(row(), far) == [1, "A by penalty", "none", "A by penalty"]
    assert values(row(), row(method="maid", claims=False, success=False)) == [1, "none", "none", "none"]
    assert values(row(success=False)) == [1, "none", "A by kkt", "none"]
    assert all(target["met"] for target in bilevel_known._targets([row()]))


def test_rows_of_one_case(monkeypatch):
    monkeypatch.setattr(bilevel_known, "CASES", [c for c in bilevel_known.CASES if c.name == "FOLLOW"])
    found = bilevel_known.run(False, lambda line: None)
    assert {"auto", "kkt", "implicit", "maid", "penalty", "lv-hba"} == {
        row["method"] for row in found["rows"]
    }
    assert all(target["met"] for target in found["targets"])
    assert set(bilevel_known.COLUMNS) <= found["rows"][0].keys()
