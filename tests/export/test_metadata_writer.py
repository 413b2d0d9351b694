from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from pipeline import __version__
from pipeline.child import ask_child
from pipeline.contract.manifest import NOTICE
from pipeline.contract.recipe import Io
from pipeline.errors import BadInput, EnvironmentProblem
from pipeline.export.metadata_writer import (
    MIN_PARSER_VERSION,
    about_classifier,
    metadata_flatbuffer,
    write_metadata,
)
from pipeline.runtimes.native import TFLITE_SUPPORT_ENV
from pipeline.tflite import metadata_schema as schemas
from pipeline.tflite.inspect import inspect_file
from tests.export.samples import ABOUT, IMAGE, INT8, LABELS, NAMED, RECIPES, Samples
from tests.export.tflite_support_child import Displayed, DisplayRequest, WriteRequest, Written
from tests.platforms import needs_tflite_support

CHILD = "tests.export.tflite_support_child"
IOS = tuple(Io)


def packed_files(data: bytes) -> tuple[bytes, list[zipfile.ZipInfo], dict[str, str]]:
    """Part a described file into its flatbuffer, and the members and contents packed behind it."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        members = archive.infolist()
        contents = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
    return data[: min(member.header_offset for member in members)], members, contents


# Made once on Linux x86-64 with Python 3.11: the same everywhere, or the writer has changed.
@pytest.mark.parametrize(
    ("io", "labels", "sha256"),
    [
        (Io.uint8, LABELS, "ee800e1716548673"),
        (Io.float32, NAMED, "e17534a11c5820c5"),
    ],
)
def test_the_metadata_is_the_same_bytes_on_every_platform(io: Io, labels: Any, sha256: str) -> None:
    made = metadata_flatbuffer(IMAGE, labels, io, ABOUT)
    assert hashlib.sha256(made).hexdigest()[:16] == sha256


def test_a_described_file_is_the_same_bytes_on_every_platform(tmp_path: Path) -> None:
    source, out = tmp_path / "bare.tflite", tmp_path / "described.tflite"
    source.write_bytes(bare_model())
    write_metadata(source, out, image=IMAGE, labels=NAMED, io=Io.float32, about=ABOUT)
    assert hashlib.sha256(out.read_bytes()).hexdigest()[:16] == "ac1263aa7105e84f"


@pytest.mark.parametrize("labels", [LABELS, NAMED], ids=["plain", "named"])
@pytest.mark.parametrize("io", IOS)
@needs_tflite_support
def test_both_packages_schemas_give_the_same_bytes(io: Io, labels: Any) -> None:
    made = {
        metadata_flatbuffer(IMAGE, labels, io, ABOUT, schema=schemas.schema_of(package))
        for package in schemas.SCHEMA_HOMES
    }
    assert len(made) == 1


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
@needs_tflite_support
def test_tflite_supports_own_writer_gives_the_same_flatbuffer(
    samples: Samples, recipe: Any
) -> None:
    # Its populator works out the oldest parser itself, so MIN_PARSER_VERSION is compared too.
    request = WriteRequest(
        model=str(samples.converted[recipe.name]),
        image=IMAGE,
        labels=NAMED,
        io=recipe.io,
        about=ABOUT,
    )
    theirs = ask_child(f"{CHILD}:write", request, Written, env=TFLITE_SUPPORT_ENV)
    flatbuffer, _, contents = packed_files(samples.named[recipe.name].read_bytes())
    assert flatbuffer == bytes.fromhex(theirs.flatbuffer_hex)
    assert contents == theirs.files


@needs_tflite_support
def test_tflite_supports_displayer_reads_what_was_written(samples: Samples) -> None:
    request = DisplayRequest(model=str(samples.named[INT8.name]))
    shown = ask_child(f"{CHILD}:display", request, Displayed, env=TFLITE_SUPPORT_ENV)
    metadata = shown.metadata
    assert {key: metadata[key] for key in ("name", "description", "version", "author")} == {
        key: getattr(ABOUT, key) for key in ("name", "description", "version", "author")
    }
    assert metadata["license"] == ABOUT.license
    assert metadata["min_parser_version"] == MIN_PARSER_VERSION
    (graph,) = metadata["subgraph_metadata"]
    (first,), (last,) = graph["input_tensor_metadata"], graph["output_tensor_metadata"]
    assert (first["name"], last["name"]) == (ABOUT.input_name, ABOUT.output_name)
    assert first["content"]["content_properties"] == {"color_space": "RGB"}
    (unit,) = first["process_units"]
    assert unit["options_type"] == "NormalizationOptions"
    assert unit["options"] == {"mean": [127.5] * 3, "std": [127.5] * 3}
    assert first["stats"] == {"max": [255.0] * 3, "min": [0.0] * 3}
    assert last["stats"] == {"max": [255.0], "min": [0.0]}
    named = [(file["name"], file["type"], file.get("locale")) for file in last["associated_files"]]
    assert named == [
        ("labels.txt", "TENSOR_AXIS_LABELS", None),
        ("labels_en.txt", "TENSOR_AXIS_LABELS", "en"),
    ]
    assert shown.files == {"labels.txt": NAMED.text(), "labels_en.txt": NAMED.full_names_text()}


def test_packed_files_carry_no_clock_and_no_system(samples: Samples) -> None:
    _, members, contents = packed_files(samples.named["float16"].read_bytes())
    assert contents == {"labels.txt": NAMED.text(), "labels_en.txt": NAMED.full_names_text()}
    for member in members:
        assert member.date_time == (1980, 1, 1, 0, 0, 0)
        assert (member.create_system, member.external_attr) == (3, 0o600 << 16)
        assert member.compress_type == zipfile.ZIP_STORED


def test_metadata_that_is_there_already_is_replaced(samples: Samples, tmp_path: Path) -> None:
    # Described files are packed by the same code, so describing one again changes nothing else.
    out = tmp_path / "again.tflite"
    described = samples.described["float16"]
    write_metadata(described, out, image=IMAGE, labels=NAMED, io=Io.float32, about=ABOUT)
    flatbuffer, _, contents = packed_files(out.read_bytes())
    assert contents == {"labels.txt": NAMED.text(), "labels_en.txt": NAMED.full_names_text()}
    assert flatbuffer.count(b"TFLITE_METADATA") == 1
    found = inspect_file(out).metadata
    assert found == inspect_file(samples.named["float16"]).metadata


def test_weights_kept_behind_the_flatbuffer_are_brought_inside(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32)
    source, out = tmp_path / "outside.tflite", tmp_path / "described.tflite"
    head = bare_model(outside=(1 << 20, values.nbytes))
    source.write_bytes(bare_model(outside=(len(head), values.nbytes)) + values.tobytes())
    write_metadata(source, out, image=IMAGE, labels=LABELS, io=Io.float32, about=ABOUT)
    model = schema.ModelT.InitFromPackedBuf(out.read_bytes(), 0)
    assert model.buffers[1].offset == model.buffers[1].size == 0
    assert bytes(model.buffers[1].data) == values.tobytes()


def test_an_empty_author_is_left_out(samples: Samples, tmp_path: Path) -> None:
    out = tmp_path / "model.tflite"
    about = ABOUT.model_copy(update={"author": ""})
    source = samples.converted["float16"]
    write_metadata(source, out, image=IMAGE, labels=LABELS, io=Io.float32, about=about)
    module = schemas.metadata_schema()
    packed = metadata_flatbuffer(IMAGE, LABELS, Io.float32, about)
    assert module.ModelMetadataT.InitFromPackedBuf(packed, 0).author is None
    found = inspect_file(out).metadata
    assert found is not None
    assert found.author == ""


def test_the_version_is_the_models_and_the_tool_stands_apart() -> None:
    about = about_classifier(INT8, IMAGE, LABELS, model_sha256="0123456789abcdef" * 4)
    assert (about.version, about.author) == ("0123456789ab", "")
    assert f"Exported with pipeline {__version__}." in about.description
    assert NOTICE in about.description
    stated = about_classifier(
        INT8, IMAGE, LABELS, model_sha256="0" * 64, model_version="2026.1", author="A. Author"
    )
    assert (stated.version, stated.author) == ("2026.1", "A. Author")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "bare.tflite"
    source.write_bytes(bare_model()[:-40])
    with pytest.raises(BadInput, match="damaged or cut short"):
        write_metadata(
            source,
            tmp_path / "out.tflite",
            image=IMAGE,
            labels=LABELS,
            io=Io.float32,
            about=ABOUT,
        )
    assert not (tmp_path / "out.tflite").exists()


def test_a_missing_schema_is_an_environment_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "SCHEMA_HOMES", {"no_such_package": "metadata"})
    with pytest.raises(EnvironmentProblem, match="schema of TFLite metadata") as refused:
        metadata_flatbuffer(IMAGE, LABELS, Io.uint8, ABOUT)
    assert refused.value.next_step is not None


def test_writing_imports_nothing_native(tmp_path: Path) -> None:
    source = tmp_path / "bare.tflite"
    source.write_bytes(bare_model())
    code = (
        "import sys; from pathlib import Path\n"
        "from pipeline.export.metadata_writer import write_metadata\n"
        "from tests.export.samples import ABOUT, IMAGE, LABELS, Io\n"
        "write_metadata(Path(sys.argv[1]), Path(sys.argv[1] + '.out'), image=IMAGE,\n"
        "    labels=LABELS, io=Io.float32, about=ABOUT)\n"
        "heavy = {'tensorflow', 'keras', 'mediapipe', 'tflite_support',\n"
        "    'tensorflow_lite_support', 'ai_edge_litert.interpreter'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code, source], check=True, cwd=root)


def bare_model(outside: tuple[int, int] | None = None) -> bytes:
    """Return a float32 dense layer of 3 inputs and 2 outputs; `outside` places its weights."""
    graph, model = schema.SubGraphT(), schema.ModelT()
    graph.tensors = []
    for name, shape, buffer in (
        ("image", [1, 3], 0),
        ("weights", [2, 3], 1),
        ("probability", [1, 2], 0),
    ):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, shape, buffer
        tensor.type = schema.TensorType.FLOAT32
        graph.tensors.append(tensor)
    graph.inputs, graph.outputs = [0], [2]
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, -1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    graph.operators = [operator]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    weights = schema.BufferT()
    if outside is None:
        weights.data = np.frombuffer(np.arange(6, dtype=np.float32).tobytes(), np.uint8)
    else:
        weights.offset, weights.size = outside
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [schema.BufferT(), weights]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
