"""Where networks of several families may be cut."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.contract.choices import Io, Step
from pipeline.contract.image import ImageContract
from pipeline.export.int8.blocks import leading_blocks
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.io_types import int8_batch
from pipeline.export.int8.kernels import ActivationProbe
from pipeline.imaging.preprocess import normalize
from pipeline.progress import silent
from pipeline.tflite.edit import name_of
from pipeline.tflite.flatbuffer import Model, dtype_name, text
from tests.export.int8.graphs import RELU6, Float32, Network

IMAGE = ImageContract(height_px=32, width_px=32)
PIXELS = np.random.default_rng(2).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
ZEROS = np.zeros(4, np.float32)


def weights(inputs: int, seed: int) -> Float32:
    return np.random.default_rng(seed).normal(0, 0.6, (4, 1, 1, inputs)).astype(np.float32)


def residual() -> Model:
    """Return two bottlenecks, the second with a residual sum, and a head."""
    network = Network((1, 32, 32, 3))
    network.conv("image", "expand", weights(3, 0), ZEROS, activation=RELU6)
    network.conv("expand", "project", weights(4, 1), ZEROS)
    network.conv("project", "expand2", weights(4, 2), ZEROS, activation=RELU6)
    network.conv("expand2", "project2", weights(4, 3), ZEROS)
    network.add("project", "project2", "sum")
    network.conv("sum", "head", weights(4, 4), ZEROS, activation=RELU6)
    network.mean("head", "mean")
    network.dense("mean", "dense", weights(4, 5)[:, 0, 0], ZEROS)
    network.softmax("dense", "probability")
    return network.build("probability")


def test_a_block_ends_at_a_linear_layer_or_a_sum_that_alone_goes_on() -> None:
    # project2 is linear too, but the sum still needs what was before it.
    # The first place is within the first block, before its linear layer.
    assert leading_blocks(residual()) == [
        ("expand",),
        ("expand", "project"),
        ("expand", "project", "expand2", "project2", "sum"),
    ]


def test_a_chain_without_such_places_may_be_cut_anywhere_before_its_last_layer() -> None:
    network = Network((1, 32, 32, 3))
    network.conv("image", "one", weights(3, 0), ZEROS, activation=RELU6)
    network.conv("one", "two", weights(4, 1), ZEROS, activation=RELU6)
    network.mean("two", "mean")
    network.dense("mean", "dense", weights(4, 2)[:, 0, 0], ZEROS)
    assert leading_blocks(network.build("dense")) == [
        ("one",),
        ("one", "two"),
        ("one", "two", "mean"),
    ]


def test_a_concatenation_and_a_pool_end_a_block() -> None:
    network = Network((1, 32, 32, 3))
    network.conv("image", "left", weights(3, 0), ZEROS, activation=RELU6)
    network.max_pool("left", "pool")
    network.conv("pool", "right", weights(4, 1), ZEROS, activation=RELU6)
    network.concatenate(["pool", "right"], "both")
    network.mean("both", "mean")
    network.dense("mean", "dense", np.ones((2, 8), np.float32), np.zeros(2, np.float32))
    ends = [block[-1] for block in leading_blocks(network.build("dense"))]
    assert ends == ["left", "pool", "both"]


def test_a_network_without_layers_has_no_blocks() -> None:
    network = Network((1, 32, 32, 3))
    network.mean("image", "mean")
    assert leading_blocks(network.build("mean")) == []


def test_the_first_blocks_stay_in_floats_sums_included_and_the_rest_follows_them() -> None:
    model = residual()
    builder = Int8Builder(model, PIXELS, IMAGE, Io.uint8, 0, silent)
    blocks = leading_blocks(builder.float_model)
    steps = (Step.ranges, Step.bias_correction, Step.float16_prefix)
    graph = builder.build(steps, blocks[-1])
    tensors = graph.subgraphs[0].tensors
    kinds = [
        (name_of(graph, one), dtype_name(tensors[int(one.outputs[0])]))
        for one in graph.subgraphs[0].operators
        if "QUANTIZE" not in name_of(graph, one)
    ]
    assert kinds == [
        *[("CONV_2D", "float32")] * 4,
        ("ADD", "float32"),
        ("CONV_2D", "int8"),
        ("MEAN", "int8"),
        ("FULLY_CONNECTED", "int8"),
        ("SOFTMAX", "int8"),
    ]
    # One conversion into floats, one out of them; the weights are in float16.
    conversions = [
        (dtype_name(tensors[int(one.inputs[0])]), dtype_name(tensors[int(one.outputs[0])]))
        for one in graph.subgraphs[0].operators
        if "QUANTIZE" in name_of(graph, one)
    ]
    assert conversions.count(("int8", "float32")) == 1
    assert conversions.count(("float32", "int8")) == 1
    assert conversions.count(("float16", "float32")) == 4
    assert {text(tensors[int(j)].name) for j in graph.subgraphs[0].inputs} == {"image"}


def test_what_a_prefix_hands_on_is_the_float_model_s_but_for_float16_weights() -> None:
    model = residual()
    builder = Int8Builder(model, PIXELS, IMAGE, Io.uint8, 0, silent)
    layers = leading_blocks(builder.float_model)[-1]
    steps = (Step.ranges, Step.bias_correction, Step.float16_prefix)
    graph = builder.build(steps, layers)
    (added,) = (
        int(one.outputs[0]) for one in graph.subgraphs[0].operators if name_of(graph, one) == "ADD"
    )
    (wanted_at,) = (
        index
        for index, tensor in enumerate(builder.float_model.subgraphs[0].tensors)
        if text(tensor.name) == "sum"
    )
    wanted = ActivationProbe(builder.float_model, [wanted_at])
    got = ActivationProbe(graph, [added])
    for pixels, stored in zip(PIXELS, int8_batch(PIXELS, IMAGE, Io.uint8, graph), strict=True):
        wanted.run(normalize(pixels, IMAGE)[None])
        got.run(stored[None])
        # float16 keeps 11 bits; four layers lie on top of each other.
        assert got.read(0) == pytest.approx(wanted.read(0), abs=0.01)
        assert np.ptp(wanted.read(0)) > 1
