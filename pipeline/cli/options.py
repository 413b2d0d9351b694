"""Define the options that several commands share, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.output import output
from pipeline.contract.choices import Quantize


def _set_json(value: bool) -> bool:
    output.as_json = value
    return value


def check_output(param: typer.CallbackParam, path: Path | None) -> Path | None:
    """Refuse at once what the result could not be written to after minutes of work."""
    from pipeline.cli.streams import is_standard_stream
    from pipeline.contract.files import NotAFile, check_output_file
    from pipeline.errors import BadInput, reason_of

    if path is None:
        return None
    try:
        check_output_file(path)
        if is_standard_stream(path):
            raise NotAFile(None, "this command's own standard output or standard error", str(path))
    except OSError as error:
        raise BadInput(
            f"{param.opts[0]} cannot be written there",
            where=str(path),
            expected="the name of a regular file, or of one to be made",
            got=reason_of(error),
        ) from error
    return path


def _parse_quantize(value: str) -> Quantize:
    # A plain choice would refuse the name that earlier releases gave float32.
    try:
        return Quantize(value)
    except ValueError as error:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(Quantize)}.") from error


QuantizeOption = Annotated[
    list[Quantize] | None,
    typer.Option(
        "--quantize",
        parser=_parse_quantize,
        metavar=f"<{'|'.join(Quantize)}>",
        help="How to store weights and activations; repeat it for several files at one start.",
    ),
]


def choice(names: Sequence[str], text: str) -> Any:
    """Return an option that takes one of the names of a registry and lists them in its help."""

    def check(name: str) -> str:
        if name not in names:
            raise typer.BadParameter(f"{name!r} is not one of {', '.join(names)}")
        return name

    return typer.Option(
        help=text,
        metavar=f"<{'|'.join(names)}>",
        parser=check,
        autocompletion=lambda incomplete: [n for n in names if n.startswith(incomplete)],
    )


RunDirOption = Annotated[
    Path,
    typer.Option(
        "--run-dir",
        envvar="PIPELINE_RUN_DIR",
        help="Folder that holds everything of one run.",
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON object to standard output and nothing else.",
        callback=_set_json,
        is_eager=True,
    ),
]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, max=2**31 - 1, help="Seed of every random choice.")
]
ToleranceOption = Annotated[
    float,
    typer.Option("--tolerance", min=0.0, max=1.0, help="Largest accepted accuracy difference."),
]
JunitOption = Annotated[
    Path | None,
    typer.Option(
        "--junit",
        help="Also write the checks as a JUnit XML file.",
        callback=check_output,
    ),
]
ImagesOption = Annotated[
    bool,
    typer.Option(
        "--images",
        help="Show the images that flipped, with their file names: they become part of the page.",
    ),
]
MarkdownOption = Annotated[
    Path | None,
    typer.Option(
        "--markdown",
        metavar="FILE",
        callback=check_output,
        help="Also write the checks as Markdown; where GITHUB_STEP_SUMMARY is set, there too.",
    ),
]
ProjectOption = Annotated[
    Path,
    typer.Option(
        "--project", envvar="PIPELINE_ANDROID_PROJECT", help="Folder of the Android project."
    ),
]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, max=64, help="CPU threads.")]


@contextmanager
def options_checked() -> Iterator[None]:
    """Turn the options into contract values inside this block, and nothing else.

    Raises:
        BadInput: a value refuses them. The same from anywhere else is a bug.
    """
    from pydantic import ValidationError

    from pipeline.contract.base import first_problem
    from pipeline.errors import BadInput

    try:
        yield
    except ValidationError as error:
        raise BadInput("these options do not fit together", got=first_problem(error)) from error


DEFAULT_RUN_DIR = Path("artifacts/run")
