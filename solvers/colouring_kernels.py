"""Greedy colouring of the graph of a sparse symmetric pattern (CSR, both triangles), vertex by vertex."""

import numpy as np
from numba import njit, types

_INTS = types.Array(types.int64, 1, "C", readonly=True)


@njit(types.int64[::1](_INTS, _INTS, _INTS), cache=True, nogil=True)
def greedy_colours(indptr, indices, order):
    """The least colour that no neighbour has, vertices in the given order."""
    n = indptr.size - 1
    colours = np.full(n, -1, dtype=np.int64)
    taken_by = np.full(n + 1, -1, dtype=np.int64)  # colour -> the last vertex that found it taken
    for i in order:
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            if j != i and colours[j] >= 0:
                taken_by[colours[j]] = i
        colour = 0
        while taken_by[colour] == i:
            colour += 1
        colours[i] = colour
    return colours
