from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.child import ask_child
from pipeline.classifier.hdf5 import read_h5_model
from pipeline.classifier.inspect import inspect_model
from pipeline.classifier.keras_archive import read_keras_archive
from pipeline.errors import BadInput
from tests.export.samples import Loaded, LoadRequest, Samples
from tests.export.samples import samples as make_samples


@pytest.fixture(scope="session")
def samples() -> Samples:
    return make_samples()


def dense(**changes: Any) -> dict[str, Any]:
    layer = {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"name": "head", "units": 3, "activation": "softmax"},
        "registered_name": None,
    }
    return layer | changes


def archive(
    path: Path, *layers: dict[str, Any], compile_config: Any = None, weights: bytes = b""
) -> Path:
    config = {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {"name": "hand_made", "layers": list(layers)},
        "registered_name": "Functional",
        "compile_config": compile_config,
    }
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        out.writestr("config.json", json.dumps(config))
        out.writestr("model.weights.h5", weights or hdf5(h5py.File.flush))
    return path


def hdf5(write: Callable[[h5py.File], object]) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        write(file)
    return buffer.getvalue()


def test_facts_are_read_without_keras(tmp_path: Path) -> None:
    facts = inspect_model(archive(tmp_path / "m.keras", dense(), dense()))
    assert (facts.keras_version, facts.class_name, facts.name) == (
        "3.15.1",
        "Functional",
        "hand_made",
    )
    assert facts.layers == 2


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (dense(class_name="Lambda"), "Lambda"),
        (dense(class_name="TorchModuleWrapper"), "TorchModuleWrapper"),
        (dense(class_name="TFSMLayer"), "TFSMLayer"),
        (
            dense(config={"activation": {"class_name": "__lambda__", "config": {"value": "4w=="}}}),
            "__lambda__",
        ),
        (dense(module="my_package.layers", class_name="Mine"), "my_package.layers.Mine"),
        (dense(module="kerasish.layers"), "kerasish.layers.Dense"),
        (dense(module="os", class_name="system"), "os.system"),
        (dense(module="builtins", class_name="eval"), "builtins.eval"),
        (dense(module="keras.utils", class_name="get_file"), "keras.utils.get_file"),
        (dense(module=None, registered_name="Custom>Mine"), "Custom>Mine"),
        (dense(registered_name="Package>Dense"), "Package>Dense"),
    ],
)
def test_code_and_foreign_classes_are_refused_by_name(
    tmp_path: Path, layer: dict[str, Any], named: str
) -> None:
    with pytest.raises(BadInput, match="nothing in it was run") as caught:
        read_keras_archive(archive(tmp_path / "m.keras", dense(), layer))
    assert named in str(caught.value.got)


def test_a_foreign_loss_is_no_danger_but_a_lambda_loss_is(tmp_path: Path) -> None:
    foreign = {"loss": dense(module="my_losses", class_name="Focal")}
    read_keras_archive(archive(tmp_path / "a.keras", dense(), compile_config=foreign))
    code = {"loss": {"class_name": "__lambda__", "config": {"value": "4w=="}}}
    with pytest.raises(BadInput, match="carries code"):
        read_keras_archive(archive(tmp_path / "b.keras", dense(), compile_config=code))


def test_a_function_named_by_keras_is_accepted(tmp_path: Path) -> None:
    activation = {"module": "builtins", "class_name": "function", "config": "softmax"}
    layer = dense(config={"name": "head", "activation": activation})
    read_keras_archive(archive(tmp_path / "m.keras", layer))


@pytest.mark.parametrize("content", [b"", b"some text", b"\x89HDF\r\n\x1a\n" + bytes(64)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"not a \.keras file"):
        read_keras_archive(path)


def test_a_missing_file_and_a_missing_part_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no \.keras file here"):
        read_keras_archive(tmp_path / "none.keras")
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("config.json", "{}")
    with pytest.raises(BadInput, match="a part is missing"):
        read_keras_archive(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", dense())
    with zipfile.ZipFile(path, "a", compression=zipfile.ZIP_DEFLATED) as out:
        out.writestr("assets/zeros", bytes(64 * 2**20))
    with pytest.raises(BadInput, match="zip bomb"):
        read_keras_archive(path)


def _claims(file: h5py.File) -> None:
    file.create_dataset("kernel", (2**20, 2**20), "f4", chunks=(64, 64))


def _external_link(file: h5py.File) -> None:
    file["kernel"] = h5py.ExternalLink("/etc/secret.h5", "/x")


def _soft_link(file: h5py.File) -> None:
    file["kernel"] = h5py.SoftLink("/somewhere")


def _external_data(file: h5py.File) -> None:
    file.create_dataset("kernel", (8,), "u1", external=[("/etc/hostname", 0, 8)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(8,), dtype="f4")
    layout[:] = h5py.VirtualSource("/etc/secret.h5", "x", shape=(8,))
    file.create_virtual_dataset("kernel", layout)


HOSTILE_WEIGHTS = [
    (_claims, "far too much memory"),
    (_external_link, "link to another place"),
    (_soft_link, "link to another place"),
    (_external_data, "stored in another file"),
    (_virtual, "stored in another file"),
]


@pytest.mark.parametrize(("write", "words"), HOSTILE_WEIGHTS)
def test_weights_that_claim_too_much_or_reach_outside_are_refused(
    tmp_path: Path, write: Callable[[h5py.File], object], words: str
) -> None:
    weights = hdf5(write)
    with pytest.raises(BadInput, match=words):
        read_keras_archive(archive(tmp_path / "m.keras", dense(), weights=weights))
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {}})
        write(file.create_group("model_weights"))
    with pytest.raises(BadInput, match=words):
        read_h5_model(path)


def test_weights_that_are_no_hdf5_are_damaged(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="damaged"):
        read_keras_archive(archive(tmp_path / "m.keras", dense(), weights=b"not HDF5"))


def test_deeply_nested_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("metadata.json", "{}")
        out.writestr("config.json", "[" * 200_000)
        out.writestr("model.weights.h5", b"")
    with pytest.raises(BadInput, match="not JSON"):
        read_keras_archive(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_an_archive_cut_or_changed_anywhere_never_ends_in_a_traceback(data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = archive(Path(folder) / "m.keras", dense())
        whole = bytearray(path.read_bytes())
        position = data.draw(st.integers(0, len(whole) - 1))
        if data.draw(st.booleans()):
            path.write_bytes(whole[:position])
            with pytest.raises(BadInput):
                read_keras_archive(path)
            return
        whole[position] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(whole)
        with contextlib.suppress(BadInput):
            read_keras_archive(path)


@pytest.mark.slow
def test_keras_loads_only_classifiers_that_fit(samples: Samples, tmp_path: Path) -> None:
    damaged = tmp_path / "weights.keras"
    with zipfile.ZipFile(samples.models["good"]) as old, zipfile.ZipFile(damaged, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"" if name.endswith(".h5") else old.read(name))
    said = ask_child(
        "tests.export.samples:load_keras_child",
        LoadRequest(models={**samples.models, "no": damaged}),
        Loaded,
    ).said
    assert said["good"] == "loaded"
    assert "another number of outputs than there are labels" in said["seven"]
    assert "(batch, 3)" in said["seven"]
    assert "(batch, 7)" in said["seven"]
    assert "answers logits" in said["logits"]
    assert "--logits" in said["logits"]
    assert "carries code" in said["lambda"]
    assert "weights in the .keras file are damaged" in said["no"]
    assert not (samples.folder / "code-ran").exists()


def test_a_saved_lambda_is_refused_and_never_run(samples: Samples) -> None:
    with pytest.raises(BadInput, match="carries code") as caught:
        read_keras_archive(samples.models["lambda"])
    assert "Lambda" in str(caught.value.got)
    assert not (samples.folder / "code-ran").exists()


def test_a_real_archive_with_a_flipped_weight_byte_is_damaged(
    samples: Samples, tmp_path: Path
) -> None:
    data = bytearray(samples.models["good"].read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as opened:
        weights = opened.getinfo("model.weights.h5")
    data[weights.header_offset + weights.compress_size // 2] ^= 1
    path = tmp_path / "flipped.keras"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"damaged|cut short"):
        read_keras_archive(path)
