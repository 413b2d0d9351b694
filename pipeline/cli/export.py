"""Offer `pipeline export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.decided import (
    CalibrateOption,
    SensitivityOption,
    UnsureCoverageOption,
    UnsureRiskOption,
    asked_of,
)
from pipeline.cli.limits import (
    AcceptFragileOption,
    AcceptWeakOption,
    BalancedToleranceOption,
    CriticalToleranceOption,
    MaxMeanDifferenceOption,
    MinAgreementOption,
    MinCriticalImagesOption,
    MinImagesOption,
    MinReferenceAccuracyOption,
    StrictOption,
    thresholds_of,
)
from pipeline.cli.options import (
    DEFAULT_RUN_DIR,
    JsonOption,
    JunitOption,
    MarkdownOption,
    QuantizeOption,
    RunDirOption,
    ToleranceOption,
    options_checked,
)
from pipeline.cli.output import output
from pipeline.cli.show_exports import finish
from pipeline.cli.stated import (
    ChannelsOption,
    CriticalOption,
    LabelsOption,
    LogitsOption,
    MeanOption,
    NormalizationOption,
    SizeOption,
    StdOption,
    stated_model,
)
from pipeline.contract.choices import DEFAULT_RUNTIME, Io, Quantize, Repair

if TYPE_CHECKING:
    from pipeline.contract.recipe import Recipe


def export(
    quantize: QuantizeOption = None,
    labels: LabelsOption = None,
    critical: CriticalOption = None,
    normalization: NormalizationOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    channels: ChannelsOption = None,
    logits: LogitsOption = False,
    size: SizeOption = None,
    io: Annotated[
        Io | None, typer.Option(help="Input and output type; uint8 for int8, else float32.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A .keras or .h5 file or a SavedModel folder; the run's own by default.",
        ),
    ] = None,
    unlabelled: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Photographs without labels: half calibrate int8, half prove that the file "
            "answers as the model does. Its accuracy is not proven.",
        ),
    ] = None,
    representative: Annotated[
        int | None,
        typer.Option(min=1, max=100_000, help="Training images that calibrate int8; 200."),
    ] = None,
    repair: Annotated[
        Repair | None,
        typer.Option(
            help="How far to go to keep int8 faithful: stop at the first trial that meets the "
            "target (auto, the default), try all (max), or leave it as it is (none)."
        ),
    ] = None,
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
    calibrate: CalibrateOption = False,
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
    sensitivity: SensitivityOption = None,
    unsure_risk: UnsureRiskOption = None,
    unsure_coverage: UnsureCoverageOption = None,
    no_reference: Annotated[
        bool,
        typer.Option(
            "--no-reference",
            help="Leave out what the Keras model answered to the validation images (hashes, "
            "labels, probabilities), by which the bundle is proven again elsewhere.",
        ),
    ] = False,
    tolerance: ToleranceOption = 0.01,
    min_agreement: MinAgreementOption = None,
    balanced_tolerance: BalancedToleranceOption = None,
    critical_tolerance: CriticalToleranceOption = None,
    max_mean_difference: MaxMeanDifferenceOption = None,
    min_images: MinImagesOption = None,
    min_critical_images: MinCriticalImagesOption = None,
    min_reference_accuracy: MinReferenceAccuracyOption = None,
    accept_weak_reference: AcceptWeakOption = False,
    strict: StrictOption = False,
    accept_fragile: AcceptFragileOption = False,
    min_runtime: Annotated[
        str, typer.Option(help="Oldest TFLite runtime that must load the file.")
    ] = DEFAULT_RUNTIME,
    model_version: Annotated[
        str | None,
        typer.Option(help="The model's own version, for the metadata; from its hash by default."),
    ] = None,
    author: Annotated[str, typer.Option(help="Who made the model, for the metadata.")] = "",
    junit: JunitOption = None,
    markdown: MarkdownOption = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, max=2**31 - 1, help="Seed of int8's choice of images; 0."),
    ] = None,
    run_dir: RunDirOption = DEFAULT_RUN_DIR,
    json: JsonOption = False,
) -> None:
    """Convert, describe and prove; publish only if proven.

    A file that fails its gate is kept aside under rejected/, and the exit code is 1.
    """
    from pipeline.contract.decision import Decision, parse_thresholds
    from pipeline.contract.run import RunDir
    from pipeline.tflite.runtime_versions import check_version
    from pipeline.workflow.calibrate import calibrated_source
    from pipeline.workflow.export import export_all
    from pipeline.workflow.export_job import ExportJob
    from pipeline.workflow.report import write_report
    from pipeline.workflow.source import keras_source
    from pipeline.workflow.unlabelled import take_unlabelled

    with options_checked():
        recipes = _recipes(
            quantize or [],
            recipe_file,
            {
                "--io": ("io", io),
                "--representative": ("representative_count", representative),
                "--repair": ("repair", repair),
                "--seed": ("seed", seed),
            },
            accept_fragile=accept_fragile,
        )
    with options_checked():
        thresholds = thresholds_of(
            tolerance=tolerance,
            min_agreement=min_agreement,
            balanced_tolerance=balanced_tolerance,
            critical_tolerance=critical_tolerance,
            max_mean_difference=max_mean_difference,
            min_images=min_images,
            min_critical_images=min_critical_images,
            min_reference_accuracy=min_reference_accuracy,
            accept_weak_reference=accept_weak_reference,
            strict=strict,
            accept_fragile=accept_fragile,
        )
        decision = Decision(unsure_below=unsure_below, thresholds=parse_thresholds(threshold or []))
        asked = asked_of(
            decision,
            sensitivity=sensitivity,
            unsure_risk=unsure_risk,
            unsure_coverage=unsure_coverage,
            calibrate=calibrate,
            unlabelled=unlabelled,
        )
        stated = stated_model(
            labels=labels,
            critical=critical,
            normalization=normalization,
            mean=mean,
            std=std,
            channels=channels,
            logits=logits,
            size=size,
        )
    # Before any work, which can take minutes.
    check_version(min_runtime)
    run = RunDir(run_dir)
    with run.lock(), output.progress() as report:
        if unlabelled is not None:
            take_unlabelled(unlabelled, run, model, stated, report=report)
        source = keras_source(run, model, stated)
        if calibrate:
            source = calibrated_source(source, run, report=report)
        job = ExportJob(
            source=source,
            recipe=recipes[0],
            thresholds=thresholds,
            promised_runtime=min_runtime,
            decision=decision,
            asked=asked,
            golden_photos=tuple(golden or ()),
            model_version=model_version,
            author=author,
            reference=not no_reference,
        )
        exported = export_all(job.for_recipes(recipes), run, report=report)
        written = write_report(run, model_sha256=job.source.sha256)
    finish(exported, written, junit, markdown)


def _recipes(
    quantize: list[Quantize],
    file: Path | None,
    options: dict[str, tuple[str, Any]],
    *,
    accept_fragile: bool,
) -> tuple[Recipe, ...]:
    """Return the recipes asked for; an option that none of them would use is refused."""
    from pipeline.contract.recipe import Recipe, recipes_of
    from pipeline.errors import BadInput

    given = {name: field for name, field in options.items() if field[1] is not None}
    asked = " ".join(f"--quantize {one}" for one in quantize)
    if quantize and file is None:
        if len(set(quantize)) < len(quantize):
            raise BadInput(
                "--quantize names one twice", expected="each once", got=", ".join(quantize)
            )
        unused = {name: value for name, (_, value) in given.items() if name != "--io"}
        if accept_fragile:
            unused["--accept-fragile"] = None
        if unused and Quantize.int8 not in quantize:
            raise BadInput(
                f"{', '.join(unused)} would do nothing with {asked}",
                expected="these options with --quantize int8",
                got=", ".join(
                    name if value is None else f"{name} {value}" for name, value in unused.items()
                ),
                next_step=f"pipeline export {asked}",
            )
        return recipes_of(quantize, **dict(given.values()))
    if file is not None and not quantize:
        if given:
            raise BadInput(
                f"{', '.join(given)} would do nothing with --recipe, which decides it",
                expected="--recipe FILE alone",
                got=", ".join(f"{name} {value}" for name, (_, value) in given.items()),
                next_step=f"pipeline export --recipe {file}",
            )
        return (Recipe.load(file),)
    raise BadInput(
        "export needs one recipe",
        expected=f"--quantize {', '.join(Quantize)}; or --recipe FILE",
        got="both" if quantize else "neither",
    )
