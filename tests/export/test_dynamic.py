"""Weights in 8 bits, from the float file: beside the file that TensorFlow's converter writes."""

from __future__ import annotations

import numpy as np

from pipeline.child import ask_child
from pipeline.tflite.inspect import inspect_file
from tests.export.answers import AnswerRequest, Rows
from tests.export.samples import Samples


def test_it_answers_as_the_converter_s_file_or_nearer_to_the_float_file(samples: Samples) -> None:
    names = ("float32", "dynamic", "dynamic-by-converter")
    errors = {"dynamic": 0.0, "dynamic-by-converter": 0.0}
    for image in samples.dataset.images[:6]:
        rows = ask_child(
            "tests.export.answers:answer_child",
            AnswerRequest(
                models={name: samples.folder / f"{name}.tflite" for name in names},
                image=samples.dataset.file(image),
            ),
            Rows,
        ).rows
        for name in errors:
            errors[name] += float(np.abs(np.subtract(rows[name], rows["float32"])).max()) / 6
    assert 0 < errors["dynamic"] <= 1.1 * errors["dynamic-by-converter"] + 1e-4


def test_the_same_layers_are_in_8_bits_for_the_same_runtimes(samples: Samples) -> None:
    ours, theirs = (
        inspect_file(samples.folder / f"{name}.tflite")
        for name in ("dynamic", "dynamic-by-converter")
    )
    assert ours.graph.weight_bytes["int8"] == theirs.graph.weight_bytes["int8"]
    assert ours.runtime.version == theirs.runtime.version
