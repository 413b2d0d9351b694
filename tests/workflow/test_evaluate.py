"""Evaluate tiny real models: Keras, a bare file and a bundle, alone and side by side."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.contract.bundle import MODEL_FILE, load_bundle
from pipeline.contract.choices import Split
from pipeline.contract.evaluation import Evaluation
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.metrics import measure
from pipeline.runtimes.bundle_reference import load_reference
from pipeline.workflow.evaluate import evaluate
from pipeline.workflow.exported import Exported
from pipeline.workflow.keras_model import StatedModel
from pipeline.workflow.parity_data import DataSource
from tests.commands import Call
from tests.export.samples import LABELS, samples
from tests.workflow.test_parity import exported, run

__all__ = ["exported", "run"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the validation images in class folders, with a table of subgroups."""
    folder, dataset = tmp_path_factory.mktemp("photos"), samples().dataset
    lines = ["image,sex,age_approx"]
    for number, record in enumerate(dataset.of(Split.validation)):
        assert record.label is not None
        (folder / record.label).mkdir(exist_ok=True)
        name = f"{record.label}/{number}{Path(record.path).suffix}"
        shutil.copyfile(dataset.file(record), folder / name)
        lines.append(f"{name},{'female' if number % 2 else 'male'},{20 + 30 * (number % 2)}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def models(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a bundle and its Keras model, each in a place of its own."""
    folder = tmp_path_factory.mktemp("models")
    bundle = shutil.copytree(exported.folder, folder / "bundle")
    return bundle, shutil.copyfile(samples().models["good"], folder / "good.keras")


@pytest.fixture(scope="module")
def both(
    models: tuple[Path, Path], photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> Evaluation:
    run = RunDir(tmp_path_factory.mktemp("cache"))
    return evaluate(models, DataSource(photos), run, stated=StatedModel(critical=("RED",)))


def test_a_keras_model_takes_what_its_bundle_records_of_it(
    both: Evaluation, models: tuple[Path, Path]
) -> None:
    assert [one.runtime for one in both.models] == ["litert", "keras"]
    assert [one.model for one in both.models] == [str(one) for one in models]
    reference = load_reference(models[0], load_bundle(models[0]))
    assert reference is not None
    plain = measure(reference.truth, reference.probabilities, LABELS.names)
    keras = both.models[1]
    assert keras.accuracy.value == plain.accuracy
    assert keras.confusion == plain.confusion
    assert keras.auc is not None
    assert keras.auc.value == pytest.approx(plain.auc)
    assert [one.critical for one in keras.classes] == [True, False, False]


def test_models_are_compared_image_by_image(both: Evaluation) -> None:
    (pair,) = both.comparisons
    first, second = both.models
    assert (pair.first, pair.second) == (first.model, second.model)
    difference = second.accuracy.value - first.accuracy.value
    assert pair.accuracy.value == pytest.approx(difference)
    assert {(one.attribute, one.value) for one in pair.subgroups} == {
        ("age_band", "50 to 69"),
        ("age_band", "under 30"),
        ("sex", "female"),
        ("sex", "male"),
    }
    assert not any(one.decidable for one in pair.subgroups)


def test_a_bare_file_is_evaluated_as_its_bundle(
    both: Evaluation, models: tuple[Path, Path], photos: Path, tmp_path: Path
) -> None:
    bare = evaluate([models[0] / MODEL_FILE], DataSource(photos), RunDir(tmp_path))
    assert bare.models[0].confusion == both.models[0].confusion
    assert np.isclose(bare.models[0].accuracy.low, both.models[0].accuracy.low)


def test_what_cannot_be_evaluated_is_refused(
    models: tuple[Path, Path], photos: Path, tmp_path: Path
) -> None:
    bundle, keras = models
    run, data = RunDir(tmp_path / "run"), DataSource(photos)
    with pytest.raises(BadInput, match="named twice"):
        evaluate([bundle, bundle], data, run)
    with pytest.raises(BadInput, match="needs a model"):
        evaluate([], data, run)
    with pytest.raises(BadInput, match="no model here"):
        evaluate([tmp_path / "none.tflite"], data, run)
    with pytest.raises(BadInput, match="--logits would do nothing without a Keras model"):
        evaluate([bundle], data, run, stated=StatedModel(logits=True))
    with pytest.raises(BadInput, match="different classes"):
        evaluate([bundle, keras], data, run, stated=StatedModel(labels=("RED", "GREEN", "PINK")))
    with pytest.raises(BadInput, match="without labels cannot be evaluated"):
        evaluate([bundle], DataSource(photos, layout="unlabelled"), run)


def test_the_command_writes_tables_json_csv_and_a_page(
    call: Call, models: tuple[Path, Path], photos: Path, tmp_path: Path
) -> None:
    table, page = tmp_path / "figures.csv", tmp_path / "page.html"
    done = call(
        *("evaluate", models[0], "--data", photos, "--critical", "RED"),
        *("--csv", table, "--html", page, "--run-dir", tmp_path / "cache"),
    )
    assert done.code == 0, done.said
    said = " ".join(done.out.split())
    assert "fewer than 50 images: age 50 to 69 (1), age under 30 (2), sex female (1)" in said
    shown = re.search(r"accuracy\s+│\s+([\d.]+) \[", done.out)
    assert shown is not None
    again = call(
        *("evaluate", models[0], "--data", photos, "--critical", "RED", "--json"),
        *("--run-dir", tmp_path / "cache"),
    ).json()["evaluation"]
    (model,) = again["models"]
    assert model["recording"] == "found"
    assert float(shown[1]) == pytest.approx(model["accuracy"]["value"], abs=5e-4)
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    (accuracy,) = (row for row in rows if row["figure"] == "accuracy" and not row["subgroup"])
    assert float(accuracy["value"]) == model["accuracy"]["value"]
    assert float(accuracy["low_95"]) == model["accuracy"]["low"]
    assert {row["class"] for row in rows} == {"", *LABELS.names}
    assert {row["subgroup"] for row in rows} >= {"sex=female", "age_band=under 30"}
    text = page.read_text(encoding="utf-8")
    assert f"{model['accuracy']['value']:.3f} [" in text
    assert "not for diagnosis" in text
    assert call("evaluate", models[0]).code == 2
