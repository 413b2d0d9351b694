"""Answer with the LiteRT interpreter, fed as a phone feeds it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.child import LITERT
from pipeline.contract.choices import RuntimeName
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput, reason_of
from pipeline.imaging.decode import Pixels
from pipeline.imaging.preprocess import input_tensor
from pipeline.runtimes.child_runtime import ChildRuntime
from pipeline.runtimes.interface import InferenceRequest, Threads


class LiteRt:
    """Run a `.tflite` file on the CPU, one image at a time.

    `options` go to the interpreter: threads, kernels.
    """

    batch = 1

    def __init__(self, model: Path, image: ImageContract, **options: Any) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_path=str(model), **options)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BadInput(
                "LiteRT cannot load the model",
                where=str(model),
                got=reason_of(error).strip(),
                next_step=f"look at it with `pipeline inspect {model}`",
            ) from error
        self._image = image
        self._input = _only(self._interpreter.get_input_details(), "input", model)
        self._output = _only(self._interpreter.get_output_details(), "output", model)
        shape = tuple(int(size) for size in self._input["shape"])
        if shape != image.input_shape:
            raise BadInput(
                "the model's input is not the contract's",
                where=str(model),
                expected=f"shape {image.input_shape}",
                got=f"shape {shape}",
            )

    def close(self) -> None:
        """Release the model."""
        del self._interpreter

    def prepare(self, pixels: Sequence[Pixels]) -> npt.NDArray[Any]:
        """Return the input tensor for the one image in `pixels`, of the input's shape and type."""
        (one,) = pixels
        scale, zero_point = self._input["quantization"]
        tensor = input_tensor(
            one,
            self._image,
            dtype=np.dtype(self._input["dtype"]).name,
            scale=scale,
            zero_point=zero_point,
        )
        return tensor[None]

    def invoke(self, prepared: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return float32 (1, classes), dequantized."""
        self._interpreter.set_tensor(self._input["index"], prepared)
        self._interpreter.invoke()
        return _dequantize(
            self._interpreter.get_tensor(self._output["index"]), self._output["quantization"]
        )


def _only(details: list[dict[str, Any]], which: str, model: Path) -> dict[str, Any]:
    if len(details) != 1:
        raise BadInput(
            f"an image classifier has one {which}",
            where=str(model),
            expected=f"1 {which}",
            got=f"{len(details)}: {', '.join(str(d['name']) for d in details)}",
        )
    return details[0]


def _dequantize(
    stored: npt.NDArray[Any], quantization: tuple[float, int]
) -> npt.NDArray[np.float32]:
    if stored.dtype == np.float32:
        return stored.copy()
    scale, zero_point = quantization
    real: npt.NDArray[np.float32] = stored.astype(np.float32) - np.float32(zero_point)
    return real * np.float32(scale)


def _open(request: InferenceRequest) -> LiteRt:
    return LiteRt(request.model, request.image, num_threads=request.threads)


RUNTIME = ChildRuntime(
    name=RuntimeName.litert,
    title="LiteRT with XNNPACK",
    packages=("ai-edge-litert",),
    threads=Threads.asked,
    open=_open,
    process=LITERT,
)
