"""Measure an int8 file against its float model, layer by layer.

Child process only: imports LiteRT.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import Io
from pipeline.contract.image import ImageContract
from pipeline.contract.layer_errors import LayerFigures
from pipeline.export.int8.activation_statistics import collect_statistics
from pipeline.export.int8.affine import dequantize
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.float_graph import prepare
from pipeline.export.int8.inputs import load_model, load_pixels
from pipeline.export.int8.io_types import to_int8
from pipeline.export.int8.kernels import ActivationProbe
from pipeline.export.int8.measure import float_answers
from pipeline.export.int8.operators import WEIGHTED
from pipeline.export.int8.pairing import TensorPair, check_input, check_weights, paired
from pipeline.export.int8.request import LayerErrorsAnswer, LayerErrorsRequest
from pipeline.export.int8.sensitivity import differences_alone, weighted_layers
from pipeline.export.int8.steps.registry import plan_of
from pipeline.export.int8.threads import FIXED_PARTS, in_threads
from pipeline.imaging.decode import Pixels
from pipeline.imaging.preprocess import normalize
from pipeline.progress import ProgressEvent, Report
from pipeline.tflite.edit import (
    Array,
    constant,
    name_of,
    scale_and_zero_point,
)
from pipeline.tflite.flatbuffer import Model, dtype_name

Float64 = npt.NDArray[np.float64]

_WEIGHTS = 1
_LOWEST, _HIGHEST = -128, 127
# Enough for single layers to differ, and seconds.
_IMAGES_ALONE = 128


def layer_errors_child(request: LayerErrorsRequest, report: Report) -> LayerErrorsAnswer:
    """Compare the int8 file with the float file and return the figures of its layers.

    Raises:
        BadInput: a file changed, the int8 file is of another model, or an image is bad.
    """
    image, where = request.image, request.int8_file.path
    float_model = prepare(load_model(request.float_file))
    int8_model = load_model(request.int8_file)
    # What needs no image is refused before any is read.
    pairs = paired(float_model, int8_model, where)
    check_input(int8_model, image, where)
    if request.representative:
        pixels = load_pixels(
            request.representative, image, "read the representative images", report
        )
        for prepared in plan_of(request.steps).prepares:
            statistics = collect_statistics(
                float_model, pixels, image, seed=request.seed, report=report
            )
            float_model = prepared(float_model, statistics)
    check_weights(float_model, int8_model, where)
    pixels = load_pixels(request.images, image, "read the images", report)
    figures = compare(float_model, int8_model, pairs, pixels, image, report)
    alone = _alone(float_model, int8_model, pixels[:_IMAGES_ALONE], request, report)
    return LayerErrorsAnswer(
        layers=tuple(
            one if one.in_floats else one.model_copy(update={"alone": alone.get(one.name)})
            for one in figures
        )
    )


def _alone(
    float_model: Model,
    int8_model: Model,
    pixels: Array,
    request: LayerErrorsRequest,
    report: Report,
) -> dict[str, float]:
    """Return by name what each layer with weights changes when it alone is in 8 bits."""
    image = request.image
    entry = int8_model.subgraphs[0].tensors[int(int8_model.subgraphs[0].inputs[0])]
    io = Io.uint8 if dtype_name(entry) == "uint8" else Io.int8
    builder = Int8Builder(float_model, pixels, image, io, request.seed, report)
    reference = float_answers(builder.float_model, pixels, image, report)
    names = weighted_layers(builder.float_model)
    found = differences_alone(
        builder,
        [(name,) for name in names],
        pixels,
        reference,
        image,
        io,
        task="each layer alone in 8 bits",
        report=report,
    )
    return dict(zip(names, found, strict=True))


def compare(
    float_model: Model,
    int8_model: Model,
    pairs: list[TensorPair],
    pixels: Array,
    image: ImageContract,
    report: Report,
) -> list[LayerFigures]:
    """Run both models over the images and sum up each pair's errors.

    Args:
        float_model: what the int8 model is to follow.
        int8_model: as in the file, with its own input type.
        pairs: what to compare.
        pixels: uint8 (n, height, width, 3), resized, at least one.
        image: gives the normalization.
        report: receives progress.
    """
    feed = _feed(int8_model, image)

    def watch(part: range) -> list[_Sums]:
        wanted = ActivationProbe(float_model, [pair.float_tensor for pair in pairs])
        got = ActivationProbe(int8_model, [pair.int8_tensor for pair in pairs])
        sums = [_Sums() for _ in pairs]
        for index in part:
            if part.start == 0:
                report(ProgressEvent("compare", index * len(pixels) // len(part), len(pixels)))
            wanted.run(normalize(pixels[index], image)[None])
            got.run(feed(pixels[index])[None])
            for position, (pair, one) in enumerate(zip(pairs, sums, strict=True)):
                one.add(wanted.read(position), got.read(position), pair)
        return sums

    first, *rest = in_threads(len(pixels), watch, parts=FIXED_PARTS)
    for later in rest:
        for one, other in zip(first, later, strict=True):
            one.join(other)
    report(ProgressEvent("compare", len(pixels), len(pixels)))
    return [_figures(float_model, pair, one) for pair, one in zip(pairs, first, strict=True)]


class _Sums:
    """Add up one tensor's signal, error and saturated values over the images."""

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf
        self.signal = self.error = 0.0
        self.values = self.at_lowest = self.at_highest = 0
        self.channel_error: Float64 = np.zeros(1)
        self.channel_low: Array | None = None
        self.channel_high: Array | None = None

    def add(self, wanted: Array, stored: Array, pair: TensorPair) -> None:
        real = stored
        if pair.scale is not None:
            real = dequantize(stored, pair.scale, pair.zero_point)
            self.at_lowest += int(np.count_nonzero(stored == _LOWEST))
            self.at_highest += int(np.count_nonzero(stored == _HIGHEST))
        error = real - wanted
        self.low = min(self.low, float(wanted.min()))
        self.high = max(self.high, float(wanted.max()))
        self.signal += float(np.vdot(wanted, wanted))
        self.error += float(np.vdot(error, error))
        rows = error.reshape(-1, error.shape[-1] if error.ndim else 1)
        self.channel_error = self.channel_error + rows.sum(axis=0, dtype=np.float64)
        seen = wanted.reshape(rows.shape)
        self._widen(seen.min(axis=0), seen.max(axis=0))
        self.values += wanted.size

    def _widen(self, low: Array, high: Array) -> None:
        if self.channel_low is None or self.channel_high is None:
            self.channel_low, self.channel_high = low, high
        else:
            self.channel_low = np.minimum(self.channel_low, low)
            self.channel_high = np.maximum(self.channel_high, high)

    @property
    def dead(self) -> int | None:
        """Return how many channels of the float activation never change."""
        if self.channel_low is None or self.channel_high is None:
            return None
        return int((self.channel_low == self.channel_high).sum())

    def join(self, other: _Sums) -> None:
        if other.channel_low is not None and other.channel_high is not None:
            self._widen(other.channel_low, other.channel_high)
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.signal += other.signal
        self.error += other.error
        self.values += other.values
        self.at_lowest += other.at_lowest
        self.at_highest += other.at_highest
        self.channel_error = self.channel_error + other.channel_error


def _figures(float_model: Model, pair: TensorPair, sums: _Sums) -> LayerFigures:
    operator = float_model.subgraphs[0].operators[pair.float_operator]
    kind = name_of(float_model, operator)
    known: dict[str, float | None] = dict(_weight_figures(float_model, operator))
    if pair.scale is not None:
        shift = np.abs(sums.channel_error) / (sums.values / len(sums.channel_error)) / pair.scale
        known |= {
            "int8_low": pair.scale * (_LOWEST - pair.zero_point),
            "int8_high": pair.scale * (_HIGHEST - pair.zero_point),
            "mean_shift_steps": float(shift.mean()),
            "largest_mean_shift_steps": float(shift.max()),
        }
    # ReLU, softmax and the mean of a ReLU end at zero by themselves: nothing is lost there.
    saturated = sums.at_highest + (sums.at_lowest if sums.low < 0 else 0)
    defined = sums.signal > 0 and sums.error > 0
    return LayerFigures(
        name=pair.name,
        operator=kind,
        float_low=sums.low,
        float_high=sums.high,
        sqnr_db=10 * math.log10(sums.signal / sums.error) if defined else None,
        saturated_share=saturated / sums.values,
        dead_channels=sums.dead,
        **known,
    )


def _weight_figures(model: Model, operator: Any) -> Iterator[tuple[str, float]]:
    if name_of(model, operator) not in WEIGHTED:
        return
    weights = constant(model, model.subgraphs[0].tensors[int(operator.inputs[_WEIGHTS])])
    if weights is None:
        return
    yield "weight_low", float(weights.min())
    yield "weight_high", float(weights.max())
    last = name_of(model, operator) == "DEPTHWISE_CONV_2D"
    rows = np.moveaxis(weights, -1 if last else 0, 0).reshape(weights.shape[-1 if last else 0], -1)
    yield "absolute_sum", float(np.abs(rows).sum(axis=1, dtype=np.float64).max())
    reach = np.abs(rows).max(axis=1).astype(np.float64)
    if reach.any():
        yield "weight_channel_ratio", float(reach.max() / reach[reach > 0].min())


def _feed(model: Model, image: ImageContract) -> Callable[[Pixels], Array]:
    """Return what turns resized pixels into the model's own input."""
    entry = model.subgraphs[0].tensors[int(model.subgraphs[0].inputs[0])]
    dtype = dtype_name(entry)
    if dtype == "uint8":
        return lambda pixels: pixels
    if dtype == "int8":
        scale, zero_point = scale_and_zero_point(entry)
        return lambda pixels: to_int8(pixels, image, Io.int8, scale, zero_point)
    return lambda pixels: normalize(pixels, image)
