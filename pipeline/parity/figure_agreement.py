"""Compare the figures of a verdict with the evidence of its checks: they count the same images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.contract.labels import Labels
from pipeline.contract.verdict import Verdict

_SIDES = ("reference", "candidate")
_FORMS = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError)


def figures_that_differ(verdict: Verdict, labels: Labels, *, unlabelled: bool) -> list[Any]:
    """Return what the figures say otherwise than the checks do, or than follows from them.

    Args:
        verdict: as recorded, with the checks of the task gate.
        labels: in the order of the confusion matrices.
        unlabelled: whether the verdict states that its images have no labels.
    """
    try:
        return list(_differing(verdict, labels, unlabelled))
    except _FORMS as error:
        return [{"figures": "of another form", "found": repr(error)}]


def _differing(verdict: Verdict, labels: Labels, unlabelled: bool) -> Iterator[Any]:
    figures = verdict.figures
    evidence: dict[str, Mapping[str, Any]] = {c.name: c.evidence for c in verdict.checks}
    images = figures["images"]
    agreement = evidence.get("top1_agreement")
    if agreement is not None:
        yield from _unequal("images", images, agreement["n"])
        yield from _unequal("agreed", figures["top1_agreement"]["images"], agreement["agreed"])
        yield from _unequal("flips", figures["flips"]["count"], images - agreement["agreed"])
    difference = evidence.get("mean_probability_difference")
    if difference is not None:
        mean = figures["probability_difference"]["mean"]
        yield from _unequal("mean difference", mean, difference["mean"])
    if unlabelled:
        yield from _unequal("labelled images", figures["labelled_images"], 0)
        return
    confusion: dict[str, list[list[int]]] = figures["confusion"]
    for side in _SIDES:
        yield from _unequal(f"{side} classes", len(confusion[side]), len(labels))
        total = sum(map(sum, confusion[side]))
        yield from _unequal(f"{side} labelled images", total, figures["labelled_images"])
        accuracy = evidence.get("accuracy_difference")
        if accuracy is not None:
            right = sum(row[k] for k, row in enumerate(confusion[side]))
            yield from _unequal(f"{side} right", right, accuracy[side]["right"])
            yield from _unequal("paired answers", figures["paired"], accuracy["paired"])
    of_class = [sum(row) for row in confusion["reference"]]
    yield from _unequal("images by class", of_class, [sum(row) for row in confusion["candidate"]])
    for k, label in enumerate(labels.names):
        recall = evidence.get(f"critical_recall_drop:{label}")
        if recall is None:
            continue
        yield from _unequal(f"images of {label}", of_class[k], recall["n"])
        for side in _SIDES:
            right = confusion[side][k][k]
            yield from _unequal(f"{side} right of {label}", right, recall[side]["right"])
    balanced = evidence.get("balanced_accuracy_drop")
    if balanced is not None:
        counted = {
            label: {
                "images": of_class[k],
                **{side: confusion[side][k][k] for side in _SIDES},
            }
            for k, label in enumerate(labels.names)
            if of_class[k]
        }
        recorded = balanced["right_by_class"]
        yield from _unequal("right by class", counted, _right_alone(recorded))
        # What only one side has right explains how far the two are apart.
        yield from _unequal("right on one side", _apart(recorded), _discordant(recorded))


def _right_alone(rows: Any) -> Any:
    keys = ("images", "reference", "candidate")
    return {label: {key: row[key] for key in keys} for label, row in rows.items()}


def _apart(rows: Any) -> Any:
    return {label: row["reference"] - row["candidate"] for label, row in rows.items()}


def _discordant(rows: Any) -> Any:
    return {
        label: row["only_reference_right"] - row["only_candidate_right"]
        for label, row in rows.items()
    }


def _unequal(what: str, expected: Any, found: Any) -> Iterator[Any]:
    if expected != found:
        yield {"figure": what, "expected": expected, "found": found}
