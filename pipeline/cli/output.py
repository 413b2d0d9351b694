"""Show results, progress and refusals, to a person or as JSON."""

from __future__ import annotations

import errno
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from pipeline.cli.streams import discard, write
from pipeline.cli.unexpected import show_unexpected
from pipeline.errors import EnvironmentProblem, PipelineError
from pipeline.progress import ProgressEvent, Report, silent

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_MACHINE_ERRNOS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than this process may write",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EEXIST: "a file stands where a folder is needed",
    errno.EIO: "the disk reports an error",
    errno.EMFILE: "too many open files",
    errno.ENOMEM: "out of memory",
}

# Seconds between two lines about one task where there is no terminal.
_SILENCE_S = 15.0


class Output:
    """Send results to standard output, and everything else to standard error.

    With `as_json` the result, or the refusal, is the one JSON object on standard output, and no
    progress is shown.
    """

    def __init__(self) -> None:
        self.as_json = False

    def console(self, *, stderr: bool = False) -> Console:
        """Return a rich console; rich is loaded only when something is shown."""
        from rich.console import Console

        class PatientConsole(Console):
            """Outlive a reader that has gone; rich itself would exit with 1, a failed gate."""

            def on_broken_pipe(self) -> None:
                self.quiet = True
                discard(sys.stderr if stderr else sys.stdout)

        return PatientConsole(stderr=stderr, highlight=False)

    def result(self, value: dict[str, Any], *human: RenderableType) -> None:
        """Show the outcome of a command: `value` as JSON, or `human` line by line."""
        if self.as_json:
            write(sys.stdout, json.dumps(value, indent=2, allow_nan=False) + "\n")
            return
        console = self.console()
        for part in human:
            console.print(part)
        write(sys.stdout, "")

    def conclude(
        self, value: dict[str, Any], refused: PipelineError | None, *human: RenderableType
    ) -> None:
        """Show an outcome and, where it is a refusal too, end the command with it.

        Raises:
            PipelineError: `refused`, after `human` was shown.
            typer.Exit: with its code, after it was shown inside the one JSON object.
        """
        if refused is None or not self.as_json:
            self.result(value, *human)
            if refused is not None:
                raise refused
            return
        self.result({**value, "error": refused.to_dict()})
        raise typer.Exit(refused.exit_code)

    def refusal(self, error: PipelineError) -> None:
        """Show why a command refused: what, where, expected, got, next."""
        if self.as_json:
            write(sys.stdout, json.dumps({"error": error.to_dict()}, indent=2) + "\n")
            return
        from rich.text import Text

        # soft_wrap keeps a path or a command in one piece, to be copied.
        console = self.console(stderr=True)
        first, *rest = str(error).split("\n")
        console.print(Text.assemble(("refused: ", "bold red"), first), soft_wrap=True)
        for line in rest:
            console.print(Text(line), soft_wrap=True)

    @contextmanager
    def progress(self) -> Iterator[Report]:
        """Yield a progress callback: bars on a terminal, a line a step elsewhere."""
        if self.as_json:
            yield silent
        elif sys.stderr.isatty():
            with self._bars() as report:
                yield report
        else:
            yield _Lines()

    @contextmanager
    def _bars(self) -> Iterator[Report]:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TaskID,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        tasks: dict[str, TaskID] = {}
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}"),
            console=self.console(stderr=True),
        ) as bars:

            def report(event: ProgressEvent) -> None:
                total = event.total or None
                if event.task not in tasks:
                    tasks[event.task] = bars.add_task(event.task, total=total, detail="")
                bars.update(
                    tasks[event.task], completed=event.done, total=total, detail=event.detail
                )

            yield report


class _Lines:
    """Write a line when a task begins, ends, or has not been heard of for a while."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, int]] = {}

    def __call__(self, event: ProgressEvent) -> None:
        now = time.monotonic()
        spoken, done = self._last.get(event.task, (-_SILENCE_S, -1))
        finished = event.done == event.total and event.done != done
        if not finished and now - spoken < _SILENCE_S:
            return
        self._last[event.task] = (now, event.done)
        count = f" {event.done}/{event.total}" if event.total else ""
        detail = f" ({event.detail})" if event.detail else ""
        write(sys.stderr, f"{event.task}{count}{detail}\n")


output = Output()

# How a command line ends by design: --help, a wrong option. Typer's own copy of click and click
# itself name the base of these classes alike.
_COMMAND_LINE_ENDS: tuple[type[Exception], ...] = (
    typer.Exit,
    typer.Abort,
    *(
        base
        for base in typer.BadParameter.__mro__
        if issubclass(base, Exception) and base.__name__ == "ClickException"
    ),
)


class Boundary(typer.core.TyperGroup):
    """Turn refusals into words and exit codes, in the one place that may.

    What the pipeline or the machine refuses is shown as such; anything else is a bug.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except PipelineError as error:
            refused: PipelineError = error
        except _COMMAND_LINE_ENDS:
            raise
        except MemoryError as error:
            refused = EnvironmentProblem("out of memory", got=str(error) or None)
        except Exception as error:
            if not isinstance(error, OSError) or error.errno not in _MACHINE_ERRNOS:
                raise typer.Exit(show_unexpected(error, as_json=output.as_json)) from error
            refused = EnvironmentProblem(
                _MACHINE_ERRNOS[error.errno],
                where=str(error.filename) if error.filename else None,
                got=str(error),
                next_step="make room or choose another --run-dir, then run the same command again",
            )
        output.refusal(refused)
        raise typer.Exit(refused.exit_code)
