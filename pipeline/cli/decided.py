"""Offer the options by which an export's answers are calibrated and its thresholds are chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.contract.chosen import DecisionAsked
    from pipeline.contract.decision import Decision

CalibrateOption = Annotated[
    bool,
    typer.Option(
        "--calibrate",
        help="Scale a copy of a model of yours by a temperature fitted on the validation "
        "images, so that its confidence is its accuracy; what `pipeline train` makes is.",
    ),
]
SensitivityOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sensitivity",
        metavar="LABEL=S",
        help="Choose LABEL's threshold: the highest that names at least this share of its "
        "validation images; repeatable.",
    ),
]
UnsureRiskOption = Annotated[
    float | None,
    typer.Option(
        "--unsure-risk",
        help="Choose the unsure band: the most answers of which at most this share is wrong.",
    ),
]
UnsureCoverageOption = Annotated[
    float | None,
    typer.Option(
        "--unsure-coverage", help="Choose the unsure band that leaves this share of the answers."
    ),
]


def asked_of(
    decision: Decision,
    *,
    sensitivity: list[str] | None,
    unsure_risk: float | None,
    unsure_coverage: float | None,
    calibrate: bool,
    unlabelled: Path | None,
) -> DecisionAsked:
    """Return what of the decision is to be chosen.

    Raises:
        BadInput: a text cannot be read, something is both stated and to be chosen, or the images
            have no labels.
    """
    from pipeline.contract.chosen import DecisionAsked
    from pipeline.contract.decision import parse_thresholds
    from pipeline.errors import BadInput

    asked = DecisionAsked(
        sensitivity=parse_thresholds(sensitivity or [], "sensitivity"),
        unsure_risk=unsure_risk,
        unsure_coverage=unsure_coverage,
    )
    asked.check(decision)
    given = [
        name
        for name, value in (
            ("--calibrate", calibrate),
            ("--sensitivity", asked.sensitivity),
            ("--unsure-risk", unsure_risk),
            ("--unsure-coverage", unsure_coverage),
        )
        if value
    ]
    if unlabelled is not None and given:
        raise BadInput(
            f"{', '.join(given)} needs images with labels, and --unlabelled has none",
            where=str(unlabelled),
            next_step="leave one of them out",
        )
    return asked
