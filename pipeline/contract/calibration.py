"""Describe how far the confidence of a classifier's answers is their accuracy, and its scaling."""

from __future__ import annotations

from pydantic import Field

from pipeline.contract.base import Frozen


class ReliabilityBin(Frozen):
    """Hold the images whose highest probability lies in one range.

    `confidence` is the mean of that probability, `accuracy` the share answered right, 0 to 1.
    """

    images: int
    confidence: float
    accuracy: float


class CalibrationFigures(Frozen):
    """Hold the calibration error of answers to labelled images, by their confidence; 0 to 1.

    `equal_width` is the expected calibration error (ECE) over 15 bins of equal width in the
    confidence, the customary figure. `equal_mass` is over `bins`, up to 15 that have equally many
    images each. Both are above 0 for a perfectly calibrated model too, since chance moves the
    accuracy of each bin: the fewer images, the more. `debiased` is the root mean square over the
    same bins without what chance adds to it, and `low` to `high` its 95% bootstrap interval; the
    expected calibration error is never larger than it. `loss` is the mean negative log-likelihood,
    in nats.
    """

    images: int = Field(ge=1)
    loss: float
    equal_width: float
    equal_mass: float
    debiased: float
    low: float
    high: float
    bins: tuple[ReliabilityBin, ...]


class CalibrationChange(Frozen):
    """Hold the calibration error of one split before and after scaling by `temperature`."""

    temperature: float = Field(gt=0)
    before: CalibrationFigures
    after: CalibrationFigures


class Calibration(Frozen):
    """Hold how a model's probabilities were calibrated: softmax(logits / temperature).

    The last layer's weights are divided by `temperature`, so the model file answers so itself.
    `images` are the validation images that the temperature was fitted on. `at_limit` says that the
    best one lies beyond those tried, so that the answers are not as calibrated as scaling can make
    them. `splits` has the error by split, validation and test where it has images; that of
    validation is flattered by the fit. `uncalibrated_sha256` is the file that was calibrated, None
    where the model was never saved without.
    """

    temperature: float = Field(gt=0)
    images: int = Field(ge=1)
    at_limit: bool
    splits: dict[str, CalibrationChange]
    uncalibrated_sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
