"""Offer `pipeline evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.data_source import (
    DataOption,
    IsicTableOption,
    LayoutOption,
    OnBadOption,
    SplitOption,
    cache_dir,
    data_source,
)
from pipeline.cli.options import JsonOption, check_output, options_checked
from pipeline.cli.output import output
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
from pipeline.data.choices import OnBad
from pipeline.data.layouts import AUTO


def evaluate(
    models: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL...",
            help="Keras models, .tflite files or bundles; the first is what others are compared "
            "with.",
        ),
    ],
    data: DataOption = None,
    split: SplitOption = None,
    layout: LayoutOption = AUTO,
    isic_table: IsicTableOption = None,
    on_bad: OnBadOption = OnBad.fail,
    labels: LabelsOption = None,
    critical: CriticalOption = None,
    normalization: NormalizationOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    channels: ChannelsOption = None,
    logits: LogitsOption = False,
    size: SizeOption = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Record anew what --run-dir has recorded before.")
    ] = False,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            "--run-dir",
            envvar="PIPELINE_RUN_DIR",
            help="Keep recordings there, to find them again; none by default.",
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            callback=check_output,
            help="Also write every figure as CSV.",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", callback=check_output, help="Also write a page."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure models on labelled images, side by side.

    Accuracy, balanced accuracy, recall and precision by class, AUC, calibration error and
    confusion, with 95% intervals, and by age, sex, site and skin type where a table has them.
    """
    from pipeline.contract.files import write_text_atomic
    from pipeline.errors import BadInput
    from pipeline.report.evaluation import (
        evaluation_notes,
        evaluation_tables,
        render_evaluation,
    )
    from pipeline.report.evaluation_csv import evaluation_csv
    from pipeline.workflow.evaluate import evaluate as evaluate_models

    images = data_source(data, split=split, layout=layout, isic_table=isic_table, on_bad=on_bad)
    if images is None:
        raise BadInput(
            "evaluate needs labelled images",
            expected="--data DIR, a folder for each class, or a dataset.json",
        )
    with options_checked():
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
    with cache_dir(run_dir) as run, run.lock(), output.progress() as report:
        found = evaluate_models(models, images, run, stated=stated, fresh=fresh, report=report)
    written = []
    for path, text in (
        (csv, evaluation_csv),
        (html, render_evaluation),
    ):
        if path is not None:
            write_text_atomic(path, text(found))
            written.append(f"written: {path}")
    output.result(
        {"evaluation": found.model_dump(mode="json")},
        *evaluation_tables(found),
        *evaluation_notes(found),
        *written,
        found.notice,
    )
