"""Learners: distributions and estimates by definition, saved states, and that they learn."""

import json

import numpy as np
import pytest

from karush.problems.collection.grids import five_point_laplacian
from karush.solvers.sequence.bayesian_ridge import BayesianRidge
from karush.solvers.sequence.learners import (
    NAMES,
    ChebCB,
    ClosedForm,
    Context,
    ContextInterval,
    ContextualTsallisINF,
    Fixed,
    OneScalar,
    TsallisINF,
    learner_from_state,
    make_learner,
    optimal_omega,
)
from karush.solvers.sequence.learners.tsallis_inf import tsallis_distribution

INTERVAL = ContextInterval(1e-3, 1.0, "log")


def make(name, rng=0):
    return make_learner(name, interval=INTERVAL, rng=rng)


def ssor_cg_iterations(omega, gap, theta=1.0):
    """What the bound on the condition number gives, for a matrix whose best scalar is `theta`."""
    s = (2.0 - omega) / omega
    return 5.0 * np.sqrt(1.0 / s + s / (2.0 * theta * gap))


def play(learner, contexts, loss):
    """Losses of a learner on a sequence."""
    losses = []
    for value in contexts:
        choice = learner.choose(Context(float(value), float(value) / (1.0 + float(value))))
        losses.append(loss(choice.omega, choice.context))
        learner.update(choice, losses[-1])
    return np.array(losses)


def shifts(count, rng=3):
    return 10.0 ** np.random.default_rng(rng).uniform(-3, 0, size=count)


# ---- Tsallis-INF ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("eta", [2.0, 0.3, 0.01])
def test_tsallis_distribution_minimises_its_definition(eta):
    losses = np.array([3.0, 0.5, 0.7, 40.0])
    p = tsallis_distribution(losses, eta)
    assert p.sum() == pytest.approx(1.0, abs=1e-14)
    gradient = losses - 2.0 / (eta * np.sqrt(p))  # of <p, losses> - (4/eta) sum sqrt(p)
    assert np.ptp(gradient) < 1e-9 * np.abs(gradient).max()


def test_tsallis_distribution_is_uniform_without_losses_and_invariant_under_shifts():
    assert np.allclose(tsallis_distribution(np.zeros(5), 0.7), 0.2)
    losses = np.array([1.0, 2.0, 5.0])
    assert np.allclose(tsallis_distribution(losses + 100.0, 0.7), tsallis_distribution(losses, 0.7))


@pytest.mark.parametrize("reduced", [False, True])
def test_the_estimates_of_tsallis_inf_are_unbiased(reduced):
    """Over the draw of one round the expected change of the estimates is the losses above the floor."""
    losses = np.array([11.0, 4.0, 7.0])
    trained = TsallisINF([1.0, 1.3, 1.6], rng=0, reduced_variance=reduced)
    play(trained, np.ones(200), lambda omega, context: losses[round((omega - 1.0) / 0.3)])
    p = trained.probabilities()
    expected = np.zeros(3)
    for arm in range(3):
        copy = learner_from_state(trained.state_dict())
        choice = copy.choose(Context())
        copy.update(type(choice)(arm, choice.omega, choice.context, float(p[arm])), losses[arm])
        # the half of the mean that the reduced form moves is that after the round
        expected += p[arm] * (copy.cumulative - trained.cumulative)
    tolerance = 0.02 if reduced else 1e-10
    assert np.allclose(expected, losses - 1.0, rtol=tolerance)
    if reduced:
        assert (200 * p >= 16.0).any(), "no arm was in the reduced form"


@pytest.mark.parametrize("name", ["tsallis-inf", "tsallis-inf-rv"])
def test_tsallis_inf_finds_the_best_arm(name):
    learner = make(name)
    losses = play(learner, np.ones(3000), lambda omega, context: 20.0 + 80.0 * abs(omega - 1.5))
    assert losses[-500:].mean() < 0.7 * losses[:50].mean()
    assert abs(learner.grid[np.argmax(learner.probabilities())] - 1.5) < 0.11
    assert learner.estimated_regret() > 0.0


def test_tsallis_inf_chooses_alike_for_losses_in_another_unit():
    def choices(unit):
        learner = TsallisINF(rng=5, floor=0.0)
        return play(learner, np.ones(300), lambda omega, context: unit * (1.0 + abs(omega - 1.3))) / unit

    assert np.allclose(choices(1.0), choices(1e-6), rtol=1e-9)


# ---- contexts ------------------------------------------------------------------------------------------


def test_contextual_copies_share_nothing_but_the_generator():
    learner = ContextualTsallisINF(INTERVAL, bins=3, rng=0)
    for value in (1e-3, 0.9, 5.0):  # beyond the interval counts as its end
        choice = learner.choose(Context(value))
        learner.update(choice, 10.0)
    assert [copy.rounds for copy in learner.copies] == [1, 0, 2]


def test_contexts_are_mapped_to_the_unit_interval():
    assert INTERVAL.unit(Context(1e-3)) == pytest.approx(-1.0)
    assert INTERVAL.unit(Context(10**-1.5)) == pytest.approx(0.0)
    assert ContextInterval(2.0, 4.0).unit(Context(3.5)) == pytest.approx(0.5)
    assert ContextInterval(2.0, 4.0).unit(Context(-3.5)) == -1.0


def test_chebcb_approaches_the_instance_optimum_where_no_fixed_omega_does():
    contexts, grid = shifts(1500), ChebCB(INTERVAL).grid

    def loss(omega, context):
        return ssor_cg_iterations(omega, context.gap)

    table = np.array([[loss(omega, Context(c, c / (1 + c))) for omega in grid] for c in contexts])
    late = slice(1000, None)
    learned = play(ChebCB(INTERVAL, rng=0), contexts, loss)[late].sum()
    assert learned < 1.05 * table.min(axis=1)[late].sum()
    assert learned < table[late].sum(axis=0).min()


def test_coefficients_of_chebcb_stay_in_their_box():
    learner = ChebCB(INTERVAL, rng=0)
    rng = np.random.default_rng(0)
    play(learner, shifts(400), lambda omega, context: float(rng.integers(10, 500)))
    assert (np.abs(learner.theta) <= learner._bounds() * (1 + 1e-9)).all()


# ---- closed form and one scalar ------------------------------------------------------------------------


def test_youngs_omega_minimises_the_spectral_radius():
    A = five_point_laplacian(6, 6).toarray() + 0.1 * np.eye(36)
    gap = np.linalg.eigvalsh(A).min() / A[0, 0]

    def radius(omega):
        M = np.diag(np.diag(A)) / omega + np.tril(A, -1)
        return np.abs(np.linalg.eigvals(np.eye(36) - np.linalg.solve(M, A))).max()

    best = optimal_omega(gap, "sor")
    # defective there: eigenvalues are accurate to the square root of rounding
    assert radius(best) == pytest.approx(best - 1.0, abs=1e-4)
    assert radius(best) < min(radius(best - 0.02), radius(best + 0.02))
    beta = 1.0 - gap
    assert best == pytest.approx(1.0 + (beta / (1.0 + np.sqrt(1.0 - beta**2))) ** 2)


def test_axelssons_omega_minimises_the_bound():
    omegas = np.linspace(1.0, 1.99, 1000)
    best = omegas[np.argmin(ssor_cg_iterations(omegas, 0.01))]
    assert optimal_omega(0.01, "ssor-cg") == pytest.approx(best, abs=1e-3)


@pytest.mark.parametrize("theta", [1.0, 8.0, 64.0])
def test_one_scalar_learns_the_scalar_in_few_systems(theta):
    contexts = shifts(60)

    def loss(omega, context):
        return round(ssor_cg_iterations(omega, context.gap, theta))

    optimum = sum(
        min(loss(omega, Context(c, c / (1 + c))) for omega in np.linspace(1.0, 1.99, 300)) for c in contexts
    )
    learned = play(OneScalar(), contexts, loss).sum()
    assert learned < 1.07 * optimum
    if theta > 1.0:
        assert learned < play(ClosedForm(), contexts, loss).sum()


def test_one_scalar_learns_for_sor_too():
    def loss(omega, context):
        beta = 1.0 - context.gap
        inside = (omega * beta) ** 2 - 4.0 * (omega - 1.0)
        rho = 0.25 * (omega * beta + np.sqrt(inside)) ** 2 if inside > 0.0 else omega - 1.0
        return np.ceil(18.0 / -np.log(rho)) + 3

    contexts = shifts(100)
    learned = play(OneScalar("sor"), contexts, loss).sum()
    assert learned < 1.1 * play(ClosedForm("sor"), contexts, loss).sum()


def test_ridge_is_the_least_squares_solution_with_the_priors_as_rows():
    rng = np.random.default_rng(0)
    F, y, prior = rng.standard_normal((9, 3)), rng.standard_normal(9), np.array([2.0, 1.0, 0.5])
    model = BayesianRidge(prior, noise=0.1)
    for features, value in zip(F, y, strict=True):
        model.add(features, value)
    stacked = np.vstack([F / 0.1, np.diag(1 / prior)])
    mean, deviation = model.predict(np.eye(3))
    assert np.allclose(mean, np.linalg.lstsq(stacked, np.append(y / 0.1, np.zeros(3)))[0])
    assert np.allclose(deviation**2, np.diag(np.linalg.inv(stacked.T @ stacked)))


# ---- all of them ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_learner_goes_on_where_it_stood(name):
    contexts = shifts(120)

    def loss(omega, context):
        return ssor_cg_iterations(omega, context.gap, 4.0)

    through = play(make(name, rng=7), contexts, loss)
    first = make(name, rng=7)
    before = play(first, contexts[:50], loss)
    second = learner_from_state(json.loads(json.dumps(first.state_dict())))
    assert np.array_equal(np.concatenate([before, play(second, contexts[50:], loss)]), through)


@pytest.mark.parametrize("name", ["tsallis-inf", "tsallis-inf-rv", "contextual", "chebcb"])
def test_the_same_rng_gives_the_same_choices_and_another_one_others(name):
    def choices(seed):
        return play(make(name, rng=seed), shifts(60), lambda omega, context: omega)

    assert np.array_equal(choices(1), choices(1))
    assert not np.array_equal(choices(1), choices(2))


@pytest.mark.parametrize("name", NAMES)
def test_every_omega_is_one(name):
    learner = make(name)
    for value in (1e-9, 1e-3, 0.5, 1.0, 50.0):
        choice = learner.choose(Context(value, min(value, 1.0)))
        assert 0.0 < choice.omega < 2.0
        learner.update(choice, 3.0)


def test_numbers_and_learners_are_learners():
    assert make_learner(1.4).choose(Context()).omega == 1.4
    fixed = Fixed(1.2)
    assert make_learner(fixed) is fixed


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_learner("best"), "learner must be one of .*chebcb"),
        (lambda: make_learner("chebcb"), "needs context_range"),
        (lambda: make_learner(2.5), r"grid must be .* in \(0, 2\)"),
        (lambda: TsallisINF([1.5, 1.2]), "grid must increase"),
        (lambda: ContextInterval(1.0, 1.0), "low < high"),
        (lambda: ContextInterval(0.0, 1.0, "log"), "positive context_range"),
        (lambda: ContextInterval(0.0, 1.0, "cubic"), "context_scale"),
        (lambda: ContextualTsallisINF(INTERVAL, bins=0), "bins must be at least 1"),
        (lambda: ChebCB(INTERVAL, terms=0), "terms must be at least 1"),
        (lambda: OneScalar(optimism=-1.0), "optimism must be nonnegative"),
        (lambda: OneScalar(first=0.0), "first must be positive"),
        (lambda: ClosedForm("jacobi"), "iteration must be"),
        (lambda: ChebCB(INTERVAL).choose(Context()), "finite context"),
        (lambda: OneScalar().choose(Context()), "needs the gap"),
        (lambda: learner_from_state({"kind": "oracle"}), "state_dict"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_loss_must_be_a_number():
    learner = TsallisINF(rng=0)
    with pytest.raises(ValueError, match="loss must be finite"):
        learner.update(learner.choose(Context()), float("nan"))
    with pytest.raises(TypeError, match="learner must be a name"):
        make_learner(None)
