"""Build MobileNetV3-Large for real, and hold its facts."""

from __future__ import annotations

import pytest

from pipeline.training.backbones import backbone
from tests.training.backbones.layers import LayersAnswer, layers_of


@pytest.fixture(scope="module")
def layers() -> LayersAnswer:
    return layers_of("mobilenet_v3_large")


def test_it_does_not_scale_its_input_itself(layers: LayersAnswer) -> None:
    assert "Rescaling" not in layers.kinds
    member = backbone("mobilenet_v3_large")
    assert (member.mean, member.std) == (127.5, 127.5)


def test_it_is_not_the_minimalistic_variant(layers: LayersAnswer) -> None:
    assert any("squeeze_excite" in name for name in layers.names)


def test_its_trunk_ends_at_a_sixteenth_of_the_image(layers: LayersAnswer) -> None:
    assert layers.trunk == (None, 4, 6, 80)
    assert layers.output == (None, 2, 3, 960)
