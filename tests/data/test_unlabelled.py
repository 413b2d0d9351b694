"""Photographs without labels, and critical classes that are stated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.contract.dataset import DatasetManifest, Split
from pipeline.contract.labels import Labels
from pipeline.contract.run import RunDir
from pipeline.data.layouts.read import detect
from pipeline.data.prepare import prepare
from pipeline.errors import BadInput
from pipeline.training.checks import check_images
from tests.commands import Call
from tests.commands import call as call
from tests.data.pictures import class_folders, jpeg

LABELS = Labels(names=("A", "B", "MEL"), critical=("MEL",))


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path / "run")


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    (folder / "more").mkdir(parents=True)
    for i in range(9):
        (folder / ("more" if i % 2 else ".") / f"{i}.jpg").write_bytes(jpeg(i + 1))
    return folder


def unlabelled(folder: Path, run: RunDir, seed: int = 0) -> DatasetManifest:
    return prepare(folder, run, layout="unlabelled", labels=LABELS, seed=seed)


def test_half_calibrates_and_half_proves(photographs: Path, run: RunDir) -> None:
    manifest = unlabelled(photographs, run)
    assert manifest.unlabelled
    assert manifest.labels == LABELS
    assert manifest.fractions == (0.5, 0.5, 0.0)
    assert [len(manifest.of(split)) for split in Split] == [4, 5, 0]
    assert DatasetManifest.load(run.dataset) == manifest


def test_the_halves_depend_on_content_and_seed_and_not_on_names(
    photographs: Path, run: RunDir, tmp_path: Path
) -> None:
    def training(folder: Path, seed: int = 0) -> set[str]:
        return {one.sha256 for one in unlabelled(folder, run, seed).of(Split.train)}

    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for i, path in enumerate(sorted(photographs.rglob("*.jpg"), reverse=True)):
        (renamed / f"z{i}.jpg").write_bytes(path.read_bytes())
    assert training(photographs) == training(renamed)
    assert len({frozenset(training(photographs, seed)) for seed in range(5)}) > 1


def test_copies_of_a_photograph_stay_in_one_half(photographs: Path, run: RunDir) -> None:
    for i in range(9):
        (photographs / f"copy{i}.jpg").write_bytes(jpeg(i + 1))
    manifest = unlabelled(photographs, run)
    train, proven = ({i.sha256 for i in manifest.of(s)} for s in (Split.train, Split.validation))
    assert not train & proven
    assert len(manifest.images) == 18


def test_one_photograph_many_times_proves_nothing(tmp_path: Path, run: RunDir) -> None:
    (tmp_path / "same").mkdir()
    for i in range(3):
        (tmp_path / "same" / f"{i}.jpg").write_bytes(jpeg(1))
    with pytest.raises(BadInput, match="too few different photographs"):
        unlabelled(tmp_path / "same", run)


def test_the_layout_is_never_detected_and_needs_labels(photographs: Path, run: RunDir) -> None:
    with pytest.raises(BadInput, match="no layout matches"):
        detect(photographs)
    with pytest.raises(BadInput) as caught:
        prepare(photographs, run, layout="unlabelled")
    assert "--unlabelled" in str(caught.value.next_step)


def test_no_training_takes_photographs_without_labels(photographs: Path, run: RunDir) -> None:
    with pytest.raises(BadInput, match="without labels train nothing"):
        check_images(unlabelled(photographs, run))


def test_labels_are_of_all_images_or_of_none(photographs: Path, run: RunDir) -> None:
    values = unlabelled(photographs, run).model_dump(mode="json")
    values["images"][0]["label"] = "A"
    with pytest.raises(ValidationError, match="others have none"):
        DatasetManifest.model_validate(values)


def test_stated_critical_classes_replace_the_proposed(tmp_path: Path, run: RunDir) -> None:
    source = class_folders(tmp_path / "src", {"MEL": 4, "nevus": 4})
    assert prepare(source, run).labels.critical == ("MEL",)
    assert prepare(source, run, critical=("nevus",)).labels.critical == ("nevus",)


def test_a_critical_class_without_images_is_refused_before_any_is_read(
    tmp_path: Path, run: RunDir
) -> None:
    source = class_folders(tmp_path / "src", {"a": 4, "b": 4})
    (source / "a" / "pic_000.jpg").write_bytes(b"no picture")
    with pytest.raises(BadInput) as caught:
        prepare(source, run, critical=("c",))
    assert (caught.value.what, caught.value.got) == (
        "a critical class is not among the labels",
        "c",
    )
    assert not run.scan_cache.exists()


def test_the_command_says_loudly_that_no_class_is_critical(call: Call, tmp_path: Path) -> None:
    source = class_folders(tmp_path / "src", {"one": 4, "two": 4})
    place = ("--run-dir", tmp_path / "run")
    done = call("data", "prepare", source, *place)
    assert done.code == 0
    assert "NO CRITICAL CLASS" in done.out
    stated = call("data", "prepare", source, *place, "--critical", "two", "--critical", "one")
    assert "NO CRITICAL CLASS" not in stated.out
    assert "critical classes: two, one" in stated.out
    value = json.loads(call("data", "prepare", source, *place, "--critical", "one", "--json").out)
    assert value["critical"] == ["one"]


def test_the_configuration_states_critical_classes(tmp_path: Path) -> None:
    from pipeline.workflow.config import RunConfig

    file = tmp_path / "pipeline.toml"
    file.write_text('[data]\ncritical = ["MEL", "BCC"]\n', encoding="utf-8")
    assert RunConfig.from_toml(file).data.critical == ("MEL", "BCC")
    assert RunConfig().data.critical is None
