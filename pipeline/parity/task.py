"""Run the task gate: does the candidate still do the reference's work."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from pydantic import JsonValue

from pipeline.contract.noise import MeasuredNoise
from pipeline.contract.verdict import Check, Gate, Outcome
from pipeline.parity.answers import Answers, Flags
from pipeline.parity.comparison import compare, not_measured, too_few_images
from pipeline.parity.noise import own_noise
from pipeline.parity.non_inferiority import (
    balanced_evidence,
    images_for_share,
    outcome_of_interval,
    paired_evidence,
)
from pipeline.parity.own_noise import OWN_NOISE_ACCEPTED
from pipeline.parity.statistics import wilson_95
from pipeline.parity.thresholds import Thresholds

# A loss counts whatever its cause; a gain only if it shows another model.
_SIGNIFICANT = 0.05


def task_checks(
    answers: Answers,
    thresholds: Thresholds,
    critical: tuple[str, ...],
    *,
    unlabelled: bool = False,
    noise: MeasuredNoise | None = None,
) -> list[Check]:
    """Check accuracy, agreement, balanced accuracy and the recall of each critical class.

    Of images that are declared `unlabelled` nothing but the agreement is asked. `noise` is the
    reference's own, within which a lack of agreement proves nothing.
    """
    if unlabelled:
        return [_agreement(answers, thresholds, noise)]
    return [
        _accuracy(answers, thresholds),
        _agreement(answers, thresholds, noise),
        _balanced_accuracy(answers, thresholds),
        *(_critical_recall(answers, thresholds, name) for name in critical),
    ]


def _accuracy(answers: Answers, thresholds: Thresholds) -> Check:
    total = int(answers.labelled.sum())
    if total == 0:
        return not_measured("accuracy_difference", Gate.task, {"kind": "no_labelled_images"})
    before, after = answers.reference.hits, answers.candidate.hits
    asked, shares = thresholds.accuracy_tolerance, answers.paired(answers.labelled)
    applied = max(asked, 1 / total)
    return compare(
        "accuracy_difference",
        Gate.task,
        abs(after - before) / total,
        "<=",
        applied,
        unit="share",
        evidence={
            "kind": "accuracy",
            "reference": _share(before, total),
            "candidate": _share(after, total),
            "n": total,
            "tolerance": {"asked": asked, "applied": applied, "n": total},
            "paired": shares.counts(),
            **paired_evidence(shares, asked),
            **_strict(thresholds),
            "unless": {"kind": "gain_within_chance", "significance": _SIGNIFICANT},
        },
        undecided=too_few_images(total, thresholds.min_images),
    )


def _agreement(answers: Answers, thresholds: Thresholds, noise: MeasuredNoise | None) -> Check:
    total, agreed = len(answers.agreed), int(answers.agreed.sum())
    least, interval = thresholds.min_top1_agreement, wilson_95(agreed, total)
    images_to_decide = None
    if outcome_of_interval(interval, least) is Outcome.inconclusive:
        images_to_decide = images_for_share(agreed / total, least)
    more: dict[str, JsonValue] = {}
    if noise is not None:
        more["own_noise"] = own_noise(answers, noise)
        if thresholds.accept_fragile:
            more["unless"] = {"kind": OWN_NOISE_ACCEPTED}
    return compare(
        "top1_agreement",
        Gate.task,
        agreed / total,
        ">=",
        least,
        unit="share",
        evidence={
            "kind": "agreement",
            "agreed": agreed,
            "n": total,
            "interval_95": [*interval],
            "needed": math.ceil(least * total - 1e-9),
            "images_to_decide": images_to_decide,
            **_strict(thresholds),
            **more,
        },
        undecided=too_few_images(total, thresholds.min_images),
    )


def _balanced_accuracy(answers: Answers, thresholds: Thresholds) -> Check:
    total, labels = int(answers.labelled.sum()), answers.pair.labels
    if total == 0:
        return not_measured("balanced_accuracy_drop", Gate.task, {"kind": "no_labelled_images"})
    images = answers.reference.confusion.sum(axis=1)
    present = np.flatnonzero(images)
    before, after = (
        # Exact fractions, so that a drop of exactly the tolerance is one.
        sum((Fraction(int(side.confusion[k, k]), int(images[k])) for k in present), Fraction(0))
        / len(present)
        for side in (answers.reference, answers.candidate)
    )
    by_class = [answers.paired(answers.pair.truth == k) for k in present]
    rarest = int(present[np.argmin(images[present])])
    rarest_images = int(images[rarest])
    asked = thresholds.balanced_accuracy_tolerance
    applied = max(asked, 1 / (len(present) * rarest_images))
    tolerance: JsonValue = {
        "asked": asked,
        "applied": applied,
        "n": rarest_images,
        "label": labels[rarest],
    }
    return compare(
        "balanced_accuracy_drop",
        Gate.task,
        float(before - after),
        "<=",
        applied,
        unit="share",
        evidence={
            "kind": "balanced_accuracy",
            "reference": float(before),
            "candidate": float(after),
            "n": total,
            "tolerance": tolerance,
            "right_by_class": {
                labels[k]: {
                    "images": int(images[k]),
                    "reference": int(answers.reference.confusion[k, k]),
                    "candidate": int(answers.candidate.confusion[k, k]),
                    "only_reference_right": shares.only_reference_right,
                    "only_candidate_right": shares.only_candidate_right,
                }
                for k, shares in zip(present, by_class, strict=True)
            },
            **balanced_evidence(
                images[present],
                np.array([shares.only_reference_right for shares in by_class], np.int64),
                np.array([shares.only_candidate_right for shares in by_class], np.int64),
                asked,
            ),
            **_strict(thresholds),
        },
        undecided=too_few_images(total, thresholds.min_images),
    )


def _critical_recall(answers: Answers, thresholds: Thresholds, name: str) -> Check:
    check_name = f"critical_recall_drop:{name}"
    among: Flags = answers.pair.truth == answers.pair.labels.index(name)
    total = int(among.sum())
    if total == 0:
        return not_measured(check_name, Gate.task, {"kind": "no_images_of_class", "label": name})
    before = int((among & answers.reference.right).sum())
    after = int((among & answers.candidate.right).sum())
    asked, shares = thresholds.critical_recall_tolerance, answers.paired(among)
    applied = max(asked, 1 / total)
    undecided = too_few_images(total, thresholds.min_critical_images, name)
    if undecided is None and before == 0:
        # None can be lost.
        undecided = {"kind": "reference_never_right", "label": name}
    return compare(
        check_name,
        Gate.task,
        (before - after) / total,
        "<=",
        applied,
        unit="share",
        evidence={
            "kind": "critical_recall",
            "label": name,
            "reference": _share(before, total),
            "candidate": _share(after, total),
            "n": total,
            "tolerance": {"asked": asked, "applied": applied, "n": total, "label": name},
            "paired": shares.counts(),
            **paired_evidence(shares, asked),
            **_strict(thresholds),
        },
        undecided=undecided,
    )


def _share(right: int, total: int) -> dict[str, JsonValue]:
    return {"right": right, "share": right / total, "interval_95": list(wilson_95(right, total))}


def _strict(thresholds: Thresholds) -> dict[str, JsonValue]:
    return {"strict": True} if thresholds.strict else {}
