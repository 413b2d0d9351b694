"""Refuse photographs without labels where they would hide something."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.workflow.keras_model import StatedModel
from pipeline.workflow.unlabelled import take_unlabelled
from tests.data.pictures import jpeg
from tests.export.samples import make_dataset

STATED = StatedModel(labels=("RED", "melanoma", "BLUE"))


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / "run")
    run.root.mkdir()
    return run


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for i in range(4):
        (folder / f"{i}.jpg").write_bytes(jpeg(i + 1))
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "own.keras").write_bytes(b"")
    return tmp_path / "own.keras"


def test_the_models_labels_become_the_datasets(run: RunDir, photographs: Path, model: Path) -> None:
    first = take_unlabelled(photographs, run, model, STATED)
    assert first.unlabelled
    assert first.labels.names == STATED.labels
    assert first.labels.critical == ("melanoma",)
    assert take_unlabelled(photographs, run, model, STATED).digest() == first.digest()


def test_what_is_not_stated_is_asked_for(run: RunDir, photographs: Path, model: Path) -> None:
    with pytest.raises(BadInput) as no_model:
        take_unlabelled(photographs, run, None, STATED)
    assert "--model FILE" in str(no_model.value.next_step)
    with pytest.raises(BadInput) as no_labels:
        take_unlabelled(photographs, run, model, StatedModel())
    assert "--labels" in str(no_labels.value.next_step)
    wrong = StatedModel(labels=("RED", "BLUE"), critical=("GREEN",))
    with pytest.raises(BadInput, match="critical class"):
        take_unlabelled(photographs, run, model, wrong)
    with pytest.raises(BadInput, match="no Keras model"):
        take_unlabelled(photographs, run, model.with_name("gone.keras"), STATED)
    assert not run.dataset.exists()


def test_images_with_labels_are_not_given_up(
    run: RunDir, photographs: Path, model: Path, tmp_path: Path
) -> None:
    make_dataset(tmp_path / "images").save(run.dataset)
    before = run.dataset.read_bytes()
    with pytest.raises(BadInput) as caught:
        take_unlabelled(photographs, run, model, STATED)
    assert "another --run-dir" in str(caught.value.next_step)
    assert run.dataset.read_bytes() == before
