"""Corrections go through graphs that are nothing like MobileNetV2."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.contract.choices import Io, Step
from pipeline.contract.image import ImageContract
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.kernels import Kernel
from pipeline.imaging.preprocess import normalize
from pipeline.progress import silent
from pipeline.tflite.edit import duplicate, pack, scale_and_zero_point
from pipeline.tflite.flatbuffer import Model
from tests.export.int8.graphs import Float32, Network, tensor_of, values_of

IMAGE = ImageContract(height_px=32, width_px=32)
CORRECTED = (Step.bias_correction,)
ROUNDED = (Step.bias_correction, Step.rounding)


def drawn(*shape: int) -> Float32:
    return np.random.default_rng(shape).normal(0, 1, shape).astype(np.float32)


def pixels() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)


def grouped() -> Model:
    network = Network((1, 32, 32, 3))
    first = network.conv("image", "first", drawn(8, 1, 1, 3), drawn(8))
    return network.build(network.conv(first, "out", drawn(6, 1, 1, 4), drawn(6)))


def gated() -> Model:
    """Return hard-swish, sigmoid times x, a concatenation and a normalization left as MUL, ADD."""
    network = Network((1, 32, 32, 3))
    first = network.conv("image", "first", drawn(4, 3, 3, 3), drawn(4))
    swish = network.pointwise("HARD_SWISH", first, "swish")
    joined = network.concatenate([swish, first], "joined")
    scaled = network.by_constant("MUL", joined, "scaled", drawn(8))
    moved = network.by_constant("ADD", scaled, "moved", drawn(8))
    network.pointwise("LOGISTIC", moved, "gate")
    product = network.multiply("gate", moved, "product")
    return network.build(network.conv(product, "out", drawn(5, 1, 1, 8), drawn(5)))


def error(model: Model, steps: tuple[Step, ...]) -> tuple[float, float]:
    """Return the mean squared error, and the largest mean error of a channel, in output steps."""
    builder = Int8Builder(model, pixels(), IMAGE, Io.uint8, 0, silent)
    graph = builder.build(steps)
    scale, zero_point = scale_and_zero_point(tensor_of(graph, "out"))
    float_kernel, kernel = Kernel(pack(model)), Kernel(pack(duplicate(graph)))
    stored = (pixels().astype(np.int16) - 128).astype(np.int8)
    off = np.concatenate(
        [
            (kernel(one[None]).astype(np.float64) - zero_point)
            - float_kernel(normalize(image, IMAGE)[None]) / scale
            for one, image in zip(stored, pixels(), strict=True)
        ]
    )
    rows = off.reshape(-1, off.shape[-1])
    return float(np.square(rows).mean()), float(np.abs(rows.mean(axis=0)).max())


@pytest.mark.parametrize("build", [grouped, gated])
def test_the_bias_of_the_last_layer_makes_up_for_everything_before_it(build: object) -> None:
    assert callable(build)
    _, shift = error(build(), ())
    _, corrected = error(build(), CORRECTED)
    assert corrected < 0.05
    assert corrected <= shift


def test_each_group_of_a_pointwise_convolution_is_rounded_on_its_own_channels() -> None:
    nearest, _ = error(grouped(), CORRECTED)
    chosen, _ = error(grouped(), ROUNDED)
    assert chosen < nearest
    builder = Int8Builder(grouped(), pixels(), IMAGE, Io.uint8, 0, silent)
    plain, rounded = (values_of(builder.build(s), "out/weights") for s in (CORRECTED, ROUNDED))
    assert plain.shape == rounded.shape == (6, 1, 1, 4)
    moved = np.abs(plain.astype(int) - rounded)
    assert moved.max() == 1


def test_equalization_leaves_what_it_does_not_know_and_keeps_the_function() -> None:
    for build in (grouped, gated):
        plain, equalized = (error(build(), steps) for steps in ((), (Step.equalization,)))
        assert equalized[0] <= 1.5 * plain[0]
