"""Files kept for a later run: whole, damaged with the same size, torn, without their hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.contract.manifest import BundleManifest
from pipeline.contract.measured import set_apart
from pipeline.contract.sealed import is_whole, remove_sealed, seal
from pipeline.contract.search import SearchRecord, Trial
from pipeline.contract.verdict import Verdict
from pipeline.progress import ProgressEvent
from tests.android.bundles import whole_bundle


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def foreign_seal(path: Path) -> None:
    path.with_name(f"{path.name}.sha256").write_text("0" * 64)


def noisy_seal(path: Path) -> None:
    path.with_name(f"{path.name}.sha256").write_bytes(b"\xff\xfe")


@pytest.mark.parametrize("damage", [flip, cut, empty, foreign_seal, noisy_seal])
def test_damage_is_noticed_and_told_in_one_line(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "cached.bin"
    path.write_bytes(bytes(range(200)))
    events: list[ProgressEvent] = []
    seal(path)
    assert is_whole(path, events.append)
    assert events == []
    assert callable(damage)
    damage(path)
    assert not is_whole(path, events.append)
    assert [event.task for event in events] == ["make cached.bin again"]


def test_a_file_that_was_never_finished_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "cached.bin"
    events: list[ProgressEvent] = []
    assert not is_whole(path, events.append)
    path.write_bytes(b"x")
    assert not is_whole(path, events.append)
    assert events == []


def test_a_sealed_file_goes_with_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "cached.bin"
    path.write_bytes(b"x")
    seal(path)
    remove_sealed(path)
    assert list(tmp_path.iterdir()) == []


def test_what_was_measured_is_kept_out_of_what_is_hashed_and_comes_back(tmp_path: Path) -> None:
    folder = whole_bundle(tmp_path / "bundle")
    verdict = Verdict.load(folder / "verdict.json")
    found = []
    for latency_ms in (1.5, 2.5):
        trial = Trial(
            steps=(),
            agreement=1.0,
            mean_difference=0.0,
            balanced_accuracy=None,
            critical_recall={},
            size_bytes=10,
            latency_ms_p50=latency_ms,
            meets_target=True,
        )
        searched = BundleManifest.load(folder / "manifest.json").model_copy(
            update={"search": SearchRecord(trials=(trial,))}
        )
        timed = verdict.model_copy(
            update={
                "figures": {**verdict.figures, "latency_ms": {"candidate": latency_ms}},
                "candidate": {**verdict.candidate, "recording_sha256": str(latency_ms)},
            }
        )
        manifest, judged, measured = set_apart(searched, timed)
        assert measured.of_manifest(manifest) == searched
        assert measured.of_verdict(judged) == timed
        found.append((manifest.model_dump_json(), judged.model_dump_json()))
    assert found[0] == found[1]
