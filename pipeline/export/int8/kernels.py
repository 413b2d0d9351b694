"""Run whole models and single operators with the kernels that will run on the device.

Child process only: imports LiteRT.
"""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from pipeline.tflite.edit import Array, expose
from pipeline.tflite.flatbuffer import Model, text


class Kernel:
    """Run one model, mostly a single operator, on arrays of the model's own types, on one thread.

    Several at once, each with a part of the images, are faster than one on several threads.
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

    def view(self, position: int) -> Array:
        """Return an output of the last run where it lies; to be let go before the next run.

        The next run raises RuntimeError while anything refers to it.
        """
        return np.asarray(self._interpreter.tensor(self._outputs[position])())


class ActivationProbe:
    """Run a model and read its activations, by tensor name.

    Args:
        model: of one input.
        tensors: which activations, in the order in which `read` counts them.
    """

    def __init__(self, model: Model, tensors: list[int]) -> None:
        self.names = [text(model.subgraphs[0].tensors[j].name) for j in tensors]
        self._kernel = Kernel(expose(model, tensors))

    def run(self, values: Array) -> None:
        """Compute everything for one input of shape (1, ...)."""
        self._kernel.run(values)

    def read(self, position: int) -> Array:
        """Return a copy of the activation at a position of `names`."""
        return self._kernel.output(position)

    def view(self, position: int) -> Array:
        """Return the activation where it lies; see `Kernel.view`."""
        return self._kernel.view(position)
