"""Models that quantize badly are repaired or refused with a reason, never passed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.child import run_child
from pipeline.contract.dataset import Split
from pipeline.contract.hashing import sha256_file
from pipeline.contract.recipe import Io, Recipe
from pipeline.errors import BadInput
from pipeline.progress import Report
from tests.export.samples import IMAGE, entries, int8_request, samples

KINDS = {"dead": 3, "outlier": 3, "two": 2, "hundred": 100, "erf": 3, "dense first": 3}


def make_hostile_child(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Convert models, each bad for int8 in its own way, to float files."""
    import keras
    from keras import layers

    from pipeline.export.convert import convert_child
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
        path = Path(request["folder"]) / f"{kind}.keras"
        keras.Model(pixels, head(features)).save(path)
        out = Path(request["folder"]) / kind / "none.tflite"
        out.parent.mkdir()
        convert_child(
            {
                "model": str(path),
                "model_sha256": sha256_file(path),
                "recipe": {"quantize": "none"},
                "image": IMAGE.model_dump(mode="json"),
                "classes": classes,
                "out": str(out),
            },
            report,
        )
    return {}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    run_child(
        "tests.export.test_hostile:make_hostile_child",
        {"folder": str(folder)},
        log=folder / "make.log",
    )
    return folder


def repaired(folder: Path, kind: str, io: Io = Io.uint8, **changes: Any) -> dict[str, Any]:
    recipe = Recipe(io=io, representative_count=18, **changes)
    training = [
        {**entry, "label": entry["label"] % KINDS[kind]}
        for entry in entries(samples().dataset, Split.train)
    ]
    out = folder / kind / f"{io}.tflite"
    request = int8_request(folder / kind, recipe, out, training)
    return run_child("pipeline.export.int8.quantize:quantize_child", request)


@pytest.mark.parametrize("kind", ["dead", "two", "hundred"])
def test_it_is_repaired(hostile: Path, kind: str) -> None:
    answer = repaired(hostile, kind)
    (chosen,) = (rung for rung in answer["ladder"]["rungs"] if rung["chosen"])
    assert chosen["passed"], answer["ladder"]["rungs"]
    assert chosen["agreement"] >= answer["ladder"]["min_agreement"]


def test_an_outlier_channel_is_repaired_or_left_to_the_gate_with_its_figures(
    hostile: Path,
) -> None:
    rungs = repaired(hostile, "outlier")["ladder"]["rungs"]
    (chosen,) = (rung for rung in rungs if rung["chosen"])
    assert chosen["mean_difference"] <= rungs[0]["mean_difference"]
    if not chosen["passed"]:
        assert len({tuple(rung["steps"]) for rung in rungs}) == 6, "every step was tried"


def test_an_operator_the_quantizer_does_not_know_is_refused_by_name(hostile: Path) -> None:
    with pytest.raises(BadInput, match="int8") as refused:
        repaired(hostile, "erf")
    assert "GELU" in str(refused.value)
    assert "float16" in str(refused.value.next_step)
    assert not (hostile / "erf" / "uint8.tflite").exists()


def test_half_a_grey_level_that_nothing_can_take_up_is_refused(hostile: Path) -> None:
    with pytest.raises(BadInput, match="needs a convolution first") as refused:
        repaired(hostile, "dense first")
    assert "--io float32" in str(refused.value.next_step)


def test_a_dead_channel_keeps_its_bias(hostile: Path) -> None:
    answers = run_child(
        "tests.export.answers:answer_child",
        {
            "models": {
                name: str(hostile / "dead" / f"{name}.tflite") for name in ("none", "uint8")
            },
            "image": str(samples().dataset.file(samples().dataset.images[0])),
        },
    )
    np.testing.assert_allclose(answers["uint8"], answers["none"], atol=0.06)
