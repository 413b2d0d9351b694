"""Diagnose recordings of a tiny file as a user does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.goldens import load_goldens
from pipeline.runtimes.recording import InlineRecording, Recording
from tests.android.bundles import whole_bundle
from tests.commands import Call
from tests.export.samples import INT8, LABELS, samples
from tests.parity.recordings import recording


def ids_of(dataset: DatasetManifest) -> list[str]:
    return [image.sha256 for image in dataset.images]


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Return a recording of every image of the samples: the class is the image's own."""
    dataset = samples().dataset
    truth = [LABELS.index(str(image.label)) for image in dataset.images]
    rows = np.eye(3, dtype=np.float32)[truth] * 0.7 + 0.1
    return save(recording(rows, truth, ids=ids_of(dataset), labels=LABELS.names), tmp_path)


def save(one: Recording, folder: Path) -> Path:
    path = folder / "recording.json"
    one.save(path)
    return path


def arguments(candidate: Path, data: Path) -> tuple[str | Path, ...]:
    model = samples().described[INT8.name]
    return ("diagnose", "--reference", model, "--candidate", candidate, "--data", data)


def test_the_answers_of_the_file_itself_do_not_disagree(call: Call, tmp_path: Path) -> None:
    model = samples().described[INT8.name]
    folder = Path(samples().dataset.root)
    answers = call("predict", model, folder, "--json").json()["predictions"]
    by_name = {Path(one["image"]).name: one["probabilities"] for one in answers}
    dataset = samples().dataset
    rows = np.array(
        [[by_name[image.path][name] for name in LABELS.names] for image in dataset.images],
        np.float32,
    )
    truth = [-1] * len(rows)
    healthy = save(recording(rows, truth, ids=ids_of(dataset), labels=LABELS.names), tmp_path)
    done = call(*arguments(healthy, folder), "--json")
    assert done.code == 0, done.said
    found = done.json()["diagnosis"]
    assert found["found"] == "no disagreement"
    assert found["images"] == found["recorded"] == 24
    assert found["flips"] == 0

    # A phone that names its labels in another order, and gives each its own probability.
    renamed = recording(
        rows[:, [2, 0, 1]],
        truth,
        ids=ids_of(dataset),
        labels=tuple(LABELS.names[k] for k in (2, 0, 1)),
    )
    assert call(*arguments(save(renamed, tmp_path), folder)).code == 0

    shifted = recording(rows[:, [2, 0, 1]], truth, ids=ids_of(dataset), labels=LABELS.names)
    done = call(*arguments(save(shifted, tmp_path), folder), "--images", "20")
    assert done.code == 1
    assert "names the classes one place off" in done.out
    assert "20 of the 24 recorded images" in done.out


def test_no_known_mistake_ends_undecided(recorded: Path, call: Call) -> None:
    done = call(*arguments(recorded, Path(samples().dataset.root)))
    assert done.code == 4
    assert "none of the known mistakes" in done.out


def test_a_folder_without_the_recorded_images_is_refused(
    recorded: Path, call: Call, tmp_path: Path
) -> None:
    done = call(*arguments(recorded, tmp_path / "nowhere"))
    assert done.code == 2
    assert "no folder of images" in done.said
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "one.jpg").write_bytes(b"another")
    done = call(*arguments(recorded, tmp_path / "other"))
    assert done.code == 2
    assert "no image of the recording is in this folder" in done.said


def test_other_labels_and_values_that_are_no_numbers_are_refused(
    call: Call, tmp_path: Path
) -> None:
    dataset = samples().dataset
    rows, truth = np.full((24, 3), 1 / 3, np.float32), [-1] * 24
    other = recording(rows, truth, ids=ids_of(dataset), labels=("A", "B", "C"))
    done = call(*arguments(save(other, tmp_path), Path(dataset.root)))
    assert done.code == 2
    assert "other labels" in done.said
    rows[3, 1] = np.nan
    broken = recording(rows, truth, ids=ids_of(dataset), labels=LABELS.names)
    done = call(*arguments(save(broken, tmp_path), Path(dataset.root)))
    assert done.code == 2
    assert "1 of 24 images" in done.said


def test_a_phone_that_names_the_goldens_wrongly_is_diagnosed(call: Call, tmp_path: Path) -> None:
    """What the app shares after its self-test is one JSON, of the bundle's own goldens."""
    bundle = whole_bundle(tmp_path / "bundle")
    goldens = load_goldens(bundle)
    shared = InlineRecording(
        runtime="android",
        runtime_version="1",
        model_sha256=goldens.model_sha256,
        image_contract_sha256=goldens.image_contract_sha256,
        labels=goldens.labels,
        dataset_sha256="0" * 64,
        split="goldens",
        threads=1,
        host="phone",
        count=len(goldens.goldens),
        latency_ms_p50=1.0,
        latency_ms_p90=1.0,
        image_ids=tuple(golden.sha256 for golden in goldens.goldens),
        probabilities=tuple(
            tuple(golden.probabilities[name] for name in goldens.labels)
            for golden in goldens.goldens
        ),
    )
    phone = tmp_path / "phone.json"
    for by, code, named in ((0, 0, []), (1, 1, ["labels-shifted"])):
        rows = tuple(row[by:] + row[:by] for row in shared.probabilities)
        shared.model_copy(update={"probabilities": rows}).save(phone)
        options = ("--candidate", phone, "--data", bundle / "goldens", "--json")
        done = call("diagnose", "--reference", bundle, *options)
        assert done.code == code, done.out + done.said
        assert done.json()["diagnosis"]["named"] == named
