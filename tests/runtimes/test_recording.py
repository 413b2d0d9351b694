from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pipeline.runtimes.ask
from pipeline import imaging, runtimes
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.hashing import sha256_bytes, sha256_file
from pipeline.contract.images import images_of_dataset
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.runtimes import child_runtime
from pipeline.runtimes.ask import RecordRequest, hash_model, record
from pipeline.runtimes.interface import Answers, InferenceRequest
from pipeline.runtimes.recording import Recording, make_recording
from tests.export.samples import IMAGE, LABELS, samples


def recording(count: int = 5, classes: int = 3, seed: int = 0, **changes: object) -> Recording:
    random = np.random.default_rng(seed)
    scores = random.random((count, classes), dtype=np.float32)
    arguments: dict[str, object] = {
        "runtime": "litert",
        "runtime_version": "2.3.0",
        "model_sha256": "ab" * 32,
        "image_contract_sha256": "cd" * 32,
        "labels": tuple("abcdefgh"[:classes]),
        "dataset_sha256": "ef" * 32,
        "split": "validation",
        "threads": 1,
        "host": "Linux-x86_64",
        "latencies_ms": np.linspace(1.0, 2.0, count),
        "image_ids": np.array([f"image-{i}" for i in range(count)]),
        "truth": np.arange(count, dtype=np.int64) % classes,
        "probabilities": scores / scores.sum(axis=1, keepdims=True),
    }
    return make_recording(**{**arguments, **changes})


@given(count=st.integers(1, 40), classes=st.integers(2, 8), seed=st.integers(0, 99))
def test_a_saved_recording_comes_back_equal(
    tmp_path_factory: pytest.TempPathFactory, count: int, classes: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("recording") / "a.json"
    made = recording(count, classes, seed)
    made.save(path)
    loaded = Recording.load(path)
    assert loaded.facts == made.facts
    np.testing.assert_array_equal(loaded.probabilities, made.probabilities)
    np.testing.assert_array_equal(loaded.image_ids, made.image_ids)
    np.testing.assert_array_equal(loaded.truth, made.truth)


def test_equal_recordings_have_equal_bytes(tmp_path: Path) -> None:
    recording().save(tmp_path / "a.json")
    recording().save(tmp_path / "b.json")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_ids_that_are_hashes_take_a_byte_a_digit(tmp_path: Path) -> None:
    count = 100
    ids = np.array([f"{i:064x}" for i in range(count)])
    recording(count, image_ids=ids).save(tmp_path / "a.json")
    assert (tmp_path / "a.npz").stat().st_size < count * (64 + 8 + 4 * 3) + 2000
    loaded = Recording.load(tmp_path / "a.json")
    assert loaded.image_ids.dtype == ids.dtype
    np.testing.assert_array_equal(loaded.image_ids, ids)


def test_arrays_of_an_earlier_release_are_still_read(tmp_path: Path) -> None:
    made = recording()
    with (tmp_path / "a.npz").open("wb") as stream:
        np.savez(
            stream,
            image_ids=made.image_ids,
            truth=made.truth,
            probabilities=made.probabilities,
        )
    digest = sha256_file(tmp_path / "a.npz")
    made.facts.model_copy(update={"arrays_sha256": digest}).save(tmp_path / "a.json")
    loaded = Recording.load(tmp_path / "a.json")
    np.testing.assert_array_equal(loaded.image_ids, made.image_ids)
    loaded.without_latency().save(tmp_path / "b.json")
    assert Recording.load(tmp_path / "b.json").facts.latency_ms_p90 is None


def test_changed_arrays_are_refused(tmp_path: Path) -> None:
    recording(seed=1).save(tmp_path / "a.json")
    recording(seed=2).save(tmp_path / "b.json")
    (tmp_path / "b.npz").replace(tmp_path / "a.npz")
    with pytest.raises(BadInput, match="arrays were changed"):
        Recording.load(tmp_path / "a.json")


def test_missing_arrays_are_refused(tmp_path: Path) -> None:
    recording().save(tmp_path / "a.json")
    (tmp_path / "a.npz").unlink()
    with pytest.raises(BadInput, match="arrays are missing"):
        Recording.load(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("probabilities", np.zeros((4, 3), np.float32), "shape"),
        ("probabilities", np.zeros((5, 3), np.float64), "float64"),
        ("image_ids", np.array(["x"] * 5), "repeats"),
        ("truth", np.full(5, 3, np.int64), "out of range"),
        ("truth", np.zeros(4, np.int64), "as many"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(field: str, value: object, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        recording(**{field: value})
    assert words in str(refused.value)


def test_latency_percentiles_are_of_the_measured_times() -> None:
    facts = recording(3, latencies_ms=np.array([1.0, 2.0, 100.0])).facts
    assert facts.latency_ms_p50 == 2.0
    assert facts.latency_ms_p90 == pytest.approx(80.4)


def inline(**changes: Any) -> dict[str, Any]:
    """Return what a phone shares."""
    value: dict[str, Any] = {
        "schema_version": 1,
        "kind": "recording",
        "runtime": "android",
        "runtime_version": "2.16.1",
        "model_sha256": "ab" * 32,
        "image_contract_sha256": "cd" * 32,
        "labels": ["a", "b", "c"],
        "dataset_sha256": "ef" * 32,
        "split": "goldens",
        "threads": 2,
        "host": "Google Pixel 8, Android 15 (API 35), arm64-v8a",
        "count": 2,
        "latency_ms_p50": 12.3,
        "latency_ms_p90": 14.0,
        "image_ids": ["1" * 64, "2" * 64],
        "probabilities": [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]],
    }
    return {key: one for key, one in (value | changes).items() if one is not None}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "phone.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_one_file_of_a_phone_is_a_recording(tmp_path: Path) -> None:
    loaded = Recording.load(written(tmp_path, json.dumps(inline())))
    assert loaded.facts.runtime == "android"
    assert loaded.facts.latency_ms_p90 == 14.0
    assert loaded.image_ids.tolist() == ["1" * 64, "2" * 64]
    assert loaded.truth.tolist() == [-1, -1]
    assert loaded.probabilities.dtype == np.float32
    assert loaded.probabilities.tolist() == np.float32(inline()["probabilities"]).tolist()
    loaded.save(tmp_path / "two" / "files.json")
    again = Recording.load(tmp_path / "two" / "files.json")
    assert again.facts == loaded.facts
    np.testing.assert_array_equal(again.probabilities, loaded.probabilities)


def test_what_a_phone_s_self_test_failed_is_kept(tmp_path: Path) -> None:
    failed = ["b" * 64, "c" * 64]
    loaded = Recording.load(written(tmp_path, json.dumps(inline(self_test_failed=failed))))
    assert loaded.self_test_failed == tuple(failed)
    assert Recording.load(written(tmp_path, json.dumps(inline()))).self_test_failed == ()


def test_a_value_beyond_float32_is_left_to_the_gate(tmp_path: Path) -> None:
    rows = [[1e300, 0.2, 0.1], [0.1, 0.8, 0.1]]
    loaded = Recording.load(written(tmp_path, json.dumps(inline(probabilities=rows))))
    assert np.isinf(loaded.probabilities[0, 0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"probabilities": [[0.7, 0.2, 0.1]]}, "shape (1, 3)"),
        ({"probabilities": []}, "shape (0, 3)"),
        ({"probabilities": [[0.7, 0.3], [0.5, 0.5]]}, "rows of 2"),
        ({"probabilities": [[0.7, 0.2, 0.1], [0.5]]}, "rows of 1, 3"),
        ({"probabilities": [[0.7, 0.2, "x"], [0.1, 0.8, 0.1]]}, "probabilities.0.2"),
        ({"probabilities": [[float("nan"), 0.2, 0.1], [0.1, 0.8, 0.1]]}, "finite"),
        ({"image_ids": ["1" * 64]}, "as many ids"),
        ({"image_ids": ["1" * 64] * 2}, "an image id repeats"),
        ({"labels": []}, "rows of 3"),
        ({"count": 0}, "count"),
        ({"kind": "goldens"}, "kind"),
        ({"schema_version": 2}, "schema_version"),
        ({"model_sha256": None}, "model_sha256"),
        ({"image_ids": None}, "image_ids"),
        ({"probabilities": None}, "arrays_sha256"),
        ({"arrays_sha256": "0" * 64}, "arrays_sha256"),
        ({"latency_ms_p50": -1.0}, "latency_ms_p50"),
    ],
)
def test_a_damaged_file_of_a_phone_is_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    path = written(tmp_path, json.dumps(inline(**changes)))
    with pytest.raises(BadInput) as refused:
        Recording.load(path)
    assert words in str(refused.value)
    assert refused.value.where == str(path)


@pytest.mark.parametrize("keep", [0, 1, 40, 400, -1])
def test_half_a_file_of_a_phone_is_refused(tmp_path: Path, keep: int) -> None:
    with pytest.raises(BadInput, match="not a valid"):
        Recording.load(written(tmp_path, json.dumps(inline())[:keep]))


@pytest.mark.parametrize("text", ["[" * 100_000, "[1, 2]", "\ufffe", '"probabilities"'])
def test_json_that_is_no_recording_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match="not a valid"):
        Recording.load(written(tmp_path, text))


def test_a_recording_is_made_again_when_what_decides_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {"ai-edge-litert": "2.3.0", "pillow": "13.0", "numpy": "2.4.6"}
    monkeypatch.setattr(child_runtime, "package_versions", lambda *_: dict(versions))
    asked: list[InferenceRequest] = []

    def answer(request: InferenceRequest, **_: object) -> Answers:
        asked.append(request)
        count = len(request.images)
        rows = np.full((count, 3), 1 / 3, np.float32)
        return Answers(rows, np.arange(count), np.ones(2), {})

    monkeypatch.setattr(pipeline.runtimes.ask, "ask", answer)
    model = samples().described["float32"]
    request = RecordRequest(
        runtime=RuntimeName.litert,
        model=model,
        model_sha256=hash_model(model),
        image=IMAGE,
        labels=LABELS,
        images=images_of_dataset(samples().dataset, Split.validation),
    )

    def made_again() -> bool:
        before = len(asked)
        recorded = record(request, RunDir(tmp_path))
        assert recorded.path.parent == RunDir(tmp_path).recordings
        assert (recorded.origin == "made") == (len(asked) > before)
        return len(asked) > before

    assert made_again()
    assert not made_again()
    before = len(asked)
    assert record(request, RunDir(tmp_path), fresh=True).origin == "made"
    assert len(asked) == before + 1
    assert not made_again()
    for package in versions:
        versions[package] += ".1"
        assert made_again(), package
    monkeypatch.setattr(imaging, "REVISION", imaging.REVISION + 1)
    assert made_again()
    monkeypatch.setattr(runtimes, "REVISION", runtimes.REVISION + 1)
    assert made_again()
    assert not made_again()


def claiming(shape: tuple[int, ...]) -> bytes:
    """Return an .npz whose probabilities claim a shape that they do not have."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("image_ids", "truth", "probabilities"):
            array = io.BytesIO()
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(array, header)
            packed.writestr(f"{name}.npy", array.getvalue() + bytes(16))
    return archive.getvalue()


def test_arrays_that_claim_terabytes_are_refused_before_any_memory_is_taken(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.json"
    data = claiming((2**40, 3))
    made = recording()
    facts = made.facts.model_copy(update={"arrays_sha256": sha256_bytes(data)})
    facts.save(path)
    path.with_suffix(".npz").write_bytes(data)
    with pytest.raises(BadInput, match="not a recording") as caught:
        Recording.load(path)
    assert "claims 13194139533312 bytes" in str(caught.value.got)
