"""Store the weights of a float32 graph in 8 bits, for kernels that round activations as they run.

`dynamic_child` runs in a child process: it imports litert-quantizer.
"""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.contract.base import Frozen
from pipeline.contract.hashing import sha256_bytes
from pipeline.errors import BadInput, reason_of
from pipeline.export.convert import ConvertAnswer
from pipeline.export.int8.operators import WEIGHTED
from pipeline.export.int8.request import ModelFile
from pipeline.progress import ProgressEvent, Report
from pipeline.tflite.edit import constant, name_of, pack, unpack_whole
from pipeline.tflite.flatbuffer import Model, dtype_name, text

# Raise it when the same float32 graph would give other bytes.
DYNAMIC_REVISION = 1
_BITS = 8
# As TensorFlow's converter: what is smaller saves nothing worth its rounding.
_MIN_WEIGHTS = 1024


class DynamicRequest(Frozen):
    """Ask for the dynamic-range file of a float file, written to `out`."""

    float_file: ModelFile
    out: str


def dynamic_child(request: DynamicRequest, report: Report) -> ConvertAnswer:
    """Quantize the weights of the float file and write the result to `request.out`.

    Raises:
        BadInput: the file changed, or the quantizer refuses it.
    """
    from pipeline.export.int8.inputs import load_model

    task = "quantize weights"
    report(ProgressEvent(task, 0, 1))
    data = pack(with_dynamic_range(load_model(request.float_file)))
    Path(request.out).write_bytes(data)
    report(ProgressEvent(task, 1, 1))
    return ConvertAnswer(sha256=sha256_bytes(data), size_bytes=len(data))


def with_dynamic_range(model: Model) -> Model:
    """Return the graph with the weights of its layers in int8 and its activations in float32.

    Convolutions have a scale for each channel, dense layers one for all: more would need an
    operator version that TFLite 2.16.1, the newest on Maven Central, refuses to load. Layers
    of fewer than 1024 weights stay as they are. Child process only.

    Args:
        model: a float32 graph; it is not changed.

    Raises:
        BadInput: the quantizer refuses it.
    """
    from litert_quantizer import qtyping, quantizer
    from litert_quantizer.algorithm_manager import AlgorithmName

    from pipeline.export.int8.versions import write_versions

    work = quantizer.Quantizer(pack(model))
    name, granularity = qtyping.TFLOperationName, qtyping.QuantGranularity
    for operation, scales in (
        (name.CONV_2D, granularity.CHANNELWISE),
        (name.DEPTHWISE_CONV_2D, granularity.CHANNELWISE),
        (name.FULLY_CONNECTED, granularity.TENSORWISE),
    ):
        work.add_dynamic_config(".*", operation, num_bits=_BITS, granularity=scales)
    for output in _of_few_weights(model):
        work.update_quantization_recipe(
            f"^{re.escape(output)};?$",
            name.ALL_SUPPORTED,
            algorithm_key=AlgorithmName.NO_QUANTIZE,
        )
    try:
        result = work.quantize()
    except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        raise BadInput(
            "the quantizer refuses the model",
            got=reason_of(error).strip()[:400],
            next_step="pipeline export --quantize float16",
        ) from error
    made = unpack_whole(bytes(result.quantized_model), where="the quantizer's answer")
    for operator in made.subgraphs[0].operators:
        if name_of(made, operator) != "FULLY_CONNECTED":
            continue
        if dtype_name(made.subgraphs[0].tensors[int(operator.inputs[1])]) == "int8":
            # As TensorFlow's converter: activations after a ReLU then use all 8 bits.
            operator.builtinOptions.asymmetricQuantizeInputs = True
    write_versions(made)
    return made


def _of_few_weights(model: Model) -> list[str]:
    """Return the output tensors of the layers that are too small to gain, sorted."""
    main = model.subgraphs[0]
    small = set()
    for operator in main.operators:
        if name_of(model, operator) in WEIGHTED:
            weights = constant(model, main.tensors[int(operator.inputs[1])])
            if weights is not None and weights.size < _MIN_WEIGHTS:
                small.add(text(main.tensors[int(operator.outputs[0])].name))
    return sorted(small)
