"""Run whole models and single operators with the kernels that will run on the device.

Child process only: imports LiteRT.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from pipeline.tflite.edit import Array, expose
from pipeline.tflite.flatbuffer import Model, text

T = TypeVar("T")


class Kernel:
    """Run one model, mostly a single operator, on arrays of the model's own types, on one thread.

    Two of them at once, each with half of the images, are faster than one on two threads.
    """

    def __init__(self, data: bytes) -> None:
        self._interpreter = Interpreter(model_content=data, num_threads=1)
        self._interpreter.allocate_tensors()
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]

    def __call__(self, *inputs: Array) -> Array:
        """Return the first output."""
        self.run(*inputs)
        return np.asarray(self._interpreter.get_tensor(self._outputs[0]))

    def run(self, *inputs: Array) -> None:
        """Compute every output, to be read with `output`."""
        for index, values in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, values)
        self._interpreter.invoke()

    def output(self, position: int) -> Array:
        """Return a copy of an output of the last run."""
        return np.asarray(self._interpreter.get_tensor(self._outputs[position]))


class Tapped:
    """Run a model and read every activation on the way, by tensor name."""

    def __init__(self, model: Model, tensors: list[int]) -> None:
        self.names = [text(model.subgraphs[0].tensors[j].name) for j in tensors]
        self._kernel = Kernel(expose(model, tensors))

    def run(self, values: Array) -> None:
        """Compute everything for one input of shape (1, ...)."""
        self._kernel.run(values)

    def read(self, position: int) -> Array:
        """Return the activation at a position of `names`."""
        return self._kernel.output(position)


def by_halves(count: int, work: Callable[[range], T]) -> list[T]:
    """Do `work` on the first and the second half of `count` at the same time, results in order."""
    middle = (count + 1) // 2
    halves = [half for half in (range(middle), range(middle, count)) if half]
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(work, halves))


def dequantize(values: Array, scale: float, zero_point: int) -> npt.NDArray[np.float32]:
    """Return scale * (values - zero_point) as float32."""
    real: npt.NDArray[np.float32] = values.astype(np.float32) - np.float32(zero_point)
    real *= np.float32(scale)
    return real
