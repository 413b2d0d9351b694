"""Hold the limits a candidate is judged by."""

from __future__ import annotations

from pydantic import Field

from pipeline.contract.base import Frozen


class Thresholds(Frozen):
    """Fix how far a candidate may be from its reference; shares and probabilities, 0 to 1.

    `accuracy_tolerance` bounds the difference either way, but a gain counts only where the exact
    McNemar test finds it significant (p < 0.05): another model, not a lucky few. The other two
    tolerances bound a drop only. A tolerance never asks for less than one image of the set it is
    measured on.

    `min_top1_agreement` is 0.95 because, on 937 held-out images of this network, float16 agrees
    with Keras at 0.99, an int8 file with corrected biases at 0.96, and a plain int8 file, whose
    accuracy looks whole while it loses a third of the melanomas, at 0.85.

    `max_mean_probability_difference` bounds the mean over images of the largest difference in
    any class: wide enough for 8 bits, far too narrow for a wrong normalization.

    Below `min_images` labelled images, or `min_critical_images` of a critical class, nothing is
    decided and the check is inconclusive: with 20 images one of them is 5 points of recall.

    With `strict` the estimate is not enough: a check of the task gate passes where the whole 95%
    interval of the difference, or of the agreement, is within the tolerance as asked, fails where
    it lies wholly beyond it, and is inconclusive where it straddles it.

    The reference must be right more often than always answering the largest class, and on at
    least `min_reference_accuracy` of the labelled images where that is given;
    `accept_weak_reference` publishes a file of one that is not, and the verdict says so.

    A file that misses `min_top1_agreement`, yet moves no more than one pixel value of noise moves
    the float model itself, is inconclusive; `accept_fragile` publishes it, and the verdict says so.
    """

    accuracy_tolerance: float = Field(default=0.01, ge=0.0, le=1.0)
    min_top1_agreement: float = Field(default=0.95, ge=0.0, le=1.0)
    balanced_accuracy_tolerance: float = Field(default=0.02, ge=0.0, le=1.0)
    critical_recall_tolerance: float = Field(default=0.01, ge=0.0, le=1.0)
    max_mean_probability_difference: float = Field(default=0.10, ge=0.0, le=1.0)
    min_images: int = Field(default=50, ge=1)
    min_critical_images: int = Field(default=20, ge=1)
    min_reference_accuracy: float | None = Field(default=None, ge=0.0, le=1.0)
    accept_weak_reference: bool = False
    strict: bool = False
    accept_fragile: bool = False
