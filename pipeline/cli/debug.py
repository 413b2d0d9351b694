"""Offer `pipeline debug`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import DEFAULT_RUN_DIR, JsonOption, RunDirOption
from pipeline.cli.output import output

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.contract.layer_errors import DebugReport

_SHOWN = 20
# Columns of the terminal from which the weights are shown too.
_WIDE = 132
_NARROW_COLUMNS = 6


def debug(
    model: Annotated[Path, typer.Argument(help="An int8 bundle or .tflite file.", metavar="FILE")],
    images: Annotated[int, typer.Option(min=1, help="Training images to compare on.")] = 32,
    all_layers: Annotated[
        bool, typer.Option("--all", help=f"Show every layer, not the weakest {_SHOWN}.")
    ] = False,
    run_dir: RunDirOption = DEFAULT_RUN_DIR,
    json: JsonOption = False,
) -> None:
    """Show, layer by layer, why an int8 file quantizes well or badly.

    Every activation is compared with the float model's, with the whole int8 network before it.
    Writes a page with a plot under the run folder.
    """
    from pipeline.contract.run import RunDir
    from pipeline.workflow.debug import debug_model

    run = RunDir(run_dir)
    with run.lock(), output.progress() as report:
        found, page = debug_model(run, model, images, report=report)
    output.result(
        {**found.model_dump(mode="json"), "page": str(page)},
        layer_table(found, len(found.layers) if all_layers else _SHOWN),
        f"page: {page}",
    )


def layer_table(found: DebugReport, count: int) -> Table:
    """Return the `count` weakest layers as a table, weakest first."""
    from rich.markup import escape
    from rich.table import Table

    from pipeline.report.debug_page import COLUMNS, cells

    order = found.weakest_first()[:count]
    # The figures that a narrow terminal has no room for are on the page.
    wide = output.console().width >= _WIDE
    columns = COLUMNS if wide else COLUMNS[:_NARROW_COLUMNS]
    table = Table(
        title=f"{escape(found.model)}: {len(order)} weakest of {len(found.layers)} layers, "
        f"{found.images} images",
        title_justify="left",
        padding=0,
    )
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("layer", overflow="fold")
    if wide:
        table.add_column("operator", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    for index in order:
        layer = found.layers[index]
        named = [str(index + 1), escape(layer.short_name)]
        table.add_row(*named, *([layer.operator] if wide else []), *cells(layer)[: len(columns)])
    return table
