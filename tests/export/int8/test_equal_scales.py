from __future__ import annotations

import numpy as np

from pipeline.export.int8.equal_scales import with_equal_scales
from pipeline.export.int8.lower import lower
from pipeline.tflite.edit import name_of, scale_and_zero_point
from tests.export.int8.graphs import Float32, Network, tensor_of


def drawn(*shape: int) -> Float32:
    return np.random.default_rng(shape).normal(0, 1, shape).astype(np.float32)


def conv(network: Network, entry: str, name: str, channels: int) -> str:
    return network.conv(entry, name, drawn(4, 1, 1, channels), np.zeros(4, np.float32))


def test_what_hands_values_on_takes_the_widest_range_of_all_it_ties() -> None:
    network = Network((1, 8, 8, 3))
    first = conv(network, "image", "first", 3)
    padded = network.pad(first, "padded", 1, 1)
    pooled = network.max_pool(padded, "pooled")
    conv(network, pooled, "out", 4)
    model = network.build("out")
    ranges = {"image": (-1.0, 1.0), "first": (-2.0, 1.0), "padded": (-1.0, 3.0)}
    ranges |= {"pooled": (-1.0, 1.0), "out": (-1.0, 1.0)}
    equal = with_equal_scales(model, ranges)
    assert {equal[name] for name in ("first", "padded", "pooled")} == {(-2.0, 3.0)}
    assert (equal["image"], equal["out"]) == (ranges["image"], ranges["out"])


def test_concatenations_of_concatenations_share_one_scale_and_nothing_is_converted() -> None:
    network = Network((1, 8, 8, 3))
    names = [conv(network, "image", "a", 3), conv(network, "image", "b", 3)]
    joined = network.concatenate(names, "joined")
    more = network.concatenate([joined, conv(network, joined, "c", 8)], "more")
    conv(network, more, "out", 12)
    model = network.build("out")
    ranges = {"image": (-1.0, 1.0), "a": (-1.0, 1.0), "b": (-9.0, 2.0), "c": (0.0, 5.0)}
    ranges |= {"joined": (-9.0, 2.0), "more": (-9.0, 5.0), "out": (-1.0, 1.0)}
    graph = lower(model, with_equal_scales(model, ranges))
    tied = ("a", "b", "c", "joined", "more")
    assert len({scale_and_zero_point(tensor_of(graph, name)) for name in tied}) == 1
    kinds = [name_of(graph, operator) for operator in graph.subgraphs[0].operators]
    assert "QUANTIZE" not in kinds
    # Left to the quantizer, each joint would be converted and rounded once more.
    plain = lower(model, ranges)
    assert "QUANTIZE" in [name_of(plain, operator) for operator in plain.subgraphs[0].operators]


def test_pixels_and_probabilities_keep_their_range_and_are_left_out_of_a_concatenation() -> None:
    network = Network((1, 8, 8, 4))
    padded = network.pad("image", "padded", 0, 0)
    gate = network.pointwise("LOGISTIC", conv(network, "image", "first", 4), "gate")
    joined = network.concatenate([padded, gate, "first"], "joined")
    conv(network, joined, "out", 12)
    model = network.build("out")
    ranges = {"image": (-1.0, 1.0), "padded": (-0.5, 0.5), "first": (-3.0, 3.0)}
    ranges |= {"gate": (0.1, 0.9), "joined": (-4.0, 4.0), "out": (-1.0, 1.0)}
    equal = with_equal_scales(model, ranges)
    assert equal["image"] == equal["padded"] == (-1.0, 1.0)
    assert equal["first"] == equal["joined"] == (-4.0, 4.0)
    graph = lower(model, equal)
    assert scale_and_zero_point(tensor_of(graph, "gate")) == (1 / 256, -128)
