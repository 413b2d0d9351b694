"""Build a backbone in a process with Keras, and say what it is made of."""

from __future__ import annotations

from pipeline.child import ask_child
from pipeline.contract.base import Frozen
from pipeline.progress import Report
from pipeline.training.backbones import backbone


class LayersRequest(Frozen):
    """Ask which layers a backbone has at width 1, for an image of 64 x 96 px."""

    name: str


class LayersAnswer(Frozen):
    """Say the kinds and names of the layers in order, the trunk's shape and the output's."""

    kinds: tuple[str, ...]
    names: tuple[str, ...]
    trunk: tuple[int | None, ...]
    output: tuple[int | None, ...]
    parameters: int


def list_layers(request: LayersRequest, report: Report) -> LayersAnswer:
    import keras

    member = backbone(request.name)
    model = member.build(keras.Input((64, 96, 3)), 1.0, None)
    return LayersAnswer(
        kinds=tuple(type(layer).__name__ for layer in model.layers),
        names=tuple(layer.name for layer in model.layers),
        trunk=model.get_layer(member.trunk_output).output.shape,
        output=model.output.shape,
        parameters=model.count_params(),
    )


def layers_of(name: str) -> LayersAnswer:
    return ask_child(f"{__name__}:list_layers", LayersRequest(name=name), LayersAnswer)
