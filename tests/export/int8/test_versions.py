from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import BadInput
from pipeline.export.int8.lower import lower
from pipeline.export.int8.versions import write_versions
from pipeline.tflite.edit import duplicate, name_of, pack
from pipeline.tflite.flatbuffer import Model, metadata_bytes, text
from tests.export.int8.graphs import Float32, Network

RANGES = dict.fromkeys(("image", "conv", "depthwise", "curve", "sum", "mean"), (-2.0, 2.0)) | {
    "dense": (-4.0, 4.0),
    "probability": (0.0, 1.0),
}


def drawn(*shape: int) -> Float32:
    return np.random.default_rng(shape).uniform(-0.5, 0.5, shape).astype(np.float32)


def toy(curve: str = "") -> Model:
    """Return conv, depthwise, add, mean, dense and softmax, perhaps with one operator more."""
    network = Network((1, 8, 8, 3))
    last = network.conv("image", "conv", drawn(4, 1, 1, 3), drawn(4))
    if curve:
        last = network.pointwise(curve, last, "curve")
    network.depthwise(last, "depthwise", drawn(1, 3, 3, 4), drawn(4))
    network.add("depthwise", last, "sum")
    network.mean("sum", "mean")
    network.dense("mean", "dense", drawn(3, 4), drawn(3))
    network.softmax("dense", "probability")
    return network.build("probability")


def versions(model: Model) -> list[tuple[str, int]]:
    codes = model.operatorCodes
    return [
        (name_of(model, operator), codes[operator.opcodeIndex].version)
        for operator in model.subgraphs[0].operators
    ]


def oldest_runtime(model: Model) -> str:
    data = pack(model)
    stored = metadata_bytes(model, "min_runtime_version", data)
    assert stored is not None
    assert len(stored) == 16
    return stored.rstrip(b"\0").decode()


def test_int8_operators_get_the_version_that_takes_int8() -> None:
    graph = lower(toy(), RANGES)
    assert {version for _, version in versions(graph)} == {1}
    write_versions(graph)
    assert versions(graph) == [
        ("CONV_2D", 3),
        ("DEPTHWISE_CONV_2D", 3),
        ("ADD", 2),
        ("MEAN", 2),
        ("FULLY_CONNECTED", 4),
        ("SOFTMAX", 2),
    ]
    assert oldest_runtime(graph) == "1.14.0"


def test_float_operators_keep_theirs() -> None:
    model = toy()
    write_versions(model)
    assert {version for _, version in versions(model)} == {1}
    # MEAN came with TensorFlow 1.6, all others with 1.5.
    assert oldest_runtime(model) == "1.6.0"


def test_the_same_operator_in_int8_and_in_floats_has_two_versions() -> None:
    graph = lower(toy(), RANGES, float16=["dense"])
    write_versions(graph)
    found = versions(graph)
    assert ("CONV_2D", 3) in found
    assert ("FULLY_CONNECTED", 1) in found
    # The way back from int8, and that of the float16 weights.
    assert {version for name, version in found if name == "DEQUANTIZE"} == {2, 3}


def test_operators_of_one_kind_share_one_code_but_not_with_floats() -> None:
    network = Network((1, 8, 8, 3))
    for entry, name in (("image", "first"), ("first", "second"), ("second", "third")):
        network.conv(entry, name, drawn(3, 1, 1, 3), drawn(3))
    names = ("image", "first", "second", "third")
    graph = lower(network.build("third"), dict.fromkeys(names, (-2.0, 2.0)), float16=["third"])
    operators = graph.subgraphs[0].operators
    convolutions = [one for one in operators if name_of(graph, one) == "CONV_2D"]
    assert len({one.opcodeIndex for one in convolutions}) == 1
    write_versions(graph)
    assert [version for name, version in versions(graph) if name == "CONV_2D"] == [3, 3, 1]
    codes = [(code.builtinCode, code.version) for code in graph.operatorCodes]
    assert len(codes) == len(set(codes))


def test_a_later_version_is_not_taken_back() -> None:
    graph = lower(toy(), RANGES)
    graph.operatorCodes[graph.subgraphs[0].operators[0].opcodeIndex].version = 5
    write_versions(graph)
    assert versions(graph)[0] == ("CONV_2D", 5)


def test_the_oldest_runtime_is_written_once() -> None:
    graph = lower(toy(), RANGES)
    write_versions(graph)
    again = duplicate(graph)
    again.operatorCodes[again.subgraphs[0].operators[0].opcodeIndex].version = 5
    write_versions(again)
    assert [text(entry.name) for entry in again.metadata].count("min_runtime_version") == 1
    assert oldest_runtime(graph) == "1.14.0"
    assert oldest_runtime(again) != "1.14.0"


def test_an_int8_operator_of_unknown_version_is_refused_by_name() -> None:
    graph = lower(toy("SQRT"), RANGES)
    with pytest.raises(BadInput, match="not known which runtimes") as refused:
        write_versions(graph)
    assert refused.value.got == "SQRT"
