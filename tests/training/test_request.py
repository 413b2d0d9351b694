"""Requests and recipes, without TensorFlow."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipeline.training.journal import Epoch
from pipeline.training.request import TrainRequest


def test_the_seed_recipe_is_the_seed_project_number_by_number() -> None:
    settings = TrainRequest(recipe="seed").settings()
    assert settings.strategy == "seed"
    assert settings.epochs == 128
    assert settings.patience >= settings.epochs
    assert settings.learning_rate == 1e-5
    assert settings.schedule == "constant"
    plain = ("weight_decay", "dropout", "label_smoothing", "class_weight_power", "average_decay")
    assert {name: getattr(settings, name) for name in plain} == dict.fromkeys(plain, 0.0)


def test_the_default_recipe_transfers_with_weights_and_starts_from_scratch_without() -> None:
    assert TrainRequest(weights="imagenet").settings().strategy == "transfer"
    assert TrainRequest(weights="some/file.weights.h5").settings().strategy == "transfer"
    assert TrainRequest(weights="none").settings().strategy == "scratch"


def test_overrides_replace_the_recipes_numbers_and_nothing_else() -> None:
    plain = TrainRequest(weights="none")
    asked = plain.model_copy(update={"epochs": 3, "batch_size": 5, "learning_rate": 0.5})
    changed = {"epochs": 3, "batch_size": 5, "learning_rate": 0.5}
    assert asked.settings() == plain.settings().model_copy(update=changed)


def test_head_epochs_are_refused_where_there_is_no_head_phase() -> None:
    assert TrainRequest(head_epochs=2).settings().head_epochs == 2
    for other in ({"weights": "none"}, {"recipe": "seed"}):
        with pytest.raises(ValidationError, match="head_epochs needs pretrained weights"):
            TrainRequest.model_validate({"head_epochs": 2, **other})


def test_a_manifest_never_learns_the_path_of_the_weights() -> None:
    assert TrainRequest(weights="/home/somebody/w.weights.h5").weights_name == "w.weights.h5"
    assert TrainRequest(weights="none").weights_name == "none"


@pytest.mark.parametrize(
    "wrong",
    [
        {"backbone": "alexnet"},
        {"recipe": "best"},
        {"width": 0},
        {"epochs": 0},
        {"seed": -1},
        {"batch": 3},
        {"weights": ""},
    ],
)
def test_an_impossible_request_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainRequest.model_validate(wrong)


def test_the_best_epoch_has_the_best_balanced_accuracy_and_of_equals_is_the_last() -> None:
    rows = [
        Epoch(
            phase="head",
            epoch=number,
            loss=None,
            accuracy=None,
            val_loss=1.0,
            val_accuracy=0.5,
            val_balanced_accuracy=balanced,
        )
        for number, balanced in enumerate((0.2, 0.6, 0.4, 0.6, 0.5))
    ]
    assert max(rows, key=lambda row: row.score).epoch == 3
