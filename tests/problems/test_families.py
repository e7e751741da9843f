"""Blocks of families: affine where the index data are, and always what the tables say."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from karush.problems.families import Family, FamilyTable, affine_blocks, fit_blocks
from karush.problems.family_kernels import TABLE
from karush.problems.pattern_cache import pattern_of
from karush.problems.sparse_patterns import merge_entries


def unfolded(slots, starts):
    """The slots as base, stride and table give them."""
    base, stride = fit_blocks(slots, starts)
    result = np.empty_like(slots)
    for block, (first, last) in enumerate(pairwise(starts)):
        for s in range(slots.shape[0]):
            if stride[block, s] == TABLE:
                result[s, first:last] = slots[s, first:last]
            else:
                result[s, first:last] = base[block, s] + stride[block, s] * np.arange(last - first)
    return result


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_blocks_reproduce_the_slots(data):
    pieces = data.draw(
        st.lists(
            st.tuples(st.integers(1, 60), st.integers(-50, 50), st.integers(-3, 3)), min_size=1, max_size=8
        )
    )
    row = np.concatenate([1000 + base + stride * np.arange(length) for length, base, stride in pieces])
    slots = np.stack([row, np.arange(row.size), np.full(row.size, 7)])
    starts = affine_blocks(slots, width=32)
    assert starts[0] == 0
    assert starts[-1] == row.size
    assert ((np.diff(starts) >= 1) & (np.diff(starts) <= 32)).all()
    np.testing.assert_array_equal(unfolded(slots, starts), slots)


def test_grid_of_long_lines_needs_no_tables():
    index = np.arange(200 * 150).reshape(200, 150)
    slots = np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()])
    _, stride = fit_blocks(slots, affine_blocks(slots, 128))
    assert not (stride == TABLE).any()


def test_irregular_data_keep_long_blocks():
    slots = np.random.default_rng(1).permutation(5000)[None, :]
    starts = affine_blocks(slots, 128)
    assert starts.size < 1.1 * 5000 / 128 + 2
    np.testing.assert_array_equal(unfolded(slots, starts), slots)


def test_width_keeps_the_buffers_small():
    family = Family(
        pattern_of(lambda *v: sum(a * b for a in v for b in v), range(12)),
        np.arange(12 * 4000, dtype=np.int32).reshape(12, 4000),
        np.zeros(4000, np.int32),
    )
    assert family.pattern.width * (2 + 2 * 12 + 78) <= 2048
    assert FamilyTable([family]).workspace == family.workspace <= 2048 + 2 * 12


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=40), st.integers(1, 3))
def test_merged_entries_add_up(entries, pieces):
    rows = np.array([r for r, _ in entries], dtype=np.int32)
    columns = np.array([c for _, c in entries], dtype=np.int32)
    values = np.arange(1.0, rows.size + 1)
    cut = np.array_split(np.arange(rows.size), pieces)
    indptr, indices, positions = merge_entries([rows[c] for c in cut], [columns[c] for c in cut], (7, 5))
    expected, present = np.zeros((7, 5)), np.zeros((7, 5), dtype=bool)
    np.add.at(expected, (rows, columns), values)
    present[rows, columns] = True
    merged = np.zeros(indices.size)
    for piece, at in zip(cut, positions, strict=True):
        np.add.at(merged, at, values[piece])
    row_of = np.repeat(np.arange(7), np.diff(indptr))
    np.testing.assert_array_equal(np.stack([row_of, indices]), np.stack(np.nonzero(present)))
    np.testing.assert_array_equal(merged, expected[row_of, indices])
