"""Open models of every kind in one child process, and compare with what Keras itself answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.child import ask_child
from pipeline.classifier.spec import ClassifierSpec, model_sha256
from pipeline.contract.image import ImageContract
from pipeline.contract.normalization import Normalization, NormalizationName
from tests.classifier.questions import AllOpened, Conversion, Opened, Pairs, Rows, Specs

pytestmark = pytest.mark.slow

RAW = Normalization.named(NormalizationName.raw)
KINDS: dict[str, dict[str, Any]] = {
    "functional.keras": {},
    "functional.h5": {},
    "functional": {},
    "sequential.keras": {},
    "sequential.h5": {},
    "sequential_called.keras": {},
    "sequential_called.h5": {},
    "nested.keras": {},
    "nested.h5": {},
    "nested": {},
    "any_size.keras": {},
    "listed.keras": {},
    "wide.keras": {"image": ImageContract(height_px=64, width_px=96)},
    "augmented.keras": {"normalization": RAW},
    "augmented.h5": {"normalization": RAW},
    "preprocessed_tf.keras": {"normalization": RAW},
    "preprocessed_caffe.keras": {"normalization": RAW},
    "resized.keras": {"normalization": RAW},
    "plain": {},
    "logits.keras": {"logits": True},
    "logits.h5": {"logits": True},
    "logits": {"logits": True},
    "one_logit.keras": {"logits": True, "classes": 2},
    "sigmoid.keras": {"classes": 2},
    "sigmoid.h5": {"classes": 2},
    "sigmoid": {"classes": 2},
    "float32.keras": {"normalization": RAW},
    "float32.h5": {"normalization": RAW},
    "mixed_float16.keras": {"normalization": RAW},
    "mixed_float16.h5": {"normalization": RAW},
    "mixed_bfloat16.keras": {"normalization": RAW},
    "float64.keras": {"normalization": RAW},
}
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "seven.keras": ({}, "another number of outputs", "--labels"),
    "logits.keras ": ({}, "answers logits", "--logits"),
    "functional.keras ": ({"logits": True}, "already answers probabilities", "leave --logits"),
    "sigmoids.keras": ({}, "sigmoid of its own", "softmax"),
    "tanh.keras": ({}, "not probabilities", "--logits"),
    "two_inputs.keras": ({}, "not an image classifier", ""),
    "two_outputs.keras": ({}, "not an image classifier", ""),
    "constant.keras": ({}, "same answer", "weights"),
    "overflowing.keras": ({}, "not finite", "weights"),
    "wide.keras ": ({}, "another size", "--size 64x96"),
    "mixed_float16": ({"normalization": RAW}, "another dtype", ".keras"),
    "augmented": ({"normalization": RAW}, "differently each time", ".keras"),
    "lambda.keras": ({}, "carries code", ""),
    "lambda.h5": ({}, "carries code", ""),
    "py_function": ({}, "not let in", ""),
}


@pytest.fixture(scope="session")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pixels") / "pixels.npy"
    np.save(path, np.random.default_rng(3).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8))
    return path


@pytest.fixture(scope="session")
def opened(models: Path, pixels: Path) -> dict[str, Opened]:
    asked = {**KINDS, **{name: changes for name, (changes, _, _) in REFUSED.items()}}
    specs = {
        name: ClassifierSpec(
            **{
                "path": models / name.strip(),
                "sha256": model_sha256(models / name.strip()),
                "image": ImageContract(height_px=32, width_px=32),
                "classes": 3,
            }
            | changes
        )
        for name, changes in asked.items()
    }
    request = Specs(specs=specs, pixels=str(pixels))
    return ask_child("tests.classifier.models:open_child", request, AllOpened).models


def rows(found: Opened) -> Any:
    return np.array(found.probabilities)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_answers_probabilities(opened: dict[str, Opened], name: str) -> None:
    found = opened[name]
    assert not found.error, found.error
    classes = KINDS[name].get("classes", 3)
    assert rows(found).shape == (5, classes)
    assert found.converted_shape == (1, classes)
    assert np.abs(rows(found).sum(axis=1) - 1).max() < 1e-5
    assert len({tuple(row) for row in rows(found).round(6)}) > 1
    assert found.random_operators == 0


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_with_a_next_step(
    models: Path, opened: dict[str, Opened], name: str
) -> None:
    _, what, next_step = REFUSED[name]
    error = opened[name].error
    assert error["kind"] == "bad_input"
    assert what in error["what"]
    assert next_step in error.get("next_step", "")
    assert not (models / "code-ran").exists()


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("functional.h5", "functional.keras"),
        ("functional", "functional.keras"),
        ("sequential.h5", "sequential.keras"),
        ("sequential_called.h5", "sequential_called.keras"),
        ("nested.h5", "nested.keras"),
        ("nested", "nested.keras"),
        ("augmented.h5", "augmented.keras"),
        ("logits.h5", "logits.keras"),
        ("logits", "logits.keras"),
        ("sigmoid", "sigmoid.keras"),
        ("float32.h5", "float32.keras"),
        ("mixed_float16.keras", "float32.keras"),
        ("mixed_float16.h5", "float32.keras"),
        ("mixed_bfloat16.keras", "float32.keras"),
        ("float64.keras", "float32.keras"),
    ],
)
def test_the_same_weights_answer_the_same_in_every_form_and_policy(
    opened: dict[str, Opened], name: str, same: str
) -> None:
    assert np.abs(rows(opened[name]) - rows(opened[same])).max() < 1e-5


@pytest.mark.parametrize(
    ("name", "adapted"),
    [
        ("functional.keras", ()),
        ("logits", ("softmax_added",)),
        ("sigmoid.keras", ("two_classes",)),
        ("one_logit.keras", ("sigmoid_added", "two_classes")),
        ("mixed_float16.h5", ("cast_to_float32",)),
        ("float64.keras", ("cast_to_float32",)),
        ("augmented.keras", ("augmentation_dropped",)),
    ],
)
def test_what_was_adapted_is_said(
    opened: dict[str, Opened], name: str, adapted: tuple[str, ...]
) -> None:
    assert opened[name].adaptations == adapted


def plain_keras(model: Path, pixels: Path, mean: float, std: float) -> Any:
    request = Pairs(model=str(model), pixels=str(pixels), mean=mean, std=std)
    found = ask_child("tests.classifier.models:plain_keras_child", request, Rows)
    return np.array(found.rows)


def test_answers_are_those_of_keras_predict(
    models: Path, pixels: Path, opened: dict[str, Opened]
) -> None:
    plain = plain_keras(models / "augmented.keras", pixels, 0.0, 1.0)
    assert np.abs(plain - rows(opened["augmented.keras"])).max() < 1e-6


def test_logits_get_a_softmax_and_one_probability_becomes_two(
    models: Path, pixels: Path, opened: dict[str, Opened]
) -> None:
    logits = plain_keras(models / "logits.keras", pixels, 127.5, 127.5)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    assert np.abs(expected - rows(opened["logits.keras"])).max() < 1e-5
    one = plain_keras(models / "sigmoid.keras", pixels, 127.5, 127.5)
    assert np.abs(np.hstack([1 - one, one]) - rows(opened["sigmoid.keras"])).max() < 1e-5


def test_efficientnet_converts_though_its_activation_has_a_gradient_of_its_own(
    models: Path, tmp_path: Path
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    found = ask_child(
        "tests.classifier.models:convert_child",
        Conversion(model=str(models / "efficientnet.keras"), out=str(tmp_path / "e.tflite")),
        Rows,
    )
    interpreter = Interpreter(str(tmp_path / "e.tflite"))
    interpreter.allocate_tensors()
    values = np.full((1, 32, 32, 3), 90.0, np.float32)
    values[:, :, 16:] = 200.0
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    answer = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert np.abs(answer - np.array(found.rows)).max() < 1e-4
