"""``karush solve``: one problem, one solver, with the iterations as they come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..bench.spec import Spec
    from ..problems.nlp import NLP

DEFAULT_METHOD = "exact-al"
FREE_ROWS = 40
ROWS_PER_SECOND = 10.0


@click.command(short_help="Solve a problem and certify the answer.")
@click.argument("name")
@click.option(
    "-m",
    "--method",
    default=DEFAULT_METHOD,
    show_default=True,
    help="A method of karush, or a peer: SLSQP, trust-constr, ipopt, ...",
)
@click.option(
    "-s",
    "--set",
    "sizes",
    multiple=True,
    metavar="KEY=VALUE",
    help="A size of the problem, such as n=1000; repeatable.",
)
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the method; repeatable.",
)
@click.option("--tol", type=float, default=1e-8, show_default=True, help="Tolerance of the certificate.")
@click.option(
    "--max-time", type=float, default=600.0, show_default=True, metavar="SECONDS", help="Time limit."
)
@click.option("--json", "as_json", is_flag=True, help="The result as JSON, no log.")
@click.option("-q", "--quiet", is_flag=True, help="No iteration log.")
@click.pass_context
def solve(
    ctx: click.Context,
    name: str,
    method: str,
    sizes: tuple[str, ...],
    options: tuple[str, ...],
    tol: float,
    max_time: float,
    as_json: bool,
    quiet: bool,
) -> None:
    """Solve the problem NAME and certify the answer.

    NAME is a registry name (HS71, s2mpj:HS71), with sizes as LUKVLE1[n=1000] if you like, a SIF file, an .nl
    file (needs karush[casadi]), or an own file.py:function that returns an NLP. The exit code is 0 if the
    certificate holds, 3 if it does not.
    """
    from ..bench.spec import parse_settings
    from ..bench.suites import problem_spec

    _check_positive(tol=tol, max_time=max_time)
    started = time.perf_counter()
    spec = problem_spec(name, sizes)
    settings = dict(parse_settings(options, "option"))
    run = _Run(spec, method, settings, tol, max_time, log=not (as_json or quiet))
    record = run.solve()
    record["seconds"]["all"] = time.perf_counter() - started
    if as_json:
        from .console import write_json

        write_json(record)
    else:
        _print_record(record)
    ctx.exit(0 if record["success"] else 3)


def _check_positive(**values: float) -> None:
    for key, value in values.items():
        if not 0.0 < value < float("inf"):
            raise click.BadParameter(
                f"must be a positive number, got {value}", param_hint=f"--{key.replace('_', '-')}"
            )


class _Run:
    """One call of ``karush solve``."""

    def __init__(
        self, spec: Spec, method: str, options: dict[str, Any], tol: float, max_time: float, log: bool
    ) -> None:
        from ..bench import peers
        from .console import console

        self.spec, self.options, self.tol, self.max_time = spec, options, tol, max_time
        self.peer = peers.get(method)
        self.peer.check_options(options)
        reason = self.peer.unavailable()
        if reason is not None:
            raise ValueError(f"{self.peer.name}: {reason}")
        self.notes = console(stderr=True)
        self.log = log

    def solve(self) -> dict[str, Any]:
        """Build, solve, judge; the record."""
        from .compiling import on_compilation

        with on_compilation(self._note_compilation):
            started = time.perf_counter()
            problem = self._build()
            built = time.perf_counter()
            reason = self.peer.unsuitable(problem)
            if reason is not None:
                raise ValueError(f"{self.peer.name} cannot take {problem.name}: {reason}")
            if self.log:
                self.notes.print(
                    f"[bold]{problem.name}[/]: n = {problem.n:,}, m = {problem.m:,}; {self.peer.name}"
                )
            record = self._answer(problem)
            record["seconds"]["build"] = built - started
        return record

    def _note_compilation(self) -> None:
        self.notes.print("compiling kernels: this happens once, they are kept for the next time", style="dim")

    def _build(self) -> NLP:
        from ..bench.suites import build

        return build(self.spec.name, self.spec.keywords)

    def _answer(self, problem: NLP) -> dict[str, Any]:
        from ..bench.execution import judge
        from ..bench.recording import Recorder

        recorder = Recorder(problem, feasible=self.tol)
        log = _IterationLog(self.notes) if self.log else None
        try:
            answer = self.peer.solve(recorder, self.options, self.max_time, self.tol, watch=log)
        finally:
            if log is not None:
                log.close()
        seconds = recorder.elapsed
        found = judge(problem, answer, self.tol)
        certificate = found.get("certificate")
        return {
            "problem": str(self.spec),
            "method": self.peer.name,
            "options": self.options,
            "n": problem.n,
            "m": problem.m,
            "success": found["outcome"] == "SOLVED",
            "message": found["message"],
            "objective": found.get("objective"),
            "best_known": problem.optimum,
            "iterations": answer.iterations,
            "counts": dict(recorder.counts),
            "certificate": certificate,
            "tol": self.tol,
            "seconds": {"solve": seconds},
            "x": answer.x,
            "y": answer.y,
            "z": answer.z,
        }


class _IterationLog:
    """The first rows all, later ones at a pace that can be read, the last one always."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self._next = 0.0
        self._seen = 0
        self._columns: list[str] = []
        self._waiting: dict[str, Any] | None = None

    def __call__(self, entry: dict[str, Any]) -> None:
        """An iteration."""
        if not self._columns:
            self._columns = [key for key, value in entry.items() if isinstance(value, int | float)]
            self._out.print(
                " ".join(f"{_heading(key):>{_width(key)}}" for key in self._columns), style="bold"
            )
        now = time.perf_counter()
        self._waiting = entry
        self._seen += 1
        if self._seen <= FREE_ROWS or now >= self._next:
            self._next = now + 1.0 / ROWS_PER_SECOND
            self.close()

    def close(self) -> None:
        """Print what waits."""
        entry, self._waiting = self._waiting, None
        if entry is not None:
            figures = (_figure(key, entry.get(key)) for key in self._columns)
            self._out.print(
                " ".join(f"{text:>{_width(key)}}" for key, text in zip(self._columns, figures, strict=True))
            )


def _heading(key: str) -> str:
    return {"iteration": "iter"}.get(key, key.replace("_", " "))


def _width(key: str) -> int:
    return {"iteration": 6, "f": 17}.get(key, max(9, len(_heading(key))))


def _figure(key: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    return f"{value:.9e}" if key == "f" else f"{value:.3g}"


def _print_record(record: dict[str, Any]) -> None:
    from .console import console, number

    out = console()
    certificate = record["certificate"]
    if record["success"]:
        out.print(f"[bold green]certified[/] {record['message']}")
    else:
        out.print(f"[bold red]not certified[/] {record['message']}")
    lines = [("objective", number(record["objective"], 12))]
    if record["best_known"] is not None:
        lines.append(("best known", number(record["best_known"], 12)))
    if certificate:
        lines.extend(
            (
                name.replace("_", " "),
                f"{certificate[name][1]:.1e} scaled, {certificate[name][0]:.1e} absolute",
            )
            for name in ("stationarity", "feasibility", "complementarity", "dual_sign")
        )
    lines.append(("iterations", number(record["iterations"])))
    lines.append(("calls", ", ".join(f"{key} {count}" for key, count in record["counts"].items())))
    lines.append(("seconds", ", ".join(f"{key} {value:.3g}" for key, value in record["seconds"].items())))
    for key, text in lines:
        out.print(f"[dim]{key:>16}[/]  {text}")
