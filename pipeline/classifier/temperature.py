"""Divide the logits of a Keras classifier by a temperature, in its weights. Child process only.

softmax((x K + b) / T) is softmax(x (K / T) + b / T): a last layer of other weights and nothing new,
so the file, its size and its speed stay as they are. A sigmoid on one output is a softmax on two.
"""

from __future__ import annotations

from typing import Any

from pipeline.errors import BadInput

_ENDS = ("softmax", "sigmoid", "linear")


def fold_temperature(model: Any, temperature: float, *, where: str) -> None:
    """Divide the weights of the last layer of a `keras.Model` by `temperature`, in place.

    Args:
        model: answers probabilities or logits, (batch, classes).
        temperature: above 0.
        where: the model, for messages.

    Raises:
        BadInput: the logits are not those of one dense layer that is used once.
    """
    layer = _logits_layer(model, where)
    for weight in layer.weights:
        weight.assign(weight.numpy() / temperature)


def _logits_layer(model: Any, where: str) -> Any:
    import keras

    within, operation = model, _last(model)
    while True:
        if isinstance(operation, keras.Model):
            _used_once(operation, within, where)
            within, operation = operation, _last(operation)
        elif _is_activation(operation):
            node = _used_once(operation, within, where)
            operation = node.input_tensors[0]._keras_history.operation
        elif type(operation) is keras.layers.Dense and _activation(operation) in _ENDS:
            _used_once(operation, within, where)
            return operation
        else:
            raise _refusal(where, f"{type(operation).__name__} {operation.name}")


def _last(model: Any) -> Any:
    return model.outputs[0]._keras_history.operation


def _is_activation(operation: Any) -> bool:
    import keras

    if isinstance(operation, keras.layers.Softmax):
        return bool(operation.axis == -1 or operation.axis == len(operation.output.shape) - 1)
    return isinstance(operation, keras.layers.Activation) and _activation(operation) in _ENDS


def _activation(layer: Any) -> str:
    return str(getattr(layer.activation, "__name__", ""))


def _used_once(operation: Any, within: Any, where: str) -> Any:
    # Other models may share the layer, as the parts do that a training divides a model into.
    by_depth = getattr(within, "_functional", within)._nodes_by_depth
    own = {id(node) for nodes in by_depth.values() for node in nodes}
    nodes = [node for node in operation._inbound_nodes if id(node) in own]
    if len(nodes) != 1:
        raise _refusal(where, f"{operation.name}, which is used {len(nodes)} times")
    return nodes[0]


def _refusal(where: str, got: str) -> BadInput:
    return BadInput(
        "the model's last layer cannot take a temperature",
        where=where,
        expected="one dense layer, used once, with a softmax or a sigmoid in it or behind it",
        got=got,
        next_step="leave --calibrate out, or calibrate the model where it was made",
    )
