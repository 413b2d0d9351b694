"""Build MobileNet v1 for real, and hold its facts."""

from __future__ import annotations

import pytest

from pipeline.training.backbones import backbone
from tests.training.backbones.layers import LayersAnswer, layers_of


@pytest.fixture(scope="module")
def layers() -> LayersAnswer:
    return layers_of("mobilenet_v1")


def test_its_input_is_from_minus_one_to_one_in_multiples_of_32() -> None:
    member = backbone("mobilenet_v1")
    assert (member.mean, member.std, member.size_multiple_px) == (127.5, 127.5, 32)
    assert member.imagenet_widths == (0.25, 0.5, 0.75, 1.0)


def test_it_is_one_line_of_the_plainest_operators(layers: LayersAnswer) -> None:
    assert set(layers.kinds) == {
        "InputLayer",
        "ZeroPadding2D",
        "Conv2D",
        "DepthwiseConv2D",
        "BatchNormalization",
        "ReLU",
    }


def test_its_trunk_ends_at_a_sixteenth_of_the_image(layers: LayersAnswer) -> None:
    assert layers.trunk == (None, 4, 6, 256)
    assert layers.output == (None, 2, 3, 1024)
