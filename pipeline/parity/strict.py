"""Judge a check of the task gate by its interval, from what it records."""

from __future__ import annotations

from typing import Any

from pipeline.contract.verdict import Check, Outcome
from pipeline.parity.non_inferiority import lost_and_gained, outcome_of_interval
from pipeline.parity.paired import Interval, PairedShares, balanced_difference_95
from pipeline.parity.statistics import wilson_95

# What another version of NumPy may draw moves a bootstrap's bounds by far less than this part of
# its width; a recorded interval that is further from its counts was not made from them.
_REDRAWN = 0.1
_ROUNDING = 1e-9


def outcome_by_interval(check: Check) -> Outcome | None:
    """Say what a check's interval shows; None where the check was not judged strictly.

    The interval is derived again from the recorded counts. Where the recorded one is another, or
    the counts are none, nothing is shown: inconclusive.
    """
    evidence: dict[str, Any] = check.evidence
    if evidence.get("strict") is not True:
        return None
    try:
        return _by_interval(evidence, check.threshold)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
        return Outcome.inconclusive


def _by_interval(evidence: dict[str, Any], threshold: float | None) -> Outcome:
    if evidence["kind"] == "agreement":
        derived = wilson_95(evidence["agreed"], evidence["n"])
        if threshold is None or not _is(evidence["interval_95"], derived):
            return Outcome.inconclusive
        return outcome_of_interval(derived, threshold)
    margin, recorded = evidence["tolerance"]["asked"], evidence["difference"]
    low, high = recorded["interval_95"]
    if evidence["kind"] == "balanced_accuracy":
        counts = lost_and_gained(evidence["right_by_class"].values())
        derived = balanced_difference_95(*counts, seed=recorded["seed"])
        known = _is((low, high), derived, _REDRAWN * (derived[1] - derived[0]))
    else:
        paired = evidence["paired"]
        derived = PairedShares(
            evidence["n"], paired["only_reference_right"], paired["only_candidate_right"]
        ).interval_95()
        known = _is((low, high), derived)
    return outcome_of_interval((low, high), -margin) if known else Outcome.inconclusive


def _is(recorded: Any, derived: Interval, tolerance: float = 0.0) -> bool:
    low, high = recorded
    allowed = tolerance + _ROUNDING
    return bool(abs(low - derived[0]) <= allowed and abs(high - derived[1]) <= allowed)
