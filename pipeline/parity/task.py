"""Walk the task gate: does the candidate still do the reference's work."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from pipeline.contract.verdict import Check, Gate
from pipeline.parity.answers import Answers, Flags
from pipeline.parity.comparison import compare, open_check
from pipeline.parity.statistics import mcnemar_exact, wilson_95
from pipeline.parity.thresholds import Thresholds

_UNLABELLED = "no image has a label"
# A loss counts whatever its cause; a gain only if it shows another model.
_SIGNIFICANT = 0.05


def task_checks(answers: Answers, thresholds: Thresholds, critical: tuple[str, ...]) -> list[Check]:
    """Check accuracy, agreement, balanced accuracy and the recall of each critical class."""
    return [
        _accuracy(answers, thresholds),
        _agreement(answers, thresholds),
        _balanced_accuracy(answers, thresholds),
        *(_critical_recall(answers, thresholds, name) for name in critical),
    ]


def _accuracy(answers: Answers, thresholds: Thresholds) -> Check:
    total = int(answers.labelled.sum())
    if total == 0:
        return open_check("accuracy_difference", Gate.task, _UNLABELLED)
    before, after = answers.reference.hits, answers.candidate.hits
    apart = abs(after - before)
    threshold = max(thresholds.accuracy_tolerance, 1 / total)
    by_chance = ""
    if after > before and apart / total > threshold:
        p = mcnemar_exact(*answers.lost_and_gained(answers.labelled))
        if p >= _SIGNIFICANT:
            threshold, by_chance = apart / total, f"a gain that chance explains, p = {p:.3g}; "
    return compare(
        "accuracy_difference",
        Gate.task,
        apart / total,
        "<=",
        threshold,
        unit="share",
        evidence=(
            f"accuracy {_share(before, total)} reference, {_share(after, total)} candidate; "
            f"apart by {_images(apart)}, {_allowed(threshold, total, apart)}; {by_chance}"
            f"{_paired(answers, answers.labelled)}"
        ),
        undecided=_too_few(total, thresholds.min_images, "labelled images"),
    )


def _agreement(answers: Answers, thresholds: Thresholds) -> Check:
    total, agreed = len(answers.agreed), int(answers.agreed.sum())
    needed = math.ceil(thresholds.min_top1_agreement * total - 1e-9)
    short = f", {_images(needed - agreed)} short of {needed}" if agreed < needed else ""
    return compare(
        "top1_agreement",
        Gate.task,
        agreed / total,
        ">=",
        thresholds.min_top1_agreement,
        unit="share",
        evidence=(
            f"both choose the same class on {_share(agreed, total)}; "
            f"{_images(total - agreed)} flipped{short}"
        ),
        undecided=_too_few(total, thresholds.min_images, "images"),
    )


def _balanced_accuracy(answers: Answers, thresholds: Thresholds) -> Check:
    total = int(answers.labelled.sum())
    if total == 0:
        return open_check("balanced_accuracy_drop", Gate.task, _UNLABELLED)
    images = answers.reference.confusion.sum(axis=1)
    present = np.flatnonzero(images)
    before, after = (
        # Exact fractions, so that a drop of exactly the tolerance is one.
        sum((Fraction(int(side.confusion[k, k]), int(images[k])) for k in present), Fraction(0))
        / len(present)
        for side in (answers.reference, answers.candidate)
    )
    drop, rarest = float(before - after), present[np.argmin(images[present])]
    one_image = 1 / (len(present) * int(images[rarest]))
    threshold = max(thresholds.balanced_accuracy_tolerance, one_image)
    limit = (
        f"allowed {threshold:.4f}, one image of {answers.pair.labels[rarest]}, the rarest class"
        if threshold == one_image
        else f"allowed {threshold:.4f}"
    )
    over = f", exceeded by {drop - threshold:.4f}" if drop > threshold else ""
    changes = ", ".join(
        f"{answers.pair.labels[k]} {change:+d} of {images[k]}"
        for k in present
        if (change := int(answers.candidate.confusion[k, k] - answers.reference.confusion[k, k]))
    )
    return compare(
        "balanced_accuracy_drop",
        Gate.task,
        drop,
        "<=",
        threshold,
        unit="share",
        evidence=(
            f"balanced accuracy {float(before):.4f} reference, {float(after):.4f} candidate over "
            f"{len(present)} classes; {limit}{over}; images right: {changes or 'no change'}"
        ),
        undecided=_too_few(total, thresholds.min_images, "labelled images"),
    )


def _critical_recall(answers: Answers, thresholds: Thresholds, name: str) -> Check:
    check_name = f"critical_recall_drop:{name}"
    among: Flags = answers.pair.truth == answers.pair.labels.index(name)
    total = int(among.sum())
    if total == 0:
        return open_check(check_name, Gate.task, f"no image is labelled {name}")
    before = int((among & answers.reference.right).sum())
    after = int((among & answers.candidate.right).sum())
    threshold = max(thresholds.critical_recall_tolerance, 1 / total)
    undecided = _too_few(total, thresholds.min_critical_images, f"images of {name}")
    if undecided is None and before == 0:
        undecided = f"the reference recognizes no {name}, so none can be lost"
    return compare(
        check_name,
        Gate.task,
        (before - after) / total,
        "<=",
        threshold,
        unit="share",
        evidence=(
            f"{name} recall {_share(before, total)} reference, {_share(after, total)} candidate; "
            f"{_images(abs(before - after))} {'fewer' if before > after else 'more'}, "
            f"{_allowed(threshold, total, before - after)}; {_paired(answers, among)}"
        ),
        undecided=undecided,
    )


def _share(hits: int, total: int) -> str:
    low, high = wilson_95(hits, total)
    return f"{hits / total:.4f} ({hits} of {total}, 95% Wilson interval {low:.3f} to {high:.3f})"


def _allowed(threshold: float, total: int, used: int) -> str:
    images = math.floor(threshold * total + 1e-9)
    kind = "one image" if threshold == 1 / total else _images(images)
    over = f", exceeded by {_images(used - images)}" if used > images else ""
    return f"allowed {threshold:.4f}, {kind}{over}"


def _paired(answers: Answers, among: Flags) -> str:
    lost, gained = answers.lost_and_gained(among)
    return (
        f"only the reference is right on {lost}, only the candidate on {gained}, "
        f"exact McNemar p = {mcnemar_exact(lost, gained):.3g}"
    )


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _too_few(found: int, needed: int, what: str) -> str | None:
    return f"{found} {what} are fewer than the {needed} needed" if found < needed else None
