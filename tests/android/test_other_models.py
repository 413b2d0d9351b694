"""Run models of other sizes, classes and normalization in the app's own code, with no change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder

from pipeline.contract.bundle import MODEL_FILE
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import BundleManifest, FileEntry
from pipeline.contract.recipe import Io, Quantize, Recipe
from pipeline.export.goldens import make_goldens
from pipeline.export.metadata_writer import write_metadata
from pipeline.runtimes.android_host import AndroidHost
from pipeline.tflite.inspect import inspect_file
from tests.android.host import self_test
from tests.bundles.published import PARENTS, publish
from tests.export.samples import ABOUT

pytestmark = pytest.mark.android


def network(image: ImageContract, classes: int) -> bytes:
    """Return a float network: the mean colour of the picture, a dense layer, softmax."""
    random = np.random.default_rng(classes)
    weights = random.normal(0, 4, (classes, 3)).astype(np.float32)

    def tensor(name: str, shape: list[int], buffer: int, kind: int = 0) -> Any:
        made = schema.TensorT()
        made.name, made.shape, made.buffer, made.type = name, shape, buffer, kind
        return made

    def operator(code: int, inputs: list[int], outputs: list[int], options: Any, kind: int) -> Any:
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = code, inputs, outputs
        made.builtinOptions, made.builtinOptionsType = options, kind
        return made

    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("image", [1, image.height_px, image.width_px, 3], 0),
        tensor("axes", [2], 1, schema.TensorType.INT32),
        tensor("mean", [1, 3], 0),
        tensor("weights", [classes, 3], 2),
        tensor("logits", [1, classes], 0),
        tensor("probability", [1, classes], 0),
    ]
    graph.inputs, graph.outputs = [0], [5]
    soft = schema.SoftmaxOptionsT()
    soft.beta = 1.0
    options = schema.BuiltinOptions
    graph.operators = [
        operator(0, [0, 1], [2], schema.ReducerOptionsT(), options.ReducerOptions),
        operator(
            1, [2, 3, -1], [4], schema.FullyConnectedOptionsT(), options.FullyConnectedOptions
        ),
        operator(2, [4], [5], soft, options.SoftmaxOptions),
    ]
    model = schema.ModelT()
    model.version, model.subgraphs, model.buffers = 3, [graph], []
    for data in (b"", np.array([1, 2], np.int32).tobytes(), weights.tobytes()):
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8) if data else None
        model.buffers.append(buffer)
    codes = schema.BuiltinOperator
    model.operatorCodes = []
    for code in (codes.MEAN, codes.FULLY_CONNECTED, codes.SOFTMAX):
        made = schema.OperatorCodeT()
        made.builtinCode = made.deprecatedBuiltinCode = code
        made.version = 1
        model.operatorCodes.append(made)
    builder = Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def bundle(folder: Path, image: ImageContract, labels: Labels) -> None:
    """Write a whole bundle of such a network."""
    bare = folder / "bare.bin"
    bare.write_bytes(network(image, len(labels)))
    write_metadata(
        bare, folder / MODEL_FILE, image=image, labels=labels, io=Io.float32, about=ABOUT
    )
    bare.unlink()
    (folder / "labels.txt").write_text(labels.text(), encoding="utf-8")
    recipe = Recipe(quantize=Quantize.float32)
    recipe.save(folder / "recipe.json")
    found = inspect_file(folder / MODEL_FILE)
    manifest = BundleManifest(
        versions={},
        seed=0,
        parents=PARENTS,
        files={
            name: FileEntry.of(folder / name) for name in ("labels.txt", MODEL_FILE, "recipe.json")
        },
        image=image,
        labels=labels,
        about=ABOUT,
        recipe=recipe,
        inputs=found.graph.inputs,
        outputs=found.graph.outputs,
        operators={operator.key: operator.count for operator in found.operators},
        min_runtime=found.runtime.version or "unknown",
        promised_runtime="2.16.0",
    )
    files = make_goldens(folder, manifest)
    listed = manifest.model_copy(update={"files": manifest.files | files})
    publish(folder, listed, by_hand=True)


@pytest.mark.parametrize(
    ("size_px", "classes", "mean", "std"),
    [(96, 2, 127.5, 127.5), (224, 100, 127.5, 127.5), (160, 5, 0.0, 255.0), (64, 3, 120.0, 64.0)],
)
def test_the_goldens_of_any_model_pass(
    tmp_path: Path, host: AndroidHost, size_px: int, classes: int, mean: float, std: float
) -> None:
    image = ImageContract(height_px=size_px, width_px=size_px, mean=mean, std=std)
    labels = Labels(names=tuple(f"class-{i}" for i in range(classes)))
    bundle(tmp_path, image, labels)
    recording = tmp_path / "recording.json"
    done = self_test(host, tmp_path, recording)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 8 goldens agree with the host." in done.stdout
    shared = json.loads(recording.read_text(encoding="utf-8"))
    assert shared["labels"] == list(labels.names)
    assert np.shape(shared["probabilities"]) == (8, classes)
    assert np.ptp(np.array(shared["probabilities"]), axis=0).max() > 0.05, "answers differ"
