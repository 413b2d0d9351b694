"""Make a check from data, so that its outcome always follows, and judge one again."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import JsonValue

from pipeline.contract.verdict import Check, Data, Gate, Outcome
from pipeline.parity.own_noise import OWN_NOISE_ACCEPTED, is_within_own_noise
from pipeline.parity.statistics import mcnemar_exact
from pipeline.parity.strict import outcome_by_interval


def compare(
    name: str,
    gate: Gate,
    value: float,
    comparison: Literal["<=", ">=", "=="],
    threshold: float,
    *,
    unit: str,
    evidence: Data,
    undecided: Data | None = None,
) -> Check:
    """Judge `value comparison threshold`; with a reason in `undecided`, leave it open."""
    if undecided is not None:
        evidence = {**evidence, "undecided": undecided}
    return _judged(
        Check(
            name=name,
            gate=gate,
            outcome=Outcome.inconclusive,
            evidence=evidence,
            value=value,
            unit=unit,
            comparison=comparison,
            threshold=threshold,
        )
    )


def expect(
    name: str,
    gate: Gate,
    expected: Any,
    found: Any,
    *,
    relative_tolerance: float = 0.0,
    absolute_tolerance: float = 0.0,
    **more: Any,
) -> Check:
    """Judge whether `found` is `expected`, numbers within the larger of the two tolerances.

    All are JSON values, as the record holds them. `more` is kept in the evidence and judges
    nothing.
    """
    evidence: Data = {"kind": "comparison", "expected": expected, "found": found, **more}
    if relative_tolerance:
        evidence["relative_tolerance"] = relative_tolerance
    if absolute_tolerance:
        evidence["absolute_tolerance"] = absolute_tolerance
    return _judged(Check(name=name, gate=gate, outcome=Outcome.inconclusive, evidence=evidence))


def not_measured(name: str, gate: Gate, reason: Data) -> Check:
    """Make the inconclusive check of something that could not be measured at all."""
    evidence: Data = {"kind": "not_measured", "reason": reason}
    return Check(name=name, gate=gate, outcome=Outcome.inconclusive, evidence=evidence)


def too_few_images(found: int, needed: int, label: str | None = None) -> Data | None:
    """Return the reason why `found` images (of `label`) decide nothing, None if they do."""
    if found >= needed:
        return None
    return {"kind": "too_few_images", "found": found, "needed": needed, "of": label}


def outcome_of(check: Check) -> Outcome:
    """Judge a check again, from what it records and nothing else.

    A check that records neither a threshold nor a comparison is inconclusive: there is nothing
    to judge it by. One that is `strict` passes only where its whole interval is within the margin,
    and then by its threshold: a gain that shows another model is beyond it. One that is short of
    either, yet within the reference's own noise, proves nothing, unless that was accepted.
    """
    if _stays_open(check):
        return Outcome.inconclusive
    passed = check.within_threshold
    if passed is None:
        if check.evidence["kind"] != "comparison":
            return Outcome.inconclusive
        passed = _is_expected(check.evidence)
    by_interval = outcome_by_interval(check)
    if by_interval in (Outcome.failed, Outcome.inconclusive):
        return _unless_own_noise(check, by_interval)
    if passed or _is_excused(check):
        return Outcome.passed
    return _unless_own_noise(check, Outcome.failed)


def _unless_own_noise(check: Check, outcome: Outcome) -> Outcome:
    """Return the outcome of a check that did not pass by its own figures."""
    if not is_within_own_noise(check):
        return outcome
    rule = check.evidence.get("unless")
    accepted = isinstance(rule, dict) and rule.get("kind") == OWN_NOISE_ACCEPTED
    return Outcome.passed if accepted else Outcome.inconclusive


def _judged(check: Check) -> Check:
    return check.model_copy(update={"outcome": outcome_of(check)})


def _stays_open(check: Check) -> bool:
    if check.evidence["kind"] == "not_measured":
        return True
    reason = check.evidence.get("undecided")
    if not isinstance(reason, dict):
        return reason is not None
    found, needed = reason.get("found"), reason.get("needed")
    if isinstance(found, int) and isinstance(needed, int):
        return found < needed
    return True


def _is_excused(check: Check) -> bool:
    """Tell whether the rule recorded in `unless` lets the check pass beyond its threshold."""
    rule, paired = check.evidence.get("unless"), check.evidence.get("paired")
    if isinstance(rule, dict) and rule.get("kind") == "weak_reference_accepted":
        return check.name == "reference_better_than_largest_class"
    if not isinstance(rule, dict) or rule.get("kind") != "gain_within_chance":
        return False
    significance = rule.get("significance")
    if not isinstance(paired, dict) or not isinstance(significance, float):
        return False
    lost, gained = paired.get("only_reference_right"), paired.get("only_candidate_right")
    if not isinstance(lost, int) or not isinstance(gained, int):
        return False
    return gained > lost and mcnemar_exact(lost, gained) >= significance


def _is_expected(evidence: Data) -> bool:
    relative, absolute = (
        float(value) if isinstance(value := evidence.get(f"{kind}_tolerance"), int | float) else 0.0
        for kind in ("relative", "absolute")
    )
    return _equal(evidence.get("expected"), evidence.get("found"), relative, absolute)


def _equal(expected: JsonValue, found: JsonValue, relative: float, absolute: float) -> bool:
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(
            _equal(value, found[key], relative, absolute) for key, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(
            _equal(one, other, relative, absolute)
            for one, other in zip(expected, found, strict=True)
        )
    # In Python True is 1; in JSON it is not.
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, int | float) and isinstance(found, int | float):
        return math.isclose(expected, found, rel_tol=relative, abs_tol=absolute)
    return expected == found
