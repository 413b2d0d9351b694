"""Show in words, in a table and in a drawing at which step answers changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from markupsafe import Markup
from rich.table import Table

from pipeline.contract.trace import StepKind, Trace, TraceStep
from pipeline.report.plots import Bar, share_bars
from pipeline.report.wording import amount

COLUMNS = ("step", "agreement", "flips", "difference", "accuracy")
LEGEND = (
    "agreement: with Keras; flips and mean difference of the probabilities: against the step before"
)


def lost(trace: Trace) -> str:
    """Return in one sentence at which step most images change class."""
    place = trace.lost_at
    if place is None:
        return f"nothing is lost: every step gives all {trace.images} images Keras' class"
    step = trace.steps[place]
    return (
        f"most is lost at {step_name(step)}: {step.flips} of {trace.images} images change class, "
        f"{amount(trace.keras_agreement(step), 'share')} still agree with Keras"
    )


def step_name(step: TraceStep) -> str:
    """Return what a step is called."""
    match step.kind:
        case StepKind.keras | StepKind.convert:
            return str(step.kind)
        case StepKind.recipe:
            return f"{step.name}, float32 in and out"
        case StepKind.io:
            return f"{step.name} in and out"
        case StepKind.runtime:
            return step.name
        case _:
            assert_never(step.kind)


def columns(trace: Trace) -> tuple[str, ...]:
    """Return the columns of the table: the critical classes come last."""
    return (*COLUMNS, *(f"recall {name}" for name in trace.steps[0].critical_recall))


def rows(trace: Trace) -> Sequence[tuple[str, ...]]:
    """Return a row for each step."""
    return [
        (
            step_name(step),
            amount(trace.keras_agreement(step), "share"),
            "" if step.before is None else str(step.flips),
            "" if step.before is None else amount(step.mean_difference, "probability"),
            amount(step.accuracy, "share"),
            *(amount(share, "share") for share in step.critical_recall.values()),
        )
        for step in trace.steps
    ]


def trace_table(trace: Trace) -> Table:
    """Return the steps for a terminal."""
    table = Table(
        title=f"{trace.bundle}: {trace.images} images", title_justify="left", caption=LEGEND
    )
    for number, column in enumerate(columns(trace)):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for place, row in enumerate(rows(trace)):
        table.add_row(*row, style="bold" if place == trace.lost_at else "")
    return table


def trace_bars(trace: Trace) -> Markup:
    """Draw the agreement with Keras after each step; the one that lost most stands out."""
    bars = [
        Bar(
            step.runtime if step.kind is StepKind.runtime else step_name(step),
            trace.keras_agreement(step),
            place != trace.lost_at,
            place == trace.lost_at,
        )
        for place, step in enumerate(trace.steps)
    ]
    words = "; ".join(
        f"{step_name(step)} {amount(trace.keras_agreement(step), 'share')}" for step in trace.steps
    )
    return share_bars(bars, f"Agreement with Keras after each step: {words}.", None)
