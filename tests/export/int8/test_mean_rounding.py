from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.contract.choices import Io
from pipeline.contract.image import ImageContract
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.kernels import Kernel
from pipeline.imaging.preprocess import normalize
from pipeline.progress import silent
from pipeline.tflite.edit import name_of, pack, scale_and_zero_point
from pipeline.tflite.flatbuffer import Model
from tests.export.int8.graphs import VALID, Network, tensor_of

SIZE_PX = 32
CONTRACTS = [(127.5, 127.5), (0.0, 255.0), (0.0, 1.0), (114.5, 57.63), (114.799, 1.0)]
# Exact in int8, and far from zero in sum, so that a shift of the input is a shift of the output.
WEIGHTS = np.array([[127, 64, 32], [-32, 127, 64]], np.float32) / 127
NO_BIAS = np.zeros(2, np.float32)


def picture() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(90, 140, (1, SIZE_PX, SIZE_PX, 3), np.uint8)


def convolution_after_pad(network: Network) -> str:
    padded = network.pad("image", "pad", 1, 1)
    return network.conv(padded, "out", pointwise(), NO_BIAS, padding=VALID)


def two_readers(network: Network) -> str:
    first = network.conv("image", "first", pointwise(), NO_BIAS)
    padded = network.pad("image", "pad", 0, 0)
    second = network.conv(padded, "second", -2 * pointwise(), np.ones(2, np.float32))
    return network.add(first, second, "out")


def after_pool(network: Network) -> str:
    return network.conv(network.max_pool("image", "pool"), "out", pointwise(), NO_BIAS)


def depthwise(network: Network) -> str:
    weights = np.array([1.0, -2, 3], np.float32).reshape(1, 1, 1, 3)
    return network.depthwise("image", "out", weights, np.zeros(3, np.float32))


def pointwise() -> npt.NDArray[np.float32]:
    return WEIGHTS.reshape(2, 1, 1, 3)


GRAPHS = [convolution_after_pad, two_readers, after_pool, depthwise]


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda one: one.__name__)
@pytest.mark.parametrize(("mean", "std"), CONTRACTS)
def test_raw_pixels_are_exact_whatever_hands_them_to_the_first_layers(
    graph: object, mean: float, std: float
) -> None:
    assert callable(graph)
    image = ImageContract(height_px=SIZE_PX, width_px=SIZE_PX, mean=mean, std=std)
    network = Network((1, SIZE_PX, SIZE_PX, 3))
    model: Model = network.build(graph(network))
    pixels = picture()
    wanted = Kernel(pack(model))(normalize(pixels, image))
    builder = Int8Builder(model, pixels, image, Io.uint8, 0, silent)
    built = builder.build(())
    assert scale_and_zero_point(tensor_of(built, "image"))[0] == pytest.approx(1 / std)
    # Nothing is converted between the pixels and the first layers.
    assert "QUANTIZE" not in [name_of(built, one) for one in built.subgraphs[0].operators]
    scale, _ = scale_and_zero_point(tensor_of(built, "out"))
    stored = Kernel(builder.finish(built))(pixels).astype(np.float64)
    got = (stored - 128 - scale_and_zero_point(tensor_of(built, "out"))[1]) * scale
    inside = (slice(None), slice(1, -1), slice(1, -1))
    off = (got - wanted)[inside]
    # Rounding of outputs and weights, and no half level on top: a shift would be in the mean.
    assert np.abs(off).max() <= 2.1 * scale
    assert abs(off.mean()) <= 0.25 * scale
