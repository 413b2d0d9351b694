"""Build EfficientNet-B0 for real, and hold its facts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.child import ask_child
from pipeline.contract.base import Frozen
from pipeline.contract.image import ImageContract
from pipeline.progress import Report
from pipeline.training.backbones import backbone
from tests.training.backbones.layers import LayersAnswer, layers_of

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PIXEL = (200.0, 100.0, 7.0)


@pytest.fixture(scope="module")
def layers() -> LayersAnswer:
    return layers_of("efficientnet_b0")


class ScaledRequest(Frozen):
    """Ask what the first convolution sees of PIXEL; `folder` takes files of weights."""

    folder: Path


class ScaledAnswer(Frozen):
    """Say what it sees: with no weights, and with a file of weights that hold `variance`.

    `again` is with the file that the corrected network writes.
    """

    without: tuple[float, float, float]
    imagenet: tuple[float, float, float]
    again: tuple[float, float, float]
    other: tuple[float, float, float]


def scale_pixel(request: ScaledRequest, report: Report) -> ScaledAnswer:
    import keras

    from pipeline.training.model import build

    member = backbone("efficientnet_b0")
    image = ImageContract(height_px=32, width_px=32, mean=0.0, std=1.0)

    def seen(weights: str, saved: Path | None = None) -> tuple[float, float, float]:
        model = build(member, image, 1.0, weights, 2, 0.0)
        if saved is not None:
            keras.Model(model.input, model.get_layer("top_activation").output).save_weights(saved)
        into = keras.Model(model.input, model.get_layer("stem_conv_pad").input)
        values = into(np.broadcast_to(np.float32(PIXEL), (1, 32, 32, 3))).numpy()
        red, green, blue = values[0, 0, 0].tolist()
        return red, green, blue

    def weights(name: str, variance: tuple[float, float, float]) -> str:
        file = request.folder / f"{name}.weights.h5"
        base = member.build(keras.Input((32, 32, 3)), 1.0, None)
        (layer,) = (x for x in base.layers if isinstance(x, keras.layers.Normalization))
        layer.set_weights([np.float32(MEAN), np.float32(variance), np.int32(0)])
        base.save_weights(file)
        return str(file)

    corrected = request.folder / "corrected.weights.h5"
    return ScaledAnswer(
        without=seen("none"),
        imagenet=seen(weights("imagenet", DEVIATION), saved=corrected),
        again=seen(str(corrected)),
        other=seen(weights("other", (0.04, 0.04, 0.04))),
    )


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> ScaledAnswer:
    asked = ScaledRequest(folder=tmp_path_factory.mktemp("weights"))
    return ask_child(f"{__name__}:scale_pixel", asked, ScaledAnswer)


def test_it_takes_the_pixels_as_they_are(scaled: ScaledAnswer) -> None:
    member = backbone("efficientnet_b0")
    assert (member.mean, member.std) == (0.0, 1.0)
    assert scaled.without == pytest.approx(np.array(PIXEL) / 255, abs=1e-5)


def test_imagenet_weights_from_a_file_divide_by_the_deviation(scaled: ScaledAnswer) -> None:
    expected = (np.array(PIXEL) / 255 - MEAN) / DEVIATION
    assert scaled.imagenet == pytest.approx(expected, abs=1e-4)
    assert scaled.again == pytest.approx(expected, abs=1e-4)


def test_other_weights_from_a_file_stay_as_they_are(scaled: ScaledAnswer) -> None:
    assert scaled.other == pytest.approx((np.array(PIXEL) / 255 - MEAN) / 0.2, abs=1e-4)


def test_its_preprocessing_cannot_be_left_out(layers: LayersAnswer) -> None:
    assert layers.kinds[:3] == ("InputLayer", "Rescaling", "Normalization")


def test_it_drops_whole_branches_in_training(layers: LayersAnswer) -> None:
    assert "Dropout" in layers.kinds


def test_its_trunk_ends_at_a_sixteenth_of_the_image(layers: LayersAnswer) -> None:
    assert layers.trunk == (None, 4, 6, 80)
    assert layers.output == (None, 2, 3, 1280)
