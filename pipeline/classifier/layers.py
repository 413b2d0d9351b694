"""Read the layers of a Keras configuration, of Keras 2 and 3, and how they follow each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MODEL_CLASSES = frozenset({"Functional", "Sequential", "Model"})


@dataclass(frozen=True)
class Layer:
    """Hold one layer; a nested model has `layers` of its own.

    `inputs` names the layers it is called on, and `constants` what numbers it is called with.
    `first` and `last` name a model's input and output layers.
    """

    name: str
    class_name: str
    config: dict[str, Any]
    inputs: tuple[str, ...] = ()
    constants: tuple[float, ...] = ()
    layers: tuple[Layer, ...] = ()
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    by_name: dict[str, Layer] = field(default_factory=dict, repr=False)

    @property
    def is_model(self) -> bool:
        """Return whether it is a nested model."""
        return bool(self.layers)


def read_layers(config: dict[str, Any]) -> Layer:
    """Return a model, or one layer, of a configuration as `config.json` holds it."""
    inner = config.get("config")
    # Sequential models of early Keras 2 are a bare list of layers.
    values = {"layers": inner} if isinstance(inner, list) else inner
    values = values if isinstance(values, dict) else {}
    class_name = str(config.get("class_name", ""))
    name = str(values.get("name", config.get("name", "")))
    inputs, constants = _calls(config.get("inbound_nodes"))
    listed = values.get("layers")
    if class_name not in MODEL_CLASSES or not isinstance(listed, list):
        return Layer(name, class_name, values, inputs, constants)
    layers = [read_layers(layer) for layer in listed if isinstance(layer, dict)]
    if class_name == "Sequential":
        previous: tuple[str, ...] = ()
        for index, layer in enumerate(layers):
            layers[index] = _with_inputs(layer, previous)
            previous = (layer.name,)
        first = tuple(layer.name for layer in layers[:1])
        last = previous
    else:
        first = _layer_names(values.get("input_layers"))
        last = _layer_names(values.get("output_layers"))
    by_name = {layer.name: layer for layer in layers}
    return Layer(name, class_name, values, inputs, constants, tuple(layers), first, last, by_name)


def leaves(model: Layer) -> Iterator[Layer]:
    """Yield every layer that is no model, nested ones too, in the order of the file."""
    for layer in model.layers:
        if layer.is_model:
            yield from leaves(layer)
        else:
            yield layer


def nested_models(model: Layer) -> Iterator[Layer]:
    """Yield the model and every model inside it."""
    yield model
    for layer in model.layers:
        if layer.is_model:
            yield from nested_models(layer)


def front(model: Layer) -> Iterator[Layer]:
    """Yield the layers an image goes through, one by one, as long as there is one way only.

    The channels of an image that are taken apart and put together again (GetItem, Stack), as
    `preprocess_input` does, count as one way.
    """
    if len(model.first) != 1:
        return
    current = model.by_name.get(model.first[0])
    seen: set[str] = set()
    while current is not None and current.name not in seen:
        seen.add(current.name)
        if current.is_model:
            yield from front(current)
        else:
            yield current
        readers = [layer for layer in model.layers if current.name in layer.inputs]
        if len(readers) > 1 and all(reader.class_name == "GetItem" for reader in readers):
            yield from readers
            names = {reader.name for reader in readers}
            readers = [layer for layer in model.layers if names & set(layer.inputs)]
        current = readers[0] if len(readers) == 1 else None


def last_layer(model: Layer, passed: frozenset[str]) -> Layer | None:
    """Return the layer that makes the answer, looking through layers of the classes `passed`."""
    if len(model.last) != 1:
        return None
    current = model.by_name.get(model.last[0])
    for _ in model.layers:
        if current is None:
            return None
        if current.is_model:
            return last_layer(current, passed)
        linear = current.class_name == "Activation" and current.config.get("activation") == "linear"
        if current.class_name not in passed and not linear:
            return current
        if len(current.inputs) != 1:
            return None
        current = model.by_name.get(current.inputs[0])
    return current


def numbers(value: Any) -> tuple[float, ...]:
    """Return the numbers of a configuration's value: a number, a list, or a stored array."""
    if isinstance(value, dict):
        value = value.get("config", {}).get("value") if "config" in value else value.get("value")
    if isinstance(value, bool) or value is None:
        return ()
    if isinstance(value, int | float):
        return (float(value),)
    if isinstance(value, list):
        return tuple(number for item in value for number in numbers(item))
    return ()


def _with_inputs(layer: Layer, inputs: tuple[str, ...]) -> Layer:
    return Layer(
        layer.name,
        layer.class_name,
        layer.config,
        inputs,
        layer.constants,
        layer.layers,
        layer.first,
        layer.last,
        layer.by_name,
    )


def _calls(nodes: Any) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the layers that a layer is called on, and the numbers it is called with."""
    names: list[str] = []
    constants: list[float] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            history = value.get("config", {}) if isinstance(value.get("config"), dict) else {}
            if value.get("class_name") == "__keras_tensor__":
                names.extend(_layer_names(history.get("keras_history")))
            elif value.get("class_name") == "__numpy__":
                constants.extend(numbers(value))
            else:
                for inner in value.values():
                    look(inner)
        elif isinstance(value, list):
            if _is_history(value):
                names.append(value[0])
                for inner in value[3:]:
                    look(inner)
            else:
                for inner in value:
                    look(inner)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            constants.append(float(value))

    look(nodes if isinstance(nodes, list) else [])
    return tuple(dict.fromkeys(names)), tuple(constants)


def _is_history(value: list[Any]) -> bool:
    return (
        len(value) >= 3
        and isinstance(value[0], str)
        and all(isinstance(number, int) for number in value[1:3])
    )


def _layer_names(value: Any) -> tuple[str, ...]:
    """Return the names in `[name, 0, 0]`, or in a list or dict of such."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return ()
    if _is_history(value):
        return (value[0],)
    return tuple(name for item in value for name in _layer_names(item))
