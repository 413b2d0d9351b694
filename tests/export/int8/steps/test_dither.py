"""Copies of the first convolution's channels change nothing in floats and halve its rounding."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.contract.choices import Io, Step
from pipeline.contract.image import ImageContract
from pipeline.export.int8.activation_statistics import collect_statistics
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.measure import float_answers
from pipeline.export.int8.steps.dither import applies, copies_of, dither, worst_channels
from pipeline.progress import silent
from pipeline.tflite.flatbuffer import Model
from tests.export.int8.graphs import LINEAR, RELU, SAME, Network, values_of

IMAGE = ImageContract(height_px=32, width_px=32)
RANDOM = np.random.default_rng(5)
PIXELS = RANDOM.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
CHANNELS = 16


def chain(
    *, activation: int = LINEAR, bias: float = 0.0, multiplier: int = 1, twice: bool = False
) -> Model:
    """Return a first convolution, a depthwise layer of edge filters, and a pointwise layer."""
    random = np.random.default_rng(0)
    network = Network((1, 32, 32, 3))
    weights = random.normal(0, 0.4, (CHANNELS, 3, 3, 3)).astype(np.float32)
    first_bias = np.full(CHANNELS, bias, np.float32)
    network.conv("image", "first", weights, first_bias, stride=2, activation=activation)
    filters = random.normal(0, 1, (1, 3, 3, CHANNELS * multiplier)).astype(np.float32)
    filters -= filters.mean(axis=(1, 2), keepdims=True)
    shift = random.normal(0, 1, CHANNELS * multiplier).astype(np.float32)
    network.depthwise("first", "depthwise", filters, shift, padding=SAME)
    reading = random.normal(0, 0.1, (4, 1, 1, CHANNELS * multiplier)).astype(np.float32)
    network.conv("depthwise", "project", reading, np.zeros(4, np.float32))
    if twice:
        network.mean("first", "other")
        network.mean("project", "mean")
        network.concatenate(["other", "mean"], "both")
        return network.build("both")
    network.mean("project", "mean")
    return network.build("mean")


def statistics(model: Model) -> object:
    return collect_statistics(model, PIXELS, IMAGE, seed=0, report=silent)


@pytest.mark.parametrize(("activation", "bias"), [(LINEAR, 0.0), (RELU, 40.0)])
def test_in_floats_the_answers_are_the_same_borders_included(activation: int, bias: float) -> None:
    # With a bias so large nothing is cut off by ReLU, and the pair is exact.
    model = chain(activation=activation, bias=bias)
    wider = dither(model, statistics(model))
    assert values_of(wider, "first/weights").shape == (CHANNELS + 8, 3, 3, 3)
    before, after = (float_answers(one, PIXELS, IMAGE, silent) for one in (model, wider))
    assert after == pytest.approx(before, abs=1e-5)
    # The original is left as it was.
    assert values_of(model, "first/weights").shape == (CHANNELS, 3, 3, 3)


def test_a_pair_lies_half_a_step_apart_around_the_original() -> None:
    model = chain()
    found = statistics(model)
    wider = dither(model, found)
    filters, reading = (values_of(model, f"{name}/weights") for name in ("depthwise", "project"))
    copied = worst_channels(filters, reading, 8)
    bias, before = values_of(wider, "first/bias"), values_of(model, "first/bias")
    apart = bias[copied] - bias[CHANNELS:]
    assert apart == pytest.approx(apart[0])
    low, high = found["first"].low, found["first"].high
    # The range of least squared error is no wider than the extremes.
    assert 0 < apart[0] <= (high - low) / 255 / 2 + 1e-6
    assert (bias[copied] + bias[CHANNELS:]) / 2 == pytest.approx(before[copied], abs=1e-6)
    halved = values_of(wider, "project/weights")
    assert np.array_equal(halved[..., copied], reading[..., copied] / 2)
    assert np.array_equal(halved[..., CHANNELS:], reading[..., copied] / 2)
    others = np.setdiff1d(np.arange(CHANNELS), copied)
    assert np.array_equal(halved[..., others], reading[..., others])


def test_the_channels_that_pass_most_rounding_on_are_copied() -> None:
    filters = np.ones((1, 3, 3, 4), np.float32)
    filters[..., 1] = -5
    reading = np.ones((2, 1, 1, 4), np.float32)
    reading[..., 3] = 9
    # 9 * 5 = 45 and 9 * 9 = 81 against 9.
    assert worst_channels(filters, reading, 2).tolist() == [1, 3]
    assert worst_channels(filters, reading, 1).tolist() == [3]


@pytest.mark.parametrize(
    ("channels", "copies"), [(1, 0), (2, 1), (8, 4), (16, 8), (24, 8), (32, 16), (64, 16)]
)
def test_half_of_the_channels_by_eights_get_a_copy(channels: int, copies: int) -> None:
    assert copies_of(channels) == copies


def test_the_first_convolution_s_rounding_is_smaller_with_copies() -> None:
    model = chain()
    builder = Int8Builder(model, PIXELS, IMAGE, Io.uint8, 0, silent)
    steps = (Step.ranges, Step.bias_correction)
    graphs = [builder.build(steps), builder.build((*steps, Step.dither))]
    assert [values_of(graph, "first/weights").shape[0] for graph in graphs] == [16, 24]
    assert [values_of(graph, "first/bias").shape for graph in graphs] == [(16,), (24,)]


@pytest.mark.parametrize(
    "model",
    [chain(multiplier=2), chain(twice=True)],
    ids=["depth multiplier", "read twice"],
)
def test_another_network_is_left_as_it_is(model: Model) -> None:
    assert not applies(model)
    assert dither(model, statistics(model)) is model
    assert applies(chain())
