"""Sketch operators: random d x n matrices S with E[S'S] = I that are cheap to apply."""

from .dense import Gaussian, Rademacher
from .protocol import Sketch
from .sampling import BlockRowSampling, RowSampling, leverage_probabilities, row_norm_probabilities
from .sparse import CountSketch, SparseSign, SparseStack
from .trigonometric import SRTT

__all__ = [
    "SRTT",
    "BlockRowSampling",
    "CountSketch",
    "Gaussian",
    "Rademacher",
    "RowSampling",
    "Sketch",
    "SparseSign",
    "SparseStack",
    "leverage_probabilities",
    "row_norm_probabilities",
]
