from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadInput
from pipeline.runtimes.recording import Recording, make_recording


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
