"""Sequences of linear systems: what they are by definition, and that they are the same when asked again."""

import numpy as np
import pytest
import scipy.sparse as sp

from karush.problems.collection.grids import five_point_diffusion, five_point_laplacian
from karush.problems.collection.heat_equations import diffusivity
from karush.problems.collection.shifted_systems import shift_schedule
from karush.problems.linear_sequence import (
    LinearSequence,
    ShiftedMatrix,
    get_sequence,
    register_sequence,
    sequences,
)

SMALL = {
    "BETASHIFT": {"length": 6},
    "DIFFUSION": {"side": 8, "length": 6},
    "FEM-ELASTICITY": {"points": 200, "length": 6},
    "FEM-POISSON": {"points": 200, "length": 6},
    "GALLERY": {"length": 6},
    "HEAT": {"side": 9, "length": 6},
}
NEEDS = {"FEM-ELASTICITY": "skfem", "FEM-POISSON": "skfem", "GALLERY": "pyamg"}


def build(name, **options):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    return get_sequence(name, **SMALL[name], **options)


def test_every_registered_sequence_is_tested_here():
    assert {entry.name for entry in sequences()} == set(SMALL)
    assert all(entry.summary and entry.source for entry in sequences())


@pytest.mark.parametrize("name", SMALL)
def test_systems_are_positive_definite_sorted_and_of_one_pattern(name):
    sequence = build(name)
    assert len(sequence) == 6
    first = sequence.system(0, sequence.start)
    for t in range(len(sequence)):
        system = sequence.system(t, sequence.start)
        A = system.A
        assert isinstance(A, sp.csr_array)
        assert A.dtype == np.float64
        assert A.has_sorted_indices
        assert A.has_canonical_format
        assert A.shape == (sequence.n, sequence.n)
        assert system.b.shape == (sequence.n,)
        assert np.shares_memory(A.indices, first.A.indices)
        assert np.shares_memory(A.indptr, first.A.indptr)
        assert abs(A - A.T).max() <= 1e-14 * abs(A).max()
        if sequence.n <= 1000:
            assert np.linalg.eigvalsh(A.toarray()).min() > 0.0
        low, high = sequence.context_range
        assert low <= system.context <= high


@pytest.mark.parametrize("name", SMALL)
def test_a_system_is_the_same_when_asked_again(name):
    first, second = build(name), build(name)
    for t in (4, 1):
        one, other = first.system(t, first.start), second.system(t, second.start)
        assert np.array_equal(one.b, other.b)
        assert np.array_equal(one.A.data, other.A.data)


@pytest.mark.parametrize("name", ["BETASHIFT", "DIFFUSION"])
def test_another_rng_gives_other_systems(name):
    one, other = build(name, rng=1), build(name, rng=2)
    assert one.system(0, one.start).context != other.system(0, other.start).context


def test_the_laplacian_has_its_eigenvalues():
    m, n = 3, 4
    along = [2 - 2 * np.cos(np.pi * np.arange(1, k + 1) / (k + 1)) for k in (m, n)]
    expected = np.sort((along[0][:, None] + along[1]).ravel())
    assert np.allclose(np.linalg.eigvalsh(five_point_laplacian(m, n).toarray()), expected)


def test_diffusion_conserves_where_nothing_leaves():
    """Closed boundary faces: constants are in the kernel, and fluxes are symmetric."""
    rng = np.random.default_rng(0)
    vertical, horizontal = rng.random((5, 6)), rng.random((4, 7))
    vertical[[0, -1]] = horizontal[:, [0, -1]] = 0.0
    A = five_point_diffusion(vertical, horizontal)
    assert np.allclose(A @ np.ones(24), 0.0, atol=1e-14)
    assert abs(A - A.T).max() == 0.0


def test_heat_steps_are_those_of_crank_nicolson():
    """For an eigenvector of the Laplacian the step multiplies by (1 - s)/(1 + s), s = dt kappa lambda/2."""
    sequence = get_sequence("HEAT", side=9, length=5000)
    x = np.sin(np.pi * np.arange(1, 10) / 10)
    mode = np.outer(x, x).ravel()
    eigenvalue = 2 * 100 * (2 - 2 * np.cos(np.pi / 10))
    s = 0.5 * 1e-3 * diffusivity(0.5e-3) * eigenvalue
    system = sequence.system(0, mode)
    without_source = system.b - sequence.system(0, np.zeros(81)).b
    assert np.allclose(np.linalg.solve(system.A.toarray(), without_source), (1 - s) / (1 + s) * mode)
    assert system.context == diffusivity(0.5e-3)


def test_heat_cannot_be_iterated_but_the_others_can():
    with pytest.raises(TypeError, match="depend on the solutions"):
        iter(build("HEAT"))
    assert len(list(build("DIFFUSION"))) == 6


def test_shifts_keep_a_diagonal_that_was_not_stored():
    matrix = ShiftedMatrix(sp.csr_array(np.array([[0.0, 1.0], [1.0, 2.0]])))
    assert np.array_equal(matrix.plus(0.5).toarray(), [[0.5, 1.0], [1.0, 2.5]])
    assert np.array_equal(matrix.plus(0.0).toarray(), [[0.0, 1.0], [1.0, 2.0]])


@pytest.mark.parametrize("schedule", ["stationary", "drifting", "switching"])
def test_shifts_stay_in_their_interval(schedule):
    shifts = shift_schedule(schedule, 2000, 1e-3, 10.0, np.random.default_rng(0))
    steps = np.abs(np.diff(np.log(shifts)))
    assert shifts.min() >= 1e-3
    assert shifts.max() <= 10.0
    assert shifts.min() < 1e-2 or schedule == "switching"
    if schedule == "drifting":
        assert steps.min() > 0.0
        assert steps.max() < 3.0
    if schedule == "switching":
        assert 2 <= np.count_nonzero(steps) <= 30


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: get_sequence("HEAR"), KeyError, "no sequence 'HEAR'.*HEAT"),
        (lambda: get_sequence(3), TypeError, "name must be a str"),
        (lambda: get_sequence("heat", width=3), TypeError, "HEAT takes the options side.*not width"),
        (lambda: get_sequence("BETASHIFT", spread="huge"), ValueError, "spread must be"),
        (lambda: get_sequence("DIFFUSION", coefficient="rough"), ValueError, "coefficient must be"),
        (lambda: get_sequence("DIFFUSION", schedule="random"), ValueError, "schedule must be"),
        (lambda: get_sequence("DIFFUSION", low=0.0), ValueError, "0 < low < high"),
        (lambda: get_sequence("GALLERY", matrix="plate"), ValueError, "matrix must be one of"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_taken_name_is_refused():
    def other() -> LinearSequence:
        """Not built."""
        raise AssertionError

    with pytest.raises(ValueError, match="registered already"):
        register_sequence("HEAT")(other)
