"""One tiny network of each family goes through int8, uint8 in and out."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.child import ask_child
from pipeline.contract.choices import Io, Step
from pipeline.contract.recipe import Quantize, Recipe
from pipeline.contract.verdict import Outcome
from pipeline.export.int8.builder import Int8Builder
from pipeline.parity.structure_graph import delegation_checks, graph_checks, recipe_checks
from pipeline.parity.structure_tensors import quantization_checks
from pipeline.progress import silent
from pipeline.runtimes.delegation import DelegationRequest, delegation_child
from pipeline.tflite.edit import unpack_whole
from pipeline.tflite.inspect import inspect_file
from tests.export.int8.operator_networks import pictures
from tests.families.catalog import BY_NAME, FAMILIES
from tests.families.float_file import FloatFileAnswer, FloatFileRequest
from tests.families.measure import float_file_answers, uint8_file_answers

INT8 = Recipe(quantize=Quantize.int8, io=Io.uint8)
STEPS = (Step.ranges, Step.bias_correction, Step.rounding, Step.equalization)
_IMAGES = 16
_LEAST_CORRELATION = 0.4
# Small enough to convert in seconds; the others take half a minute and more each.
QUICK = {"MobileNet", "MobileNetV3Small"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(one.name, marks=() if one.name in QUICK else pytest.mark.slow)
        for one in FAMILIES
    ],
)
def test_a_tiny_network_of_the_family_becomes_int8(name: str, tmp_path: Path) -> None:
    if name not in QUICK and "PIPELINE_FAMILIES" not in os.environ:
        pytest.skip("half a minute and more: asked for with PIPELINE_FAMILIES, as the table is")
    family = BY_NAME[name]
    size_px, file = family.tiny_px, tmp_path / "float.tflite"
    answer = ask_child(
        "tests.families.float_file:float_file_child",
        FloatFileRequest(family=name, keras=None, size_px=size_px, out=str(file)),
        FloatFileAnswer,
    )
    image, pixels = answer.image(size_px), pictures(_IMAGES, size_px)
    data = file.read_bytes()
    wanted = float_file_answers(data, pixels, image)
    # The classifier's weights were set so that the pictures are told apart.
    assert len(set(wanted.argmax(axis=1))) >= 2
    model = unpack_whole(data, where=name)
    builder = Int8Builder(model, pixels, image, Io.uint8, 0, silent)
    got = {}
    for steps in ((), STEPS):
        out = tmp_path / "int8.tflite"
        out.write_bytes(builder.finish(builder.build(steps)))
        found = inspect_file(out)
        delegation = delegation_child(DelegationRequest(model=out), silent)
        checks = [
            *graph_checks(found),
            *recipe_checks(found, INT8),
            *quantization_checks(found, image, Io.uint8),
            *delegation_checks(INT8, delegation),
        ]
        assert [one for one in checks if one.outcome is not Outcome.passed] == []
        assert found.runtime.version is not None
        assert found.graph.converter_min_runtime == found.runtime.version
        got[steps] = uint8_file_answers(out.read_bytes(), pixels)
    # Random weights hand on little of what tells pictures apart, and plain int8 shifts all of it;
    # with its biases corrected the network must tell them apart as the float file does.
    assert np.corrcoef(got[STEPS].ravel(), wanted.ravel())[0, 1] > _LEAST_CORRELATION
