"""Renaming the input and output tensors of a model."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.tflite.edit import name_input_and_output, pack, unpack_whole
from pipeline.tflite.flatbuffer import Model, text
from tests.export.int8.graphs import Network


def dense() -> Model:
    network = Network((1, 2))
    network.dense("image", "scores", np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    return network.build("scores")


def names_of(model: Model) -> list[str]:
    return [text(tensor.name) for tensor in model.subgraphs[0].tensors]


def test_input_and_output_are_renamed_and_nothing_else() -> None:
    model = dense()
    name_input_and_output(model, "pixels", "probability")
    again = unpack_whole(pack(model), where="a test")
    assert names_of(again) == ["pixels", "scores/weights", "scores/bias", "probability"]
    name_input_and_output(again, "image", "scores")
    assert pack(again) == pack(dense())


def test_a_name_that_another_tensor_has_is_refused() -> None:
    with pytest.raises(ValueError, match="another tensor is called scores/bias"):
        name_input_and_output(dense(), "image", "scores/bias")


def test_a_model_of_several_outputs_is_refused() -> None:
    model = dense()
    model.subgraphs[0].outputs = [3, 3]
    with pytest.raises(ValueError, match="1 inputs and 2 outputs"):
        name_input_and_output(model, "image", "probability")
