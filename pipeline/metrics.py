"""Measure a classifier's answers against the labels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from pipeline.contract.base import Frozen, first_problem
from pipeline.contract.calibration import CalibrationChange, ReliabilityBin
from pipeline.contract.files import MAX_JSON_BYTES, read_regular
from pipeline.errors import BadInput, reason_of

Truth = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float32]
_Floating = TypeVar("_Floating", bound=np.floating[Any])

# The 97.5% quantile of the standard normal distribution: two-sided 95%.
_Z_95 = 1.959963984540054


class ClassMetrics(Frozen):
    """Hold one class's figures as shares from 0 to 1; None where nothing can be divided by."""

    label: str
    images: int
    recall: float | None
    precision: float | None
    auc: float | None


class Metrics(Frozen):
    """Hold a classifier's figures on one split.

    `accuracy` and `balanced_accuracy` (mean recall of the classes that have images) are shares.
    `confusion` counts images, rows the true class, columns the predicted. `auc` is the mean
    one-against-rest area under the ROC curve over the classes where it exists.
    `calibration_error` is the expected calibration error over 15 equal-width confidence bins;
    `calibration` is what the temperature scaling of the model did to it on this split, None where
    it was not measured.
    """

    images: int
    accuracy: float
    balanced_accuracy: float
    auc: float | None
    calibration_error: float
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration: CalibrationChange | None = None


_BY_SPLIT = TypeAdapter(dict[str, Metrics])


def load_metrics(path: Path) -> dict[str, Metrics]:
    """Read a model's figures by split from its metrics.json.

    Raises:
        BadInput: the file is missing, or not what training writes.
    """
    try:
        return _BY_SPLIT.validate_json(read_regular(path, max_bytes=MAX_JSON_BYTES))
    except OSError as error:
        raise BadInput(
            "cannot read the model's figures", where=str(path), got=reason_of(error)
        ) from error
    except ValidationError as error:
        raise BadInput(
            "not the figures of a model",
            where=str(path),
            got=first_problem(error),
            next_step="pipeline train",
        ) from error


def confusion_matrix(truth: Truth, predicted: Truth, classes: int) -> npt.NDArray[np.int64]:
    """Count images by true class (row) and predicted class (column).

    Args:
        truth: int64 (n,), class indices.
        predicted: int64 (n,), class indices.
        classes: the number of classes.

    Returns:
        int64 array (classes, classes) that sums to n.
    """
    flat = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def balanced_accuracy(confusion: npt.NDArray[np.int64]) -> float:
    """Return the mean recall over the classes that have images."""
    totals = confusion.sum(axis=1)
    present = totals > 0
    return float((confusion.diagonal()[present] / totals[present]).mean())


def softmax(logits: npt.NDArray[_Floating]) -> npt.NDArray[_Floating]:
    """Return probabilities, in the dtype of the logits.

    Args:
        logits: (n, classes), of any size: the largest of a row is taken off first.
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    answers: npt.NDArray[_Floating] = powers / powers.sum(axis=1, keepdims=True)
    return answers


def expected_calibration_error(truth: Truth, probabilities: Probabilities, bins: int = 15) -> float:
    """Return the mean gap between confidence and accuracy, weighted by bin size.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv 1706.04599.
    """
    confidence, correct, which = calibration_bins(truth, probabilities, bins)
    gaps = np.abs(
        np.bincount(which, weights=confidence, minlength=bins)
        - np.bincount(which, weights=correct, minlength=bins)
    )
    return float(gaps.sum() / len(truth))


def reliability(
    truth: Truth, probabilities: Probabilities, bins: int = 15
) -> tuple[ReliabilityBin, ...]:
    """Return the bins that the expected calibration error is a mean of, without the empty ones.

    Args:
        truth: int64 (n,), class indices.
        probabilities: float32 (n, classes), 0 to 1.
        bins: ranges of equal width from 0 to 1.
    """
    confidence, correct, which = calibration_bins(truth, probabilities, bins)
    return tuple(
        ReliabilityBin(
            images=int((which == k).sum()),
            confidence=float(confidence[which == k].mean()),
            accuracy=float(correct[which == k].mean()),
        )
        for k in np.unique(which).tolist()
    )


def measure(truth: Truth, probabilities: Probabilities, labels: tuple[str, ...]) -> Metrics:
    """Measure predictions against labels.

    Args:
        truth: int64 (n,), n at least 1, every value in 0..len(labels)-1.
        probabilities: float32 (n, len(labels)), rows summing to about 1.
        labels: class names in output order.

    Raises:
        ValueError: the arrays are empty or do not fit together.
    """
    if len(truth) == 0 or probabilities.shape != (len(truth), len(labels)):
        raise ValueError(f"{len(truth)} labels do not fit probabilities {probabilities.shape}")
    predicted = probabilities.argmax(axis=1).astype(np.int64)
    confusion = confusion_matrix(truth, predicted, len(labels))
    rows, columns, hits = confusion.sum(axis=1), confusion.sum(axis=0), confusion.diagonal()
    classes = tuple(
        ClassMetrics(
            label=label,
            images=int(rows[i]),
            recall=float(hits[i] / rows[i]) if rows[i] else None,
            precision=float(hits[i] / columns[i]) if columns[i] else None,
            auc=_auc(truth == i, probabilities[:, i]),
        )
        for i, label in enumerate(labels)
    )
    areas = [c.auc for c in classes if c.auc is not None]
    return Metrics(
        images=len(truth),
        accuracy=float(hits.sum() / len(truth)),
        balanced_accuracy=balanced_accuracy(confusion),
        auc=float(np.mean(areas)) if areas else None,
        calibration_error=expected_calibration_error(truth, probabilities),
        classes=classes,
        confusion=tuple(tuple(int(v) for v in row) for row in confusion),
    )


def _auc(positive: npt.NDArray[np.bool_], score: Probabilities) -> float | None:
    if positive.all() or not positive.any():
        return None
    # scikit-learn takes a second to import; only measurement needs it.
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(positive, score))


def calibration_bins(
    truth: Truth, probabilities: Probabilities, bins: int = 15
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return of each image its confidence, whether it is right (0 or 1), and its bin; (n,) each.

    The bins are those of `expected_calibration_error`, of equal width in the confidence, 0 to 1.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    return confidence, correct, np.minimum((confidence * bins).astype(np.int64), bins - 1)


def wilson_95(hits: int, total: int) -> tuple[float, float]:
    """Return the 95% score interval of a share.

    Args:
        hits: 0 to total.
        total: at least 1.

    Source: Wilson 1927, Probable inference, the law of succession, and statistical inference,
    JASA 22(158).
    """
    share, z2 = hits / total, _Z_95**2
    scale = 1 + z2 / total
    centre = (share + z2 / (2 * total)) / scale
    half = _Z_95 / scale * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    # At both ends the bound is exact in theory and only rounding moves it.
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == total else min(1.0, centre + half)
    return low, high
