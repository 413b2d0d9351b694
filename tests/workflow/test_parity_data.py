"""Prove a bundle again from nothing but itself and images that lie anywhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.contract.bundle import MODEL_FILE
from pipeline.contract.choices import Split
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Check, Gate, Verdict
from pipeline.errors import BadInput
from pipeline.workflow.exported import Exported
from pipeline.workflow.parity import judge_model
from pipeline.workflow.parity_data import DataSource, judge_data
from tests.bundles.broken import BUNDLE, OTHER_MODEL
from tests.commands import Call
from tests.export.samples import samples
from tests.workflow.test_parity import EASY, exported, run

__all__ = ["exported", "run"]

EASY_OPTIONS = ("--min-images", "1", "--tolerance", "1", "--min-agreement", "0")


def compared(verdict: Verdict) -> list[Check]:
    return [check for check in verdict.checks if check.gate in (Gate.numbers, Gate.task)]


@pytest.fixture(scope="module")
def bundle(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(exported.folder, tmp_path_factory.mktemp("elsewhere") / "bundle")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the validation images in class folders, under other names."""
    folder, dataset = tmp_path_factory.mktemp("photos"), samples().dataset
    for number, record in enumerate(dataset.of(Split.validation)):
        assert record.label is not None
        (folder / record.label).mkdir(exist_ok=True)
        suffix = Path(record.path).suffix
        shutil.copyfile(dataset.file(record), folder / record.label / f"photo-{number}{suffix}")
    return folder


def test_a_bundle_and_the_images_give_the_values_of_the_export(
    exported: Exported, bundle: Path, photos: Path, tmp_path: Path
) -> None:
    again = judge_data(RunDir(tmp_path), bundle, DataSource(photos), EASY)
    assert again.passed
    assert compared(again) == compared(exported.verdict)
    assert again.figures["recordings"] == {"reference": "bundle", "candidate": "made"}
    assert "reference_label_order" in again.figures["not_checked"]
    for figure in ("accuracy", "recall", "confusion", "top1_agreement", "flips"):
        assert again.figures[figure] == exported.verdict.figures[figure]


def test_images_without_labels_take_those_of_the_reference(
    exported: Exported, bundle: Path, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "flat").mkdir()
    for image in photos.rglob("*.*"):
        shutil.copyfile(image, tmp_path / "flat" / f"{image.parent.name}-{image.name}")
    again = judge_data(RunDir(tmp_path / "run"), bundle, DataSource(tmp_path / "flat"), EASY)
    assert {c.name: c.value for c in compared(again)} == {
        c.name: c.value for c in compared(exported.verdict)
    }


def test_a_part_of_the_images_will_do_and_a_class_may_be_missing(
    bundle: Path, photos: Path, tmp_path: Path
) -> None:
    for label in ("RED", "GREEN"):
        shutil.copytree(photos / label, tmp_path / "some" / label)
    part = judge_data(RunDir(tmp_path / "run"), bundle, DataSource(tmp_path / "some"), EASY)
    assert part.passed
    assert part.figures["images"] == len(list((tmp_path / "some").rglob("*.*")))
    assert part.figures["recall"]["BLUE"]["images"] == 0


def test_noise_is_measured_on_the_images_judged_and_only_of_a_keras_model(
    run: RunDir, photos: Path, tmp_path: Path
) -> None:
    shutil.copytree(photos / "RED", tmp_path / "some" / "RED")
    shown, good = DataSource(tmp_path / "some"), samples().models["good"]
    some = judge_data(run, OTHER_MODEL, shown, EASY, keras=good).figures
    assert some["noise"]["images"] == some["images"] == len(list((photos / "RED").iterdir()))
    assert some["runtime_spread"]["images"] == some["images"]
    # The committed bundle works in 8 bits too, and its float model is not in it.
    alone = judge_data(RunDir(tmp_path / "run"), BUNDLE, DataSource(photos), EASY)
    assert "noise" not in alone.figures
    (agreement,) = (check for check in alone.checks if check.name == "top1_agreement")
    assert "own_noise" not in agreement.evidence


def test_unknown_images_ask_for_the_model_and_say_how_many_are_known(
    bundle: Path, photos: Path, tmp_path: Path
) -> None:
    dataset = samples().dataset
    mixed = shutil.copytree(photos, tmp_path / "mixed")
    (stranger, *_) = (one for one in dataset.of(Split.train) if one.label == "RED")
    shutil.copyfile(dataset.file(stranger), mixed / "RED" / "stranger.png")
    known = len(dataset.of(Split.validation))
    with pytest.raises(BadInput, match=f"{known} of {known + 1} known") as refused:
        judge_data(RunDir(tmp_path / "run"), bundle, DataSource(mixed), EASY)
    assert "--model" in str(refused.value)
    verdict = judge_data(
        RunDir(tmp_path / "run"), bundle, DataSource(mixed), EASY, keras=samples().models["good"]
    )
    assert verdict.figures["images"] == known + 1
    assert verdict.figures["recordings"] == {"reference": "made", "candidate": "made"}
    again = judge_data(
        RunDir(tmp_path / "run"), bundle, DataSource(mixed), EASY, keras=samples().models["good"]
    )
    assert again.figures["recordings"] == {"reference": "found", "candidate": "found"}
    assert compared(again) == compared(verdict)


def test_images_labelled_otherwise_are_refused(bundle: Path, photos: Path, tmp_path: Path) -> None:
    swapped = shutil.copytree(photos, tmp_path / "swapped")
    (swapped / "RED").rename(swapped / "x")
    (swapped / "BLUE").rename(swapped / "RED")
    (swapped / "x").rename(swapped / "BLUE")
    with pytest.raises(BadInput, match="labelled otherwise") as refused:
        judge_data(RunDir(tmp_path / "run"), bundle, DataSource(swapped), EASY)
    assert "not RED" in str(refused.value)


def test_a_bare_file_needs_its_model(bundle: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not carry what its Keras model answers"):
        judge_data(RunDir(tmp_path), bundle / MODEL_FILE, DataSource(photos), EASY)


def test_a_prepared_dataset_is_taken_by_split(
    run: RunDir, exported: Exported, bundle: Path, tmp_path: Path
) -> None:
    data = DataSource(run.dataset, split=Split.validation)
    again = judge_data(RunDir(tmp_path), bundle, data, EASY)
    assert compared(again) == compared(exported.verdict)
    with pytest.raises(BadInput, match="--split validation"):
        judge_data(RunDir(tmp_path), bundle, DataSource(run.dataset), EASY)


def test_fresh_recordings_are_made_again_and_the_verdict_says_so(
    run: RunDir, exported: Exported
) -> None:
    found = judge_model(run, exported.folder, EASY)
    assert found.figures["recordings"] == {"reference": "found", "candidate": "found"}
    made = judge_model(run, exported.folder, EASY, fresh=True)
    assert made.figures["recordings"] == {"reference": "made", "candidate": "made"}
    assert compared(made) == compared(found)


def test_the_command_needs_neither_a_run_nor_a_home(
    call: Call, bundle: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home")
    done = call("parity", bundle, "--data", photos, *EASY_OPTIONS)
    assert done.code == 0, done.said
    assert "recording of the reference: carried by the bundle" in done.out
    assert "recording of the candidate: made now" in done.out
    assert list((tmp_path / "home").iterdir()) == []
    told = call("parity", bundle, "--split", "validation")
    assert (told.code, "would do nothing without --data" in told.said) == (2, True)
    weak = call("parity", bundle, "--data", photos, "--accept-weak-reference")
    assert (weak.code, "would do nothing" in weak.said) == (2, True)
    fragile = call("parity", bundle, "--data", photos, "--accept-fragile")
    assert (fragile.code, "would do nothing without the Keras model" in fragile.said) == (2, True)
    two = call("parity", "--reference", "a.json", "--candidate", "b.json", "--accept-fragile")
    assert (two.code, "--accept-fragile would do nothing" in two.said) == (2, True)
    two = call("parity", "--reference", "a.json", "--candidate", "b.json", "--fresh")
    assert (two.code, "--fresh would do nothing" in two.said) == (2, True)
