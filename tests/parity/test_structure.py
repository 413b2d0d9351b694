from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from pipeline.contract.image import ImageContract
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.recipe import Recipe
from pipeline.contract.verdict import Check, Gate, Outcome, Verdict
from pipeline.parity.comparison import outcome_of
from pipeline.parity.structure import structure_of_bundle, structure_of_file
from pipeline.parity.structure_graph import delegation_checks
from pipeline.report.sentences import sentence
from pipeline.runtimes.delegation import Delegation
from pipeline.tflite.inspect import Inspection, inspect_bytes
from pipeline.tflite.metadata import described_model
from tests.export.samples import (
    ABOUT,
    IMAGE,
    INT8,
    LABELS,
    NAMED,
    RECIPES,
    Samples,
)
from tests.export.samples import samples as make_samples

DELEGATED = Delegation(nodes=10, delegated=9, partitions=1, left=("SOFTMAX",))


def expected(recipe: Recipe = INT8, found: Inspection | None = None, **changes: Any) -> Any:
    """Return the manifest that an export of this recipe would write beside the file."""
    inspection = found or inspect_bytes(
        make_samples().described[recipe.name].read_bytes(), where="test"
    )
    manifest = BundleManifest(
        versions={},
        seed=0,
        parents={},
        files={},
        image=IMAGE,
        labels=LABELS,
        about=ABOUT,
        recipe=recipe,
        inputs=inspection.graph.inputs,
        outputs=inspection.graph.outputs,
        operators={operator.key: operator.count for operator in inspection.operators},
        min_runtime=inspection.runtime.version or "unknown",
        promised_runtime="2.16.0",
    )
    return manifest.model_copy(update=changes)


def checks_of(data: bytes, recipe: Recipe = INT8, **changes: Any) -> tuple[Check, ...]:
    """Check a file against a manifest that differs by `changes` from what describes this file."""
    found = inspect_bytes(data, where="test")
    return structure_of_bundle(found, expected(recipe, found, **changes), DELEGATED).checks


def broken(data: bytes, recipe: Recipe = INT8, **changes: Any) -> list[str]:
    checks = checks_of(data, recipe, **changes)
    assert all(outcome_of(check) is check.outcome for check in checks)
    verdict = Verdict.from_checks(checks)
    return [check.name for check in verdict.broken()]


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
def test_a_finished_file_of_each_recipe_is_what_its_manifest_says(
    samples: Samples, recipe: Recipe
) -> None:
    checks = checks_of(samples.described[recipe.name].read_bytes(), recipe)
    assert [c for c in checks if c.outcome is not Outcome.passed] == []
    assert {c.gate for c in checks} == {Gate.structure}
    for check in checks:
        again = Check.model_validate_json(check.model_dump_json())
        assert outcome_of(again) is check.outcome
    assert not any("not known here" in sentence(c) for c in checks)
    assert len({c.name for c in checks}) == len(checks)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_no_recipe_passes_for_another(samples: Samples, recipe: Recipe) -> None:
    data = samples.described[recipe.name].read_bytes()
    assert all(broken(data, other) for other in RECIPES if other != recipe)


def test_reordered_labels_are_caught(int8: bytes) -> None:
    labels = LABELS.model_copy(update={"names": ("GREEN", "RED", "BLUE")})
    assert broken(int8, labels=labels) == ["labels"]
    start = int8.index(b"PK\x03\x04")
    assert broken(with_labels(int8[:start], b"GREEN\nRED\nBLUE\n")) == ["labels"]


def test_one_label_less_is_caught(int8: bytes) -> None:
    start = int8.index(b"PK\x03\x04")
    assert broken(with_labels(int8[:start], b"RED\nGREEN\n")) == ["labels"]


def test_full_names_are_read_back(samples: Samples) -> None:
    named = samples.named[INT8.name].read_bytes()
    assert broken(named, labels=NAMED) == []
    assert broken(named) == ["full_names", "packed_files"]
    described = samples.described[INT8.name].read_bytes()
    assert broken(described, labels=NAMED) == ["full_names", "packed_files"]


def test_full_names_in_another_order_are_caught(samples: Samples) -> None:
    named = samples.named[INT8.name].read_bytes()
    start, labels = named.index(b"PK\x03\x04"), LABELS.text().encode()
    swapped = with_labels(named[:start], labels, b"Deep blue\nGREEN\nRosso\n")
    assert broken(swapped, labels=NAMED) == ["full_names"]


def test_another_normalization_is_caught(samples: Samples) -> None:
    float16 = samples.described["float16"].read_bytes()
    other = ImageContract(height_px=32, width_px=32, mean=127.0, std=128.0)
    assert broken(float16, RECIPES[1], image=other) == [
        "normalization_mean",
        "normalization_std",
        "input_lowest",
    ]


def test_an_input_scale_that_raw_pixels_do_not_fit_is_caught(int8: bytes) -> None:
    def rescale(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].quantization.scale[:] = [0.00695]

    assert broken(edited(writable(int8), rescale)) == ["input_scale"]


def test_a_zero_point_a_level_off_is_caught(int8: bytes) -> None:
    def shift(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].quantization.zeroPoint = [129]

    assert broken(edited(int8, shift)) == ["input_zero_point"]


def test_another_operator_is_caught(int8: bytes) -> None:
    def custom(model: Any) -> None:
        code = next(c for c in model.operatorCodes if c.builtinCode == schema.BuiltinOperator.ADD)
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = "FlexAddV2"

    assert broken(edited(int8, custom)) == ["built_in_operators_only", "oldest_runtime"]


def test_an_operator_version_newer_than_the_asked_runtime_is_caught(int8: bytes) -> None:
    def newer(model: Any) -> None:
        for code in model.operatorCodes:
            if code.builtinCode == schema.BuiltinOperator.FULLY_CONNECTED:
                code.version = 12

    data = edited(int8, newer)
    assert broken(data) == ["oldest_runtime", "runtime_written_by_converter"]
    assert "oldest_runtime" not in broken(data, promised_runtime="2.17.0")


def test_an_unknown_operator_version_is_inconclusive_not_passed(int8: bytes) -> None:
    def future(model: Any) -> None:
        model.operatorCodes[0].version = 99

    checks = checks_of(edited(int8, future))
    assert Verdict.from_checks(checks).outcome is Outcome.inconclusive


def test_lost_signature_and_metadata_are_caught(int8: bytes, samples: Samples) -> None:
    def nameless(model: Any) -> None:
        model.signatureDefs = []

    assert broken(edited(int8, nameless)) == ["signature"]
    assert broken(samples.converted[INT8.name].read_bytes()) == ["metadata"]


def test_a_changed_licence_or_description_is_caught(int8: bytes) -> None:
    other = ABOUT.model_copy(update={"license": "MIT", "description": "A diagnosis."})
    (texts,) = [c for c in checks_of(int8, about=other) if c.name == "metadata_texts"]
    assert texts.outcome is Outcome.failed
    expected, found = texts.evidence["expected"], texts.evidence["found"]
    assert isinstance(expected, dict)
    assert isinstance(found, dict)
    differing = {key: found[key] for key in found if expected[key] != found[key]}
    assert differing == {"license": ABOUT.license, "description": ABOUT.description}


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
    found = Delegation(nodes=67, delegated=67 - len(left), partitions=2, left=tuple(left))
    (check,) = delegation_checks(INT8, found)
    assert (check.outcome is Outcome.passed) is passes
    assert list(delegation_checks(RECIPES[1], found)) == []


def test_a_file_that_is_not_the_one_its_manifest_describes_is_caught(int8: bytes) -> None:
    for changes in (
        {"inputs": expected(RECIPES[4]).inputs},
        {"operators": {"CONV_2D@3": 1}},
        {"min_runtime": "2.0.0"},
    ):
        assert broken(int8, **changes) == ["tensors_of_manifest"]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_bare_file_gets_what_needs_no_manifest_and_the_rest_is_named(
    samples: Samples, recipe: Recipe
) -> None:
    path = samples.described[recipe.name]
    found, described = inspect_bytes(path.read_bytes(), where="test"), described_model(path)
    bare = structure_of_file(found, described.image, described.labels)
    assert [c.name for c in bare.checks if c.outcome is not Outcome.passed] == []
    whole = {check.name for check in checks_of(path.read_bytes(), recipe)}
    assert whole - {check.name for check in bare.checks} <= set(bare.not_checked)


def test_a_dynamic_file_does_not_pass_as_int8(samples: Samples) -> None:
    dynamic = samples.described["dynamic"].read_bytes()
    assert broken(dynamic, RECIPES[4]) == [
        "recipe_applied_to_weights",
        "operators_on_floats",
    ]


def writable(data: bytes) -> bytearray:
    # numpy views of a bytearray can be written to.
    return bytearray(data)


def test_a_node_is_excused_only_for_tensors_that_xnnpack_does_not_take() -> None:
    left = ("ADD", "ADD", "SOFTMAX")
    for beyond, outcome in ((("ADD", "ADD"), Outcome.passed), (("ADD",), Outcome.failed)):
        found = Delegation(nodes=10, delegated=7, partitions=2, left=left, beyond=beyond)
        (check,) = delegation_checks(INT8, found)
        assert check.outcome is outcome
        assert check.threshold == 10 - 1 - len(beyond)
