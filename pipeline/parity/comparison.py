"""Make a check from a value and its threshold, so that the outcome always follows."""

from __future__ import annotations

import operator
from typing import Literal

from pipeline.contract.verdict import Check, Gate, Outcome

_HOLDS = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


def compare(
    name: str,
    gate: Gate,
    value: float,
    comparison: Literal["<=", ">=", "=="],
    threshold: float,
    *,
    unit: str,
    evidence: str,
    undecided: str | None = None,
) -> Check:
    """Judge `value comparison threshold`; with a reason in `undecided`, leave it open."""
    if undecided is not None:
        outcome, evidence = Outcome.inconclusive, f"undecided, {undecided}: {evidence}"
    else:
        holds = _HOLDS[comparison](value, threshold)
        outcome = Outcome.passed if holds else Outcome.failed
    return Check(
        name=name,
        gate=gate,
        outcome=outcome,
        evidence=evidence,
        value=value,
        unit=unit,
        comparison=comparison,
        threshold=threshold,
    )


def open_check(name: str, gate: Gate, reason: str) -> Check:
    """Make the inconclusive check of something that could not be measured at all."""
    return Check(
        name=name, gate=gate, outcome=Outcome.inconclusive, evidence=f"not measured: {reason}"
    )
