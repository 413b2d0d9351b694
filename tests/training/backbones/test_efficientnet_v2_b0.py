"""Build EfficientNetV2-B0 for real, and hold its facts."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.child import ask_child
from pipeline.contract.base import Frozen
from pipeline.progress import Report
from pipeline.training.backbones import backbone
from tests.training.backbones.layers import LayersAnswer, layers_of


@pytest.fixture(scope="module")
def layers() -> LayersAnswer:
    return layers_of("efficientnet_v2_b0")


class ScaledRequest(Frozen):
    """Ask what the first convolution sees of one pixel, samples from 0 to 255."""

    pixel: tuple[float, float, float]


class ScaledAnswer(Frozen):
    """Say what it sees, without weights from anywhere."""

    seen: tuple[float, float, float]


def scale_pixel(request: ScaledRequest, report: Report) -> ScaledAnswer:
    import keras

    model = backbone("efficientnet_v2_b0").build(keras.Input((32, 32, 3)), 1.0, None)
    into = keras.Model(model.input, model.get_layer("stem_conv").input)
    values = into(np.broadcast_to(np.float32(request.pixel), (1, 32, 32, 3))).numpy()
    return ScaledAnswer(seen=tuple(values[0, 0, 0].tolist()))


def test_it_normalizes_each_channel_of_the_pixels_itself() -> None:
    member = backbone("efficientnet_v2_b0")
    assert (member.mean, member.std) == (0.0, 1.0)
    pixel = (200.0, 100.0, 7.0)
    asked = ScaledRequest(pixel=pixel)
    answer = ask_child(f"{__name__}:scale_pixel", asked, ScaledAnswer)
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (np.array(pixel) / 255 - mean) / deviation
    assert answer.seen == pytest.approx(expected, abs=1e-4)


def test_it_drops_whole_branches_in_training(layers: LayersAnswer) -> None:
    assert "Dropout" in layers.kinds


def test_its_trunk_ends_at_a_sixteenth_of_the_image(layers: LayersAnswer) -> None:
    assert layers.trunk == (None, 4, 6, 96)
    assert layers.output == (None, 2, 3, 1280)
