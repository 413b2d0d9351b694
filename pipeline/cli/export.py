"""Offer `pipeline export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import (
    DEFAULT_RUN_DIR,
    JsonOption,
    JunitOption,
    MarkdownOption,
    RunDirOption,
    SeedOption,
    ToleranceOption,
)
from pipeline.cli.output import output
from pipeline.contract.choices import Io, Quantize, Repair, default_io

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pipeline.workflow.export import Exported
    from pipeline.workflow.report import ReportResult


def export(
    quantize: Annotated[
        Quantize | None, typer.Option(help="How to store weights and activations.")
    ] = None,
    io: Annotated[
        Io | None, typer.Option(help="Input and output type; uint8 for int8, else float32.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="A .keras file; the run's own by default.")
    ] = None,
    representative: Annotated[
        int, typer.Option(min=1, help="Training images that calibrate int8.")
    ] = 200,
    repair: Annotated[
        Repair,
        typer.Option(
            help="How far to go to keep int8 faithful: stop at the first step that does (auto), "
            "try all (max), or leave it as it is (none)."
        ),
    ] = Repair.auto,
    recipe_file: Annotated[
        Path | None,
        typer.Option("--recipe", help="A bundle's recipe.json, followed to the same bytes."),
    ] = None,
    golden: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PHOTO",
            help="Also ship this photo of yours as a golden; by default only synthetic ones are.",
        ),
    ] = None,
    unsure_below: Annotated[
        float | None,
        typer.Option(help="Let the app say it is unsure below this probability."),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=P", help="Let the app name LABEL from this probability on; repeatable."
        ),
    ] = None,
    tolerance: ToleranceOption = 0.01,
    min_runtime: Annotated[
        str, typer.Option(help="Oldest TFLite runtime that must load the file.")
    ] = "2.16.0",
    junit: JunitOption = None,
    markdown: MarkdownOption = None,
    seed: SeedOption = 0,
    run_dir: RunDirOption = DEFAULT_RUN_DIR,
    json: JsonOption = False,
) -> None:
    """Convert, describe and prove; publish only if proven.

    A file that fails its gate is kept aside under rejected/, and the exit code is 1.
    """
    from pipeline.contract.decision import Decision, parse_thresholds
    from pipeline.contract.recipe import Recipe
    from pipeline.contract.run import RunDir
    from pipeline.errors import BadInput
    from pipeline.parity.thresholds import Thresholds
    from pipeline.workflow.export import export_and_prove
    from pipeline.workflow.report import write_report
    from pipeline.workflow.source import keras_source

    if (quantize is None) == (recipe_file is None):
        raise BadInput(
            "export needs one recipe",
            expected="--quantize none, float16, dynamic or int8; or --recipe FILE",
            got="neither" if quantize is None else "both",
        )
    if recipe_file is not None:
        recipe = Recipe.load(recipe_file)
    elif quantize is not None:
        recipe = Recipe(
            quantize=quantize,
            io=io or default_io(quantize),
            representative_count=representative,
            seed=seed,
            repair=repair,
        )
    decision = Decision(unsure_below=unsure_below, thresholds=parse_thresholds(threshold or []))
    thresholds = Thresholds(accuracy_tolerance=tolerance)
    run = RunDir(run_dir)
    with run.lock(), output.progress() as report:
        source = keras_source(run, model)
        exported = export_and_prove(
            source,
            recipe,
            run,
            thresholds,
            min_runtime=min_runtime,
            golden_photos=golden or (),
            decision=decision,
            report=report,
        )
        written = write_report(run)
    finish([exported], written, junit, markdown)


def finish(
    exported: list[Exported], written: ReportResult, junit: Path | None, markdown: Path | None
) -> None:
    """Show the exports, then end with the first refusal among them, or with what is not written."""
    from rich.markup import escape

    from pipeline.cli.verdict_files import report_lines, report_value, write_verdicts
    from pipeline.report.terminal import search_table, verdict_table

    verdicts = {one.recipe.name: one.verdict for one in exported}
    problem = write_verdicts(verdicts, junit=junit, markdown=markdown) or written.problem
    refusals = [one.refusal() for one in exported]
    refused = next((refusal for refusal in refusals if refusal is not None), None)
    value: dict[str, Any] = {
        "exports": [
            {
                "recipe": one.recipe.name,
                "folder": str(one.folder),
                "published": one.published,
                "resumed": one.resumed,
                "sha256": one.manifest.files["model.tflite"].sha256,
                "size_bytes": one.manifest.files["model.tflite"].size_bytes,
                "min_runtime": one.manifest.min_runtime,
                "steps": [str(step) for step in one.manifest.recipe.steps or ()],
                "float16_layers": list(one.manifest.recipe.float16_layers),
                "ladder": one.manifest.ladder.model_dump(mode="json"),
                "verdict": one.verdict.model_dump(mode="json"),
            }
            for one in exported
        ],
        **report_value(written),
    }
    parts: list[RenderableType] = []
    for one in exported:
        search = search_table(one.manifest, one.recipe.name)
        parts += [] if search is None else [search]
        parts.append(verdict_table(one.verdict, one.recipe.name))
        parts.append(
            f"{'published' if one.published else 'NOT published, kept aside'}: "
            f"{escape(str(one.folder))}"
        )
    output.conclude(value, refused or problem, *parts, *report_lines(written))
