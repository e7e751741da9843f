"""A worker process of a sweep: ``python -m karush.bench.worker PARENT_PID``.

Reads one job a line (JSON) from standard input, writes one message a line to what was its standard output,
and ends when its input ends. Whatever solvers print goes to standard error, which the parent keeps as a log.
Each phase is announced before it begins, so that the parent knows what a worker was at when it had to die.
"""

from __future__ import annotations

import time

_STARTED = time.perf_counter()  # before numpy and scipy are imported: the start-up that is reported

import faulthandler  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from typing import TextIO  # noqa: E402

from ._process import die_with_parent, prefer_as_victim  # noqa: E402


def main() -> None:
    """Serve jobs until standard input ends."""
    die_with_parent(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    prefer_as_victim()
    replies = _private_output()
    faulthandler.enable()
    from .execution import Executor  # heavy: after the death watch stands

    def send(message: dict[str, object]) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    executor = Executor(announce=lambda phase: send({"event": "phase", "phase": phase}))
    send({"event": "ready", "seconds": time.perf_counter() - _STARTED})
    for line in sys.stdin:
        send({"event": "result", "record": executor.run(json.loads(line))})
        sys.stderr.flush()


def _private_output() -> TextIO:
    """Standard output under another descriptor, and standard error in its place."""
    private = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(private, "w", encoding="utf-8")


if __name__ == "__main__":
    main()
