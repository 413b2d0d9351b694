"""Train tiny models for real: publish, reuse, kill, resume, refuse."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from pipeline.contract.hashing import sha256_file
from pipeline.contract.manifest import ModelManifest, package_versions
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.metrics import Metrics, load_metrics
from pipeline.progress import ProgressEvent
from pipeline.training.backbones import NAMES, backbone
from pipeline.training.job import PACKAGES, REVISION
from pipeline.training.request import TrainRequest
from pipeline.training.train import train
from tests.platforms import needs_proc
from tests.training.samples import (
    LABELS,
    SMALL,
    coloured_dataset,
    random_weights,
    small_image,
    small_width,
)

SCRATCH = TrainRequest(image=SMALL, width=0.35, weights="none", epochs=2)


class Trained:
    """Hold one finished training and what it told."""

    def __init__(self, root: Path) -> None:
        self.run = RunDir(root / "run")
        self.dataset = coloured_dataset(root / "images", self.run)
        self.events: list[ProgressEvent] = []
        with self.run.lock():
            self.manifest = train(SCRATCH, self.run, report=self.events.append)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"))


def test_a_training_publishes_model_manifest_and_metrics(trained: Trained) -> None:
    names = {path.name for path in trained.run.train.iterdir()}
    assert names == {"model.keras", "manifest.json", "metrics.json"}
    manifest = ModelManifest.load(trained.run.model_manifest)
    assert manifest == trained.manifest
    manifest.check_files(trained.run.train)
    assert manifest.labels == LABELS
    assert manifest.backbone == "mobilenet_v2"
    assert manifest.parents == {"dataset": trained.dataset.digest()}
    assert manifest.training["phases"]["whole"]["epochs"] == 2


def test_critical_classes_are_rewritten_without_another_training(trained: Trained) -> None:
    run, last = trained.run, LABELS.names[-1]
    events: list[ProgressEvent] = []
    with run.lock():
        stated = train(SCRATCH, run, critical=(last,), report=events.append)
        assert ModelManifest.load(run.model_manifest) == stated
        assert train(SCRATCH, run, report=events.append) == trained.manifest
        with pytest.raises(BadInput, match="critical class"):
            train(SCRATCH, run, critical=("none such",))
    assert stated.labels.critical == (last,)
    assert stated.files == trained.manifest.files
    assert not events
    assert ModelManifest.load(run.model_manifest) == trained.manifest


def test_every_split_is_measured(trained: Trained) -> None:
    text = (trained.run.metrics).read_text(encoding="utf-8")
    metrics = {name: Metrics.model_validate(m) for name, m in json.loads(text).items()}
    assert {name: m.images for name, m in metrics.items()} == {
        "train": 24,
        "validation": 9,
        "test": 9,
    }


def test_the_model_is_calibrated_on_validation_and_that_is_recorded(trained: Trained) -> None:
    found = trained.manifest.calibration
    assert found is not None
    assert found == ModelManifest.load(trained.run.model_manifest).calibration
    assert (found.images, set(found.splits)) == (9, {"validation", "test"})
    metrics = load_metrics(trained.run.metrics)
    assert metrics["train"].calibration is None
    for split in ("validation", "test"):
        assert metrics[split].calibration == found.splits[split]
        # What is measured of the saved model is what its calibration says.
        assert metrics[split].calibration_error == found.splits[split].after.equal_width
    change = found.splits["validation"]
    assert change.before.loss != change.after.loss


@pytest.mark.slow
def test_calibration_can_be_left_out_and_changes_nothing_but_the_confidence(
    trained: Trained, tmp_path: Path
) -> None:
    run = RunDir(tmp_path / "run")
    trained.dataset.save(run.dataset)
    with run.lock():
        plain = train(SCRATCH.model_copy(update={"calibrate": False}), run)
    assert plain.calibration is None
    for split, figures in load_metrics(run.metrics).items():
        scaled = load_metrics(trained.run.metrics)[split]
        assert figures.confusion == scaled.confusion
        assert figures.calibration is None
        if scaled.calibration is not None:
            assert figures.calibration_error == scaled.calibration.before.equal_width


def test_progress_tells_loss_accuracy_and_time_left(trained: Trained) -> None:
    steps = [event for event in trained.events if event.task == "train whole"]
    assert steps[-1].done == steps[-1].total
    for word in ("epoch 2/2", "loss", "accuracy", "left"):
        assert word in steps[-1].detail


def test_only_the_logs_stay_behind(trained: Trained) -> None:
    left = {path.name for path in trained.run.training_state.folder.iterdir()}
    assert left == {"history.csv", "history.csv.sha256", "tensorboard"}
    assert list((trained.run.training_state.tensorboard / "whole").iterdir())


def test_the_same_request_again_returns_at_once(trained: Trained) -> None:
    start = time.monotonic()
    with trained.run.lock():
        again = train(SCRATCH, trained.run)
    assert again == trained.manifest
    assert time.monotonic() - start < 2.0


@pytest.mark.parametrize(
    ("target", "value", "said"),
    [
        ("REVISION", 99, f"revision {REVISION} was used, now 99"),
        ("package_versions", None, "tensorflow"),
        (None, None, "the dataset, the weights or the options are others"),
    ],
)
def test_a_model_of_another_version_is_trained_again_and_that_is_said(
    trained: Trained,
    monkeypatch: pytest.MonkeyPatch,
    target: str | None,
    value: object,
    said: str,
) -> None:
    class Asked(Exception):
        pass

    def ask(*arguments: object, **options: object) -> None:
        raise Asked

    monkeypatch.setattr("pipeline.training.train.ask_child", ask)
    if target == "package_versions":
        now = {**package_versions(*PACKAGES), "tensorflow": "9.0"}
        monkeypatch.setattr("pipeline.training.train.package_versions", lambda *_: now)
        said = f"tensorflow {version('tensorflow')} was used, now 9.0"
    elif target is not None:
        monkeypatch.setattr(f"pipeline.training.train.{target}", value)
    request = SCRATCH if target else SCRATCH.model_copy(update={"seed": 1})
    events: list[ProgressEvent] = []
    with trained.run.lock(), pytest.raises(Asked):
        train(request, trained.run, report=events.append)
    assert [(event.task, event.detail) for event in events] == [("train the model again", said)]


def test_every_version_that_decides_the_weights_is_an_input(trained: Trained) -> None:
    made_with = trained.manifest.training["made_with"]
    assert made_with == {
        **{name: version(name) for name in ("keras", "numpy", "pillow", "tensorflow")},
        "revision": str(REVISION),
    }


_DRIVER = """
import sys
from pathlib import Path
from pipeline.contract.run import RunDir
from pipeline.training.backbones import NAMES
from pipeline.training.job import PACKAGES
from pipeline.training.request import TrainRequest
from pipeline.training.train import train
run = RunDir(Path(sys.argv[1]))
with run.lock():
    train(TrainRequest.model_validate_json(sys.argv[2]), run)
"""


@pytest.mark.slow
@needs_proc
def test_a_killed_training_goes_on_where_it_was(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    coloured_dataset(tmp_path / "images", run)
    weights = tmp_path / "base.weights.h5"
    random_weights(weights)
    request = TrainRequest(
        image=SMALL, width=0.35, weights=str(weights), head_epochs=2, epochs=20, batch_size=8
    )
    process = subprocess.Popen(
        [sys.executable, "-c", _DRIVER, str(run.root), request.model_dump_json()],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    history = run.training_state.history
    _wait(lambda: history.exists() and "finetune,2," in history.read_text(), 240)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = history.read_text().splitlines()
    assert not run.train.exists()
    # The orphan notices within a second; nothing may write here any more.
    _wait(lambda: not _alive(run.root), 10)
    seen: list[ProgressEvent] = []
    with run.lock():
        manifest = train(request, run, report=seen.append)
    after = history.read_text().splitlines()
    assert after[: len(before)] == before
    tasks = {event.task for event in seen}
    assert not [task for task in tasks if task.startswith("compute features")]
    assert "train head" not in tasks
    assert manifest.training["phases"]["finetune"]["epochs"] >= 2
    assert manifest.weights == "base.weights.h5"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_backbone_starts_from_weights_through_its_cached_trunk(
    tmp_path: Path, name: str
) -> None:
    run = RunDir(tmp_path / "run")
    coloured_dataset(tmp_path / "images", run)
    member = backbone(name)
    width = small_width(member)
    weights = random_weights(tmp_path / "base.weights.h5", name, width)
    request = TrainRequest(
        image=small_image(member),
        backbone=name,
        width=width,
        weights=str(weights),
        head_epochs=1,
        epochs=1,
    )
    with run.lock():
        manifest = train(request, run)
    assert manifest.backbone == name
    assert set(manifest.training["phases"]) == {"head", "finetune"}
    assert manifest.files["model.keras"].sha256 == sha256_file(run.model)


@pytest.mark.slow
def test_a_seed_gives_the_same_model_each_time_where_branches_are_dropped(tmp_path: Path) -> None:
    member = backbone("efficientnet_v2_b0")
    image = small_image(member).model_copy(update={"height_px": 32, "width_px": 32})
    request = TrainRequest(
        image=image, backbone=member.name, weights="none", epochs=1, batch_size=8, seed=5
    )
    digests = []
    for name in ("one", "other"):
        run = RunDir(tmp_path / name)
        coloured_dataset(tmp_path / "images", run)
        with run.lock():
            train(request, run)
        digests.append(sha256_file(run.model))
    assert digests[0] == digests[1]


@pytest.mark.slow
def test_a_budget_chooses_a_schedule_and_the_manifest_says_which(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    coloured_dataset(tmp_path / "images", run)
    asked = SCRATCH.model_copy(update={"epochs": None, "batch_size": 8})
    events: list[ProgressEvent] = []
    with run.lock():
        with pytest.raises(BadInput, match="not even the shortest"):
            train(asked.model_copy(update={"budget_minutes": 0.001}), run)
        manifest = train(
            asked.model_copy(update={"budget_minutes": 5.0}), run, report=events.append
        )
    schedule, settings = manifest.training["schedule"], manifest.training["settings"]
    assert schedule["settings"] == settings
    assert schedule["budget_minutes"] == 5.0
    assert 0.0 < schedule["expected_minutes"] <= 5.0
    assert schedule["speed"]["step_s"] > 0.0
    assert manifest.training["phases"]["whole"]["epochs"] <= settings["epochs"]
    assert "choose the schedule" in {event.task for event in events}


def _alive(root: Path) -> bool:
    marker = str(root).encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker in entry.with_name("cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False


def _wait(true: object, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def test_missing_and_changed_images_are_counted_and_named(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    manifest = coloured_dataset(tmp_path / "images", run)
    files = [manifest.file(image) for image in manifest.images[:2]]
    files[0].write_bytes(b"shorter")
    with pytest.raises(BadInput, match="1 image changed") as caught:
        train(SCRATCH, run)
    assert manifest.images[0].path in str(caught.value)
    files[1].unlink()
    with pytest.raises(BadInput, match="1 image of the dataset not there any more"):
        train(SCRATCH, run)


def test_a_class_without_training_images_is_refused(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    manifest = coloured_dataset(tmp_path / "images", run)
    kept = tuple(i for i in manifest.images if i.label != "blue" or i.split != "train")
    manifest.model_copy(update={"images": kept}).save(run.dataset)
    with pytest.raises(BadInput, match="no training image") as caught:
        train(SCRATCH, run)
    assert caught.value.got == "blue"


def test_a_run_without_a_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no dataset"):
        train(SCRATCH, RunDir(tmp_path))
