"""Offer `pipeline data prepare` and `pipeline data synthesize`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import DEFAULT_RUN_DIR, JsonOption, RunDirOption, SeedOption, choice
from pipeline.cli.output import output
from pipeline.cli.stated import CriticalOption
from pipeline.data.choices import OnBad
from pipeline.data.layouts import AUTO, CHOICES

if TYPE_CHECKING:
    from pipeline.contract.dataset import DatasetManifest

app = typer.Typer(
    help="Prepare a dataset, or draw the synthetic default.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("prepare")
def prepare(
    source: Annotated[Path, typer.Argument(help="Folder of images.", metavar="SRC")],
    layout: Annotated[str, choice(CHOICES, "How SRC is laid out.")] = AUTO,
    on_bad: Annotated[
        OnBad, typer.Option(help="Refuse bad images, or leave them out and say so.")
    ] = OnBad.fail,
    split: Annotated[
        str, typer.Option(help="Shares of train, validation and test.")
    ] = "0.7,0.15,0.15",
    isic_table: Annotated[
        Path | None,
        typer.Option(help="ISIC 2019 ground truth, to split HAM10000's akiec into AK and SCC."),
    ] = None,
    critical: CriticalOption = None,
    license_: Annotated[
        str, typer.Option("--license", help="Licence of the images, kept with every model.")
    ] = "unknown",
    seed: SeedOption = 0,
    run_dir: RunDirOption = DEFAULT_RUN_DIR,
    json: JsonOption = False,
) -> None:
    """Read, check and split images."""
    from pipeline.contract.run import RunDir
    from pipeline.data.prepare import prepare as prepare_stage

    run = RunDir(run_dir)
    with run.lock(), output.progress() as report:
        manifest = prepare_stage(
            source,
            run,
            layout=layout,
            seed=seed,
            fractions=_fractions(split),
            on_bad=on_bad,
            critical=None if critical is None else tuple(critical),
            isic_table=isic_table,
            license=license_,
            report=report,
        )
    show_dataset(manifest, run.dataset)


@app.command("synthesize")
def synthesize(
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    per_class: Annotated[int, typer.Option(min=4, max=10_000, help="Images a class.")] = 160,
    size_px: Annotated[
        int, typer.Option(min=32, max=4096, help="About how large, in pixels.")
    ] = 128,
    seed: SeedOption = 0,
    json: JsonOption = False,
) -> None:
    """Draw clearly synthetic lesion-like images."""
    from pipeline.data.synthesize import synthesize as synthesize_stage

    with output.progress() as report:
        folder = synthesize_stage(
            out, per_class=per_class, size_px=size_px, seed=seed, report=report
        )
    output.result(
        {"folder": str(folder), "per_class": per_class, "seed": seed},
        f"Synthetic images are in {folder}",
        f"next: pipeline data prepare {folder}",
    )


def show_dataset(manifest: DatasetManifest, path: Path) -> None:
    """Show how many images of each class are in each split, the critical ones, the findings."""
    from rich.text import Text

    from pipeline.contract.choices import Split
    from pipeline.report.sentences import note
    from pipeline.report.terminal import dataset_table

    counts = {split: Counter(image.label for image in manifest.of(split)) for split in Split}
    labels = manifest.labels
    loud = note({"kind": "no_critical_class", "labels": labels.names})
    unguarded = Text(loud, "bold yellow")
    findings = [
        f"{finding.kind}: {finding.message}" for finding in (*manifest.skipped, *manifest.findings)
    ]
    output.result(
        {
            "dataset": str(path),
            "digest": manifest.digest(),
            "images": len(manifest.images),
            "splits": {
                str(split): {label: counts[split][label] for label in manifest.labels.names}
                for split in Split
            },
            "critical": list(labels.critical),
            "skipped": [finding.model_dump(mode="json") for finding in manifest.skipped],
            "findings": [finding.model_dump(mode="json") for finding in manifest.findings],
        },
        dataset_table(manifest),
        *findings,
        f"critical classes: {', '.join(labels.critical)}" if labels.critical else unguarded,
        f"dataset: {path}",
    )


def _fractions(text: str) -> tuple[float, float, float]:
    from pipeline.errors import BadInput

    try:
        train, validation, test = (float(part) for part in text.split(","))
    except ValueError as error:
        raise BadInput(
            "--split takes three numbers", expected="for example 0.7,0.15,0.15", got=text
        ) from error
    return train, validation, test
