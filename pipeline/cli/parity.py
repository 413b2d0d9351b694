"""Offer `pipeline parity`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    thresholds_of,
)
from pipeline.cli.options import (
    DEFAULT_RUN_DIR,
    JsonOption,
    JunitOption,
    MarkdownOption,
    RunDirOption,
    ToleranceOption,
    options_checked,
)
from pipeline.cli.output import output
from pipeline.cli.stated import CriticalOption


def parity(
    model: Annotated[
        Path | None, typer.Argument(help="A .tflite file or a bundle, judged against Keras.")
    ] = None,
    keras: Annotated[
        Path | None,
        typer.Option(
            "--model", metavar="FILE", help="The Keras model of the file; the run's by default."
        ),
    ] = None,
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
    accept_fragile: AcceptFragileOption = False,
    junit: JunitOption = None,
    markdown: MarkdownOption = None,
    run_dir: RunDirOption = DEFAULT_RUN_DIR,
    json: JsonOption = False,
) -> None:
    """Judge a file, or a recording, against its reference.

    A file is judged against the run's Keras model on the validation split, what a phone answered
    to a bundle's goldens against the bundle.
    """
    from rich.markup import escape

    from pipeline.cli.verdict_files import write_verdicts
    from pipeline.contract.run import RunDir
    from pipeline.errors import BadInput
    from pipeline.report.noise_sentences import noise_words, spread_words
    from pipeline.report.sentences import note
    from pipeline.report.terminal import verdict_table
    from pipeline.report.verdict_figures import figures_of
    from pipeline.workflow.parity import judge_model, judge_recording_files
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
            accept_fragile=accept_fragile,
        )
    named = None if critical is None else tuple(critical)
    if model is not None and reference is None and candidate is None:
        run = RunDir(run_dir)
        with run.lock(), output.progress() as report:
            verdict = judge_model(
                run, model, thresholds, critical=named, keras=keras, report=report
            )
    elif model is None and reference is not None and candidate is not None:
        if keras is not None:
            raise BadInput(
                "--model would do nothing with two recordings",
                expected="`pipeline parity BUNDLE --model FILE`",
                got=f"--model {keras}",
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
        *(() if figures.noise is None else (escape(noise_words(figures.noise)),)),
        *(
            ()
            if figures.runtime_spread is None
            else (escape(spread_words(figures.runtime_spread)),)
        ),
        *(f"[bold yellow]{escape(note(n))}[/]" for n in verdict.figures.get("notes", [])),
    )
