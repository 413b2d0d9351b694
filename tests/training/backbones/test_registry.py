"""Hold for every backbone what the code that uses them takes for granted."""

from __future__ import annotations

import pytest

from pipeline.errors import BadInput
from pipeline.training.backbones import DEFAULT, NAMES, backbone
from pipeline.training.backbones.interface import Backbone
from pipeline.workflow.config import TrainConfig
from tests.commands import Call
from tests.commands import call as call


@pytest.fixture(params=NAMES)
def member(request: pytest.FixtureRequest) -> Backbone:
    return backbone(request.param)


def test_a_member_has_the_name_of_its_file(member: Backbone) -> None:
    assert backbone(member.name) is member


def test_a_member_has_imagenet_weights_at_the_default_width_and_size(member: Backbone) -> None:
    assert TrainConfig().width in member.imagenet_widths
    assert member.fits(TrainConfig().size_px, TrainConfig().size_px)


def test_a_configuration_gives_the_input_the_backbone_wants(member: Backbone) -> None:
    image = TrainConfig(backbone=member.name).request(seed=0).image
    assert (image.mean, image.std) == (member.mean, member.std)


def test_no_other_name_is_taken() -> None:
    with pytest.raises(BadInput) as caught:
        backbone("interface")
    assert caught.value.expected == ", ".join(NAMES)


def test_the_help_lists_every_backbone_and_the_default(call: Call) -> None:
    text = " ".join(call("train", "--help").out.split())
    assert f"--backbone <{'|'.join(NAMES)}>" in text
    assert f"[default: {DEFAULT}]" in text


def test_the_command_refuses_another_name(call: Call) -> None:
    done = call("train", "--backbone", "alexnet")
    assert done.code == 2
    assert ", ".join(NAMES) in done.said
