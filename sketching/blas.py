"""BLAS on one thread, where results should not depend on how many there are."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def _controller() -> Any:
    # Looking through the process's libraries takes a millisecond; numpy's and scipy's are loaded by now.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def single_threaded_blas() -> Any:
    """Context in which BLAS and LAPACK of the whole process run on one thread.

    With more, they split their sums otherwise, and the last bits of a result follow their number. Where the
    work is in passes over a matrix that have threads of their own, little is lost.
    """
    return _controller().limit(limits=1, user_api="blas")
