from __future__ import annotations

import numpy as np
import pytest

from pipeline.contract.normalization import Normalization, NormalizationName
from pipeline.export.input_adapter import adapt_input
from pipeline.export.int8.float_graph import prepare
from pipeline.export.int8.kernels import Kernel
from pipeline.tflite.edit import constant, name_of, pack
from pipeline.tflite.flatbuffer import Model, text
from tests.export.int8.graphs import SAME, VALID, Float32, Network


def drawn(*shape: int) -> Float32:
    return np.random.default_rng(shape).normal(0, 1, shape).astype(np.float32)


def kinds(model: Model) -> list[str]:
    return [name_of(model, operator) for operator in model.subgraphs[0].operators]


def answers(model: Model, values: Float32) -> Float32:
    return Kernel(pack(model))(values)


def test_layers_that_share_constants_get_their_own_and_missing_biases_become_zeros() -> None:
    network = Network((1, 4, 4, 3))
    first = network.conv("image", "first", drawn(3, 1, 1, 3), drawn(3))
    network.conv(first, "second", drawn(3, 1, 1, 3), drawn(3))
    model = network.build("second")
    one, two = model.subgraphs[0].operators
    two.inputs = [int(two.inputs[0]), int(one.inputs[1]), int(one.inputs[2])]
    prepared = prepare(model)
    inputs = [list(map(int, operator.inputs)) for operator in prepared.subgraphs[0].operators]
    assert set(inputs[0][1:]).isdisjoint(inputs[1][1:])
    names = [text(tensor.name) for tensor in prepared.subgraphs[0].tensors]
    assert len(set(names)) == len(names)
    values = drawn(1, 4, 4, 3)
    assert (answers(prepared, values) == answers(model, values)).all()


@pytest.mark.parametrize("layers", [1, 2])
def test_dense_layers_without_a_bias_get_one_of_zeros(layers: int) -> None:
    network, last = Network((1, 6)), "image"
    for number in range(layers):
        last = network.dense(last, f"dense{number}", drawn(5 - number, 6 - number), None)
    model = network.build(last)
    prepared = prepare(model)
    for operator in prepared.subgraphs[0].operators:
        bias = constant(prepared, prepared.subgraphs[0].tensors[int(operator.inputs[2])])
        assert bias is not None
        assert not bias.any()
    values = drawn(1, 6)
    assert (answers(prepared, values) == answers(model, values)).all()


def test_what_has_no_int8_kernel_is_said_with_what_has_one() -> None:
    network = Network((1, 4, 4, 3))
    network.pointwise("NEG", "image", "negated")
    network.add("image", "negated", "difference")
    network.by_constant("DIV", "difference", "quotient", np.float32([2.0, 3, 4]))
    network.pointwise("NEG", "quotient", "out")
    model = network.build("out")
    prepared = prepare(model)
    assert kinds(prepared) == ["SUB", "MUL", "MUL"]
    values = drawn(1, 4, 4, 3)
    assert answers(prepared, values) == pytest.approx(answers(model, values), abs=1e-6)


def test_a_graph_that_needs_nothing_is_left_as_it_is() -> None:
    network = Network((1, 4, 4, 3))
    model = network.build(network.conv("image", "out", drawn(3, 1, 1, 3), drawn(3)))
    assert pack(prepare(model)) == pack(model)


@pytest.mark.parametrize("name", [NormalizationName.caffe, NormalizationName.torch])
@pytest.mark.parametrize("padding", ["pad", "same", "same with stride", "pad then same", "valid"])
def test_a_channel_wise_input_is_folded_exactly_at_borders_too(
    name: NormalizationName, padding: str
) -> None:
    network, last = Network((1, 9, 9, 3)), "image"
    if padding.startswith("pad"):
        last = network.pad(last, "pad", 2, 1)
    network.conv(
        last,
        "out",
        drawn(4, 3, 3, 3),
        drawn(4),
        stride=2 if "stride" in padding else 1,
        padding=SAME if "same" in padding else VALID,
    )
    adapted = adapt_input(network.build("out"), Normalization.named(name)).model
    prepared = prepare(adapted)
    assert kinds(adapted)[0] == "CONV_2D"
    assert kinds(prepared).count("CONV_2D") == 1
    assert "PAD" not in kinds(prepared)
    values = 50 * drawn(1, 9, 9, 3)
    assert answers(prepared, values) == pytest.approx(answers(adapted, values), abs=2e-3, rel=1e-4)


def test_a_model_s_own_first_convolution_is_not_folded() -> None:
    network = Network((1, 4, 4, 3))
    first = network.conv("image", "first", drawn(3, 1, 1, 3), drawn(3))
    network.conv(first, "out", drawn(3, 1, 1, 3), drawn(3))
    assert kinds(prepare(network.build("out"))) == ["CONV_2D", "CONV_2D"]
