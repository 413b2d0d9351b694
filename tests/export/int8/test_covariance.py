from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

from pipeline.export.int8.affine import dequantize
from pipeline.export.int8.covariance import input_covariance, window_covariance
from pipeline.export.int8.kernels import Kernel
from pipeline.export.int8.steps.bias_correction import bias_shift
from pipeline.tflite.edit import pack
from tests.export.int8.graphs import SAME, VALID, Network

SCALE, ZERO_POINT = 0.05, -20


def stored(*shape: int) -> npt.NDArray[np.int8]:
    """Return int8 values that vary together: noise, and what all positions share."""
    random = np.random.default_rng(shape)
    noise = random.integers(-40, 40, shape)
    return (noise + random.integers(-60, 60, (shape[0], *[1] * (len(shape) - 1)))).astype(np.int8)


def options(padding: int, stride: int, dilation: int = 1) -> schema.DepthwiseConv2DOptionsT:
    made = schema.DepthwiseConv2DOptionsT()
    made.padding, made.strideH, made.strideW = padding, stride, stride
    made.dilationHFactor = made.dilationWFactor = dilation
    return made


def windows(
    values: npt.NDArray[np.int8], padding: int, stride: int, dilation: int
) -> npt.NDArray[np.float64]:
    """Return what a 3x3 kernel sees at each place, (channels, 9, places), by going there."""
    reach = 2 * dilation + 1
    images, *sizes, channels = values.shape
    if padding == SAME:
        counts = [-(-size // stride) for size in sizes]
        lack = [max((n - 1) * stride + reach - s, 0) for n, s in zip(counts, sizes, strict=True)]
        before = [missing // 2 for missing in lack]
    else:
        counts, before = [(size - reach) // stride + 1 for size in sizes], [0, 0]
    seen: list[list[list[float]]] = [[[] for _ in range(9)] for _ in range(channels)]
    for image, i, j, tap, channel in np.ndindex(images, *counts, 9, channels):
        y = i * stride + tap // 3 * dilation - before[0]
        x = j * stride + tap % 3 * dilation - before[1]
        inside = 0 <= y < sizes[0] and 0 <= x < sizes[1]
        # Outside lies the zero point, which stands for 0.
        level = int(values[image, y, x, channel]) - ZERO_POINT if inside else 0
        seen[channel][tap].append(level * SCALE)
    return np.array(seen)


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [SAME, VALID], ids=["same", "valid"])
def test_windows_vary_as_those_found_position_by_position(
    padding: int, stride: int, dilation: int
) -> None:
    values = stored(3, 8, 7, 2)
    found = window_covariance(values, SCALE, ZERO_POINT, options(padding, stride, dilation), (3, 3))
    direct = windows(values, padding, stride, dilation)
    for channel in range(2):
        assert found[channel] == pytest.approx(np.cov(direct[channel], bias=True), rel=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [SAME, VALID], ids=["same", "valid"])
def test_the_covariance_foretells_how_much_the_kernel_s_output_varies(
    padding: int, stride: int
) -> None:
    values = stored(6, 8, 7, 2)
    weights = np.random.default_rng(0).normal(size=(1, 3, 3, 2)).astype(np.float32)
    network = Network((1, 8, 7, 2))
    network.depthwise("image", "out", weights, np.ones(2), stride=stride, padding=padding)
    kernel = Kernel(pack(network.build("out")))
    answers = np.stack([kernel(dequantize(one[None], SCALE, ZERO_POINT)) for one in values])
    covariance = window_covariance(values, SCALE, ZERO_POINT, options(padding, stride), (3, 3))
    taps = weights.reshape(9, 2).T.astype(np.float64)
    foretold = np.einsum("ci,cij,cj->c", taps, covariance, taps)
    assert answers.reshape(-1, 2).var(axis=0) == pytest.approx(foretold, rel=1e-4)


def test_of_many_images_enough_are_looked_at() -> None:
    values = stored(100, 48, 48, 24)
    found = window_covariance(values, SCALE, ZERO_POINT, options(VALID, 1), (1, 1))
    # Every third image, every other row and column.
    one_tap = (values[::3, ::2, ::2] * SCALE).reshape(-1, 24).var(axis=0)
    assert found.reshape(-1) == pytest.approx(one_tap, rel=1e-3)


@pytest.mark.parametrize("shape", [(50, 4), (3, 5, 5, 4)], ids=["dense", "pointwise"])
def test_channels_vary_as_numpy_says(shape: tuple[int, ...]) -> None:
    values = stored(*shape)
    real = (values.reshape(-1, 4).astype(np.float64) - ZERO_POINT) * SCALE
    found = input_covariance(values, SCALE, ZERO_POINT)
    assert found == pytest.approx(np.cov(real, rowvar=False, bias=True), rel=1e-4)


@given(seed=st.integers(0, 2**32 - 1), shape=st.sampled_from([(1, 4), (1, 6, 5, 4), (7, 1, 4)]))
def test_the_bias_shift_is_the_mean_difference_of_each_channel(
    seed: int, shape: tuple[int, ...]
) -> None:
    random = np.random.default_rng(seed)
    wanted, got = (random.normal(size=shape).astype(np.float32) for _ in range(2))
    rows = zip(wanted.reshape(-1, 4).tolist(), got.reshape(-1, 4).tolist(), strict=True)
    differences = [[a - b for a, b in zip(*pair, strict=True)] for pair in rows]
    shift = bias_shift(wanted, got)
    assert shift.dtype == np.float64
    assert shift == pytest.approx([sum(c) / len(c) for c in zip(*differences, strict=True)])


def test_a_bias_shift_is_exact_where_float32_would_lose_it() -> None:
    wanted = np.full((1, 100, 100, 2), [2.0**24, -1.5], np.float32)
    got = np.full((1, 100, 100, 2), [2.0**24 - 1, 0.25], np.float32)
    assert bias_shift(wanted, got).tolist() == [1.0, -1.75]
