from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest

from pipeline.classifier.facts import ModelKind, NormalizationReason, OutputKind
from pipeline.classifier.inspect import inspect_model
from pipeline.classifier.spec import model_sha256
from pipeline.errors import BadInput

RAW, SCALING = "raw", NormalizationReason.scaling_layers
NONE, UNKNOWN = None, NormalizationReason.unknown
APPLICATION = NormalizationReason.application


@pytest.mark.parametrize(
    ("name", "kind", "shape", "output", "outputs", "normalization", "reason"),
    [
        ("functional.keras", "keras", (32, 32, 3), "softmax", 3, NONE, UNKNOWN),
        ("functional.h5", "h5", (32, 32, 3), "softmax", 3, NONE, UNKNOWN),
        ("functional", "saved_model", (32, 32, 3), "softmax", 3, NONE, UNKNOWN),
        ("any_size.keras", "keras", (None, None, 3), "softmax", 3, NONE, UNKNOWN),
        ("wide.keras", "keras", (64, 96, 3), "softmax", 3, NONE, UNKNOWN),
        ("logits.keras", "keras", (32, 32, 3), "logits", 3, NONE, UNKNOWN),
        ("logits.h5", "h5", (32, 32, 3), "logits", 3, NONE, UNKNOWN),
        ("logits", "saved_model", (32, 32, 3), "logits", 3, NONE, UNKNOWN),
        ("one_logit.keras", "keras", (32, 32, 3), "logits", 1, NONE, UNKNOWN),
        ("sigmoid.keras", "keras", (32, 32, 3), "sigmoid", 1, NONE, UNKNOWN),
        ("sigmoid", "saved_model", (32, 32, 3), "sigmoid", 1, NONE, UNKNOWN),
        ("sigmoids.keras", "keras", (32, 32, 3), "sigmoids", 3, NONE, UNKNOWN),
        ("tanh.keras", "keras", (32, 32, 3), "unknown", 3, NONE, UNKNOWN),
        ("sequential.keras", "keras", (32, 32, 3), "softmax", 3, NONE, UNKNOWN),
        ("sequential_called.h5", "h5", (32, 32, 3), "softmax", 3, NONE, UNKNOWN),
        ("nested.keras", "keras", (32, 32, 3), "softmax", 3, NONE, UNKNOWN),
        ("application.keras", "keras", (32, 32, 3), "softmax", 3, "tf", APPLICATION),
        ("flattened.keras", "keras", (32, 32, 3), "softmax", 3, "tf", APPLICATION),
        ("efficientnet.keras", "keras", (32, 32, 3), "softmax", 3, RAW, SCALING),
        ("rescaled.keras", "keras", (32, 32, 3), "softmax", 3, RAW, SCALING),
        ("rescaled_up.keras", "keras", (32, 32, 3), "softmax", 3, "unit", SCALING),
        ("augmented.h5", "h5", (32, 32, 3), "softmax", 3, RAW, SCALING),
        ("preprocessed_tf.keras", "keras", (32, 32, 3), "softmax", 3, RAW, SCALING),
        ("preprocessed_caffe.keras", "keras", (32, 32, 3), "softmax", 3, RAW, SCALING),
        ("mixed_float16.keras", "keras", (32, 32, 3), "softmax", 3, RAW, SCALING),
        ("plain", "saved_model", (32, 32, 3), "softmax", 3, NONE, UNKNOWN),
    ],
)
def test_facts_of_every_kind(
    models: Path,
    name: str,
    kind: str,
    shape: tuple[int | None, ...],
    output: str,
    outputs: int,
    normalization: str | None,
    reason: NormalizationReason,
) -> None:
    facts = inspect_model(models / name)
    assert facts.kind == ModelKind(kind)
    assert facts.input_shape == shape
    assert facts.output is OutputKind(output)
    assert facts.outputs == outputs
    assert facts.proposed_normalization == normalization
    assert facts.normalization_reason is reason
    assert facts.inputs == 1
    assert facts.input_dtype == "float32"


def test_layers_that_matter_are_named(models: Path) -> None:
    facts = inspect_model(models / "augmented.keras")
    assert [layer.class_name for layer in facts.augmentation] == [
        "RandomFlip",
        "RandomRotation",
        "RandomContrast",
        "GaussianNoise",
    ]
    assert [layer.class_name for layer in facts.scaling] == ["Rescaling"]
    assert facts.image_operations == ()
    resized = inspect_model(models / "resized.keras")
    assert [layer.class_name for layer in resized.image_operations] == ["Resizing"]
    found = inspect_model(models / "application.keras")
    assert found.application == "MobileNetV2"
    assert found.normalization_evidence == ("MobileNetV2", "mobilenetv2_0.35_32")
    assert "DepthwiseConv2D" in found.class_names
    caffe = inspect_model(models / "preprocessed_caffe.keras")
    assert {"GetItem", "Stack", "Add"} == {layer.class_name for layer in caffe.scaling}


@pytest.mark.parametrize(
    ("name", "policies"),
    [
        ("float32.keras", ("float32",)),
        ("mixed_float16.keras", ("float32", "mixed_float16")),
        ("mixed_float16.h5", ("float32", "mixed_float16")),
        ("mixed_float16", ("float16",)),
        ("mixed_bfloat16.keras", ("float32", "mixed_bfloat16")),
        ("float64.keras", ("float32", "float64")),
    ],
)
def test_dtype_policies_are_listed(models: Path, name: str, policies: tuple[str, ...]) -> None:
    assert inspect_model(models / name).dtype_policies == policies


def test_inputs_and_outputs_are_counted(models: Path) -> None:
    assert inspect_model(models / "two_inputs.keras").inputs == 2
    assert inspect_model(models / "two_outputs.keras").output is OutputKind.unknown


@pytest.mark.parametrize(
    ("name", "words", "got"),
    [
        ("lambda.keras", "carries code", "Lambda trap"),
        ("lambda.h5", "carries code", "Lambda trap"),
        ("only.weights.h5", "weights only", ""),
        ("py_function", "not let in", "EagerPyFunc"),
        ("numpy_function", "not let in", "PyFunc"),
        ("read_file", "not let in", "ReadFile"),
        ("read_beside", "not let in", "ReadFile"),
        ("write_file", "not let in", "WriteFile"),
        ("matching_files", "not let in", "MatchingFiles"),
        ("print", "not let in", "StringFormat"),
        ("table", "not let in", "HashTableV2"),
        ("without_variables", "no weights", ""),
    ],
)
def test_what_could_do_more_than_compute_is_refused(
    models: Path, name: str, words: str, got: str
) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        inspect_model(models / name)
    assert got in str(caught.value.got)
    assert not (models / "code-ran").exists()


def legacy(path: Path, *layers: dict[str, Any], **attributes: Any) -> Path:
    config = {"class_name": "Sequential", "config": {"name": "old", "layers": list(layers)}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.create_group("model_weights")
        for name, value in attributes.items():
            file.attrs[name] = value
    return path


DENSE = {
    "class_name": "Dense",
    "config": {
        "name": "d",
        "units": 2,
        "activation": "softmax",
        "batch_input_shape": [None, 8, 8, 3],
    },
}


def test_keras_2_configurations_are_read(tmp_path: Path) -> None:
    facts = inspect_model(legacy(tmp_path / "m.h5", DENSE, keras_version="2.4.0"))
    assert (facts.keras_version, facts.input_shape, facts.output) == (
        "2.4.0",
        (8, 8, 3),
        OutputKind.softmax,
    )


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"class_name": "Lambda", "config": {"function": ["4w==", None, None]}}, "carries code"),
        ({"class_name": "TFOpLambda", "config": {"function": "io.read_file"}}, "TensorFlow oper"),
        ({"class_name": "Mine>Layer", "config": {}}, "not part of Keras"),
        ({"class_name": "os.system", "config": {}}, "not part of Keras"),
        ({"class_name": "Dense", "module": "mine", "config": {}}, "not part of Keras"),
        ({"class_name": "TextVectorization", "config": {}}, "reads other files"),
    ],
)
def test_hostile_keras_2_configurations_are_refused(
    tmp_path: Path, layer: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        inspect_model(legacy(tmp_path / "m.h5", DENSE, layer))


def test_a_model_config_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = legacy(tmp_path / "m.h5", DENSE)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = [1, 2, 3]
    with pytest.raises(BadInput):
        inspect_model(path)


@pytest.mark.parametrize("name", ["functional.h5", "functional.keras", "functional"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9])
def test_a_cut_file_is_refused_or_still_whole(
    models: Path, tmp_path: Path, name: str, share: float
) -> None:
    path = tmp_path / name
    if (models / name).is_dir():
        shutil.copytree(models / name, path)
        cut = path / "saved_model.pb"
    else:
        shutil.copyfile(models / name, path)
        cut = path
    data = cut.read_bytes()
    cut.write_bytes(data[: int(share * len(data))])
    with pytest.raises(BadInput):
        inspect_model(path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.tflite", b"\x1c\x00\x00\x00TFL3rest", "TFLite"),
        ("m.pt", b"\x80\x02}q", "not a Keras model"),
        ("m.h5", b"", "not a Keras model"),
        ("saved_model.pb", b"\x08\x01", "SavedModel folder"),
    ],
)
def test_other_files_are_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=words):
        inspect_model(path)


def test_a_folder_without_a_model_and_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no model in this folder"):
        inspect_model(tmp_path)
    with pytest.raises(BadInput, match="no Keras model here"):
        inspect_model(tmp_path / "missing.keras")


def test_a_large_network_is_inspected_well_under_a_second_without_tensorflow(models: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from pipeline.classifier.inspect import inspect_model\n"
        "start = time.process_time()\ninspect_model(Path(sys.argv[1]))\n"
        "spent = time.process_time() - start\n"
        "heavy = {'tensorflow', 'keras'} & set(sys.modules)\n"
        "sys.exit(f'{spent} {heavy}' if spent > 1 or heavy else 0)\n"
    )
    for name in ("efficientnet.keras", "application.keras", "functional"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(models / name)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_the_digest_of_a_folder_is_of_names_and_contents(tmp_path: Path) -> None:
    def folder(name: str, files: dict[str, str]) -> Path:
        for inner, content in files.items():
            path = tmp_path / name / inner
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path / name

    first = folder("a", {"saved_model.pb": "x", "variables/v": "y"})
    assert model_sha256(first) == model_sha256(
        folder("b", {"variables/v": "y", "saved_model.pb": "x"})
    )
    others = [
        folder("c", {"saved_model.pb": "x", "variables/w": "y"}),
        folder("d", {"saved_model.pb": "x", "variables/v": "z"}),
        folder("e", {"saved_model.pb": "x", "variables/v": "y", "more": ""}),
    ]
    assert len({model_sha256(path) for path in [first, *others]}) == 4
