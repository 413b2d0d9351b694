from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from pipeline.contract.image import ImageContract
from pipeline.contract.recipe import Recipe
from pipeline.contract.verdict import Check, Gate, Outcome, Verdict
from pipeline.export.readback import Asked, delegation_checks, read_back
from pipeline.tflite.inspect import inspect_bytes
from tests.export.samples import ABOUT, IMAGE, INT8, LABELS, NAMED, RECIPES, Samples


def asked(recipe: Recipe = INT8, **changes: Any) -> Asked:
    wanted = Asked(recipe=recipe, image=IMAGE, labels=LABELS, about=ABOUT, min_runtime="2.16.0")
    return wanted.model_copy(update=changes)


def broken(data: bytes, wanted: Asked) -> list[str]:
    checks = read_back(inspect_bytes(data, where="test"), wanted)
    return [check.name for check in Verdict.from_checks(checks).broken()]


def edited(data: bytes, edit: Callable[[Any], None]) -> bytes:
    """Change the flatbuffer through the object API and put the packed files back."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = min(member.header_offset for member in archive.infolist())
        labels = archive.read("labels.txt")
    model = schema.ModelT.InitFromPackedBuf(data[:start], 0)
    edit(model)
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return with_labels(bytes(builder.Output()), labels)


def with_labels(model: bytes, labels: bytes, full_names: bytes | None = None) -> bytes:
    stream = io.BytesIO(model)
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("labels.txt", labels)
        if full_names is not None:
            archive.writestr("labels_en.txt", full_names)
    return stream.getvalue()


@pytest.fixture(scope="module")
def int8(samples: Samples) -> bytes:
    return samples.described[INT8.name].read_bytes()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_finished_file_of_each_recipe_is_what_was_asked(samples: Samples, recipe: Recipe) -> None:
    found = inspect_bytes(samples.described[recipe.name].read_bytes(), where="test")
    checks = read_back(found, asked(recipe))
    assert [c for c in checks if c.outcome is not Outcome.passed] == []
    assert {c.gate for c in checks} == {Gate.structure}
    assert len({c.name for c in checks}) == len(checks)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_no_recipe_passes_for_another(samples: Samples, recipe: Recipe) -> None:
    data = samples.described[recipe.name].read_bytes()
    assert all(broken(data, asked(other)) for other in RECIPES if other != recipe)


def test_reordered_labels_are_caught(int8: bytes) -> None:
    labels = LABELS.model_copy(update={"names": ("GREEN", "RED", "BLUE")})
    assert broken(int8, asked(labels=labels)) == ["labels"]
    start = int8.index(b"PK\x03\x04")
    assert broken(with_labels(int8[:start], b"GREEN\nRED\nBLUE\n"), asked()) == ["labels"]


def test_one_label_less_is_caught(int8: bytes) -> None:
    start = int8.index(b"PK\x03\x04")
    assert broken(with_labels(int8[:start], b"RED\nGREEN\n"), asked()) == ["labels"]


def test_full_names_are_read_back(samples: Samples) -> None:
    named = samples.named[INT8.name].read_bytes()
    assert broken(named, asked(labels=NAMED)) == []
    assert broken(named, asked()) == ["full names", "packed files"]
    described = samples.described[INT8.name].read_bytes()
    assert broken(described, asked(labels=NAMED)) == ["full names", "packed files"]


def test_full_names_in_another_order_are_caught(samples: Samples) -> None:
    named = samples.named[INT8.name].read_bytes()
    start, labels = named.index(b"PK\x03\x04"), LABELS.text().encode()
    swapped = with_labels(named[:start], labels, b"Deep blue\nGREEN\nRosso\n")
    assert broken(swapped, asked(labels=NAMED)) == ["full names"]


def test_another_normalization_is_caught(samples: Samples) -> None:
    float16 = samples.described["float16"].read_bytes()
    other = ImageContract(height_px=32, width_px=32, mean=127.0, std=128.0)
    assert broken(float16, asked(RECIPES[1], image=other)) == [
        "normalization mean",
        "normalization std",
        "input range",
    ]


def test_an_input_scale_that_raw_pixels_do_not_fit_is_caught(int8: bytes) -> None:
    def rescale(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].quantization.scale[:] = [0.00695]

    assert broken(edited(writable(int8), rescale), asked()) == ["input quantization"]


def test_a_zero_point_a_level_off_is_caught(int8: bytes) -> None:
    def shift(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].quantization.zeroPoint = [129]

    assert broken(edited(int8, shift), asked()) == ["input quantization"]


def test_another_operator_is_caught(int8: bytes) -> None:
    def custom(model: Any) -> None:
        code = next(c for c in model.operatorCodes if c.builtinCode == schema.BuiltinOperator.ADD)
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = "FlexAddV2"

    assert broken(edited(int8, custom), asked()) == ["built-in operators only", "oldest runtime"]


def test_an_operator_version_newer_than_the_asked_runtime_is_caught(int8: bytes) -> None:
    def newer(model: Any) -> None:
        for code in model.operatorCodes:
            if code.builtinCode == schema.BuiltinOperator.FULLY_CONNECTED:
                code.version = 12

    data = edited(int8, newer)
    assert broken(data, asked()) == ["oldest runtime", "converter's oldest runtime"]
    assert "oldest runtime" not in broken(data, asked(min_runtime="2.17.0"))


def test_an_unknown_operator_version_is_inconclusive_not_passed(int8: bytes) -> None:
    def future(model: Any) -> None:
        model.operatorCodes[0].version = 99

    checks = read_back(inspect_bytes(edited(int8, future), where="test"), asked())
    assert Verdict.from_checks(checks).outcome is Outcome.inconclusive


def test_lost_signature_and_metadata_are_caught(int8: bytes, samples: Samples) -> None:
    def nameless(model: Any) -> None:
        model.signatureDefs = []

    assert broken(edited(int8, nameless), asked()) == ["signature"]
    assert broken(samples.converted[INT8.name].read_bytes(), asked()) == ["metadata"]


def test_a_changed_licence_or_description_is_caught(int8: bytes) -> None:
    other = ABOUT.model_copy(update={"license": "MIT", "description": "A diagnosis."})
    (texts,) = [c for c in checks_of(int8, asked(about=other)) if c.name == "metadata texts"]
    assert texts.outcome is Outcome.failed
    assert "license 'CC0-1.0'" in str(texts.evidence["text"])


@pytest.mark.parametrize(
    ("left", "passes"),
    [
        ([], True),
        (["QUANTIZE", "QUANTIZE", "SOFTMAX"], True),
        (["SOFTMAX"], True),
        (["CONV_2D", "SOFTMAX"], False),
    ],
)
def test_only_what_xnnpack_has_no_kernel_for_may_be_left_to_the_interpreter(
    left: list[str], passes: bool
) -> None:
    found = {"nodes": 67, "delegated": 67 - len(left), "partitions": 2, "left": left}
    (check,) = delegation_checks(INT8, found)
    assert (check.outcome is Outcome.passed) is passes
    assert delegation_checks(RECIPES[1], found) == ()


def test_a_dynamic_file_does_not_pass_as_int8(
    samples: Samples,
) -> None:
    dynamic = samples.described["dynamic"].read_bytes()
    assert broken(dynamic, asked(RECIPES[4])) == [
        "recipe applied to weights",
        "no operators on floats",
    ]


def checks_of(data: bytes, wanted: Asked) -> tuple[Check, ...]:
    return read_back(inspect_bytes(data, where="test"), wanted)


def writable(data: bytes) -> bytearray:
    # numpy views of a bytearray can be written to.
    return bytearray(data)
