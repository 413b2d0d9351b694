"""Models that quantize badly are repaired or refused with a reason, never passed on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.child import ask_child
from pipeline.contract.base import Frozen
from pipeline.contract.dataset import Split
from pipeline.contract.hashing import sha256_file
from pipeline.contract.labels import Labels
from pipeline.contract.recipe import Io, Recipe
from pipeline.contract.search import SearchRecord, Trial
from pipeline.export.int8.request import QuantizeAnswer, image_files
from pipeline.progress import Report
from tests.export.answers import AnswerRequest, Rows
from tests.export.samples import IMAGE, LABELS, Made, int8_request, samples

KINDS = {"dead": 3, "outlier": 3, "two": 2, "hundred": 100, "erf": 3, "dense first": 3}


class HostileRequest(Frozen):
    """Ask for the models and their float files in `folder`."""

    folder: Path


def make_hostile_child(request: HostileRequest, report: Report) -> Made:
    """Convert models, each bad for int8 in its own way, to float files."""
    import keras
    from keras import layers

    from pipeline.classifier.spec import spec_of_image
    from pipeline.export.convert import ConvertRequest, convert_child
    from tests.export.samples import _backbone

    for kind, classes in KINDS.items():
        keras.utils.set_random_seed(4)
        pixels, features = _backbone()
        backbone = keras.Model(pixels, features)
        convolutions = [x for x in backbone.layers if type(x) is layers.Conv2D]
        if kind == "dead":
            # Weights of almost nothing and a bias, as batch normalization folds a dead channel.
            norm = next(x for x in backbone.layers if isinstance(x, layers.BatchNormalization))
            gamma, beta, mean, variance = norm.get_weights()
            gamma[0], beta[0] = 1e-12, 2.0
            norm.set_weights([gamma, beta, mean, variance])
        if kind == "outlier":
            (kernel,) = convolutions[-1].get_weights()
            kernel[..., 0] *= 300
            convolutions[-1].set_weights([kernel])
            norm = [x for x in backbone.layers if isinstance(x, layers.BatchNormalization)][-1]
            gamma, beta, mean, variance = norm.get_weights()
            variance[0], mean[0] = variance[0] * 300, mean[0] * 300
            norm.set_weights([gamma, beta, mean, variance])
        if kind == "erf":
            features = layers.Activation("gelu")(features)
        if kind == "dense first":
            flat = layers.Flatten()(pixels)
            features = layers.Dense(8, activation="relu")(flat)
        head = layers.Dense(classes, activation="softmax", kernel_initializer="he_normal")
        path = request.folder / f"{kind}.keras"
        keras.Model(pixels, head(features)).save(path)
        out = request.folder / kind / "float32.tflite"
        out.parent.mkdir()
        convert_child(
            ConvertRequest(
                classifier=spec_of_image(path, IMAGE, classes),
                out=str(out),
            ),
            report,
        )
    return Made()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    ask_child(
        "tests.export.test_hostile:make_hostile_child",
        HostileRequest(folder=folder),
        Made,
        log=folder / "make.log",
    )
    return folder


def repaired(folder: Path, kind: str, io: Io = Io.uint8) -> SearchRecord:
    recipe = Recipe(io=io, representative_count=18)
    # As many labels as the model has classes, the images spread over the first of them.
    labels = Labels(names=tuple(f"L{i}" for i in range(KINDS[kind])), critical=("L0",))
    dataset = samples().dataset
    training = [
        one.model_copy(update={"label": f"L{LABELS.names.index(one.label) % KINDS[kind]}"})
        for one in image_files(dataset.of(Split.train), dataset)
    ]
    out = folder / kind / f"{io}.tflite"
    answer = ask_child(
        "pipeline.export.int8.quantize:quantize_child",
        int8_request(folder / kind, recipe, out, training, labels),
        QuantizeAnswer,
    )
    assert answer.sha256 == sha256_file(out)
    return answer.search


def chosen_of(search: SearchRecord) -> Trial:
    (chosen,) = (trial for trial in search.trials if trial.chosen)
    return chosen


@pytest.mark.parametrize("kind", ["dead", "two", "hundred"])
def test_it_is_repaired(hostile: Path, kind: str) -> None:
    search = repaired(hostile, kind)
    chosen = chosen_of(search)
    assert chosen.meets_target, search.trials
    assert search.min_agreement is not None
    assert chosen.agreement >= search.min_agreement


def test_an_outlier_channel_is_repaired_or_left_to_the_gate_with_its_figures(
    hostile: Path,
) -> None:
    search = repaired(hostile, "outlier")
    chosen = chosen_of(search)
    assert chosen.mean_difference <= search.trials[0].mean_difference
    if not chosen.meets_target:
        assert len({trial.steps for trial in search.trials}) == 6, "every step was tried"


@pytest.mark.parametrize("kind", ["erf", "dense first"])
def test_what_was_refused_once_is_quantized_and_measured(hostile: Path, kind: str) -> None:
    """GELU has an int8 kernel, and a dense layer's bias takes up the rounded mean too."""
    chosen = chosen_of(repaired(hostile, kind))
    assert chosen.agreement >= 0.9
    assert chosen.mean_difference <= 0.05


def test_a_dead_channel_keeps_its_bias(hostile: Path) -> None:
    answers = ask_child(
        "tests.export.answers:answer_child",
        AnswerRequest(
            models={name: hostile / "dead" / f"{name}.tflite" for name in ("float32", "uint8")},
            image=samples().dataset.file(samples().dataset.images[0]),
        ),
        Rows,
    ).rows
    np.testing.assert_allclose(answers["uint8"], answers["float32"], atol=0.06)
