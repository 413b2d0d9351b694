"""Show results, progress and refusals, to a person or as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import typer

from pipeline.cli.streams import OutputLost, discard, kept_or_lost, tell, write
from pipeline.contract.printable import printable
from pipeline.errors import BadInput, PipelineError
from pipeline.progress import ProgressEvent, Report, silent

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

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
        """Return a rich console; rich is loaded only when something is shown.

        A string is shown as it is, here and in a table: what has a style is a `Text`.
        """
        from rich.console import Console
        from rich.segment import Segment

        class PatientConsole(Console):
            """Outlive a reader that has gone; rich itself would exit with 1, a failed gate."""

            def on_broken_pipe(self) -> None:
                self.quiet = True
                discard(sys.stderr if stderr else sys.stdout)

            def render(self, renderable: Any, options: Any = None) -> Iterator[Segment]:
                for text, style, control in super().render(renderable, options):
                    yield Segment(text if control else printable(text), style, control)

        return PatientConsole(stderr=stderr, highlight=False, markup=False, emoji=False)

    def result(self, value: dict[str, Any], *human: RenderableType) -> None:
        """Show the outcome of a command: `value` as JSON, or `human` line by line."""
        if self.as_json:
            write(sys.stdout, json.dumps(value, indent=2, allow_nan=False) + "\n")
            return
        console = self.console()
        with kept_or_lost(sys.stdout):
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
        if refused is None:
            self.result(value, *human)
            return
        try:
            self.result({**value, "error": refused.to_dict()} if self.as_json else value, *human)
        except OutputLost:
            # A full disk makes nothing of a failed gate.
            tell(f"refused: {refused}\n")
            raise typer.Exit(refused.exit_code) from None
        if self.as_json:
            raise typer.Exit(refused.exit_code)
        raise refused

    def refusal(self, error: PipelineError) -> None:
        """Show why a command refused: what, where, expected, got, next."""
        if self.as_json:
            write(sys.stdout, json.dumps({"error": error.to_dict()}, indent=2) + "\n")
            return
        from rich.text import Text

        # soft_wrap keeps a path or a command in one piece, to be copied.
        console = self.console(stderr=True)
        first, *rest = str(error).split("\n")
        with suppress(OutputLost), kept_or_lost(sys.stderr):
            console.print(Text.assemble(("refused: ", "bold red"), first), soft_wrap=True)
            for line in rest:
                console.print(line, soft_wrap=True)

    def usage(self, what: str, usage: str, next_step: str) -> None:
        """Show what is wrong with a command line that was not understood."""
        if self.as_json:
            self.refusal(BadInput(what, expected=usage, next_step=next_step))
            return
        tell(f"Error: {what}\n{usage}\nnext: {next_step}\n")

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
        tell(f"{event.task}{count}{detail}\n")


output = Output()
