"""Randomised linear algebra: sketch operators, and solvers for least squares and linear systems on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import attach

if TYPE_CHECKING:
    from .gmres import SketchedGMRESResult, sketched_gmres
    from .least_squares import LeastSquaresResult, lstsq
    from .low_rank import (
        LowRankEigh,
        LowRankSVD,
        RangeResult,
        nystrom_eigh,
        randomized_eigh,
        randomized_svd,
        range_finder,
    )
    from .nystrom import NystromPCGResult, NystromPreconditioner, nystrom_pcg
    from .operators import (
        SRTT,
        BlockRowSampling,
        CountSketch,
        Gaussian,
        Rademacher,
        RowSampling,
        Sketch,
        SparseSign,
        SparseStack,
        leverage_probabilities,
        row_norm_probabilities,
    )
    from .sketch_and_project import ProjectionResult, ProjectionState, SketchAndProject, sketch_and_project
    from .status import LinearStatus
    from .trace import TraceResult, hutchpp, xtrace

_HOMES = {
    "SRTT": "operators",
    "BlockRowSampling": "operators",
    "CountSketch": "operators",
    "Gaussian": "operators",
    "LeastSquaresResult": "least_squares",
    "LinearStatus": "status",
    "LowRankEigh": "low_rank",
    "LowRankSVD": "low_rank",
    "NystromPCGResult": "nystrom",
    "NystromPreconditioner": "nystrom",
    "ProjectionResult": "sketch_and_project",
    "ProjectionState": "sketch_and_project",
    "Rademacher": "operators",
    "RangeResult": "low_rank",
    "RowSampling": "operators",
    "Sketch": "operators",
    "SketchAndProject": "sketch_and_project",
    "SketchedGMRESResult": "gmres",
    "SparseSign": "operators",
    "SparseStack": "operators",
    "TraceResult": "trace",
    "hutchpp": "trace",
    "leverage_probabilities": "operators",
    "lstsq": "least_squares",
    "nystrom_eigh": "low_rank",
    "nystrom_pcg": "nystrom",
    "randomized_eigh": "low_rank",
    "randomized_svd": "low_rank",
    "range_finder": "low_rank",
    "row_norm_probabilities": "operators",
    "sketch_and_project": "sketch_and_project",
    "sketched_gmres": "gmres",
    "xtrace": "trace",
}

__all__ = [
    "SRTT",
    "BlockRowSampling",
    "CountSketch",
    "Gaussian",
    "LeastSquaresResult",
    "LinearStatus",
    "LowRankEigh",
    "LowRankSVD",
    "NystromPCGResult",
    "NystromPreconditioner",
    "ProjectionResult",
    "ProjectionState",
    "Rademacher",
    "RangeResult",
    "RowSampling",
    "Sketch",
    "SketchAndProject",
    "SketchedGMRESResult",
    "SparseSign",
    "SparseStack",
    "TraceResult",
    "hutchpp",
    "leverage_probabilities",
    "lstsq",
    "nystrom_eigh",
    "nystrom_pcg",
    "randomized_eigh",
    "randomized_svd",
    "range_finder",
    "row_norm_probabilities",
    "sketch_and_project",
    "sketched_gmres",
    "xtrace",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
