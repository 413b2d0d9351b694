"""Refuse what cannot be trained, in the names a person gave, before any work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.contract.image import ImageContract
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.training import checks
from pipeline.training.backbones import backbone
from pipeline.training.checks import check_request
from pipeline.training.request import TrainRequest
from pipeline.workflow.config import DataConfig, RunConfig, TrainConfig
from pipeline.workflow.run import run_stages


def refusal(request: TrainRequest) -> BadInput:
    with pytest.raises(BadInput) as caught:
        check_request(request)
    return caught.value


def test_the_size_is_the_backbones_affair() -> None:
    check_request(TrainRequest(image=ImageContract(height_px=64, width_px=96)))
    wrong = refusal(TrainRequest(image=ImageContract(height_px=64, width_px=100)))
    assert (wrong.expected, wrong.got) == ("a multiple of 32 px", "64x100 px")


def test_a_width_without_imagenet_weights_is_refused() -> None:
    wrong = refusal(TrainRequest(width=0.4))
    assert wrong.got == "width 0.4"
    assert wrong.expected == "one of 0.35, 0.5, 0.75, 1.0, 1.3, 1.4"
    check_request(TrainRequest(width=0.4, weights="none"))


def test_a_network_of_one_width_is_refused_at_another() -> None:
    wrong = refusal(TrainRequest(backbone="efficientnet_b0", width=0.5, weights="none"))
    assert (wrong.expected, wrong.got) == ("one of 1.0", "width 0.5")


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_v2_b0"])
def test_a_network_of_any_size_is_refused_below_its_smallest(name: str) -> None:
    def sized(height_px: int) -> TrainRequest:
        image = ImageContract(height_px=height_px, width_px=57)
        return TrainRequest(backbone=name, image=image, weights="none")

    check_request(sized(33))
    wrong = refusal(sized(31))
    assert (wrong.expected, wrong.got) == ("at least 32 px", "31x57 px")


def test_a_missing_weights_file_is_refused() -> None:
    assert refusal(TrainRequest(weights="/nowhere/w.h5")).where == "/nowhere/w.h5"


def test_pretrained_weights_need_their_own_normalization() -> None:
    image = ImageContract(mean=0.0, std=255.0)
    wrong = refusal(TrainRequest(image=image))
    assert (wrong.expected, wrong.got) == ("mean 127.5 and std 127.5", "mean 0 and std 255")
    check_request(TrainRequest(image=image, weights="none"))


def test_a_backbone_without_a_trunk_trains_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = replace(backbone("mobilenet_v2"), trunk_output=None)
    monkeypatch.setattr(checks, "backbone", {"mobilenet_v2": whole}.__getitem__)
    assert "recipe default" in refusal(TrainRequest()).what
    check_request(TrainRequest(recipe="seed"))
    check_request(TrainRequest(weights="none"))


@pytest.mark.parametrize(
    "options", [{"size_px": 100}, {"width": 0.4}, {"weights": "/nowhere/w.h5"}]
)
def test_a_run_refuses_its_training_before_it_draws_or_reads_images(
    tmp_path: Path, options: dict[str, object]
) -> None:
    config = RunConfig(
        run_dir=str(tmp_path / "run"),
        data=DataConfig(source=str(tmp_path / "no images")),
        train=TrainConfig.model_validate(options),
    )
    with pytest.raises(BadInput) as caught:
        run_stages(config)
    assert caught.value.where != str(tmp_path / "no images")
    assert not RunDir(tmp_path / "run").root.exists()


@pytest.mark.parametrize(
    "options",
    [
        {"size_px": 4},
        {"size_px": 5000},
        {"width": -1.0},
        {"epochs": 0},
        {"batch_size": 0},
        {"recipe": "best"},
        {"backbone": "alexnet"},
        {"weights": ""},
    ],
)
def test_a_configuration_names_what_the_person_wrote(options: dict[str, object]) -> None:
    (name,) = options
    with pytest.raises(BadInput) as caught:
        TrainConfig.of(**options)
    assert str(caught.value.got).startswith(f"{name}:")


def test_a_seed_out_of_range_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        TrainConfig().request(2**31)
    assert str(caught.value.got).startswith("seed:")
