"""Compare two models on the same images, image by image; pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.contract.evaluation import (
    Difference,
    ModelComparison,
    ModelFigures,
    SubgroupDifference,
)
from pipeline.evaluation.bootstrap import Resampled
from pipeline.evaluation.measure import (
    MIN_IMAGES,
    Answered,
    Subgroup,
    Truth,
    basic_95,
    percentile_95,
    shares,
)
from pipeline.parity.paired import PairedShares, balanced_difference_95

Flags = npt.NDArray[np.bool_]


def compare_models(
    first: tuple[Answered, Resampled, ModelFigures],
    second: tuple[Answered, Resampled, ModelFigures],
    truth: Truth,
    labels: tuple[str, ...],
    subgroups: Sequence[Subgroup],
) -> ModelComparison:
    """Compare a second model with a first: every difference is second minus first.

    Shares have Tango's score interval for paired shares, the balanced accuracy the stratified
    paired bootstrap of `balanced_difference_95`; of the areas under the ROC curve and the
    calibration error both models are measured on the same resamples.

    Args:
        first: answers, figures on the resamples, and figures of the model compared with.
        second: the same of the other model, on the same resamples.
        truth: int64 (n,).
        labels: the classes.
        subgroups: the subgroups.
    """
    (one, one_drawn, one_found), (other, other_drawn, other_found) = first, second
    chosen = [side.probabilities.argmax(axis=1) for side in (one, other)]
    before, after = (side == truth for side in chosen)
    agreed = int((chosen[0] == chosen[1]).sum())
    members = [truth == k for k in range(len(labels))]
    return ModelComparison(
        first=one.model,
        second=other.model,
        agreement=shares(agreed, len(truth)),
        accuracy=_paired(before, after),
        balanced_accuracy=_balanced(before, after, [m for m in members if m.any()]),
        auc=None
        if one_found.auc is None or other_found.auc is None
        else _percentile(
            other_found.auc.value - one_found.auc.value,
            other_drawn.mean_auc - one_drawn.mean_auc,
        ),
        calibration_error=_basic(
            other_found.calibration_error.value - one_found.calibration_error.value,
            other_drawn.calibration_error - one_drawn.calibration_error,
        ),
        recall={
            label: _paired(before[member], after[member])
            for label, member in zip(labels, members, strict=True)
            if member.any()
        },
        subgroups=tuple(
            SubgroupDifference(
                attribute=group.attribute,
                value=group.value,
                images=len(group.rows),
                decidable=len(group.rows) >= MIN_IMAGES,
                accuracy=_paired(before[group.rows], after[group.rows]),
            )
            for group in subgroups
        ),
    )


def _paired(before: Flags, after: Flags) -> Difference:
    pairs = PairedShares.of(before, after)
    low, high = pairs.interval_95()
    return Difference(value=pairs.difference, low=low, high=high, p=pairs.mcnemar_exact_p())


def _balanced(before: Flags, after: Flags, members: Sequence[Flags]) -> Difference:
    images = np.array([int(member.sum()) for member in members], np.int64)
    lost = np.array([int((member & before & ~after).sum()) for member in members], np.int64)
    gained = np.array([int((member & after & ~before).sum()) for member in members], np.int64)
    low, high = balanced_difference_95(images, lost, gained)
    return Difference(value=float(((gained - lost) / images).mean()), low=low, high=high)


def _percentile(value: float, drawn: npt.NDArray[np.float64]) -> Difference:
    low, high = percentile_95(value, drawn)
    return Difference(value=value, low=low, high=high)


def _basic(value: float, drawn: npt.NDArray[np.float64]) -> Difference:
    low, high = basic_95(value, drawn)
    return Difference(value=value, low=low, high=high)
