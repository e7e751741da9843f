"""SOR by its formula, in every direction and order; block SOR and stencils by the same formula."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from karush.problems.collection.grids import five_point_diffusion, five_point_laplacian
from karush.solvers.sequence.block_sor import BlockSOR
from karush.solvers.sequence.colouring import ColouredMatrix, greedy_colouring
from karush.solvers.sequence.protocol import LinearStatus
from karush.solvers.sequence.sor import SOR, sor
from karush.solvers.sequence.stencil import FivePoint, StencilSOR

SWEEPS = ["forward", "backward", "symmetric"]


def dominant(rng, n, density=0.2):
    """A nonsymmetric matrix with a dominant diagonal of both signs."""
    A = sp.random_array((n, n), density=density, rng=rng).toarray() - 0.2 * (rng.random((n, n)) < density)
    A[np.arange(n), np.arange(n)] = (1.0 + np.abs(A).sum(axis=1)) * rng.choice([-1.0, 1.0], n)
    return A


def by_formula(A, b, x, omega, sweep, iterations, block=1):
    """x += (D/omega + L)^-1 (b - A x), D and L by blocks; for backward sweeps U in place of L."""
    groups = np.arange(len(b)) // block
    D = np.where(groups[:, None] == groups, A, 0.0)
    lower, upper = (np.where(mask, A, 0.0) for mask in (groups[:, None] > groups, groups[:, None] < groups))
    parts = {"forward": [lower], "backward": [upper], "symmetric": [lower, upper]}[sweep]
    iterates = [x]
    for _ in range(iterations):
        for part in parts:
            x = x + np.linalg.solve(D / omega + part, b - A @ x)
        iterates.append(x)
    return iterates


@pytest.mark.parametrize("sweep", SWEEPS)
@pytest.mark.parametrize("omega", [0.7, 1.0, 1.3])
def test_iterates_and_residuals_by_the_formula(sweep, omega):
    rng = np.random.default_rng(7)
    A = dominant(rng, 23)
    b, x0 = rng.standard_normal((2, 23))
    iterates = by_formula(A, b, x0, omega, sweep, 5)
    for k in (1, 2, 5):
        answer = sor(sp.csr_array(A), b, x0, omega, sweep=sweep, max_iterations=k, rtol=0.0)
        np.testing.assert_allclose(answer.x, iterates[k], rtol=1e-12, atol=1e-14)
        assert answer.iterations == k
    expected = [np.linalg.norm(b - A @ x) for x in iterates]
    np.testing.assert_allclose(answer.residuals, expected, rtol=1e-11)


@pytest.mark.parametrize("sweep", SWEEPS)
def test_multicolour_is_natural_order_of_the_permuted_system(sweep):
    rng = np.random.default_rng(3)
    A = sp.csr_array(dominant(rng, 60, 0.05))
    b, x0 = rng.standard_normal((2, 60))
    order = ColouredMatrix(A).order
    permuted = sp.csr_array(A[order][:, order])
    coloured = sor(A, b, x0, 1.2, sweep=sweep, order="multicolour")
    natural = sor(permuted, b[order], x0[order], 1.2, sweep=sweep)
    assert coloured.iterations == natural.iterations
    np.testing.assert_allclose(coloured.x[order], natural.x, rtol=1e-12)
    np.testing.assert_allclose(coloured.residuals, natural.residuals, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("sweep", SWEEPS)
def test_two_colours_know_their_residual(sweep):
    A = five_point_laplacian(9, 8)
    b, x0 = np.random.default_rng(0).standard_normal((2, 72))
    order = ColouredMatrix(A).order
    permuted = sp.csr_array(A[order][:, order])
    answer = sor(A, b, x0, 1.6, sweep=sweep, order="multicolour")
    iterates = by_formula(permuted.toarray(), b[order], x0[order], 1.6, sweep, answer.iterations)
    np.testing.assert_allclose(
        answer.residuals, [np.linalg.norm(b[order] - permuted @ x) for x in iterates], rtol=1e-7
    )


def test_no_two_neighbours_have_one_colour():
    rng = np.random.default_rng(1)
    A = sp.csr_array(dominant(rng, 80, 0.04))
    colours = greedy_colouring(A)
    rows, columns = A.nonzero()
    assert (colours[rows] != colours[columns])[rows != columns].all()
    pattern = (A + A.T) != 0
    assert colours.max() <= np.diff(sp.csr_array(pattern).indptr).max() - 1
    assert set(greedy_colouring(five_point_laplacian(6, 7))) == {0, 1}


@pytest.mark.parametrize("sweep", SWEEPS)
def test_threads_give_the_same_bits(sweep, monkeypatch):
    monkeypatch.setattr("karush.solvers.sequence.colouring.BLOCK_ROWS", 7)
    rng = np.random.default_rng(5)
    for A in (five_point_laplacian(20, 21), sp.csr_array(dominant(rng, 300, 0.02))):
        b = rng.standard_normal(A.shape[0])
        one = sor(A, b, omega=1.1, sweep=sweep, order="multicolour")
        for workers in (2, 3):
            more = sor(A, b, omega=1.1, sweep=sweep, order="multicolour", workers=workers)
            assert np.array_equal(one.x, more.x)
            assert np.array_equal(one.residuals, more.residuals)


def test_the_rate_is_youngs():
    side = 30
    beta = np.cos(np.pi / (side + 1))
    best = 2.0 / (1.0 + np.sqrt(1.0 - beta**2))
    A = five_point_laplacian(side, side)
    b = np.random.default_rng(0).standard_normal(side**2)
    answer = sor(A, b, omega=1.95, rtol=1e-10)
    rate = (answer.residuals[-1] / answer.residuals[-101]) ** 0.01
    assert rate == pytest.approx(0.95, abs=0.01)  # omega - 1, where omega > omega*
    iterations = {omega: sor(A, b, omega=omega).iterations for omega in (1.0, best, 1.95)}
    assert iterations[best] < iterations[1.95] < iterations[1.0]


@given(st.integers(1, 12), st.floats(0.2, 1.9), st.sampled_from(SWEEPS), st.integers(0, 2**32 - 1))
def test_positive_definite_systems_are_solved(n, omega, sweep, seed):
    rng = np.random.default_rng(seed)
    B = rng.standard_normal((n, n))
    A = B @ B.T + 0.5 * n * np.eye(n)
    x = rng.standard_normal(n)
    answer = sor(sp.csr_array(A), A @ x, omega=omega, sweep=sweep, rtol=1e-10)
    assert answer.status is LinearStatus.CONVERGED
    np.testing.assert_allclose(answer.x, x, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("sweep", SWEEPS)
@pytest.mark.parametrize("block", [1, 2, 3])
def test_block_sweeps_by_the_formula(sweep, block):
    rng = np.random.default_rng(2)
    n = 18
    A = dominant(rng, n, 0.4)
    if block == 2:  # a block that needs pivoting
        A[4:6, 4:6] = [[0.0, 30.0], [40.0, 1.0]]
    b, x0 = rng.standard_normal((2, n))
    solver = BlockSOR(block, 1.2, sweep)
    assert solver.setup(sp.csr_array(A)).failure is None
    iterates = by_formula(A, b, x0, 1.2, sweep, 4, block)
    answer = solver.solve(b, x0, rtol=0.0, max_iterations=4)
    np.testing.assert_allclose(answer.x, iterates[-1], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(answer.residuals, [np.linalg.norm(b - A @ x) for x in iterates], rtol=1e-10)


def test_one_block_is_a_direct_solution():
    rng = np.random.default_rng(2)
    A = rng.standard_normal((5, 5))
    solver = BlockSOR(5)
    solver.setup(sp.csr_array(A))
    x = rng.standard_normal(5)
    answer = solver.solve(A @ x, rtol=1e-12)
    assert answer.iterations == 1
    np.testing.assert_allclose(answer.x, x, rtol=1e-10)


def test_a_singular_block_is_a_status():
    solver = BlockSOR(2)
    setup = solver.setup(sp.csr_array(np.array([[1.0, 2.0, 0, 0], [2, 4, 0, 1], [0, 0, 1, 0], [0, 1, 0, 1]])))
    assert setup.failure is LinearStatus.ZERO_DIAGONAL
    assert solver.solve(np.ones(4)).status is LinearStatus.ZERO_DIAGONAL


def test_blocks_must_fill_the_matrix():
    with pytest.raises(ValueError, match="multiple of block_size=2"):
        BlockSOR(2).setup(sp.eye_array(5).tocsr())


def stencils():
    rng = np.random.default_rng(8)
    center = 4.5 + rng.random((7, 9))
    yield FivePoint((7, 9), 4.5, -1.0, -1.2)
    yield FivePoint((7, 9), center, -rng.random((7, 8)), -rng.random((6, 9)))
    yield FivePoint((7, 9), 4.5, -rng.random((7, 8)), -1.0)
    yield FivePoint((1, 9), 3.0, -1.0, -1.0)
    yield FivePoint((7, 1), 3.0, -1.0, -1.0)
    yield FivePoint((1, 1), -3.0, 1.0, 1.0)


@pytest.mark.parametrize("order", ["natural", "multicolour"])
@pytest.mark.parametrize("sweep", SWEEPS)
def test_stencils_are_their_matrices(order, sweep):
    rng = np.random.default_rng(0)
    for A in stencils():
        if (order, sweep) == ("multicolour", "symmetric"):
            continue
        matrix = A.tocsr()
        b, x0 = rng.standard_normal((2, A.n))
        np.testing.assert_allclose(A @ b, matrix @ b, rtol=1e-13, atol=1e-13)
        solver = StencilSOR(1.3, sweep, order)
        solver.setup(A)
        matrix_free, with_matrix = solver.solve(b, x0), sor(matrix, b, x0, 1.3, sweep=sweep, order=order)
        assert matrix_free.converged
        assert matrix_free.iterations == with_matrix.iterations
        np.testing.assert_allclose(matrix_free.x, with_matrix.x, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(matrix_free.residuals, with_matrix.residuals, rtol=1e-6)


def test_the_stencil_of_a_diffusion_problem():
    rng = np.random.default_rng(0)
    vertical, horizontal = rng.random((7, 5)), rng.random((6, 6))
    A = five_point_diffusion(vertical, horizontal)
    stencil = FivePoint(
        (6, 5), A.diagonal().reshape(6, 5), horizontal=-horizontal[:, 1:-1], vertical=-vertical[1:-1]
    )
    assert abs(stencil.tocsr() - A).max() < 1e-15


def test_threads_on_a_stencil_give_the_same_bits():
    rng = np.random.default_rng(0)
    b = rng.standard_normal(50 * 31)
    answers = []
    for workers in (1, 2, 3):
        solver = StencilSOR(1.7, order="multicolour", workers=workers)
        solver.setup(FivePoint((50, 31), 4.1, -1.0, -1.0))
        answers.append(solver.solve(b))
    for answer in answers[1:]:
        assert np.array_equal(answer.x, answers[0].x)
        assert np.array_equal(answer.residuals, answers[0].residuals)


@pytest.mark.parametrize(("center", "status"), [(0.0, "ZERO_DIAGONAL"), (np.nan, "NONFINITE")])
def test_a_stencil_that_cannot_be_used(center, status):
    solver = StencilSOR()
    assert solver.setup(FivePoint((3, 3), center, -1.0, -1.0)).failure is LinearStatus[status]
    assert solver.solve(np.ones(9)).status is LinearStatus[status]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SOR(2.0), "omega must lie in"),
        (lambda: SOR(0.0), "omega must lie in"),
        (lambda: SOR(np.nan), "omega must lie in"),
        (lambda: SOR(sweep="up"), "sweep must be"),
        (lambda: SOR(order="random"), "order must be"),
        (lambda: SOR(workers=2), "multicolour"),
        (lambda: SOR(workers=0), "workers must be"),
        (lambda: BlockSOR(0), "block_size"),
        (lambda: StencilSOR(order="multicolour", sweep="symmetric"), "sweep="),
        (lambda: FivePoint((2, 3), np.ones((3, 2)), -1.0, -1.0), "center must be a number or have shape"),
        (lambda: FivePoint((0, 3), 4.0, -1.0, -1.0), "shape must be positive"),
    ],
)
def test_bad_options(make, message):
    with pytest.raises(ValueError, match=message):
        make()
