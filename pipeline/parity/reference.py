"""Run the reference gate: does the Keras model do its job under the input it is said to take.

A candidate that answers as its reference does proves nothing where both are asked wrongly. So the
reference is held to the labels first: under the stated input convention against each known other
one, against always answering the largest class, and against the same labels in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.normalization import Normalization
from pipeline.contract.verdict import Check, Data, Gate
from pipeline.metrics import confusion_matrix
from pipeline.parity.comparison import compare, not_measured
from pipeline.parity.paired import Flags
from pipeline.parity.statistics import mcnemar_exact, wilson_95
from pipeline.parity.thresholds import Thresholds
from pipeline.runtimes.recording import Recording

# A convention, or an order of labels, is called better only where chance is out of the question:
# the model is refused for it, with a sentence that tells its owner to change what was stated.
_CLEARLY = 0.001
_SIGNIFICANT = 0.05

# What hold a reference to the labels when a file is made; a floor is asked whenever one is given.
REFERENCE_CHECKS = (
    "reference_input_convention",
    "reference_label_order",
    "reference_better_than_largest_class",
)


@dataclass(frozen=True)
class OtherConvention:
    """Hold what the reference answers to some of its images under another input convention.

    rows: int64 (m,), which of the reference's images. chosen: int64 (m,), the class it answers.
    """

    normalization: Normalization
    rows: npt.NDArray[np.int64]
    chosen: npt.NDArray[np.int64]


def reference_checks(
    reference: Recording,
    stated: Normalization,
    others: Sequence[OtherConvention],
    thresholds: Thresholds,
) -> list[Check]:
    """Check a reference against the labels; a pure function of its arguments.

    Args:
        reference: the Keras model's answers under `stated`; only labelled images are used.
        stated: the input convention it was asked under.
        others: its answers under other conventions, normally to a part of the images.
        thresholds: give the floor, and whether a weak reference is accepted.

    Returns:
        Nothing where no image is labelled: nothing can be held against labels then. A floor of
        the accuracy that is asked for all the same is not measured.
    """
    labelled = np.flatnonzero(reference.truth >= 0)
    if not len(labelled):
        return floor_checks(reference, thresholds)
    truth = reference.truth[labelled]
    chosen = reference.probabilities[labelled].argmax(axis=1).astype(np.int64)
    labels = reference.facts.labels
    return [
        _convention_check(reference, stated, others),
        _order_check(truth, chosen, labels),
        _largest_class_check(truth, chosen, labels, thresholds),
        *floor_checks(reference, thresholds),
    ]


def floor_checks(reference: Recording, thresholds: Thresholds) -> list[Check]:
    """Check the reference's accuracy against the floor that is asked for, if one is.

    This alone is asked of a reference that was held to the labels before, on other images.
    """
    if thresholds.min_reference_accuracy is None:
        return []
    labelled = reference.truth >= 0
    if not labelled.any():
        reason: Data = {"kind": "no_labelled_images"}
        return [not_measured("reference_accuracy", Gate.reference, reason)]
    chosen = reference.probabilities[labelled].argmax(axis=1)
    count, right = int(labelled.sum()), int((chosen == reference.truth[labelled]).sum())
    accuracy = right / count
    return [
        compare(
            "reference_accuracy",
            Gate.reference,
            accuracy,
            ">=",
            thresholds.min_reference_accuracy,
            unit="share",
            evidence={
                "kind": "reference_accuracy",
                "images": count,
                "accuracy": accuracy,
                "accuracy_95": [*wilson_95(right, count)],
            },
        )
    ]


def _convention_check(
    reference: Recording, stated: Normalization, others: Sequence[OtherConvention]
) -> Check:
    compared = [_compared(reference, other) for other in others]
    clearly = [one for one in compared if one["better"]]
    best = max(clearly, key=lambda one: float(one["accuracy"]), default=None)
    return compare(
        "reference_input_convention",
        Gate.reference,
        len(clearly),
        "==",
        0,
        unit="conventions",
        evidence={
            "kind": "input_convention",
            "stated": stated.words(),
            "compared": [*compared],
            "better": best,
        },
    )


def _compared(reference: Recording, other: OtherConvention) -> dict[str, Any]:
    rows = other.rows[reference.truth[other.rows] >= 0]
    kept = reference.truth[other.rows] >= 0
    truth = reference.truth[rows]
    before = reference.probabilities[rows].argmax(axis=1) == truth
    after = other.chosen[kept] == truth
    count, changed = len(rows), _changed(before, after)
    return {
        "name": other.normalization.words(),
        "option": other.normalization.option(),
        "images": count,
        "stated_accuracy": float(before.mean()) if count else None,
        "accuracy": float(after.mean()) if count else None,
        **changed,
        "better": _is_clearly_better(changed),
    }


def _changed(before: Flags, after: Flags) -> dict[str, Any]:
    """Count images, bool (n,), right before or after alone; `p` is of the exact McNemar test."""
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    return {"lost": lost, "gained": gained, "p": mcnemar_exact(lost, gained)}


def _is_clearly_better(changed: dict[str, Any]) -> bool:
    return bool(changed["gained"] > changed["lost"] and changed["p"] < _CLEARLY)


def _order_check(
    truth: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64], labels: tuple[str, ...]
) -> Check:
    """Look for another order of the labels that is right far more often.

    The order is found on every second image and judged on the others, so that the many orders
    there are do not make one of them look good by chance.
    """
    found_on, judged_on = slice(0, None, 2), slice(1, None, 2)
    order = _best_order(truth[found_on], chosen[found_on], len(labels))
    stated = chosen[judged_on] == truth[judged_on]
    reordered = order[chosen[judged_on]] == truth[judged_on]
    changed = _changed(stated, reordered)
    better = _is_clearly_better(changed)
    return compare(
        "reference_label_order",
        Gate.reference,
        int(better),
        "==",
        0,
        unit="better orders",
        evidence={
            "kind": "label_order",
            "images": len(stated),
            "stated_accuracy": float(stated.mean()) if len(stated) else None,
            "accuracy": float(reordered.mean()) if len(stated) else None,
            **changed,
            "order": [labels[int(to)] for to in order] if better else [],
        },
    )


def _best_order(
    truth: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64], classes: int
) -> npt.NDArray[np.int64]:
    """Return for each output the label that makes most images right (Kuhn 1955, Hungarian)."""
    # scipy takes a while to import, and --help must not.
    from scipy.optimize import linear_sum_assignment

    counts = confusion_matrix(truth, chosen, classes).astype(np.float64)
    # Among orders that are equally good the one that moves least.
    counts += np.eye(classes) * 1e-6
    rows, columns = linear_sum_assignment(-counts)
    order = np.empty(classes, np.int64)
    order[columns] = rows
    return order


def _largest_class_check(
    truth: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.int64],
    labels: tuple[str, ...],
    thresholds: Thresholds,
) -> Check:
    counts = np.bincount(truth, minlength=len(labels))
    largest = int(counts.argmax())
    right, always = chosen == truth, truth == largest
    p = _changed(always, right)["p"]
    share, accuracy, count = float(always.mean()), float(right.mean()), len(truth)
    evidence: Data = {
        "kind": "largest_class",
        "label": labels[largest],
        "images": count,
        "accuracy": accuracy,
        "accuracy_95": [*wilson_95(int(right.sum()), count)],
        "share": share,
        "p": p,
    }
    if thresholds.accept_weak_reference:
        evidence["unless"] = {"kind": "weak_reference_accepted"}
    unsure = accuracy > share and p >= _SIGNIFICANT and count >= thresholds.min_images
    undecided: Data | None = None
    if unsure and not thresholds.accept_weak_reference:
        undecided = {"kind": "not_significant", "p": p, "significance": _SIGNIFICANT}
    return compare(
        "reference_better_than_largest_class",
        Gate.reference,
        accuracy,
        ">=",
        # One image more than always answering the largest class.
        min(1.0, share + 1 / count),
        unit="share",
        evidence=evidence,
        undecided=undecided,
    )
