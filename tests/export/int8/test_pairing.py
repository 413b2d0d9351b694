"""An operator is found in both graphs, whatever a release calls the tensor of the answer."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.contract.choices import Io
from pipeline.contract.image import ImageContract
from pipeline.export.int8.io_types import inner_output, input_range, set_io_type
from pipeline.export.int8.layer import layers
from pipeline.export.int8.lower import lower
from pipeline.export.int8.pairing import paired
from tests.export.int8.graphs import Network

IMAGE = ImageContract(height_px=32, width_px=32)
WEIGHTS = np.eye(3, dtype=np.float32).reshape(3, 1, 1, 3)


@pytest.mark.parametrize("earlier_name", [None, "PartitionedCall:0"])
@pytest.mark.parametrize("io", list(Io))
def test_the_answer_is_paired_with_the_answer(io: Io, earlier_name: str | None) -> None:
    network = Network((1, 32, 32, 3))
    network.conv("image", "first", WEIGHTS, np.zeros(3, np.float32))
    network.conv("first", "probability", WEIGHTS, np.zeros(3, np.float32))
    model = network.build("probability")
    spans = {"image": input_range(IMAGE, io), "first": (-1.0, 1.0), "probability": (-1.0, 1.0)}
    graph = lower(model, spans)
    set_io_type(graph, io)
    if earlier_name is not None:
        graph.subgraphs[0].tensors[inner_output(graph)].name = earlier_name
    pairs = paired(model, graph, "a test")
    assert [one.name for one in pairs] == ["first", "probability"]
    assert pairs[-1].float_tensor == int(model.subgraphs[0].outputs[0])
    assert pairs[-1].int8_tensor == inner_output(graph)
    assert [one.name for one in layers(model, graph)] == ["first", "probability"]
