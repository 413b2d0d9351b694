"""Edit an unpacked `.tflite` model: constants, cut-out operators, exposed tensors, new names."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.tflite.flatbuffer import Model, buffer_bytes, dtype_name, shape_of, text, unpack
from pipeline.tflite.graph import operator_name

Array = npt.NDArray[Any]

_FILE_IDENTIFIER = b"TFL3"
_NO_ACTIVATION = 0
# Index 0 of the buffers is the empty one that activations share.
_EMPTY_BUFFER = 0


def pack(model: Model) -> bytes:
    """Serialize a model; the same model gives the same bytes."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), _FILE_IDENTIFIER)
    return bytes(builder.Output())


def unpack_whole(data: bytes, *, where: str) -> Model:
    """Unpack a file and bring buffers kept behind the flatbuffer into it.

    litert-quantizer writes weights behind the flatbuffer, and whoever serializes such a model
    again loses them.

    Raises:
        BadInput: the file is damaged.
    """
    model = unpack(data, where=where)
    for index, buffer in enumerate(model.buffers):
        inside = buffer_bytes(model, index, data)
        buffer.offset = buffer.size = 0
        buffer.data = np.frombuffer(inside, np.uint8) if inside else None
    return model


def duplicate(model: Model) -> Model:
    """Return a copy whose graph and constants can be changed without touching the original."""
    return unpack_whole(pack(model), where="memory")


def constant(model: Model, tensor: Any) -> Array | None:
    """Return a tensor's stored values in its shape, or None for an activation."""
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0:
        return None
    return np.frombuffer(bytes(data), dtype_name(tensor)).reshape(shape_of(tensor))


def set_constant(model: Model, tensor: Any, values: Array) -> None:
    """Store `values`, of the tensor's own type and shape, whoever else shared its old buffer."""
    from ai_edge_litert import schema_py_generated as schema

    expected = (dtype_name(tensor), shape_of(tensor))
    if (str(values.dtype), values.shape) != expected:
        raise ValueError(f"{text(tensor.name)} holds {expected}, not {values.dtype} {values.shape}")
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    users = [t for s in model.subgraphs for t in s.tensors if t.buffer == tensor.buffer]
    if len(users) == 1 and tensor.buffer != _EMPTY_BUFFER:
        model.buffers[tensor.buffer] = buffer
    else:
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1


def name_of(model: Model, operator: Any) -> str:
    """Return an operator's name, as `CONV_2D`."""
    return operator_name(model.operatorCodes[operator.opcodeIndex])[0]


def activation_of(operator: Any) -> int:
    """Return an operator's fused activation, 0 for none."""
    return int(getattr(operator.builtinOptions, "fusedActivationFunction", _NO_ACTIVATION))


def activations(model: Model) -> list[int]:
    """Return the tensors that operators write, in the order they are written."""
    return [int(j) for operator in model.subgraphs[0].operators for j in operator.outputs]


def dynamic_inputs(model: Model, operator: Any) -> list[int]:
    """Return an operator's inputs that are not constants."""
    tensors = model.subgraphs[0].tensors
    return [int(j) for j in operator.inputs if j >= 0 and constant(model, tensors[j]) is None]


def producers(model: Model) -> dict[int, int]:
    """Map each written tensor to the operator that writes it."""
    operators = model.subgraphs[0].operators
    return {int(j): index for index, operator in enumerate(operators) for j in operator.outputs}


def consumers(model: Model) -> dict[int, list[int]]:
    """Map each tensor to the operators that read it."""
    found: dict[int, list[int]] = defaultdict(list)
    for index, operator in enumerate(model.subgraphs[0].operators):
        for j in operator.inputs:
            if j >= 0:
                found[int(j)].append(index)
    return dict(found)


def expose(model: Model, tensors: Sequence[int]) -> bytes:
    """Return the model with `tensors` as its outputs, in that order, and no signature."""
    shallow, main = copy.copy(model), copy.copy(model.subgraphs[0])
    main.outputs = list(tensors)
    shallow.subgraphs, shallow.signatureDefs = [main], None
    return pack(shallow)


def cut_operator(
    model: Model,
    index: int,
    *,
    linear: bool = False,
    constants: Mapping[int, Array] | None = None,
) -> bytes:
    """Return one operator as a model of its own.

    Args:
        model: where the operator is.
        index: which operator of the first subgraph.
        linear: leave out the fused activation.
        constants: values that replace those of an input, by its position among the inputs.
    """
    from ai_edge_litert import schema_py_generated as schema

    source = model.subgraphs[0]
    operator = copy.copy(source.operators[index])
    graph, whole = schema.SubGraphT(), schema.ModelT()
    graph.tensors, whole.buffers = [], [schema.BufferT()]

    def bring(j: int) -> int:
        tensor = copy.copy(source.tensors[j])
        buffer = model.buffers[tensor.buffer]
        stored = buffer.data is not None and len(buffer.data) > 0
        tensor.buffer = len(whole.buffers) if stored else _EMPTY_BUFFER
        if stored:
            whole.buffers.append(buffer)
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1

    place: dict[int, int] = {-1: -1}
    for j in [*map(int, operator.inputs), *map(int, operator.outputs)]:
        if j not in place:
            place[j] = bring(j)
    given = {int(operator.inputs[position]) for position in constants or ()}
    graph.inputs = [place[j] for j in dynamic_inputs(model, operator) if j not in given]
    operator.inputs = [place[int(j)] for j in operator.inputs]
    operator.outputs = graph.outputs = [place[int(j)] for j in operator.outputs]
    if linear and activation_of(operator) != _NO_ACTIVATION:
        operator.builtinOptions = copy.copy(operator.builtinOptions)
        operator.builtinOptions.fusedActivationFunction = _NO_ACTIVATION
    whole.version, whole.subgraphs = model.version, [graph]
    whole.operatorCodes = [model.operatorCodes[operator.opcodeIndex]]
    operator.opcodeIndex, graph.operators = 0, [operator]
    for position, values in (constants or {}).items():
        set_constant(whole, graph.tensors[operator.inputs[position]], values)
    return pack(whole)


def name_input_and_output(model: Model, input_name: str, output_name: str) -> None:
    """Name the input and the output tensor of a model that has one of each, in place.

    Raises:
        ValueError: the model has several, or another tensor has such a name already.
    """
    main = model.subgraphs[0]
    if len(main.inputs) != 1 or len(main.outputs) != 1:
        raise ValueError(f"{len(main.inputs)} inputs and {len(main.outputs)} outputs, not 1 each")
    named = {int(main.inputs[0]): input_name, int(main.outputs[0]): output_name}
    taken = {text(t.name) for j, t in enumerate(main.tensors) if j not in named}
    if clash := sorted(taken & set(named.values())):
        raise ValueError(f"another tensor is called {', '.join(clash)} already")
    for j, name in named.items():
        main.tensors[j].name = name


def scale_and_zero_point(tensor: Any) -> tuple[float, int]:
    """Return the parameters of a tensor that is quantized as a whole."""
    return float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])


def add_constant(model: Model, name: str, values: Array) -> int:
    """Add a constant to the first subgraph and return its index.

    Args:
        model: is changed in place.
        name: of the new tensor, unique in the graph.
        values: float32 or int32.
    """
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.shape = name, list(values.shape)
    tensor.type = getattr(schema.TensorType, str(values.dtype).upper())
    tensor.buffer = _EMPTY_BUFFER
    tensors = model.subgraphs[0].tensors
    tensors.append(tensor)
    set_constant(model, tensor, values)
    return len(tensors) - 1


def operator_code(model: Model, name: str) -> int:
    """Return the index of an operator's code, added at version 1 if the model has none."""
    from ai_edge_litert import schema_py_generated as schema

    for index, code in enumerate(model.operatorCodes):
        if operator_name(code)[0] == name:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode, code.version = getattr(schema.BuiltinOperator, name), 1
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def add_activation(model: Model, name: str, shape: tuple[int, ...]) -> int:
    """Add a float32 tensor that an operator will write, and return its index."""
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name, list(shape), schema.TensorType.FLOAT32
    tensor.buffer = _EMPTY_BUFFER
    tensors = model.subgraphs[0].tensors
    tensors.append(tensor)
    return len(tensors) - 1


def insert_operator(model: Model, place: int, inputs: Sequence[int], output: int) -> Any:
    """Add an operator at a place in the order; give it a kind with `set_kind`."""
    from ai_edge_litert import schema_py_generated as schema

    operator = schema.OperatorT()
    operator.inputs, operator.outputs = list(inputs), [output]
    model.subgraphs[0].operators.insert(place, operator)
    return operator


def set_kind(model: Model, operator: Any, kind: str, options: str) -> None:
    """Make an operator one of another kind, with that kind's default options, in place."""
    from ai_edge_litert import schema_py_generated as schema

    operator.opcodeIndex = operator_code(model, kind)
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
    operator.builtinOptions = getattr(schema, f"{options}T")()
    # What a newer file keeps apart from the options of old operators.
    operator.builtinOptions2Type, operator.builtinOptions2 = 0, None
