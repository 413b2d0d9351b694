"""Build the tables that commands show in a terminal, from the same values as the pages."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.contract.choices import Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.layer_errors import DebugReport
from pipeline.contract.manifest import NOTICE, BundleManifest
from pipeline.contract.verdict import Gate, Outcome, Verdict
from pipeline.metrics import Metrics
from pipeline.report.layers import COLUMNS, cells
from pipeline.report.search_sentences import why_no_more
from pipeline.report.sections.search import TITLE, trial_rows
from pipeline.report.wording import asked_for, headline, measured, title
from pipeline.tflite.inspect import Inspection

_STYLE = {Outcome.passed: "green", Outcome.failed: "bold red", Outcome.inconclusive: "yellow"}
# Columns of the terminal from which the weights of a layer are shown too.
_WIDE = 150
_NARROW_COLUMNS = 6


def verdict_table(verdict: Verdict, name: str) -> Table:
    """Return a verdict: what passed in a line each gate, the rest check by check.

    The task gate is always shown check by check, since its figures are what a person asks for.
    """
    table = Table(
        title=f"{escape(name)}: [{_STYLE[verdict.outcome]}]{headline(verdict)}[/]",
        title_justify="left",
    )
    for column in ("gate", "check", "outcome", "measured", "asked for"):
        table.add_column(column, overflow="fold")
    for gate in Gate:
        checks = [check for check in verdict.checks if check.gate is gate]
        brief = gate is not Gate.task and all(c.outcome is Outcome.passed for c in checks)
        if checks and brief:
            table.add_row(str(gate), f"all {len(checks)} checks", "[green]pass[/]", "", "")
        for check in () if brief else checks:
            table.add_row(
                str(gate),
                escape(title(check)),
                f"[{_STYLE[check.outcome]}]{check.outcome}[/]",
                measured(check),
                escape(asked_for(check)),
            )
    return table


def search_table(manifest: BundleManifest, name: str) -> Table | None:
    """Return what an int8 search tried, a row for each file; None where none was made."""
    rows = trial_rows(manifest)
    if not rows:
        return None
    table = Table(
        title=f"{escape(name)}: {TITLE}",
        title_justify="left",
        caption=why_no_more(manifest.search),
        caption_justify="left",
    )
    for column in ("step", "agreement", "mean difference", "latency p50", "result"):
        table.add_column(column, overflow="fold")
    for row in rows:
        state = escape(row.state)
        table.add_row(
            f"[bold]{escape(row.step)}[/]" if row.chosen else escape(row.step),
            row.agreement,
            row.mean_difference,
            row.latency,
            f"[green]{state}[/]" if row.meets_target else state,
        )
    return table


def layer_table(found: DebugReport, count: int, *, width: int) -> Table:
    """Return the `count` weakest layers, weakest first.

    Args:
        found: every layer.
        count: how many to show.
        width: of the terminal in columns; the figures that a narrow one has no room for are on
            the page.
    """
    order, wide = found.weakest_first()[:count], width >= _WIDE
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


def dataset_table(dataset: DatasetManifest) -> Table:
    """Return how many images of each class are in each split."""
    counts = {split: Counter(image.label for image in dataset.of(split)) for split in Split}
    table = Table(title="Images by class and split")
    table.add_column("class")
    for split in Split:
        table.add_column(str(split), justify="right")
    for label in dataset.labels.names:
        table.add_row(escape(label), *(str(counts[split][label]) for split in Split))
    table.add_row("all", *(str(counts[split].total()) for split in Split), style="bold")
    return table


def metrics_table(metrics: Mapping[str, Metrics]) -> Table:
    """Return the Keras model's figures by split."""
    table = Table(title="Keras model")
    for column in ("split", "images", "accuracy", "balanced", "AUC", "calibration error"):
        table.add_column(column, justify="left" if column == "split" else "right")
    for split, figures in metrics.items():
        table.add_row(
            split,
            str(figures.images),
            f"{figures.accuracy:.3f}",
            f"{figures.balanced_accuracy:.3f}",
            "-" if figures.auc is None else f"{figures.auc:.3f}",
            f"{figures.calibration_error:.3f}",
        )
    return table


def inspection_tables(inspection: Inspection, name: str) -> tuple[Table, Table]:
    """Return the facts of a `.tflite` file, and its operators."""
    facts = Table("fact", "value", title=escape(name), show_header=False)
    for fact, value in inspection.facts():
        facts.add_row(fact, escape(value))
    operators = Table("operator", "version", "count", "since runtime", title="Operators")
    for operator in inspection.operators:
        operators.add_row(
            escape(operator.name),
            str(operator.version),
            str(operator.count),
            operator.since or "unknown",
        )
    return facts, operators


def predictions_table(
    model: str, answers: Sequence[tuple[str, str, Mapping[str, float]]], console: Console
) -> Table:
    """Return a row an image, or a row for each class of each image where that would overflow.

    Args:
        model: the file that answered.
        answers: image, label predicted, and probability by label, 0 to 1.
        console: where the table is to be shown.
    """
    table = Table("image", "predicted", title=escape(model), caption=NOTICE)
    for name in answers[0][2] if answers else ():
        table.add_column(escape(name), justify="right")
    for image, label, probabilities in answers:
        shown = (_bold(f"{value:.3f}", name == label) for name, value in probabilities.items())
        table.add_row(escape(image), escape(label), *shown)
    # Asked at any width, since a measure is otherwise cut to the terminal's.
    unbounded = console.options.update(width=sys.maxsize)
    if console.measure(table, options=unbounded).maximum <= console.width:
        return table
    tall = Table(title=escape(model), caption=NOTICE)
    tall.add_column("image", overflow="fold")
    tall.add_column("class", no_wrap=True)
    tall.add_column("probability", justify="right", no_wrap=True)
    for image, label, probabilities in answers:
        for number, (name, value) in enumerate(probabilities.items()):
            chosen, last = name == label, number == len(probabilities) - 1
            tall.add_row(
                "" if number else escape(image),
                _bold(escape(name), chosen) + (" (predicted)" if chosen else ""),
                _bold(f"{value:.3f}", chosen),
                end_section=last,
            )
    return tall


def _bold(text: str, bold: bool) -> str:
    return f"[bold]{text}[/]" if bold else text
