"""Offer `pipeline parity`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.data_source import (
    CacheDirOption,
    DataOption,
    IsicTableOption,
    LayoutOption,
    OnBadOption,
    SplitOption,
    cache_dir,
    data_source,
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
    ToleranceOption,
    options_checked,
)
from pipeline.cli.output import output
from pipeline.cli.stated import CriticalOption
from pipeline.data.choices import OnBad
from pipeline.data.layouts import AUTO


def parity(
    model: Annotated[
        Path | None, typer.Argument(help="A .tflite file or a bundle, judged against Keras.")
    ] = None,
    keras: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="FILE",
            help="The Keras model of the file; the run's by default, with --data what the bundle "
            "carries of it.",
        ),
    ] = None,
    data: DataOption = None,
    split: SplitOption = None,
    layout: LayoutOption = AUTO,
    isic_table: IsicTableOption = None,
    on_bad: OnBadOption = OnBad.fail,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Record anew what the run has recorded before.")
    ] = False,
    reference: Annotated[
        Path | None,
        typer.Option(help="A recording (JSON), or a bundle for its goldens, to compare with."),
    ] = None,
    candidate: Annotated[
        Path | None, typer.Option(help="The recording (JSON) to judge, a phone's too.")
    ] = None,
    critical: CriticalOption = None,
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
    junit: JunitOption = None,
    markdown: MarkdownOption = None,
    run_dir: CacheDirOption = None,
    json: JsonOption = False,
) -> None:
    """Judge a file, or a recording, against its reference.

    A file is judged against the run's Keras model on the validation split; with --data on any
    images, a bundle by the reference it carries; what a phone answered to a bundle's goldens
    against the bundle.
    """
    from rich.text import Text

    from pipeline.cli.verdict_files import write_verdicts
    from pipeline.contract.run import RunDir
    from pipeline.errors import BadInput
    from pipeline.report.noise_sentences import noise_words, spread_words
    from pipeline.report.sentences import note
    from pipeline.report.terminal import verdict_table
    from pipeline.report.verdict_figures import figures_of
    from pipeline.report.wording import recordings_used
    from pipeline.workflow.parity import judge_model, judge_recording_files
    from pipeline.workflow.parity_data import judge_data
    from pipeline.workflow.refusal import refusal

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
    named = None if critical is None else tuple(critical)
    images = data_source(data, split=split, layout=layout, isic_table=isic_table, on_bad=on_bad)
    if model is not None and reference is None and candidate is None:
        if images is None:
            run = RunDir(run_dir or DEFAULT_RUN_DIR)
            with run.lock(), output.progress() as report:
                verdict = judge_model(
                    run, model, thresholds, critical=named, keras=keras, fresh=fresh, report=report
                )
        else:
            if accept_weak_reference and model.is_dir():
                raise BadInput(
                    "--accept-weak-reference would do nothing with a bundle and --data",
                    expected="a bare .tflite file, whose Keras model is held to the labels",
                    got=f"the bundle {model}, whose Keras model was held to them in its export",
                    next_step="leave it out",
                )
            if accept_fragile and keras is None:
                raise BadInput(
                    "--accept-fragile would do nothing without the Keras model",
                    expected="--model FILE.keras, whose own noise is measured on these images",
                    got="--data without --model",
                )
            with cache_dir(run_dir) as run, run.lock(), output.progress() as report:
                verdict = judge_data(
                    run,
                    model,
                    images,
                    thresholds,
                    critical=named,
                    keras=keras,
                    fresh=fresh,
                    report=report,
                )
    elif model is None and reference is not None and candidate is not None:
        unused = {
            "--model": keras,
            "--data": data,
            "--fresh": fresh or None,
            "--accept-fragile": accept_fragile or None,
        }
        given = [name for name, value in unused.items() if value is not None]
        if given:
            raise BadInput(
                f"{', '.join(given)} would do nothing with two recordings",
                expected="`pipeline parity BUNDLE` with them",
                got=", ".join(f"{name} {unused[name]}" for name in given),
            )
        verdict = judge_recording_files(reference, candidate, thresholds, critical=named)
    else:
        raise BadInput(
            "parity needs one file, or two recordings",
            expected="`pipeline parity BUNDLE`, or `--reference A.json --candidate B.json`, where "
            "A may be a bundle",
        )
    figures = figures_of(verdict)
    problem = write_verdicts({"parity": verdict}, junit=junit, markdown=markdown)
    output.conclude(
        {"verdict": verdict.model_dump(mode="json")},
        refusal(verdict) or problem,
        verdict_table(verdict, "parity"),
        *recordings_used(verdict),
        *(() if figures.noise is None else (noise_words(figures.noise),)),
        *(() if figures.runtime_spread is None else (spread_words(figures.runtime_spread),)),
        *(Text(note(n), "bold yellow") for n in verdict.figures.get("notes", [])),
    )
