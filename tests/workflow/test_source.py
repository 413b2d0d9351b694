from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import pytest

from pipeline.classifier.requirements import Adaptation
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.images import images_of_dataset
from pipeline.contract.normalization import Normalization, NormalizationName
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.workflow.keras_model import StatedModel
from pipeline.workflow.source import keras_source
from tests.export.samples import make_dataset

TF = Normalization.named(NormalizationName.tf)


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / "run")
    run.root.mkdir()
    make_dataset(tmp_path / "images").save(run.dataset)
    return run


def model(
    path: Path, *layers: tuple[str, dict[str, Any]], size: tuple[int | None, int | None] = (64, 96)
) -> Path:
    """Write a `.keras` archive whose weights nobody reads here."""
    listed = [
        {
            "module": "keras.layers",
            "class_name": name,
            "registered_name": None,
            "config": {"name": f"layer_{i}", "dtype": "float32", **config},
        }
        for i, (name, config) in enumerate(
            [("InputLayer", {"batch_shape": [None, *size, 3]}), *layers]
        )
    ]
    config = {
        "module": "keras",
        "class_name": "Sequential",
        "registered_name": None,
        "config": {"name": "brought", "layers": listed},
    }
    buffer = io.BytesIO()
    h5py.File(buffer, "w").close()
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        out.writestr("config.json", json.dumps(config))
        out.writestr("model.weights.h5", buffer.getvalue())
    return path


RESCALING = ("Rescaling", {"scale": 1 / 255, "offset": 0.0})
FLIP = ("RandomFlip", {"mode": "horizontal"})
CONV = ("Conv2D", {"filters": 4})
POOL = ("GlobalAveragePooling2D", {})
SOFTMAX = ("Dense", {"units": 3, "activation": "softmax"})
LOGITS = ("Dense", {"units": 3, "activation": "linear"})


def test_what_a_model_says_needs_no_option(run: RunDir, tmp_path: Path) -> None:
    path = model(tmp_path / "m.keras", FLIP, RESCALING, CONV, POOL, SOFTMAX)
    source = keras_source(run, path)
    assert (source.image.height_px, source.image.width_px) == (64, 96)
    assert source.normalization.name is NormalizationName.raw
    assert not source.normalization_stated
    assert (source.image.mean, source.image.std) == (0.0, 1.0)
    assert source.labels.names == ("RED", "GREEN", "BLUE")
    assert source.adaptations == (Adaptation.augmentation_dropped,)
    spec = source.classifier_spec()
    assert (spec.path, spec.classes, spec.logits) == (path, 3, False)
    assert spec.normalization == source.normalization


def test_what_is_stated_counts(run: RunDir, tmp_path: Path) -> None:
    path = model(tmp_path / "m.keras", RESCALING, CONV, POOL, LOGITS, size=(None, None))
    stated = StatedModel(
        labels=("BLUE", "RED", "GREEN"),
        critical=("GREEN",),
        normalization=TF,
        logits=True,
        size=(32, 64),
    )
    source = keras_source(run, path, stated)
    assert source.labels.names == ("BLUE", "RED", "GREEN")
    assert source.labels.critical == ("GREEN",)
    assert source.normalization == TF
    assert source.normalization_stated
    assert (source.image.height_px, source.image.width_px) == (32, 64)
    assert source.adaptations == (Adaptation.softmax_added,)
    assert source.classifier_spec().logits
    # What `record` and the gates ask Keras is the same question.
    images = images_of_dataset(source.dataset, Split.test)
    asked = source.record_request(images, threads=2)
    assert (asked.runtime, asked.images, asked.threads) == (RuntimeName.keras, images, 2)
    assert (asked.model, asked.model_sha256) == (path, source.sha256)
    assert (asked.normalization, asked.logits) == (TF, True)


def test_malignancies_and_the_datasets_critical_classes_are_proposed(
    run: RunDir, tmp_path: Path
) -> None:
    four = ("Dense", {"units": 4, "activation": "softmax"})
    path = model(tmp_path / "m.keras", RESCALING, CONV, POOL, four)
    source = keras_source(run, path, StatedModel(labels=("melanoma", "RED", "GREEN", "BLUE")))
    assert source.labels.critical == ("melanoma", "RED")


@pytest.mark.parametrize(
    ("layers", "size", "stated", "next_words"),
    [
        ((CONV, POOL, SOFTMAX), (64, 96), StatedModel(), "--normalization"),
        ((RESCALING, CONV, POOL, LOGITS), (64, 96), StatedModel(), "--logits"),
        ((RESCALING, CONV, POOL, SOFTMAX), (64, 96), StatedModel(logits=True), "leave --logits"),
        ((RESCALING, CONV, POOL, SOFTMAX), (None, None), StatedModel(), "--size"),
        (
            (RESCALING, CONV, POOL, SOFTMAX),
            (64, 96),
            StatedModel(size=(32, 32)),
            "--size 64x96",
        ),
        (
            (RESCALING, CONV, POOL, SOFTMAX),
            (64, 96),
            StatedModel(labels=("RED", "GREEN", "PURPLE")),
            "RED, GREEN, BLUE",
        ),
        (
            (RESCALING, CONV, POOL, SOFTMAX),
            (64, 96),
            StatedModel(labels=("RED", "GREEN", "BLUE", "MORE")),
            "--labels",
        ),
    ],
)
def test_a_refusal_names_the_mended_command(
    run: RunDir,
    tmp_path: Path,
    layers: tuple[tuple[str, dict[str, Any]], ...],
    size: tuple[int | None, int | None],
    stated: StatedModel,
    next_words: str,
) -> None:
    path = model(tmp_path / "m.keras", *layers, size=size)
    with pytest.raises(BadInput) as caught:
        keras_source(run, path, stated)
    assert next_words in str(caught.value.next_step)


def test_a_critical_class_must_be_a_label(run: RunDir, tmp_path: Path) -> None:
    path = model(tmp_path / "m.keras", RESCALING, CONV, POOL, SOFTMAX)
    with pytest.raises(BadInput, match="critical class"):
        keras_source(run, path, StatedModel(critical=("MEL",)))
