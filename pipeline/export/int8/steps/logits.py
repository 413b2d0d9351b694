"""Round what softmax reads by what it does to the probabilities.

Softmax answers the same where one value is taken from all its inputs. So the mean row of the last
layer's weights may be taken from every row, which leaves the answers as they are and the logits
in a narrower range. Of that range the 8 bits need what moves a probability: a logit far below the
largest gives nothing, whatever it is cut off at. The range is the one whose rounding changes the
float model's probabilities least. (Wu et al. 2020, arXiv 2004.09602, calibrate a range by the
tensor's own distribution; here its reader is known.)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import Step
from pipeline.export.int8.steps.interface import BuildPlan, RepairStep
from pipeline.export.int8.value_range import Range, Ranges, with_zero
from pipeline.metrics import softmax
from pipeline.tflite.edit import constant, consumers, duplicate, name_of, producers, set_constant
from pipeline.tflite.flatbuffer import Model, shape_of, text

if TYPE_CHECKING:
    from pipeline.export.int8.activation_statistics import Statistics

Float64 = npt.NDArray[np.float64]

_WEIGHTS, _BIAS = 1, 2
_LOWEST, _STEPS = -128, 255
# Of the extremes; below zero everything may be cut off, above it no more than half.
_LOW_SHARES = np.linspace(1.0, 0.0, 21)
_HIGH_SHARES = np.linspace(1.0, 0.5, 11)
# Statistics keep all values of a tensor that is not longer than this.
_MOST_CLASSES = 2048


def centre_logits(model: Model, _: Statistics) -> Model:
    """Return a float model of the same answers, the mean of whose logits is zero on every image.

    Args:
        model: a float32 model; it is not changed. One that does not end with a dense layer and
            softmax is returned as it is.
    """
    if (found := _last_layer(model)) is None:
        return model
    centred = duplicate(model)
    operator = centred.subgraphs[0].operators[found]
    for position in (_WEIGHTS, _BIAS):
        tensor = centred.subgraphs[0].tensors[int(operator.inputs[position])]
        values = constant(centred, tensor)
        assert values is not None
        mean = values.mean(axis=0, keepdims=True, dtype=np.float64)
        set_constant(centred, tensor, (values - mean).astype(np.float32))
    return centred


def centred_statistics(model: Model, statistics: Statistics) -> Statistics | None:
    """Return the statistics of what `centre_logits` makes of a model, without running it.

    Only the logits change: each image's lose their mean. None where not all of them were kept.

    Args:
        model: the float32 model before it.
        statistics: of its activations.
    """
    if (found := _last_layer(model)) is None:
        return statistics
    name = text(_written(model, model.subgraphs[0].operators[found]).name)
    seen = statistics[name]
    classes = len(seen.channel_low)
    if classes > _MOST_CLASSES:
        return None
    logits = seen.samples.astype(np.float64).reshape(-1, classes)
    centred = (logits - logits.mean(axis=1, keepdims=True)).astype(np.float32)
    changed = replace(
        seen,
        channel_low=centred.min(axis=0),
        channel_high=centred.max(axis=0),
        mean=seen.mean - seen.mean.mean(dtype=np.float64).astype(np.float32),
        samples=centred.reshape(-1),
    )
    return {**statistics, name: changed}


def logits_range(model: Model, statistics: Statistics) -> Ranges:
    """Return the range of the tensor that the last softmax reads, by that tensor's name."""
    if (found := _last_layer(model)) is None:
        return {}
    name = text(_written(model, model.subgraphs[0].operators[found]).name)
    seen = statistics[name]
    logits = seen.samples.astype(np.float64).reshape(-1, len(seen.channel_low))
    return {name: best_for_softmax(logits)}


def best_for_softmax(logits: Float64) -> Range:
    """Return the range whose 256 steps change the probabilities least.

    Args:
        logits: (images, classes), what softmax reads.

    Returns:
        low and high, zero inside, of the least mean over images of the largest difference in any
        class's probability.
    """
    low, high = with_zero(float(logits.min()), float(logits.max()))
    wanted = softmax(logits)

    def difference(span: Range) -> float:
        return float(np.abs(softmax(_rounded(logits, span)) - wanted).max(axis=1).mean())

    tried = [
        with_zero(low * below, high * above) for above in _HIGH_SHARES for below in _LOW_SHARES
    ]
    return min(tried, key=difference)


def applies(model: Model) -> bool:
    """Return whether a float model ends with a dense layer and softmax, of not too many classes."""
    found = _last_layer(model)
    if found is None:
        return False
    return shape_of(_written(model, model.subgraphs[0].operators[found]))[-1] <= _MOST_CLASSES


def _rounded(logits: Float64, span: Range) -> Float64:
    low, high = span
    scale = (high - low) / _STEPS
    zero_point = np.rint(_LOWEST - low / scale)
    stored = np.clip(np.rint(logits / scale) + zero_point, _LOWEST, _LOWEST + _STEPS)
    real: Float64 = (stored - zero_point) * scale
    return real


def _last_layer(model: Model) -> int | None:
    """Return the dense operator that alone gives the softmax at the end what it reads."""
    main, writers = model.subgraphs[0], producers(model)
    last = writers.get(int(main.outputs[0]))
    if last is None or name_of(model, main.operators[last]) != "SOFTMAX":
        return None
    logits = int(main.operators[last].inputs[0])
    found = writers.get(logits)
    if found is None or consumers(model)[logits] != [last] or logits in map(int, main.outputs):
        return None
    operator = main.operators[found]
    if name_of(model, operator) != "FULLY_CONNECTED" or len(operator.inputs) <= _BIAS:
        return None
    constants = [main.tensors[int(operator.inputs[k])] for k in (_WEIGHTS, _BIAS)]
    known = all(constant(model, tensor) is not None for tensor in constants)
    return found if known and operator.builtinOptions.fusedActivationFunction == 0 else None


def _written(model: Model, operator: Any) -> Any:
    return model.subgraphs[0].tensors[int(operator.outputs[0])]


def _apply(plan: BuildPlan) -> BuildPlan:
    return replace(
        plan,
        prepares=(*plan.prepares, centre_logits),
        foretold={**plan.foretold, centre_logits: centred_statistics},
        single_ranges=(*plan.single_ranges, logits_range),
    )


STEP = RepairStep(
    name=Step.logits,
    source="Wu et al. 2020, Integer Quantization for Deep Learning Inference, arXiv 2004.09602",
    apply=_apply,
    applies=applies,
    # Where less is rounded before them, the rounding of the logits is more of what is left.
    with_floats=True,
)
