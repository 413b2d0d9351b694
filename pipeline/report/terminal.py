"""Build the tables that commands show in a terminal, from the same values as the pages."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.contract.choices import Split
from pipeline.contract.chosen import ChosenDecision
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.decision import Decision, Reading
from pipeline.contract.layer_errors import DebugReport
from pipeline.contract.manifest import NOTICE, BundleManifest
from pipeline.contract.verdict import Gate, Outcome, Verdict
from pipeline.metrics import Metrics
from pipeline.report.decision_words import reading_words, stated_facts
from pipeline.report.layers import COLUMNS, cells
from pipeline.report.search_sentences import why_no_more
from pipeline.report.sections.search import TITLE, trial_rows
from pipeline.report.wording import (
    applied,
    asked,
    headline,
    interval,
    measured,
    sample,
    title,
)
from pipeline.tflite.inspect import Inspection

_STYLE = {Outcome.passed: "green", Outcome.failed: "bold red", Outcome.inconclusive: "yellow"}
_POINTS = "Intervals with signs: candidate minus reference, in percentage points."
_VERDICT_COLUMNS = (
    *("gate", "check", "outcome", "n", "measured", "95% interval", "asked for", "applied"),
)
# Columns of the terminal from which the weights of a layer are shown too.
_WIDE = 150
_NARROW_COLUMNS = 6


def verdict_table(verdict: Verdict, name: str) -> Table:
    """Return a verdict: what passed in a line each gate, the rest check by check.

    The task gate is always shown check by check, since its figures are what a person asks for.
    """
    table = Table(
        title=Text.assemble(f"{name}: ", (headline(verdict), _STYLE[verdict.outcome])),
        title_justify="left",
        caption_justify="left",
        padding=0,
    )
    for column in _VERDICT_COLUMNS:
        table.add_column(
            column,
            overflow="fold",
            justify="right" if column == "n" else "left",
            no_wrap=column == "outcome",
        )
    for gate in Gate:
        checks = [check for check in verdict.checks if check.gate is gate]
        brief = gate is not Gate.task and all(c.outcome is Outcome.passed for c in checks)
        if checks and brief:
            table.add_row(str(gate), f"all {len(checks)} checks", Text("pass", "green"))
        for check in () if brief else checks:
            table.add_row(
                str(gate),
                title(check),
                Text(str(check.outcome), _STYLE[check.outcome]),
                sample(check),
                measured(check),
                interval(check),
                asked(check),
                applied(check),
            )
            if "difference" in check.evidence:
                table.caption = _POINTS
    return table


def search_table(manifest: BundleManifest, name: str) -> Table | None:
    """Return what an int8 search tried, a row for each file; None where none was made."""
    rows = trial_rows(manifest)
    if not rows:
        return None
    table = Table(
        title=f"{name}: {TITLE}",
        title_justify="left",
        caption=why_no_more(manifest.search),
        caption_justify="left",
    )
    for column in ("step", "agreement", "mean difference", "latency p50", "result"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(
            _bold(row.step, row.chosen),
            row.agreement,
            row.mean_difference,
            row.latency,
            Text(row.state, "green" if row.meets_target else ""),
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
        title=f"{found.model}: {len(order)} weakest of {len(found.layers)} layers, "
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
        named = [str(index + 1), layer.short_name]
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
        table.add_row(label, *(str(counts[split][label]) for split in Split))
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


def inspection_tables(
    inspection: Inspection, name: str, manifest: BundleManifest | None = None
) -> tuple[Table, Table]:
    """Return the facts of a `.tflite` file with those of its bundle's decision; its operators."""
    facts = Table("fact", "value", title=name, show_header=False)
    stated = [] if manifest is None else stated_facts(manifest.decision, manifest.chosen)
    for fact, value in [*inspection.facts(), *stated]:
        facts.add_row(fact, value)
    operators = Table("operator", "version", "count", "since runtime", title="Operators")
    for operator in inspection.operators:
        operators.add_row(
            operator.name,
            str(operator.version),
            str(operator.count),
            operator.since or "unknown",
        )
    return facts, operators


def predictions_table(
    model: str,
    answers: Sequence[tuple[str, Reading, Mapping[str, float]]],
    console: Console,
    decision: Decision,
    chosen: ChosenDecision | None = None,
) -> Table:
    """Return a row an image, or a row for each class of each image where that would overflow.

    Args:
        model: the file that answered.
        answers: image, how the answer reads, and probability by label, 0 to 1.
        console: where the table is to be shown.
        decision: what the answers are read by, shown below where it states something.
        chosen: what that was chosen for, shown there too.
    """
    stated = (f"{name}: {value}" for name, value in stated_facts(decision, chosen))
    caption = "\n".join((NOTICE, *stated))
    table = Table("image", "predicted", title=model, caption=caption)
    for name in answers[0][2] if answers else ():
        table.add_column(name, justify="right")
    for image, reading, probabilities in answers:
        shown = (_bold(f"{p:.3f}", name == reading.label) for name, p in probabilities.items())
        table.add_row(image, reading_words(reading), *shown)
    # Asked at any width, since a measure is otherwise cut to the terminal's.
    unbounded = console.options.update(width=sys.maxsize)
    if console.measure(table, options=unbounded).maximum <= console.width:
        return table
    tall = Table(title=model, caption=caption)
    tall.add_column("image", overflow="fold")
    tall.add_column("class", overflow="fold")
    tall.add_column("probability", justify="right", no_wrap=True)
    for image, reading, probabilities in answers:
        for number, (name, value) in enumerate(probabilities.items()):
            predicted, last = name == reading.label, number == len(probabilities) - 1
            tall.add_row(
                "" if number else image,
                _bold(name, predicted).append(_said_of(name, reading), "not bold"),
                _bold(f"{value:.3f}", predicted),
                end_section=last,
            )
    return tall


def _said_of(name: str, reading: Reading) -> str:
    """Return what an answer says of one class: predicted, unsure, over its threshold, nothing."""
    said = []
    if name == reading.label:
        said.append("unsure" if reading.unsure else "predicted")
    if name in reading.over_threshold:
        said.append("over threshold")
    return f" ({', '.join(said)})" if said else ""


def _bold(text: str, bold: bool) -> Text:
    return Text(text, "bold" if bold else "")
