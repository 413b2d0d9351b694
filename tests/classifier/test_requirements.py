from __future__ import annotations

from typing import Any

import pytest

from pipeline.classifier.facts import LayerFact, ModelFacts, ModelKind
from pipeline.classifier.requirements import (
    Adaptation,
    OutputChange,
    adaptations,
    image_size,
    output_change,
)
from pipeline.errors import BadInput


def facts(**changes: Any) -> ModelFacts:
    fields: dict[str, Any] = {"kind": ModelKind.keras, "size_bytes": 1, "inputs": 1}
    return ModelFacts(**fields | changes)


@pytest.mark.parametrize(
    ("output", "outputs", "logits", "classes", "change"),
    [
        ("softmax", 3, False, 3, OutputChange.none),
        ("softmax", None, False, 3, OutputChange.none),
        ("logits", 3, True, 3, OutputChange.softmax),
        ("logits", 1, True, 2, OutputChange.sigmoid_two_classes),
        ("sigmoid", 1, False, 2, OutputChange.two_classes),
        ("unknown", 3, False, 3, OutputChange.none),
        ("unknown", 3, True, 3, OutputChange.softmax),
        ("unknown", 1, False, 2, OutputChange.two_classes),
        ("unknown", None, True, 5, OutputChange.softmax),
    ],
)
def test_what_makes_an_answer_probabilities(
    output: str, outputs: int | None, logits: bool, classes: int, change: OutputChange
) -> None:
    found = output_change(
        facts(output=output, outputs=outputs), classes=classes, logits=logits, where="m"
    )
    assert found is change


@pytest.mark.parametrize(
    ("changes", "logits", "classes", "next_words"),
    [
        ({"output": "logits", "outputs": 3}, False, 3, "--logits"),
        ({"output": "softmax", "outputs": 3}, True, 3, "leave --logits out"),
        ({"output": "sigmoid", "outputs": 1}, True, 2, "leave --logits out"),
        ({"output": "sigmoids", "outputs": 3}, False, 3, "softmax"),
        ({"output": "sigmoids", "outputs": 3}, True, 3, "softmax"),
        ({"output": "softmax", "outputs": 1}, False, 2, "None"),
        ({"output": "softmax", "outputs": 4}, False, 3, "--labels"),
        ({"output": "sigmoid", "outputs": 1}, False, 3, "--labels"),
        ({"output": "softmax", "dtype_policies": ("int8_from_float32",)}, False, 3, "quantize"),
        (
            {"output": "softmax", "kind": ModelKind.saved_model, "dtype_policies": ("float16",)},
            False,
            3,
            ".keras",
        ),
        (
            {"output": "softmax", "kind": ModelKind.saved_model, "input_dtype": "uint8"},
            False,
            3,
            "float32",
        ),
    ],
)
def test_what_cannot_be_taken_says_what_to_do(
    changes: dict[str, Any], logits: bool, classes: int, next_words: str
) -> None:
    with pytest.raises(BadInput) as caught:
        output_change(facts(**changes), classes=classes, logits=logits, where="m")
    assert next_words in str(caught.value.next_step)


@pytest.mark.parametrize(
    ("shape", "stated", "size"),
    [
        ((224, 224, 3), None, (224, 224)),
        ((33, 47, 3), (33, 47), (33, 47)),
        ((None, None, 3), (240, 260), (240, 260)),
        ((None, None, None), (240, 260), (240, 260)),
        ((None, 64, 3), (32, 64), (32, 64)),
        (None, (32, 32), (32, 32)),
    ],
)
def test_the_size_is_the_models_own_or_the_stated_one(
    shape: tuple[int | None, ...] | None, stated: tuple[int, int] | None, size: tuple[int, int]
) -> None:
    assert image_size(facts(input_shape=shape), stated, "m") == size


@pytest.mark.parametrize(
    ("changes", "stated", "next_words"),
    [
        ({"input_shape": (None, None, 3)}, None, "--size"),
        ({"input_shape": (64, None, 3)}, None, "--size"),
        ({"input_shape": None}, None, "--size"),
        ({"input_shape": (64, 64, 3)}, (32, 64), "--size 64x64"),
        ({"input_shape": (64, 64, 1)}, None, "RGB"),
        ({"input_shape": (3, 64, 64)}, None, "RGB"),
        ({"input_shape": (784,)}, None, "RGB"),
        ({"inputs": 2, "input_shape": (64, 64, 3)}, None, "None"),
    ],
)
def test_a_size_that_is_open_or_wrong_is_refused(
    changes: dict[str, Any], stated: tuple[int, int] | None, next_words: str
) -> None:
    with pytest.raises(BadInput) as caught:
        image_size(facts(**changes), stated, "m")
    assert next_words in str(caught.value.next_step)


def test_what_is_adapted_is_listed() -> None:
    model = facts(
        dtype_policies=("float32", "mixed_float16"),
        augmentation=(LayerFact(name="flip", class_name="RandomFlip"),),
    )
    assert adaptations(facts(dtype_policies=("float32",)), OutputChange.none) == ()
    assert adaptations(model, OutputChange.sigmoid_two_classes) == (
        Adaptation.sigmoid_added,
        Adaptation.two_classes,
        Adaptation.cast_to_float32,
        Adaptation.augmentation_dropped,
    )
