from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.contract.labels import Labels
from pipeline.contract.manifest import FileEntry, ModelManifest
from pipeline.errors import BadInput
from pipeline.workflow.predict import find_images, predict
from tests.export.samples import IMAGE, LABELS, samples


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    for name in ("b.jpg", "a.PNG", "notes.txt", "deep/c.webp"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_a_folder_gives_its_images_recursively_in_order(photos: Path) -> None:
    names = [str(path.relative_to(photos)) for path in find_images([str(photos)])]
    assert names == ["a.PNG", "b.jpg", "deep/c.webp"]


def test_a_pattern_gives_matching_images_only(photos: Path) -> None:
    assert [path.name for path in find_images([f"{photos}/*"])] == ["a.PNG", "b.jpg"]
    assert [path.name for path in find_images([f"{photos}/**/*.webp"])] == ["c.webp"]


def test_an_image_named_twice_is_taken_once(photos: Path) -> None:
    assert len(find_images([str(photos / "b.jpg"), str(photos), f"{photos}/b*"])) == 3


def test_a_named_file_is_taken_whatever_its_suffix(photos: Path) -> None:
    assert find_images([str(photos / "notes.txt")]) == [photos / "notes.txt"]


@pytest.mark.parametrize("argument", ["missing.jpg", "*.jpg", "empty"])
def test_an_argument_that_names_nothing_is_refused(tmp_path: Path, argument: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="no image here"):
        find_images([str(tmp_path / argument)])


def beside(folder: Path, file: Path, named: str, labels: Labels = LABELS) -> Path:
    """Copy a model into `folder`, and write a manifest that names it `named` with its hash."""
    model = folder / "model.keras"
    shutil.copyfile(file, model)
    ModelManifest(
        versions={},
        seed=0,
        parents={},
        files={named: FileEntry.of(model)},
        image=IMAGE,
        labels=labels,
        recipe="default",
        backbone="mobilenet_v2",
        width=1.0,
        weights="none",
        training={},
    ).save(folder / "manifest.json")
    return model


def test_the_labels_of_another_models_manifest_are_not_taken(tmp_path: Path) -> None:
    images = [samples().dataset.file(samples().dataset.images[0])]
    model = beside(tmp_path, samples().models["good"], named="another.keras")
    with pytest.raises(BadInput, match="is of another one") as refused:
        predict(model, images)
    assert refused.value.where == str(tmp_path / "manifest.json")
    assert str(refused.value.expected).startswith("model.keras with sha256 ")


def test_a_model_that_was_replaced_is_not_given_the_old_ones_labels(tmp_path: Path) -> None:
    model = beside(tmp_path, samples().models["good"], named="model.keras")
    shutil.copyfile(samples().models["seven"], model)
    with pytest.raises(BadInput, match="is of another one"):
        predict(model, [samples().dataset.file(samples().dataset.images[0])])


@pytest.mark.slow
def test_a_keras_file_answers_with_the_labels_of_its_own_manifest(tmp_path: Path) -> None:
    model = beside(tmp_path, samples().models["good"], named="model.keras")
    answered = predict(model, [samples().dataset.file(samples().dataset.images[0])])
    assert answered.labels == LABELS
    (one,) = answered.predictions
    assert sum(one.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert one.label == max(one.probabilities, key=lambda name: one.probabilities[name])
