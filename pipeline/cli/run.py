"""Offer `pipeline run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import (
    ImagesOption,
    JsonOption,
    JunitOption,
    MarkdownOption,
    options_checked,
)
from pipeline.cli.output import output
from pipeline.contract.choices import Quantize

if TYPE_CHECKING:
    from pipeline.workflow.config import RunConfig


def run(
    config: Annotated[Path, typer.Argument(help="The run's configuration.")] = Path(
        "pipeline.toml"
    ),
    run_dir: Annotated[Path | None, typer.Option(help="Override run_dir.")] = None,
    source: Annotated[Path | None, typer.Option(help="Override data.source.")] = None,
    weights: Annotated[str | None, typer.Option(help="Override train.weights.")] = None,
    quantize: Annotated[
        list[Quantize] | None, typer.Option(help="Override export.quantize; repeatable.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Override parity.tolerance.")
    ] = None,
    strict: Annotated[
        bool | None, typer.Option("--strict/--no-strict", help="Override parity.strict.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**31 - 1, help="Override seed.")] = None,
    junit: JunitOption = None,
    markdown: MarkdownOption = None,
    images: ImagesOption = False,
    json: JsonOption = False,
) -> None:
    """Run every stage that pipeline.toml describes.

    Data, training, export, proof, report; what is finished is found again.
    """
    from pipeline.contract.files import resolved
    from pipeline.workflow.config import RunConfig

    loaded = RunConfig.from_toml(config)
    overrides: dict[tuple[str, ...], dict[str, Any]] = {
        (): {"run_dir": None if run_dir is None else str(run_dir), "seed": seed},
        ("data",): {"source": None if source is None else str(resolved(source))},
        ("train",): {"weights": weights},
        ("export",): {"quantize": tuple(quantize) if quantize else None},
        ("parity",): {"tolerance": tolerance, "strict": strict},
    }
    values = loaded.model_dump(mode="json")
    for path, fields in overrides.items():
        section = values[path[0]] if path else values
        section.update({name: value for name, value in fields.items() if value is not None})
    with options_checked():
        overridden = RunConfig.model_validate(values)
    run_and_show(overridden, junit, markdown, images=images)


def run_and_show(
    config: RunConfig, junit: Path | None, markdown: Path | None, *, images: bool = False
) -> None:
    """Run a configuration with progress, then show its exports."""
    from pipeline.cli.show_exports import finish
    from pipeline.contract.manifest import NOTICE
    from pipeline.workflow.run import run_stages

    with output.progress() as report:
        done = run_stages(config, images=images, report=report)
    if not output.as_json:
        output.console(stderr=True).print(NOTICE, style="dim")
    finish(done.exports, done.report, junit, markdown)
