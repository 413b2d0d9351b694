"""Adapt graphs to what a phone feeds, and compare with what the Keras model would have been fed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.normalization import Normalization, NormalizationName, UniformNormalization
from pipeline.export.input_adapter import adapt_input, fold_input_convolution, takes_rgb_floats
from pipeline.export.int8.kernels import Kernel
from pipeline.imaging.keras_input import keras_input
from pipeline.tflite.edit import name_of, pack
from pipeline.tflite.flatbuffer import Model
from tests.export.int8.graphs import SAME, VALID, Network

SHAPE = (1, 9, 10, 3)
RANDOM = np.random.default_rng(3)
PIXELS = RANDOM.integers(0, 256, SHAPE, dtype=np.uint8)
WEIGHTS = RANDOM.normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32)
BIAS = RANDOM.normal(0, 0.2, 4).astype(np.float32)
Prefix = Callable[[Network], str]


def three(*values: float) -> npt.NDArray[np.float32]:
    return np.array(values, np.float32).reshape(1, 1, 1, 3)


def nothing(network: Network) -> str:
    return "image"


def rescaling(network: Network) -> str:
    scaled = network.by_constant("MUL", "image", "scaled", np.float32([1 / 127.5]))
    return network.by_constant("ADD", scaled, "shifted", np.float32([-1.0]))


def normalization_layer(network: Network) -> str:
    centred = network.by_constant("SUB", "image", "centred", three(123.7, 116.3, 103.5))
    return network.by_constant("DIV", centred, "divided", three(58.4, 57.1, 57.4))


def minus(network: Network) -> str:
    """Scale and shift with the constant in first place: 2 - x mirrors brightness."""
    return network.by_constant("SUB", "image", "mirrored", np.float32([2.0]), constant_first=True)


def graph(prefix: Prefix, *, padded: bool = False, padding: int = SAME) -> Model:
    network = Network(SHAPE)
    entry = prefix(network)
    if padded:
        entry = network.pad(entry, "padded", 1, 1)
    return network.build(network.conv(entry, "conv", WEIGHTS, BIAS, stride=2, padding=padding))


def answer(model: Model, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(Kernel(pack(model))(values))


def fed(normalization: UniformNormalization) -> npt.NDArray[np.float32]:
    values = PIXELS.astype(np.float32) - np.float32(normalization.mean)
    return values / np.float32(normalization.std)


def names(model: Model) -> list[str]:
    return [name_of(model, operator) for operator in model.subgraphs[0].operators]


@pytest.mark.parametrize("prefix", [nothing, rescaling, normalization_layer, minus])
@pytest.mark.parametrize("name", list(NormalizationName))
@pytest.mark.parametrize("padded", [False, True])
def test_an_adapted_graph_answers_a_phone_as_the_model_answers_its_own_input(
    prefix: Prefix, name: NormalizationName, padded: bool
) -> None:
    model, own = graph(prefix, padded=padded), Normalization.named(name)
    adapted = adapt_input(model, own)
    wanted = answer(model, keras_input(PIXELS, own))
    got = answer(adapted.model, fed(adapted.normalization))
    np.testing.assert_allclose(got, wanted, rtol=2e-4, atol=2e-4 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("prefix", "name", "expected", "operators"),
    [
        (nothing, NormalizationName.tf, (127.5, 127.5), ["CONV_2D"]),
        (nothing, NormalizationName.unit, (0.0, 255.0), ["CONV_2D"]),
        (rescaling, NormalizationName.raw, (127.5, 127.5), ["CONV_2D"]),
        (nothing, NormalizationName.caffe, None, ["CONV_2D", "CONV_2D"]),
        (nothing, NormalizationName.torch, None, ["CONV_2D", "CONV_2D"]),
        (normalization_layer, NormalizationName.raw, None, ["CONV_2D", "CONV_2D"]),
    ],
)
def test_what_one_mean_and_std_can_say_costs_no_operator(
    prefix: Prefix,
    name: NormalizationName,
    expected: tuple[float, float] | None,
    operators: list[str],
) -> None:
    adapted = adapt_input(graph(prefix), Normalization.named(name))
    assert names(adapted.model) == operators
    if expected is not None:
        assert (adapted.normalization.mean, adapted.normalization.std) == expected


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", [NormalizationName.caffe, NormalizationName.torch])
def test_folding_is_exact_where_no_padding_is_read(name: NormalizationName, padded: bool) -> None:
    own = Normalization.named(name)
    adapted = adapt_input(graph(nothing, padded=padded, padding=VALID), own)
    folded = fold_input_convolution(adapted.model)
    assert names(folded).count("CONV_2D") == 1
    wanted = answer(adapted.model, fed(adapted.normalization))
    got = answer(folded, fed(adapted.normalization))
    inside = slice(1, -1) if padded else slice(None)
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(
        got[:, inside, inside], wanted[:, inside, inside], rtol=1e-4, atol=1e-5 * scale
    )


def test_a_padded_border_is_off_by_no_more_than_the_means_are_apart() -> None:
    own = Normalization.named(NormalizationName.caffe)
    adapted = adapt_input(graph(nothing), own)
    folded = fold_input_convolution(adapted.model)
    off = answer(folded, fed(adapted.normalization)) - answer(
        adapted.model, fed(adapted.normalization)
    )
    apart = max(abs(mean - adapted.normalization.mean) for mean in own.mean)
    bound = apart * np.abs(WEIGHTS).sum(axis=(1, 2, 3))
    assert (np.abs(off) <= bound + 1e-3).all()


def test_a_graph_without_such_a_convolution_is_left_alone() -> None:
    model = graph(rescaling)
    assert fold_input_convolution(model) is model


@given(
    st.lists(st.floats(1, 254), min_size=3, max_size=3),
    st.lists(st.floats(1, 250), min_size=3, max_size=3),
    st.sampled_from(["RGB", "BGR"]),
)
def test_any_normalization_is_adapted(mean: list[float], std: list[float], channels: str) -> None:
    own = Normalization.model_validate({"channels": channels, "mean": mean, "std": std})
    adapted = adapt_input(graph(nothing), own)
    wanted = answer(graph(nothing), keras_input(PIXELS, own))
    got = answer(adapted.model, fed(adapted.normalization))
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-3 * (1 + np.abs(wanted).max()))


def test_what_is_no_image_input_is_told() -> None:
    assert takes_rgb_floats(graph(nothing))
    gray = Network((1, 8, 8, 1))
    weights = np.ones((2, 3, 3, 1), np.float32)
    assert not takes_rgb_floats(gray.build(gray.conv("image", "conv", weights, np.zeros(2))))
