"""Several outputs with a penalty by coordinate: the answers of the outputs alone, certified as one."""

import numpy as np
import pytest

from karush import minimize_composite
from karush.problems.composite import (
    L1,
    CompositeProblem,
    ElasticNet,
    GroupLasso,
    LeastSquares,
    MismatchError,
)
from karush.solvers.composite.auto import fastest
from karush.solvers.composite.separate_outputs import SeparateOutputs


def data():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((40, 60))
    Y = X[:, :4] @ rng.standard_normal((4, 3)) + 0.1 * rng.standard_normal((40, 3)) + 1.0
    return X, Y, rng.uniform(0.0, 2.0, 40), rng.standard_normal((40, 3))


@pytest.mark.parametrize("penalty", [L1(2.0), ElasticNet(1.0, 0.5)], ids=["l1", "elastic net"])
@pytest.mark.parametrize("intercept", [False, True])
def test_outputs_together_are_outputs_alone(penalty, intercept):
    X, Y, weights, offset = data()
    together = minimize_composite(
        LeastSquares(Y, weights), penalty, X, intercept=intercept, offset=offset, tol=1e-10
    )
    assert together.success
    for j in range(3):
        alone = minimize_composite(
            LeastSquares(Y[:, j], weights), penalty, X, intercept=intercept, offset=offset[:, j], tol=1e-10
        )
        np.testing.assert_allclose(together.x[:, j], alone.x, atol=1e-5)
        if intercept:
            assert together.intercept[j] == pytest.approx(alone.intercept, abs=1e-5)


def test_auto_takes_it_and_the_rest_is_refused():
    X, Y, *_ = data()
    assert isinstance(fastest(CompositeProblem(LeastSquares(Y), L1(1.0), X), 1e-6), SeparateOutputs)
    with pytest.raises(MismatchError, match="by coordinate, got GroupLasso"):
        minimize_composite(LeastSquares(Y), GroupLasso(1.0, "rows"), X, method="separate-outputs")
    with pytest.raises(MismatchError, match="several outputs"):
        minimize_composite(LeastSquares(Y[:, 0]), L1(1.0), X, method="separate-outputs")


def test_an_interrupt_within_an_output_keeps_the_best_point(monkeypatch):
    X, Y, *_ = data()
    calls = []

    class Interrupting(LeastSquares):
        def value(self, eta):
            calls.append(1)
            if len(calls) == 8:
                raise KeyboardInterrupt
            return super().value(eta)

    monkeypatch.setattr("karush.solvers.composite.separate_outputs.LeastSquares", Interrupting)
    result = minimize_composite(Interrupting(Y), L1(2.0), X, method="separate-outputs")
    assert result.status.name == "INTERRUPTED"
    assert np.isfinite(result.x).all()
