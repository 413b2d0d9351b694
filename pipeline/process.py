"""Run another program: start it, show its progress, keep its log, name how it ended.

A line on its standard output that is a progress event is shown; every other line of it, and its
standard error, goes to the log.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import ValidationError

from pipeline.contract.base import Frozen, first_problem
from pipeline.contract.files import check_output_file
from pipeline.contract.temporary import temporary_folder
from pipeline.errors import EnvironmentProblem
from pipeline.progress import ProgressEvent, Report, silenced_by_failure, silent

# Raises ValueError, KeyError or TypeError for a line that is no event.
ReadEvent = Callable[[str], ProgressEvent]

A = TypeVar("A", bound=Frozen)

_LOG_TAIL_CHARS = 1500
_READER_END_S = 5.0


class EndedBySignal(EnvironmentProblem):
    """Say that a signal ended a program; `number` is which."""

    number: int = 0


@dataclass
class Log:
    """Hold where a program's output goes; with `keep` it stays although all went well.

    `path` is what errors name; until the end a log that may go is at `written`.
    """

    path: Path
    keep: bool = False
    written: Path | None = None

    @property
    def file(self) -> Path:
        """Return the file that is written now."""
        return self.written or self.path

    def add(self, text: str) -> None:
        """Append text of ours to what the program wrote."""
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(text)

    def tail(self) -> str:
        """Return the last of it, or say that there is nothing."""
        try:
            text = self.file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError as error:
            return f"no log: {error}"
        return text[-_LOG_TAIL_CHARS:] or "nothing was logged"


@contextmanager
def open_log(path: Path | None, name: str) -> Iterator[Log]:
    """Yield an empty log at `path`, or in the system's temporary folder where None.

    A temporary log is removed at the end, unless an error names it or something asked to keep it.
    """
    if path is not None:
        check_output_file(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        yield Log(path)
        return
    with temporary_folder("log") as folder:
        called = folder.name.replace("tmp-log", name.replace(" ", "-"))
        kept = folder.with_name(f"{called}.log")
        log = Log(kept, written=folder / "log")
        log.file.write_bytes(b"")
        try:
            yield log
        except EnvironmentProblem as error:
            log.keep |= error.where == str(kept)
            raise
        finally:
            if log.keep:
                log.file.replace(kept)


def run_process(
    name: str,
    command: Sequence[str],
    log: Log,
    read_event: ReadEvent,
    *,
    report: Report = silent,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> int:
    """Run a program to its end and return its exit code, negative for a signal.

    It never outlives this call. A `report` that fails does not end it: the failure is written to
    the log and progress goes silent.

    Args:
        name: what errors call it.
        command: the program and its arguments.
        log: receives what it prints that is no progress.
        read_event: reads one line of its standard output.
        report: receives its progress.
        env: its whole environment; this process's where None.
        timeout_s: seconds after which it is ended.

    Raises:
        FileNotFoundError: there is no such program.
        EnvironmentProblem: it took longer than `timeout_s`.
    """
    with log.file.open("ab") as stream:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stream,
            env=None if env is None else dict(env),
        )
    assert process.stdout is not None
    reader = threading.Thread(
        target=_pump, args=(process.stdout, log, read_event, report), daemon=True
    )
    reader.start()
    try:
        return process.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise took_too_long(name, error.timeout, log) from error
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        # A grandchild may hold the pipe open.
        reader.join(timeout=_READER_END_S)


def took_too_long(name: str, timeout_s: float, log: Log) -> EnvironmentProblem:
    """Return the error of a program that was ended after so many seconds."""
    return EnvironmentProblem(f"{name} took longer than {timeout_s:g} s", where=str(log.path))


def check_ended_well(name: str, code: int, log: Log) -> None:
    """Raise unless the program ended with exit code 0.

    Raises:
        EnvironmentProblem: it was ended by a signal, which is named, or has another exit code.
    """
    if code < 0:
        error = EndedBySignal(
            f"{name} was ended by {signal.Signals(-code).name}",
            where=str(log.path),
            got=log.tail(),
            next_step="check free memory (SIGKILL is often the out-of-memory killer), then rerun",
        )
        error.number = -code
        raise error
    if code != 0:
        raise EnvironmentProblem(
            f"{name} stopped with exit code {code}",
            where=str(log.path),
            got=log.tail(),
            next_step="read the log, then run the same command again",
        )


def read_result(path: Path) -> dict[str, Any]:
    """Return the JSON object a program left, or an empty one where it left none."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Whoever asked checks what must be in it.
        return {}
    return result if isinstance(result, dict) else {}


def read_answer(name: str, value: Any, form: type[A], log: Log) -> A:
    """Return what a program answered, in the form that was asked for.

    Raises:
        EnvironmentProblem: it has another form.
    """
    try:
        return form.model_validate(value)
    except ValidationError as error:
        raise EnvironmentProblem(
            f"{name} left an answer of another form",
            where=str(log.path),
            expected=form.__name__,
            got=first_problem(error),
        ) from error


def _pump(stream: IO[bytes], log: Log, read_event: ReadEvent, report: Report) -> None:
    # Reads to the end whatever happens: a program whose pipe nobody empties would stand still.
    with stream:
        show_lines(stream, log, read_event, report)


def show_lines(
    lines: Iterable[bytes], log: Log, read_event: ReadEvent, report: Report = silent
) -> None:
    """Show each line that is progress; the others go to the log, as does a failure to show."""

    def failed(error: Exception) -> None:
        log.keep = True
        text = "".join(traceback.format_exception(error))
        log.add(f"progress is no longer shown, since showing it failed:\n{text}")

    show = silenced_by_failure(report, failed)
    for raw in lines:
        line = raw.decode("utf-8", errors="replace")
        try:
            event = read_event(line)
        except (ValueError, KeyError, TypeError):
            log.add(line)
        else:
            show(event)
