"""Offer `pipeline run` and `pipeline demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import JsonOption, JunitOption, SeedOption
from pipeline.cli.output import output
from pipeline.contract.choices import Quantize

if TYPE_CHECKING:
    from pipeline.corridor.config import RunConfig


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
    seed: Annotated[int | None, typer.Option(min=0, help="Override seed.")] = None,
    junit: JunitOption = None,
    json: JsonOption = False,
) -> None:
    """Walk the corridor that pipeline.toml describes.

    Data, training, export, proof, report; what is finished is found again.
    """
    from pipeline.corridor.config import RunConfig

    loaded = RunConfig.from_toml(config)
    overrides: dict[tuple[str, ...], dict[str, Any]] = {
        (): {"run_dir": None if run_dir is None else str(run_dir), "seed": seed},
        ("data",): {"source": None if source is None else str(source.resolve())},
        ("train",): {"weights": weights},
        ("export",): {"quantize": tuple(quantize) if quantize else None},
        ("parity",): {"tolerance": tolerance},
    }
    values = loaded.model_dump(mode="json")
    for path, fields in overrides.items():
        section = values[path[0]] if path else values
        section.update({name: value for name, value in fields.items() if value is not None})
    _walk(RunConfig.model_validate(values), junit)


def demo(
    run_dir: Annotated[Path, typer.Option("--run-dir", help="Folder of the run.")] = Path(
        "artifacts/demo"
    ),
    seed: SeedOption = 0,
    junit: JunitOption = None,
    json: JsonOption = False,
) -> None:
    """Walk the corridor on synthetic images.

    Needs no data of yours and no network; takes a few minutes.
    """
    from pipeline.corridor.walk import demo_config

    _walk(demo_config(run_dir, seed), junit)


def _walk(config: RunConfig, junit: Path | None) -> None:
    from pipeline.cli.export import finish
    from pipeline.contract.manifest import NOTICE
    from pipeline.corridor.walk import walk

    with output.progress() as report:
        walked = walk(config, report=report)
    if not output.as_json:
        output.console(stderr=True).print(NOTICE, style="dim")
    finish(list(walked.exports), walked.report, junit)
