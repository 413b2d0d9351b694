"""Say what a repair step is: one value that changes the plan of an int8 graph.

A step is a file beside this one and a line in `registry.py`; its name is a member of
`pipeline.contract.choices.Step`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import Step
from pipeline.export.int8.affine import dequantize
from pipeline.export.int8.value_range import Observed, Range, Ranges, min_max
from pipeline.tflite.edit import Array
from pipeline.tflite.flatbuffer import Model

if TYPE_CHECKING:
    from pipeline.export.int8.activation_statistics import Statistics
    from pipeline.export.int8.layer import Layer

# So many int8 values fit an int16 sum.
_SUMMED = 255


@dataclass(frozen=True)
class LayerInput:
    """Hold what one layer reads, over all representative images.

    values: int8 (images, ...), what the int8 layers before it, already corrected, give. scale and
    zero_point: what the values stand for. float_mean: float32 (1, ...), the float model's mean.
    """

    values: Array
    scale: float
    zero_point: int
    float_mean: npt.NDArray[np.float32]

    def int8_mean(self) -> npt.NDArray[np.float32]:
        """Return the mean of the int8 values in real units, in the shape of `float_mean`."""
        # Whole sums are exact and several times faster than means in floats.
        starts = range(0, len(self.values), _SUMMED)
        sums = [np.sum(self.values[k : k + _SUMMED], axis=0, dtype=np.int16) for k in starts]
        mean = np.asarray(np.sum(sums, axis=0, dtype=np.int64) / len(self.values))
        return dequantize(mean, self.scale, self.zero_point).reshape(self.float_mean.shape)


Prepare = Callable[[Model, "Statistics"], Model]
Foretell = Callable[[Model, "Statistics"], "Statistics | None"]
ChooseRange = Callable[[Observed], Range]
SingleRanges = Callable[[Model, "Statistics"], Ranges]
Correction = Callable[["Layer", LayerInput], None]


@dataclass(frozen=True)
class BuildPlan:
    """Say how an int8 graph is made from a float one.

    prepares: rewrite the float model first, one after another, each keeping its function.
    foretold: gives the statistics after a prepare from the model and the statistics before it; of
    the others, and where it answers None, they are measured.
    choose_range: gives each activation's range, single_ranges those of tensors for which
    it is chosen otherwise. corrections: change an int8 layer in place, in
    this order, layer by layer. offered_layers: the layers that a search or a recipe names for
    floats. float16_layers: those that stay in floats.
    """

    prepares: tuple[Prepare, ...] = ()
    foretold: Mapping[Prepare, Foretell] = field(default_factory=dict)
    choose_range: ChooseRange = min_max
    single_ranges: tuple[SingleRanges, ...] = ()
    corrections: tuple[Correction, ...] = ()
    offered_layers: tuple[str, ...] = ()
    float16_layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class RepairStep:
    """Hold one repair step.

    source: the publication it follows. apply: returns the plan with this step in it.
    float16_layer_counts: how many of the most sensitive layers a search leaves in floats, one
    trial after another, and float16_block_counts: up to which of the places where a block ends;
    both empty for a step that keeps everything in 8 bits. alone: whether a search tries it without
    the next one. applies: whether a float model has what the step changes.
    min_gain: by what share of the error it must lower it to be kept. with_floats: whether a file
    with layers in floats has it, whatever it gains in 8 bits alone.
    """

    name: Step
    source: str
    apply: Callable[[BuildPlan], BuildPlan]
    float16_layer_counts: tuple[int, ...] = ()
    float16_block_counts: tuple[int, ...] = ()
    alone: bool = True
    applies: Callable[[Model], bool] = lambda _: True
    min_gain: float = 0.0
    with_floats: bool = False

    @property
    def title(self) -> str:
        """Return the step's name for people."""
        return self.name.display_name

    @property
    def needs(self) -> tuple[Step, ...]:
        """Return the steps without which this one does nothing."""
        return self.name.needs
