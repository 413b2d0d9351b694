"""Turn whatever ends a command into words and an exit code, in the one place that may."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import typer

from pipeline.cli.output import output
from pipeline.cli.streams import OutputLost, tell
from pipeline.cli.unexpected import show_unexpected
from pipeline.contract.files import NotAFile
from pipeline.errors import (
    BadInput,
    EnvironmentProblem,
    PipelineError,
    environment_problem,
    reason_of,
)

# As a shell tells that a program was ended by a signal.
_ENDED_BY_SIGNAL = 128

# A command line that is not understood. Typer's own copy of click and click itself name the base
# of these classes alike.
_NOT_UNDERSTOOD: tuple[type[Exception], ...] = tuple(
    base
    for base in typer.BadParameter.__mro__
    if issubclass(base, Exception) and base.__name__ == "ClickException"
)


class Ended(BaseException):
    """Say that a signal asks the command to end; it cleans up on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = _ENDED_BY_SIGNAL + number


class _Raised(Exception):
    """Carry an end of input or a broken pipe past typer, which exits with 1 for either."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Boundary(typer.core.TyperGroup):
    """Run a command and exit with a code that means what it says.

    What the pipeline or the machine refuses is shown as such, a command line that is not
    understood too; anything else is a bug.
    """

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line and exit; never with a code that typer chose."""
        words = list(sys.argv[1:] if args is None else args)
        # The option itself may stand behind what is not understood.
        output.as_json = "--json" in words
        try:
            _refuse_empty(words)
            _refuse_repeated(self, words)
            with _signals():
                code = super().main(
                    args=words,
                    prog_name=prog_name,
                    complete_var=complete_var,
                    standalone_mode=False,
                    windows_expand_args=windows_expand_args,
                    **extra,
                )
        except _NOT_UNDERSTOOD as error:
            code = _usage(error)
        except typer.Abort:
            code = _ENDED_BY_SIGNAL + signal.SIGINT
        except _Raised as raised:
            code = _failed(raised.error)
        except (Ended, KeyboardInterrupt) as error:
            code = getattr(error, "exit_code", _ENDED_BY_SIGNAL + signal.SIGINT)
            tell("ended before it was done; run the same command again to go on\n")
        except Exception as error:
            code = _failed(error)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except (EOFError, OSError) as error:
            raise _Raised(error) from error


def _refuse_empty(words: Sequence[str]) -> None:
    """Refuse an empty argument, which as a path would mean the current folder."""
    for before, word in zip(("", *words), words, strict=False):
        if not word or (word.startswith("--") and word.endswith("=")):
            what = before if before.startswith("-") else "an argument"
            raise BadInput(
                f"{word.removesuffix('=') or what} is empty",
                expected="a value; the current folder is '.'",
                next_step="check the variable that it comes from",
            )


def _refuse_repeated(command: Any, words: Sequence[str]) -> None:
    """Refuse an option that takes one value and is given two: the first would be lost unseen."""
    rest = list(words)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    # One that ends the line has no value at all: the parser says so.
    given = [
        word.partition("=")[0]
        for place, word in enumerate(rest, start=1)
        if "=" in word or place < len(rest)
    ]
    for option in getattr(command, "params", ()):
        if getattr(option, "multiple", True) or getattr(option, "is_flag", True):
            continue
        if sum(word in option.opts for word in given) > 1:
            raise BadInput(
                f"{option.opts[0]} is given more than once",
                expected="one value",
                next_step="run the command once for each value",
            )


def _failed(error: Exception) -> int:
    try:
        refused = _refused(error)
        if refused is not None:
            output.refusal(refused)
            return refused.exit_code
    except OutputLost as lost:
        error = lost
    if isinstance(error, OutputLost):
        tell(f"refused: cannot write the result to standard output: {reason_of(error)}\n")
        return EnvironmentProblem.exit_code
    return show_unexpected(error, as_json=output.as_json)


def _refused(error: Exception) -> PipelineError | None:
    if isinstance(error, PipelineError):
        return error
    if isinstance(error, OutputLost):
        return None
    if isinstance(error, MemoryError):
        return EnvironmentProblem("out of memory", got=str(error) or None)
    if isinstance(error, NotAFile):
        return BadInput(
            "this cannot be read or written as a file",
            where=str(error.filename),
            expected="a regular file",
            got=reason_of(error),
        )
    return environment_problem(error) if isinstance(error, OSError) else None


def _usage(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError" and context is not None:
        if not output.as_json:
            tell(f"{context.get_help()}\n")
            return BadInput.exit_code
        output.usage("a command is missing", context.get_usage(), f"{context.command_path} --help")
        return BadInput.exit_code
    what = error.format_message() if hasattr(error, "format_message") else str(error)
    usage = "" if context is None else context.get_usage()
    command = "pipeline" if context is None else context.command_path
    output.usage(what, usage, f"{command} --help")
    return int(getattr(error, "exit_code", BadInput.exit_code))


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise Ended(number)


@contextmanager
def _signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the command as an exception does, so that it cleans up."""
    chosen = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        try:
            chosen[number] = signal.signal(number, _end)
        except ValueError:
            # Python takes signals in its main thread alone.
            break
    try:
        yield
    finally:
        for number, before in chosen.items():
            signal.signal(number, before)
