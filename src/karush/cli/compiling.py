"""A word to the user while kernels are compiled, and only then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def on_compilation(notify: Callable[[], None]) -> Iterator[None]:
    """Call `notify` once if numba compiles anything in the context; its disk cache does not count."""
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        told = False

        def on_start(self, _: Any) -> None:
            if not self.told:
                self.told = True
                notify()

        def on_end(self, _: Any) -> None:
            pass

    listener = Listener()
    event.register("numba:run_pass", listener)
    try:
        yield
    finally:
        event.unregister("numba:run_pass", listener)
