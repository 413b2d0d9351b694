"""Compare int8 of each operator with what TensorFlow's own converter makes of the same network."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.child import ask_child
from pipeline.contract.choices import Io, Step
from pipeline.contract.recipe import Quantize, Recipe
from pipeline.contract.verdict import Outcome
from pipeline.errors import BadInput
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.kernels import Kernel
from pipeline.imaging.preprocess import normalize
from pipeline.parity.structure_graph import NOT_DELEGATED, delegation_checks
from pipeline.progress import silent
from pipeline.runtimes.delegation import Delegation, DelegationRequest, delegation_child
from pipeline.tflite.edit import unpack_whole
from pipeline.tflite.inspect import inspect_file
from tests.export.int8.operator_networks import (
    CLASSES,
    IMAGE,
    Conversions,
    Converted,
    networks,
    pictures,
)

pytestmark = pytest.mark.slow

INT8 = Recipe(quantize=Quantize.int8, io=Io.int8)
STEPS = (Step.ranges, Step.bias_correction, Step.rounding, Step.equalization)
# litert-quantizer leaves these in floats: refused with the operator's name and a next step.
REFUSED = {"upsample": "TILE"}
# Operators that TensorFlow writes and the exporter does not, since one that XNNPACK runs, or a
# part of the layer before, says the same; and those that stand for them.
REPLACED = {"NEG", "DEQUANTIZE", "QUANTIZE", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("operators")
    answer = ask_child(
        "tests.export.int8.operator_networks:convert_operator_networks",
        Conversions(folder=str(made), names=tuple(networks())),
        Converted,
    )
    assert answer.refused == ()
    return made


def builder_of(folder: Path, name: str, io: Io) -> Int8Builder:
    model = unpack_whole((folder / f"{name}.float.tflite").read_bytes(), where=name)
    return Int8Builder(model, pictures(16), IMAGE, io, 0, silent)


def versions(path: Path) -> dict[str, int]:
    return {operator.name: operator.version for operator in inspect_file(path).operators}


def delegation(path: Path) -> Delegation:
    return delegation_child(DelegationRequest(model=path), silent)


WRITTEN = [name for name in networks() if name not in REFUSED]


@pytest.mark.parametrize("name", WRITTEN)
def test_versions_and_delegation_are_tensorflow_s_own(folder: Path, name: str) -> None:
    builder = builder_of(folder, name, Io.int8)
    ours, theirs = folder / f"{name}.ours.tflite", folder / f"{name}.int8.tflite"
    ours.write_bytes(builder.finish(builder.build(())))
    mine, wanted = versions(ours), versions(theirs)
    assert {op: mine[op] for op in mine.keys() & wanted} == {
        op: wanted[op] for op in mine.keys() & wanted
    }
    assert wanted.keys() - mine.keys() <= REPLACED
    left, left_by_tensorflow = delegation(ours), delegation(theirs)
    # Nothing stays with the interpreter that TensorFlow's own file has delegated.
    stayed = Counter(left.left) - Counter(left_by_tensorflow.left)
    assert not stayed
    assert set(left.left) <= NOT_DELEGATED | set(left.beyond)
    (check,) = delegation_checks(INT8, left)
    assert check.outcome is Outcome.passed


def test_every_operator_that_is_called_not_delegated_was_found_so(folder: Path) -> None:
    found = {name for path in folder.glob("*.int8.tflite") for name in delegation(path).left}
    # QUANTIZE is left between uint8 and int8, which these files have none of.
    assert found >= NOT_DELEGATED - {"QUANTIZE"}
    delegated = {
        operator.name
        for path in folder.glob("*.int8.tflite")
        for operator in inspect_file(path).operators
    } - found
    assert delegated.isdisjoint(NOT_DELEGATED - {"QUANTIZE"})


@pytest.mark.parametrize("name", WRITTEN)
def test_answers_stay_close_with_and_without_repair(folder: Path, name: str) -> None:
    data = (folder / f"{name}.float.tflite").read_bytes()
    pixels, kernel = pictures(16), Kernel(data)
    wanted = np.stack([kernel(normalize(one, IMAGE)[None])[0] for one in pixels])
    builder = builder_of(folder, name, Io.uint8)
    for steps in ((), STEPS):
        kernel = Kernel(builder.finish(builder.build(steps)))
        got = np.stack([kernel(one[None])[0] for one in pixels]) / 256
        assert got.shape == (16, CLASSES)
        assert np.abs(got - wanted).max() < 0.02


@pytest.mark.parametrize(("name", "operator"), REFUSED.items())
def test_what_stays_in_floats_is_refused_by_name(folder: Path, name: str, operator: str) -> None:
    builder = builder_of(folder, name, Io.uint8)
    with pytest.raises(BadInput) as refused:
        builder.build(())
    assert refused.value.got == f"left in floats: {operator}"
    assert refused.value.next_step == "pipeline export --quantize float16"
