"""Make a whole int8 bundle of the tiny real model whose convolutions are left in float16."""

from __future__ import annotations

from pathlib import Path

from pipeline.child import ask_child
from pipeline.contract.dataset import Split
from pipeline.contract.recipe import Io, Quantize, Recipe, Step
from pipeline.export.int8.request import QuantizeAnswer, image_files
from pipeline.export.metadata_writer import write_metadata
from pipeline.tflite.flatbuffer import read_file, text, unpack
from pipeline.tflite.graph import operator_name
from tests.android.bundles import write_bundle
from tests.export.samples import ABOUT, IMAGE, LABELS, int8_request, samples


def mixed_bundle(folder: Path, scratch: Path) -> Path:
    """Write the bundle to `folder`, a new one; `scratch` takes the files it is made from."""
    recipe = Recipe(
        quantize=Quantize.int8,
        io=Io.uint8,
        representative_count=6,
        steps=(Step.ranges, Step.bias_correction, Step.mixed_precision),
        float16_layers=_convolutions(samples().folder / "float32.tflite"),
    )
    quantized, described = scratch / "quantized.tflite", scratch / "described.tflite"
    dataset = samples().dataset
    images = image_files(dataset.of(Split.train), dataset)
    ask_child(
        "pipeline.export.int8.quantize:quantize_child",
        int8_request(samples().folder, recipe, quantized, images),
        QuantizeAnswer,
        log=scratch / "quantize.log",
    )
    write_metadata(quantized, described, image=IMAGE, labels=LABELS, io=recipe.io, about=ABOUT)
    write_bundle(folder, described, recipe)
    return folder


def _convolutions(path: Path) -> tuple[str, ...]:
    model = unpack(read_file(path), where=str(path))
    graph = model.subgraphs[0]
    return tuple(
        text(graph.tensors[operator.outputs[0]].name)
        for operator in graph.operators
        if operator_name(model.operatorCodes[operator.opcodeIndex])[0] == "CONV_2D"
    )
