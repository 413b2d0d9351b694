"""Judge a recorded verdict again, from nothing but what it records.

What a check records is made by its gate: `pipeline.parity.expectation` runs the gates to say which
checks there must be. What follows from the evidence of each is said here, kind by kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from pipeline.contract.labels import Labels
from pipeline.contract.verdict import Check, Gate, Verdict
from pipeline.parity.comparison import expect, outcome_of
from pipeline.parity.expectation import expected_checks
from pipeline.parity.figure_agreement import figures_that_differ
from pipeline.parity.noise_agreement import noise_that_differs
from pipeline.parity.numbers import sum_error_limit
from pipeline.parity.thresholds import Thresholds

_ROUNDING = 1e-9
_FORMS = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError)


def recorded_checks(
    verdict: Verdict, labels: Labels, structure: Sequence[Check], *, in_8_bits: bool
) -> list[Check]:
    """Check that a verdict follows from its own data, and that nothing is missing in it.

    Args:
        verdict: as recorded.
        labels: of the bundle's manifest.
        structure: the checks of the structure gate, run again on the file.
        in_8_bits: whether the file computes in 8 bits, and so is held beside the noise of its
            float model.

    Returns:
        Checks of the gate `bundle`. Each expects an empty list and holds what was found wrong.
    """
    checks = [outcomes_check(verdict), passed_check(verdict)]
    thresholds = _thresholds(verdict)
    if thresholds is None:
        return [*checks, _nothing("thresholds_stated", ["the verdict states no thresholds"])]
    unlabelled = is_unlabelled(verdict)
    made = expected_checks(labels, thresholds, unlabelled=unlabelled, noise=in_8_bits)
    templates = {check.name: check for check in (*made, *structure)}
    return [
        *checks,
        completeness_check(verdict, list(templates)),
        _nothing("form_of_checks", _of_other_form(verdict, templates)),
        _nothing(
            "thresholds_consistent", _other_thresholds(verdict, thresholds, templates, len(labels))
        ),
        _nothing("values_follow", _contradicting_values(verdict)),
        _nothing("structure_as_recorded", _other_structure(verdict, structure)),
        _nothing("critical_classes", _critical_classes(verdict, labels, unlabelled)),
        _nothing("figures_agree", figures_that_differ(verdict, labels, unlabelled=unlabelled)),
        _nothing("noise_agrees", noise_that_differs(verdict, thresholds, in_8_bits=in_8_bits)),
    ]


def outcomes_check(verdict: Verdict) -> Check:
    """Judge every check again by its value, threshold and evidence."""
    return _nothing(
        "outcomes_follow",
        [
            {"check": check.name, "recorded": str(check.outcome), "judged": str(judged)}
            for check in verdict.checks
            if (judged := outcome_of(check)) is not check.outcome
        ],
    )


def passed_check(verdict: Verdict) -> Check:
    """Check that the verdict is a pass."""
    return expect(
        "verdict_passed",
        Gate.bundle,
        "pass",
        str(verdict.outcome),
        broken=[check.name for check in verdict.broken()],
    )


def completeness_check(verdict: Verdict, names: Sequence[str]) -> Check:
    """Check that the verdict has each of the checks once, and no other."""
    found = [check.name for check in verdict.checks]
    return expect(
        "checks_complete",
        Gate.bundle,
        {"missing": [], "repeated": [], "unknown": []},
        {
            "missing": [name for name in names if name not in found],
            "repeated": sorted({name for name in found if found.count(name) > 1}),
            "unknown": [name for name in found if name not in names],
        },
        of=len(names),
    )


def is_unlabelled(verdict: Verdict) -> bool:
    """Tell whether the verdict states that its images have no labels."""
    notes = verdict.figures.get("notes")
    return any(
        isinstance(note, dict) and note.get("kind") == "accuracy_not_proven"
        for note in (notes if isinstance(notes, list) else [])
    )


def _nothing(name: str, found: Iterable[Any]) -> Check:
    return expect(name, Gate.bundle, [], [*found])


def _thresholds(verdict: Verdict) -> Thresholds | None:
    stated = verdict.figures.get("thresholds")
    try:
        return Thresholds.model_validate(stated, strict=True)
    except ValidationError:
        return None


def _of_other_form(verdict: Verdict, templates: Mapping[str, Check]) -> Iterator[Any]:
    for check in verdict.checks:
        template = templates.get(check.name)
        if template is not None and (found := _form(check)) != (wanted := _form(template)):
            yield {"check": check.name, "expected": wanted, "found": found}


def _form(check: Check) -> dict[str, Any]:
    return {
        "gate": str(check.gate),
        "kind": check.evidence["kind"],
        "comparison": check.comparison,
        "unit": check.unit,
        "threshold": check.threshold is not None,
        # A rule that lets a check pass beyond its threshold is the gate's to make.
        "unless": check.evidence.get("unless"),
        # What excuses a check is measured by its gate, and of no other check.
        "own_noise": check.evidence.get("own_noise") is not None,
    }


def _other_thresholds(
    verdict: Verdict, thresholds: Thresholds, templates: Mapping[str, Check], classes: int
) -> Iterator[Any]:
    if verdict.inputs.get("thresholds") != thresholds.digest():
        yield {"input": "thresholds", "expected": thresholds.digest()}
    for check in verdict.checks:
        template = templates.get(check.name)
        if template is None or check.threshold is None:
            continue
        try:
            asked = _threshold_of(check, template, classes)
        except _FORMS:
            yield {"check": check.name, "found": "evidence of another form"}
            continue
        if abs(asked - check.threshold) > _ROUNDING:
            yield {"check": check.name, "expected": asked, "found": check.threshold}


def _threshold_of(check: Check, template: Check, classes: int) -> float:
    """Return what a check must have asked for, by the stated thresholds and its own evidence."""
    evidence: Mapping[str, Any] = check.evidence
    if (tolerance := evidence.get("tolerance")) is not None:
        wanted: Any = template.evidence["tolerance"]
        smallest = 1 / tolerance["n"]
        if evidence["kind"] == "balanced_accuracy":
            smallest /= len(evidence["right_by_class"])
        return max(float(wanted["asked"]), float(smallest))
    match evidence["kind"]:
        case "largest_class":
            return min(1.0, float(evidence["share"] + 1 / evidence["images"]))
        case "sum_error":
            return sum_error_limit(classes, is_8_bit=evidence["step"] is not None)
        case "delegation":
            # Of the host that judged.
            return float(check.threshold or 0)
        case _:
            return float(template.threshold or 0)


def _contradicting_values(verdict: Verdict) -> Iterator[Any]:
    for check in verdict.checks:
        measure = _MEASURES.get(str(check.evidence["kind"]))
        if measure is None:
            continue
        try:
            value = float(measure(check.evidence))
        except _FORMS:
            yield {"check": check.name, "found": "evidence of another form"}
            continue
        if check.value is None or abs(value - check.value) > _ROUNDING:
            yield {"check": check.name, "expected": value, "found": check.value}


def _accuracy(e: Mapping[str, Any]) -> float:
    return float(abs(e["candidate"]["right"] - e["reference"]["right"]) / e["n"])


def _critical_recall(e: Mapping[str, Any]) -> float:
    return float((e["reference"]["right"] - e["candidate"]["right"]) / e["n"])


def _balanced_accuracy(e: Mapping[str, Any]) -> float:
    classes = e["right_by_class"].values()
    lost = ((one["reference"] - one["candidate"]) / one["images"] for one in classes)
    return float(sum(lost) / len(classes))


def _clearly_better(e: Mapping[str, Any]) -> int:
    return sum(1 for one in e["compared"] if one["better"])


# What each kind of evidence says that its check measured.
_MEASURES: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "accuracy": _accuracy,
    "agreement": lambda e: e["agreed"] / float(e["n"]),
    "balanced_accuracy": _balanced_accuracy,
    "critical_recall": _critical_recall,
    "probability_difference": lambda e: float(e["mean"]),
    "not_finite": lambda e: float(e["images"]),
    "out_of_range": lambda e: float(e["images"]),
    "sum_error": lambda e: float(e["furthest"]),
    "distinct_answers": lambda e: float(e["distinct"]),
    "input_convention": _clearly_better,
    "label_order": lambda e: int(bool(e["order"])),
    "largest_class": lambda e: float(e["accuracy"]),
    "reference_accuracy": lambda e: float(e["accuracy"]),
    "file_size": lambda e: e["size_bytes"] / 1e6,
}


def _other_structure(verdict: Verdict, structure: Sequence[Check]) -> Iterator[Any]:
    """Compare the structure gate as recorded with the same gate on the file that is here."""
    again = {check.name: check.model_dump(mode="json") for check in structure}
    for check in verdict.checks:
        # How much of a graph is delegated is a matter of the host.
        if check.name not in again or check.evidence["kind"] == "delegation":
            continue
        if check.model_dump(mode="json") != again[check.name]:
            yield {"check": check.name}


def _critical_classes(verdict: Verdict, labels: Labels, unlabelled: bool) -> Iterator[Any]:
    stated = verdict.figures.get("critical")
    wanted = [] if unlabelled else [*labels.critical]
    if stated != wanted:
        yield {"critical": wanted, "found": stated}
    for note in verdict.figures.get("notes", []):
        if note.get("kind") == "accuracy_not_proven" and note.get("not_gated") != [
            *labels.critical
        ]:
            yield {"not_gated": [*labels.critical], "found": note.get("not_gated")}
