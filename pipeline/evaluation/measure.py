"""Measure models against labels, each figure with a 95% interval; pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.contract.evaluation import (
    ClassFigures,
    Estimate,
    ModelFigures,
    SubgroupFigures,
)
from pipeline.evaluation.bootstrap import Resampled
from pipeline.metrics import measure
from pipeline.parity.paired import balanced_accuracy_95
from pipeline.parity.statistics import wilson_95

Probabilities = npt.NDArray[np.float32]
Truth = npt.NDArray[np.int64]

# Below them a figure is shown, and nothing is decided by it: as the gates have it.
MIN_IMAGES = 50
MIN_CLASS_IMAGES = 20
_TAILS = (0.025, 0.975)
_Z_95 = NormalDist().inv_cdf(_TAILS[1])


@dataclass(frozen=True)
class Answered:
    """Hold what one model answered to the images: float32 (n, classes), in their order."""

    model: str
    model_sha256: str
    runtime: str
    runtime_version: str
    recording: Literal["made", "found"]
    latency_ms_p50: float | None
    probabilities: Probabilities


@dataclass(frozen=True)
class Subgroup:
    """Name the images with one value of an attribute; rows: int64, which of the images."""

    attribute: str
    value: str
    rows: npt.NDArray[np.int64]


def subgroups_of(attributes: Sequence[Mapping[str, str]]) -> tuple[Subgroup, ...]:
    """Return every subgroup, by attribute and value; an attribute of one value divides nothing.

    Args:
        attributes: of each image; one without the attribute is in no subgroup of it.
    """
    rows: dict[tuple[str, str], list[int]] = {}
    for row, named in enumerate(attributes):
        for attribute, value in named.items():
            rows.setdefault((attribute, value), []).append(row)
    return tuple(
        Subgroup(attribute, value, np.array(members, np.int64))
        for (attribute, value), members in sorted(rows.items())
    )


def measure_model(
    answered: Answered,
    resampled: Resampled,
    truth: Truth,
    labels: tuple[str, ...],
    critical: tuple[str, ...],
    subgroups: Sequence[Subgroup],
) -> ModelFigures:
    """Measure one model.

    Shares have Wilson's score interval, the balanced accuracy that of `balanced_accuracy_95`; the
    areas under the ROC curve have a normal interval of their logit with the bootstrap's standard
    error, since percentiles are too narrow near 1; and the calibration error, which resampling
    makes larger, has the basic bootstrap interval.

    Args:
        answered: its answers.
        resampled: its figures on resamples of the same images.
        truth: int64 (n,), n at least 1.
        labels: the classes.
        critical: those whose recall is asked in every subgroup.
        subgroups: the subgroups.

    Source: Wilson 1927; Pepe 2003, The Statistical Evaluation of Medical Tests for Classification
    and Prediction, chapter 5, for the logit; Davison & Hinkley 1997, Bootstrap Methods and their
    Application, section 5.2, for the basic interval.
    """
    found = measure(truth, answered.probabilities, labels)
    counts, confusion = len(truth), np.array(found.confusion)
    classes = tuple(
        ClassFigures(
            label=one.label,
            images=one.images,
            critical=one.label in critical,
            recall=share(int(confusion[k, k]), one.images),
            precision=share(int(confusion[k, k]), int(confusion[:, k].sum())),
            auc=None if one.auc is None else _auc(one.auc, resampled.auc[:, k], one.images, counts),
        )
        for k, one in enumerate(found.classes)
    )
    fewest = min((one.images for one in classes if one.auc is not None), default=0)
    return ModelFigures(
        model=answered.model,
        model_sha256=answered.model_sha256,
        runtime=answered.runtime,
        runtime_version=answered.runtime_version,
        recording=answered.recording,
        latency_ms_p50=answered.latency_ms_p50,
        accuracy=shares(int(confusion.trace()), counts),
        balanced_accuracy=_balanced(confusion),
        auc=None if found.auc is None else _auc(found.auc, resampled.mean_auc, fewest, counts),
        calibration_error=_basic(found.calibration_error, resampled.calibration_error, counts),
        classes=classes,
        confusion=found.confusion,
        subgroups=tuple(
            _subgroup(one, answered.probabilities, truth, labels, critical) for one in subgroups
        ),
    )


def share(hits: int, total: int) -> Estimate | None:
    """Return a share with its score interval, None of nothing."""
    return shares(hits, total) if total else None


def shares(hits: int, total: int) -> Estimate:
    """Return a share of at least one image with its score interval."""
    low, high = wilson_95(hits, total)
    return Estimate(value=hits / total, low=low, high=high, images=total)


def percentile_95(value: float, drawn: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the percentiles of resampled values, widened to hold the value itself."""
    low, high = np.quantile(drawn, _TAILS)
    return min(float(low), value), max(float(high), value)


def basic_95(value: float, drawn: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the basic bootstrap interval: the percentiles mirrored at the value."""
    low, high = np.quantile(drawn, _TAILS)
    return min(2 * value - float(high), value), max(2 * value - float(low), value)


def _subgroup(
    subgroup: Subgroup,
    probabilities: Probabilities,
    truth: Truth,
    labels: tuple[str, ...],
    critical: tuple[str, ...],
) -> SubgroupFigures:
    found = measure(truth[subgroup.rows], probabilities[subgroup.rows], labels)
    confusion = np.array(found.confusion)
    recall = {
        label: shares(int(confusion[k, k]), int(confusion[k].sum()))
        for k, label in enumerate(labels)
        if label in critical and confusion[k].sum()
    }
    return SubgroupFigures(
        attribute=subgroup.attribute,
        value=subgroup.value,
        images=found.images,
        decidable=found.images >= MIN_IMAGES,
        accuracy=shares(int(confusion.trace()), found.images),
        balanced_accuracy=_balanced(confusion),
        recall=recall,
        undecidable_recall=tuple(k for k, one in recall.items() if one.images < MIN_CLASS_IMAGES),
    )


def _balanced(confusion: npt.NDArray[np.int64]) -> Estimate:
    present = confusion.sum(axis=1) > 0
    images, right = confusion.sum(axis=1)[present], confusion.diagonal()[present]
    low, high = balanced_accuracy_95(images, right)
    return Estimate(
        value=float((right / images).mean()), low=low, high=high, images=int(images.sum())
    )


def _auc(value: float, drawn: npt.NDArray[np.float64], images: int, total: int) -> Estimate:
    low, high = 0.0, 1.0
    if 0 < value < 1:
        half = _Z_95 * float(drawn.std(ddof=1)) / (value * (1 - value))
        low, high = (
            1 / (1 + math.exp(-(math.log(value / (1 - value)) + side))) for side in (-half, half)
        )
    else:
        # Resamples of perfectly parted images are parted too: what bounds the area then is how
        # few of them there are, as for a share of which all are right (Clopper & Pearson 1934).
        bound = _TAILS[0] ** (1 / min(images, total - images))
        low, high = (bound, 1.0) if value == 1 else (0.0, 1 - bound)
    return Estimate(value=value, low=low, high=high, images=total)


def _basic(value: float, drawn: npt.NDArray[np.float64], images: int) -> Estimate:
    low, high = basic_95(value, drawn)
    return Estimate(value=value, low=max(0.0, low), high=min(1.0, high), images=images)
