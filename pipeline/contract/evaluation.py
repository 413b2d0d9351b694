"""Describe how models answer labelled images: figures with intervals, one model or several."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.contract.base import Frozen
from pipeline.contract.manifest import NOTICE


class Estimate(Frozen):
    """Hold a measured value, 0 to 1, with its 95% interval; `images` are those it is of."""

    value: float
    low: float
    high: float
    images: int = Field(ge=1)


class Difference(Frozen):
    """Hold a difference, second model minus first, with its 95% interval, all -1 to 1.

    `p` is the two-sided p-value of the exact McNemar test, None where that does not apply.
    """

    value: float
    low: float
    high: float
    p: float | None = None


class ClassFigures(Frozen):
    """Hold the figures of one class; None where it has no image, or nothing can be divided by.

    `images` are those of the class. `auc` is of this class against the rest.
    """

    label: str
    images: int
    critical: bool
    recall: Estimate | None
    precision: Estimate | None
    auc: Estimate | None


class SubgroupFigures(Frozen):
    """Hold the figures of the images with one value of an attribute, as `sex` `female`.

    `decidable` is False for fewer than `Evaluation.min_images` images. `recall` is that of each
    critical class with images; `undecidable_recall` names those with fewer than
    `Evaluation.min_class_images`.
    """

    attribute: str
    value: str
    images: int
    decidable: bool
    accuracy: Estimate
    balanced_accuracy: Estimate
    recall: dict[str, Estimate]
    undecidable_recall: tuple[str, ...]


class ModelFigures(Frozen):
    """Hold how one model answers the images.

    `balanced_accuracy` is the mean recall, `auc` the mean one-against-rest area under the ROC
    curve, of the classes where they exist. `calibration_error` is the expected calibration error
    over 15 equal-width confidence bins. `confusion` counts images, rows the true class.
    `latency_ms_p50` is of one inference of one image.
    """

    model: str
    model_sha256: str
    runtime: str
    runtime_version: str
    recording: Literal["made", "found"]
    latency_ms_p50: float | None
    accuracy: Estimate
    balanced_accuracy: Estimate
    auc: Estimate | None
    calibration_error: Estimate
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    subgroups: tuple[SubgroupFigures, ...]


class SubgroupDifference(Frozen):
    """Hold the difference of accuracy among the images of one subgroup."""

    attribute: str
    value: str
    images: int
    decidable: bool
    accuracy: Difference


class ModelComparison(Frozen):
    """Hold how a second model answers the same images, against the first; image by image."""

    first: str
    second: str
    agreement: Estimate
    accuracy: Difference
    balanced_accuracy: Difference
    auc: Difference | None
    calibration_error: Difference
    recall: dict[str, Difference]
    subgroups: tuple[SubgroupDifference, ...]


class Evaluation(Frozen):
    """Hold the figures of one or more models on the same labelled images.

    `resamples` and `seed` are the bootstrap's. `without_attributes` counts the images of which no
    subgroup is known. `trained_on` counts those of the dataset's training split.
    """

    schema_version: Literal[1] = 1
    kind: Literal["evaluation"] = "evaluation"
    notice: str = NOTICE
    data: str
    dataset_sha256: str
    split: str
    images: int = Field(ge=1)
    labels: tuple[str, ...]
    min_images: int
    min_class_images: int
    resamples: int
    seed: int
    without_attributes: int
    trained_on: int = 0
    models: tuple[ModelFigures, ...] = Field(min_length=1)
    comparisons: tuple[ModelComparison, ...] = ()

    @model_validator(mode="after")
    def _all_are_compared_with_the_first(self) -> Self:
        named = tuple(one.model for one in self.models)
        if tuple((c.first, c.second) for c in self.comparisons) != tuple(
            (named[0], other) for other in named[1:]
        ):
            raise ValueError("every further model is compared with the first")
        return self
