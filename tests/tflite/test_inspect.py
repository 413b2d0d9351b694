from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BadInput
from pipeline.tflite.edit import pack, unpack_whole
from pipeline.tflite.inspect import inspect_bytes, inspect_file
from pipeline.tflite.metadata import described_model
from tests.export.samples import ABOUT, IMAGE, INT8, LABELS, NAMED, RECIPES, Samples
from tests.export.samples import samples as make_samples

NAMES = tuple(recipe.name for recipe in RECIPES)


def test_a_float16_file_says_what_it_is(samples: Samples) -> None:
    found = inspect_file(samples.described["float16"])
    (first,), (last,) = found.graph.inputs, found.graph.outputs
    assert (first.shape, first.dtype, first.scale) == (IMAGE.input_shape, "float32", None)
    assert (last.shape, last.dtype) == ((1, 3), "float32")
    (signature,) = found.graph.signatures
    assert (signature.inputs, signature.outputs) == (("image",), ("probability",))
    assert found.graph.weight_bytes["float16"] > 0
    assert "float32" not in found.graph.weight_bytes
    assert found.metadata is not None
    assert found.metadata.license == ABOUT.license
    assert found.metadata.input is not None
    assert found.metadata.input.mean == (127.5, 127.5, 127.5)
    assert found.metadata.input.minimum == (-1.0, -1.0, -1.0)
    assert found.labels == LABELS.names
    assert found.image_contract() == IMAGE
    assert "CONV_2D@1" in found.outside_int8


def test_an_int8_file_has_scales_and_nothing_outside_int8(samples: Samples) -> None:
    found = inspect_file(samples.described[INT8.name])
    (first,) = found.graph.inputs
    assert first.dtype == "uint8"
    assert first.scale == pytest.approx(2 / 255)
    assert found.graph.per_channel_tensors > 0
    assert found.outside_int8 == ()
    counts = {operator.key: operator.count for operator in found.operators}
    assert counts["CONV_2D@3"] == 7
    assert all(operator.since for operator in found.operators)
    facts = dict(found.facts())
    assert facts["oldest TFLite runtime"].startswith("1.14.0, for ")
    assert facts["normalization"] == "RGB, mean 127.5, 127.5, 127.5, std 127.5, 127.5, 127.5"


def test_a_file_without_metadata_is_inspected_but_does_not_say_how_to_use_it(
    samples: Samples,
) -> None:
    path = samples.converted["float16"]
    assert inspect_file(path).metadata is None
    assert dict(inspect_file(path).facts())["metadata"] == "none"
    with pytest.raises(BadInput, match="does not say how images are normalized"):
        described_model(path)


def test_weights_kept_behind_the_flatbuffer_are_read_and_must_be_there(samples: Samples) -> None:
    model = schema.ModelT.InitFromPackedBuf(samples.converted["float32"].read_bytes(), 0)
    outside = {
        index: bytes(buffer.data)
        for index, buffer in enumerate(model.buffers)
        if buffer.data is not None and len(buffer.data) > 256
    }

    def packed(start: int) -> bytes:
        offset = start
        for index, values in outside.items():
            model.buffers[index].data = None
            model.buffers[index].offset, model.buffers[index].size = offset, len(values)
            offset += len(values)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    head = packed(len(packed(1_000_000)))
    data = head + b"".join(outside.values())
    plain = inspect_file(samples.converted["float32"])
    assert inspect_bytes(data, where="test").graph == plain.graph
    with pytest.raises(BadInput, match="cut short"):
        inspect_bytes(data[:-1], where="test")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"just some text", "not a TFLite file"),
        (b"\x1c\x00\x00\x00TFL2" + bytes(64), "not a TFLite file"),
        (b"\x1c\x00\x00\x00TFL3", "damaged or cut short"),
        (b"\xff\xff\xff\xffTFL3" + bytes(64), "damaged or cut short"),
        (b"\x08\x00\x00\x00TFL3" + b"\xff" * 64, "damaged or cut short"),
        (b"\x08\x00\x00\x00TFL3" + bytes(64), "damaged or cut short"),
    ],
)
def test_what_is_no_tflite_file_is_refused_in_words(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=words) as caught:
        inspect_file(path)
    assert caught.value.where == str(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.tflite", tmp_path):
        with pytest.raises(BadInput, match=r"cannot read|no \.tflite file here"):
            inspect_file(path)


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(NAMES), share=st.floats(0, 1, exclude_max=True), described=st.booleans()
)
def test_a_file_cut_anywhere_is_refused(name: str, share: float, described: bool) -> None:
    samples = make_samples()
    data = (samples.described if described else samples.converted)[name].read_bytes()
    # Alignment ends a flatbuffer with bytes that nothing refers to.
    with pytest.raises(BadInput):
        inspect_bytes(data[: int(share * (len(data.rstrip(b"\0")) - 1))], where="cut")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_near_its_end_is_refused(samples: Samples, name: str) -> None:
    data = samples.described[name].read_bytes()
    for cut in range(1, 400):
        with pytest.raises(BadInput):
            inspect_bytes(data[:-cut], where="cut")


@settings(max_examples=300, deadline=None)
@given(data=st.data(), name=st.sampled_from(NAMES))
def test_a_file_with_changed_bytes_is_read_or_refused(data: st.DataObject, name: str) -> None:
    changed = bytearray(make_samples().described[name].read_bytes())
    # The head and the tail hold the tables; most of the middle is weights.
    place = st.integers(0, 4096) | st.integers(len(changed) - 20_000, len(changed) - 1)
    for position in data.draw(st.lists(place, min_size=1, max_size=8)):
        changed[position % len(changed)] = data.draw(st.integers(0, 255))
    try:
        inspect_bytes(bytes(changed), where="changed")
    except BadInput as error:
        assert error.what  # noqa: PT017


def test_a_file_that_counts_more_parts_than_it_has_room_for_is_refused_at_once(
    samples: Samples,
) -> None:
    data = bytearray(samples.converted["float32"].read_bytes())
    root = schema.Model.GetRootAs(data, 0)
    vector = root._tab.Vector(root._tab.Offset(12)) - 4
    data[vector : vector + 4] = np.uint32(2**31).tobytes()
    with pytest.raises(BadInput, match="damaged or cut short") as caught:
        inspect_bytes(bytes(data), where="test")
    assert "it counts" in str(caught.value.got)


def test_a_damaged_label_file_is_refused(samples: Samples) -> None:
    data = bytearray(samples.described["float16"].read_bytes())
    data[data.rindex(b"RED\n")] ^= 1
    with pytest.raises(BadInput, match="metadata of the") as caught:
        inspect_bytes(bytes(data), where="test")
    assert "labels.txt" in str(caught.value.got)


def test_the_file_alone_says_the_full_names(samples: Samples) -> None:
    described = described_model(samples.named["float16"]).labels
    assert described.names == NAMED.names
    assert described.full_names == NAMED.full_names
    facts = dict(inspect_file(samples.named["float16"]).facts())
    assert facts["full names"] == "Rosso è bello, GREEN, Deep blue"
    assert described_model(samples.described["float16"]).labels.full_names == {}
    assert "full names" not in dict(inspect_file(samples.described["float16"]).facts())


@pytest.mark.parametrize(
    ("full_names", "words"),
    [("Red\nGreen\n", "full names do not fit its labels"), (None, "is damaged")],
)
def test_full_names_that_do_not_fit_or_are_missing_are_refused(
    samples: Samples, tmp_path: Path, full_names: str | None, words: str
) -> None:
    data = samples.named["float16"].read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = min(member.header_offset for member in archive.infolist())
    path = tmp_path / "model.tflite"
    path.write_bytes(data[:start])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", LABELS.text())
        if full_names is not None:
            archive.writestr("labels_en.txt", full_names)
    with pytest.raises(BadInput, match=words):
        described_model(path)


def test_labels_that_do_not_fit_the_output_are_refused(samples: Samples, tmp_path: Path) -> None:
    data = samples.described["float16"].read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = min(member.header_offset for member in archive.infolist())
    path = tmp_path / "model.tflite"
    path.write_bytes(data[:start])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "RED\nGREEN\n")
    with pytest.raises(BadInput, match="labels do not fit its output"):
        described_model(path)


def test_nothing_heavy_is_imported(samples: Samples) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from pipeline.tflite.inspect import inspect_file\n"
        "assert 'ai_edge_litert' not in sys.modules\n"
        "assert inspect_file(Path(sys.argv[1])).labels\n"
        "heavy = {'tensorflow', 'tflite_support', 'tensorflow_lite_support', 'keras'}\n"
        "assert not heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, samples.described["float32"]], check=True)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_native_kernels_divide_by_is_refused(samples: Samples, scale: float) -> None:
    data = samples.described[INT8.name].read_bytes()
    model = unpack_whole(data, where="int8.tflite")
    tensor = next(
        t
        for t in model.subgraphs[0].tensors
        if t.quantization is not None
        and len(() if t.quantization.scale is None else t.quantization.scale)
    )
    tensor.quantization.scale = np.array([scale], np.float32)
    with pytest.raises(BadInput, match="damaged") as caught:
        inspect_bytes(pack(model), where="int8.tflite")
    assert "has the scale" in str(caught.value.got)
