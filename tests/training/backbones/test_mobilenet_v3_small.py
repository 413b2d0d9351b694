"""Build MobileNetV3-Small for real, and hold its facts."""

from __future__ import annotations

import pytest

from pipeline.child import ask_child
from pipeline.contract.base import Frozen
from pipeline.progress import Report
from pipeline.training.backbones import backbone


class LayersRequest(Frozen):
    """Ask which layers the network has at a width."""

    width: float


class LayersAnswer(Frozen):
    """Say the kinds and names of the layers in order, the trunk's shape and the output's."""

    kinds: tuple[str, ...]
    names: tuple[str, ...]
    trunk: tuple[int | None, ...]
    output: tuple[int | None, ...]


def list_layers(request: LayersRequest, report: Report) -> LayersAnswer:
    import keras

    member = backbone("mobilenet_v3_small")
    model = member.build(keras.Input((64, 96, 3)), request.width, None)
    return LayersAnswer(
        kinds=tuple(type(layer).__name__ for layer in model.layers),
        names=tuple(layer.name for layer in model.layers),
        trunk=model.get_layer(member.trunk_output).output.shape,
        output=model.output.shape,
    )


@pytest.fixture(scope="module")
def layers() -> LayersAnswer:
    target = f"{__name__}:list_layers"
    return ask_child(target, LayersRequest(width=1.0), LayersAnswer)


def test_it_does_not_scale_its_input_itself(layers: LayersAnswer) -> None:
    assert "Rescaling" not in layers.kinds
    member = backbone("mobilenet_v3_small")
    assert (member.mean, member.std) == (127.5, 127.5)


def test_it_is_not_the_minimalistic_variant(layers: LayersAnswer) -> None:
    assert any("squeeze_excite" in name for name in layers.names)


def test_its_trunk_ends_at_a_sixteenth_of_the_image(layers: LayersAnswer) -> None:
    assert layers.trunk == (None, 4, 6, 40)
    assert layers.output == (None, 2, 3, 576)
