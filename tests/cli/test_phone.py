"""Judge what a phone shared against the bundle it ran, and export photos as goldens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.contract.goldens import load_goldens
from pipeline.contract.hashing import sha256_file
from tests.commands import Call
from tests.contract.goldens import bundle, goldens
from tests.export.samples import samples


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return bundle(tmp_path / "bundle", goldens())


def shared(folder: Path, **changes: Any) -> Path:
    """Write what a phone shares after running the goldens of `folder`."""
    held = load_goldens(folder)
    value: dict[str, Any] = {
        "schema_version": 1,
        "kind": "recording",
        "runtime": "android",
        "runtime_version": "2.16.1",
        "model_sha256": held.model_sha256,
        "image_contract_sha256": held.image_contract_sha256,
        "labels": held.labels,
        "dataset_sha256": sha256_file(folder / "goldens" / "goldens.json"),
        "split": "goldens",
        "threads": 2,
        "host": "Google Pixel 8, Android 15 (API 35), arm64-v8a",
        "count": len(held.goldens),
        "latency_ms_p50": 12.3,
        "latency_ms_p90": 14.0,
        "image_ids": [golden.sha256 for golden in held.goldens],
        "probabilities": [list(golden.probabilities.values()) for golden in held.goldens],
    }
    path = folder.parent / "phone.json"
    path.write_text(json.dumps(value | changes), encoding="utf-8")
    return path


def test_a_phone_that_answers_as_the_host_did_passes(call: Call, folder: Path) -> None:
    junit = folder.parent / "phone.xml"
    done = call(
        *("parity", "--reference", folder, "--candidate", shared(folder)),
        *("--junit", junit, "--json"),
    )
    assert done.code == 0, done
    verdict = done.json()["verdict"]
    assert verdict["outcome"] == "pass"
    assert verdict["candidate"]["host"].startswith("Google Pixel 8")
    assert verdict["figures"]["latency_ms"] == {"candidate": {"p50": 12.3, "p90": 14.0}}
    assert 'failures="0"' in junit.read_text(encoding="utf-8")
    shown = call("parity", "--reference", folder, "--candidate", shared(folder))
    assert "goldens chosen differently" in shown.out


def test_a_phone_that_answers_something_else_fails(call: Call, folder: Path) -> None:
    rows = [[0.05, 0.15, 0.8], [0.1, 0.7, 0.2], [0.335, 0.333, 0.332]]
    phone = shared(folder, probabilities=rows)
    done = call("parity", "--reference", folder, "--candidate", phone)
    assert done.code == 1
    assert "largest_probability_difference" in done.said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_sha256": "0" * 64}, "another model than the goldens"),
        ({"labels": ["NV", "MEL", "BCC"]}, "another labels"),
        ({"dataset_sha256": "0" * 64}, "another dataset"),
        ({"count": 2}, "inconsistent"),
        ({"probabilities": None}, "not a valid recording"),
    ],
)
def test_a_recording_that_is_not_of_this_bundle_is_refused(
    call: Call, folder: Path, changes: dict[str, Any], words: str
) -> None:
    phone = shared(folder, **changes)
    done = call("parity", "--reference", folder, "--candidate", phone)
    assert done.code == 2
    assert words in done.said


def test_a_critical_class_cannot_be_asked_of_goldens(call: Call, folder: Path) -> None:
    phone = shared(folder)
    done = call("parity", "--reference", folder, "--candidate", phone, "--critical", "MEL")
    assert done.code == 2
    assert "no true labels" in done.said


def test_a_bundle_without_goldens_is_refused(call: Call, folder: Path) -> None:
    phone = shared(folder)
    bare = bundle(folder.parent / "bare", None)
    done = call("parity", "--reference", bare, "--candidate", phone)
    assert done.code == 2
    assert "has no goldens" in done.said


def test_a_golden_photo_that_is_none_is_refused_before_anything_is_made(
    call: Call, run_dir: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"no picture")
    model = samples().models["good"]
    done = call(
        *("export", "--quantize", "float16", "--normalization", "tf", "--model", model),
        *("--golden", photo, "--run-dir", run_dir),
    )
    assert done.code == 2
    assert "photo.png" in done.said
    assert not (run_dir / "export-cache").exists()
