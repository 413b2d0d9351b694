from __future__ import annotations

import numpy as np

from pipeline.tflite.edit import duplicate, pack, unpack_whole
from pipeline.tflite.flatbuffer import text
from pipeline.tflite.inspect import inspect_bytes
from pipeline.tflite.prune import prune
from tests.export.int8.graphs import Network


def test_what_no_operator_touches_goes_with_its_data_and_the_rest_stays() -> None:
    network = Network((1, 4, 4, 3))
    network.by_constant("MUL", "image", "scaled", np.float32([2.0, 3, 4]))
    network.pointwise("RELU", "scaled", "out")
    model = network.build("out")
    whole = pack(model)
    prune(model)
    assert pack(model) == whole
    # As the input adapter does it: the prefix is bypassed.
    main = model.subgraphs[0]
    main.operators[1].inputs = [int(main.inputs[0])]
    main.operators = main.operators[1:]
    prune(model)
    assert [text(tensor.name) for tensor in main.tensors] == ["image", "out"]
    found = inspect_bytes(pack(duplicate(model)), where="a test")
    assert found.graph.weight_bytes == {}
    (signature,) = unpack_whole(pack(model), where="a test").signatureDefs
    assert [entry.tensorIndex for entry in (*signature.inputs, *signature.outputs)] == [0, 1]
