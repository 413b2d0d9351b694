"""Offer the options by which a user says which images a model is asked about."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import choice
from pipeline.contract.choices import Split
from pipeline.data.choices import OnBad
from pipeline.data.layouts import AUTO, CHOICES

if TYPE_CHECKING:
    from pipeline.contract.run import RunDir
    from pipeline.workflow.parity_data import DataSource

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR|dataset.json",
        help="Images to answer, all of them: a folder of any layout, with class folders or "
        "without labels, or a prepared dataset. No run is needed.",
    ),
]
CacheDirOption = Annotated[
    Path | None,
    typer.Option(
        "--run-dir",
        envvar="PIPELINE_RUN_DIR",
        help="Folder of a run; artifacts/run by default. With --data only to find recordings "
        "again, and none by default.",
        show_default=False,
    ),
]
SplitOption = Annotated[
    Split | None,
    typer.Option("--split", help="Of a prepared dataset this split alone; all images by default."),
]
LayoutOption = Annotated[str, choice(CHOICES, "How the folder of --data is laid out.")]
IsicTableOption = Annotated[
    Path | None,
    typer.Option("--isic-table", help="ISIC 2019 ground truth that divides HAM10000's akiec."),
]
OnBadOption = Annotated[
    OnBad, typer.Option("--on-bad", help="Refuse images that cannot be used, or leave them out.")
]


@contextmanager
def cache_dir(run_dir: Path | None) -> Iterator[RunDir]:
    """Yield the run folder the user named, to find recordings again, or one for this command."""
    from pipeline.contract.run import RunDir

    if run_dir is not None:
        yield RunDir(run_dir)
        return
    with tempfile.TemporaryDirectory(prefix="pipeline-") as folder:
        yield RunDir(Path(folder))


def data_source(
    data: Path | None,
    *,
    split: Split | None,
    layout: str,
    isic_table: Path | None,
    on_bad: OnBad,
) -> DataSource | None:
    """Return which images the options name, None where they name none.

    Raises:
        BadInput: an option says how to read images that are not named.
    """
    from pipeline.errors import BadInput
    from pipeline.workflow.parity_data import DataSource

    if data is not None:
        return DataSource(data, split, layout, isic_table, on_bad)
    said: dict[str, Any] = {
        "--split": split,
        "--layout": None if layout == AUTO else layout,
        "--isic-table": isic_table,
        "--on-bad": None if on_bad is OnBad.fail else on_bad,
    }
    unused = {name: value for name, value in said.items() if value is not None}
    if unused:
        raise BadInput(
            f"{', '.join(unused)} would do nothing without --data",
            expected="--data DIR",
            got=", ".join(f"{name} {value}" for name, value in unused.items()),
        )
    return None
