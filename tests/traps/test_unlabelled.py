"""Export on images that do not show every class, and on photographs without any label."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.run import RunDir
from tests.commands import Call, Done
from tests.traps.models import LABELS, traps

pytestmark = pytest.mark.slow

LOUD = (
    "ACCURACY NOT PROVEN: the photographs have no labels, so the file is only shown to answer as "
    "the Keras model does"
)
STATED = ("--normalization", "tf", "--labels", ",".join(LABELS))


def export(call: Call, run: Path, quantize: str, *options: str | Path) -> Done:
    model = traps().models["plain"]
    return call("export", "--quantize", quantize, "--model", model, *options, "--run-dir", run)


def copied(target: Path, labels: tuple[str, ...], *, per_label: int, flat: bool) -> Path:
    for label in labels:
        folder = target if flat else target / label
        folder.mkdir(parents=True, exist_ok=True)
        for i, path in enumerate(sorted((traps().images / label).iterdir())[:per_label]):
            name = f"{i:03}-{label[0]}.png" if flat else path.name
            (folder / name).write_bytes(path.read_bytes())
    return target


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs") / "own"
    return copied(folder, LABELS, per_label=40, flat=True)


@pytest.mark.parametrize("quantize", ["float16", "int8"])
def test_a_dataset_may_lack_a_class_of_the_model(call: Call, tmp_path: Path, quantize: str) -> None:
    shown = ("AMBER", "BLUE", "MEL")
    images = copied(tmp_path / "images", shown, per_label=150, flat=False)
    run = tmp_path / "run"
    assert call("data", "prepare", images, "--run-dir", run).code == 0
    done = export(call, run, quantize, *STATED, "--json")
    assert done.code == 0, (done.out[-3000:], done.said)
    (exported,) = done.json()["exports"]
    figures = exported["verdict"]["figures"]
    assert figures["critical"] == ["MEL"]
    assert list(figures["recall"]) == [*LABELS]
    assert figures["recall"]["DARK"]["images"] == 0
    assert figures["recall"]["DARK"]["candidate"] is None
    assert figures["accuracy"]["candidate"]["share"] > 0.9
    labels = (Path(exported["folder"]) / "labels.txt").read_text(encoding="utf-8")
    assert labels.split() == [*LABELS]
    recorded = call("record", exported["folder"], "--runtime", "litert", "--run-dir", run, "--json")
    assert recorded.code == 0, recorded


@pytest.mark.parametrize("quantize", ["float16", "int8"])
def test_photographs_without_labels_prove_agreement_and_say_no_more(
    call: Call, tmp_path: Path, photographs: Path, quantize: str
) -> None:
    run = tmp_path / "run"
    arguments = (*STATED, "--unlabelled", photographs)
    done = export(call, run, quantize, *arguments)
    assert done.code == 0, (done.out[-3000:], done.said)
    assert LOUD in " ".join(done.out.split())
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert LOUD in page

    dataset: DatasetManifest = DatasetManifest.load(RunDir(run).dataset)
    assert dataset.unlabelled
    assert dataset.labels.names == LABELS
    splits = [str(image.split) for image in dataset.images]
    assert (splits.count("train"), splits.count("validation")) == (80, 80)

    # The same command again finds what it made.
    again = export(call, run, quantize, *arguments, "--json").json()["exports"][0]
    assert again["resumed"]
    verdict = again["verdict"]
    names = {check["name"] for check in verdict["checks"]}
    assert {"top1_agreement", "mean_probability_difference"} <= names
    assert not names & {"accuracy_difference", "balanced_accuracy_drop"}
    assert not [name for name in names if "critical_recall" in name or "reference_input" in name]
    figures = verdict["figures"]
    assert [note["kind"] for note in figures["notes"]] == ["accuracy_not_proven"]
    assert figures["critical"] == []
    assert figures["labelled_images"] == 0
    assert "accuracy" not in figures
    assert figures["images"] == 80
    assert figures["top1_agreement"]["share"] >= 0.95
    manifest = json.loads((Path(again["folder"]) / "manifest.json").read_text(encoding="utf-8"))
    calibrated = set(manifest["representative_sha256"])
    held_out = {image.sha256 for image in dataset.images if str(image.split) == "validation"}
    assert not calibrated & held_out
    if quantize == "int8":
        assert len(calibrated) == 80
        trials = manifest["search"]["trials"]
        assert trials
        assert all(trial["balanced_accuracy"] is None for trial in trials)
        assert all(trial["critical_recall"] == {} for trial in trials)


def test_a_floor_of_the_accuracy_stays_undecided_without_labels(
    call: Call, tmp_path: Path, photographs: Path
) -> None:
    done = export(
        call, tmp_path / "run", "float16", *STATED, "--unlabelled", photographs,
        "--min-reference-accuracy", "0.5", "--json",
    )  # fmt: skip
    assert done.code == 4, (done.out[-2000:], done.said)
    assert not done.json()["exports"][0]["published"]
