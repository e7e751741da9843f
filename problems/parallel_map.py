"""``workers=`` of scipy: evaluations that do not depend on each other, one after another or in processes."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from numbers import Integral
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

P = ParamSpec("P")
R = TypeVar("R")

MapLike = Callable[[Callable[..., Any], Iterable[Any]], Iterable[Any]]

# Pieces per worker: fewer would leave workers idle at the end, more would send more messages.
_CHUNKS = 4


@contextmanager
def open_map(workers: Any) -> Iterator[MapLike]:
    """What stands behind ``workers=``: a function with the signature of `map`.

    Parameters
    ----------
    workers : int, map-like callable or None
        None or 1: the built-in `map`. A number: so many processes, -1 for one per processor that this process
        may use; they start at the first call and end with the context. A callable is taken as it is, such as
        ``multiprocessing.Pool().map`` or the map of an executor, and must return results in the order of the
        items.

    Raises
    ------
    TypeError
        Neither a number nor callable.
    ValueError
        A number of workers that is 0 or below -1.

    Notes
    -----
    Processes are started afresh (by a fork server where there is one, else spawned) and not forked from this
    one, whose threads, of BLAS or numba, a fork would leave in an undefined state. So functions must be
    importable, and a script needs the usual ``if __name__ == "__main__":``.
    """
    if workers is None:
        yield map
    elif callable(workers):
        yield workers
    elif isinstance(workers, bool) or not isinstance(workers, Integral):
        raise TypeError(f"workers must be an integer or a map-like callable, got {type(workers).__name__}")
    elif workers == 0 or workers < -1:
        raise ValueError(f"workers must be a positive integer or -1, got {workers}")
    else:
        count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        pool = _Processes(count if workers == -1 else int(workers))
        try:
            yield map if pool.count == 1 else pool.map
        finally:
            pool.close()


class _Processes:
    """Processes that start when they are first needed."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._executor: ProcessPoolExecutor | None = None

    def map(self, fun: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Results in the order of the items; an exception of `fun` is raised here."""
        if self._executor is None:
            import multiprocessing
            from concurrent.futures import ProcessPoolExecutor

            _require_picklable(fun)
            methods = multiprocessing.get_all_start_methods()
            context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
            self._executor = ProcessPoolExecutor(self.count, mp_context=context)
        tasks = list(items)
        return self._executor.map(fun, tasks, chunksize=max(1, -(-len(tasks) // (_CHUNKS * self.count))))

    def close(self) -> None:
        """End the processes; tasks not begun are dropped."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)


def _require_picklable(fun: Any) -> None:
    try:
        pickle.dumps(fun)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"workers > 1 sends functions to other processes, and one cannot be sent ({error}); define it "
            "at the top of an importable module, or pass a map over threads as workers"
        ) from error


@dataclass(frozen=True)
class Bound:
    """A function with its further arguments, in a form that can be sent to another process.

    To be called by a map: what the function raises arrives where the results are taken.
    """

    fun: Callable[..., Any]
    args: tuple[Any, ...]

    def __call__(self, x: Any) -> Any:
        """``fun(x, *args)``."""
        try:
            return self.fun(x, *self.args)
        except StopIteration as stop:
            raise Ferried(stop) from None


class Ferried(Exception):  # noqa: N818 - a message between `ferried` and `landed`
    """A StopIteration of the user's on its way through iterators, which it would only end."""


def ferried(fun: Callable[P, R]) -> Callable[P, R]:
    """The function for use inside an iterator: its StopIteration becomes `Ferried`."""

    @wraps(fun)
    def embarking(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return fun(*args, **kwargs)
        except StopIteration as stop:
            raise Ferried(stop) from None

    return embarking


def landed(fun: Callable[P, R]) -> Callable[P, R]:
    """The function that runs such an iterator: `Ferried` becomes the StopIteration that it was."""

    @wraps(fun)
    def landing(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return fun(*args, **kwargs)
        except Ferried as ferry:
            raise ferry.args[0] from None

    return landing
