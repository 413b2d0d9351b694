"""Change the right answers wrongly: another order of labels, another reading of the output."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import Mistake
from pipeline.metrics import softmax
from pipeline.mistakes.interface import Answered, Answering, AnswerMistake, Float32


def _shifted(by: int, answered: Answered) -> Float32:
    return np.roll(answered.right, by, axis=1)


def best_order(answered: Answered) -> npt.NDArray[np.int64]:
    """Return which class of the model each output of the candidate holds, int64 (classes,).

    It is the assignment with the least sum of absolute differences (Kuhn 1955, Hungarian).
    """
    # scipy takes a while to import, and --help must not.
    from scipy.optimize import linear_sum_assignment

    apart = np.abs(answered.candidate[:, :, None] - answered.right[:, None, :]).sum(axis=0)
    # Among orders that are equally good the one that moves least.
    apart = apart.astype(np.float64) - np.eye(len(apart)) * 1e-6
    rows, columns = linear_sum_assignment(apart)
    order = np.empty(len(rows), np.int64)
    order[rows] = columns
    return order


def _permuted(answered: Answered) -> Float32 | None:
    """Return each half of the images in the order that the other half shows.

    So the many orders there are do not make one of them look good by chance.
    """
    classes = answered.right.shape[1]
    plain = np.arange(classes)
    known = [np.roll(plain, by) for by in (0, 1, -1)]
    if len(answered.right) < 2 or any((best_order(answered) == one).all() for one in known):
        return None
    predicted = np.empty_like(answered.right)
    halves = (slice(0, None, 2), slice(1, None, 2))
    for judged, found in (halves, halves[::-1]):
        order = best_order(
            Answered(answered.right[found], answered.candidate[found], answered.output)
        )
        predicted[judged] = answered.right[judged][:, order]
    return predicted


def _integers(answered: Answered) -> Float32 | None:
    """Return the output as the file stores it."""
    output = answered.output
    if output.scale is None or output.zero_point is None:
        return None
    info = np.iinfo(output.dtype)
    steps = np.rint(answered.right / np.float32(output.scale)) + np.float32(output.zero_point)
    stored: Float32 = np.clip(steps, info.min, info.max)
    return stored


def _by_255(answered: Answered) -> Float32 | None:
    stored = _integers(answered)
    return None if stored is None else stored / np.float32(255)


def _without_zero_point(answered: Answered) -> Float32 | None:
    stored, scale = _integers(answered), answered.output.scale
    return None if stored is None or scale is None else stored * np.float32(scale)


def _other_sign(divisor: float, answered: Answered) -> Float32 | None:
    """Return the stored bytes read as unsigned where they are signed, and the other way round."""
    stored, dtype = _integers(answered), answered.output.dtype
    if stored is None or dtype not in ("int8", "uint8"):
        return None
    other = stored.astype(dtype).view(np.uint8 if dtype == "int8" else np.int8)
    return other.astype(np.float32) / np.float32(divisor)


_RAW: dict[str, Answering] = {
    "as stored": _integers,
    "divided by 255": _by_255,
    "without the zero point": _without_zero_point,
    "as bytes of the other sign": partial(_other_sign, 1.0),
    "as bytes of the other sign, divided by 255": partial(_other_sign, 255.0),
}

MISTAKES = (
    AnswerMistake(
        name=Mistake.labels_shifted,
        title="names the classes one place off",
        mend="take labels.txt of the bundle, line n for output n, without a background class",
        variants={
            "one too far": partial(_shifted, 1),
            "one too early": partial(_shifted, -1),
        },
    ),
    AnswerMistake(
        name=Mistake.labels_permuted,
        title="names the classes in another order",
        mend="take labels.txt of the bundle, line n for output n",
        variants={"another order": _permuted},
        order=best_order,
    ),
    AnswerMistake(
        name=Mistake.softmax_twice,
        title="applies softmax to the probabilities again",
        mend="take the output as it is: the file ends in softmax",
        variants={"softmax": lambda answered: softmax(answered.right)},
    ),
    AnswerMistake(
        name=Mistake.raw_output,
        title="reads the quantized output without its scale and zero point",
        mend="compute scale * (stored - zero point), both read from the output tensor",
        variants=_RAW,
        applies=lambda output: output.scale is not None,
    ),
)
