"""Make one int8 graph from a float graph, by named steps.

Child process only: imports LiteRT and litert-quantizer.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.contract.choices import Io, Step
from pipeline.contract.image import ImageContract
from pipeline.export.int8.bias_correction import bias_shift
from pipeline.export.int8.ends import (
    absorb_half_level,
    give_ends,
    input_range,
    int8_levels,
)
from pipeline.export.int8.equalization import equalize
from pipeline.export.int8.kernels import Kernel
from pipeline.export.int8.layer import layers
from pipeline.export.int8.lower import lower
from pipeline.export.int8.ranges import Ranges, best_range, min_max
from pipeline.export.int8.statistics import Statistics, collect_statistics
from pipeline.export.int8.versions import write_versions
from pipeline.export.int8.walk import Rounding, correct_in_order
from pipeline.progress import Report
from pipeline.tflite.edit import Array, duplicate, pack
from pipeline.tflite.flatbuffer import Model, text


@dataclass(frozen=True)
class Source:
    """Hold a float graph with the statistics of its activations."""

    model: Model
    statistics: Statistics


class Workshop:
    """Turn one float model into int8 graphs; what several attempts share is made once.

    Args:
        model: the float32 model.
        levels: uint8 (n, height, width, 3), the representative images.
        image: the contract.
        io: what the finished file takes and gives.
        seed: of the drawn samples.
        report: receives progress.
    """

    def __init__(
        self, model: Model, levels: Array, image: ImageContract, io: Io, seed: int, report: Report
    ) -> None:
        self._levels, self._image, self._io = levels, image, io
        self._seed, self._report = seed, report
        self._plain = Source(model, self._statistics(model))
        self._equalized: Source | None = None
        self._plain_ranges: dict[bool, Ranges] = {}
        self._equal_ranges: dict[bool, Ranges] = {}

    @property
    def float_model(self) -> Model:
        """Return the float model."""
        return self._plain.model

    def attempt(self, steps: tuple[Step, ...], float16_layers: tuple[str, ...] = ()) -> Model:
        """Return the int8 graph, with int8 ends, that these steps give.

        Args:
            steps: what to do; ranges are min-max and nothing is corrected without them.
            float16_layers: output tensors of the layers to leave in floats.
        """
        source = self._source(Step.equalization in steps)
        graph = self._lowered(source, Step.ranges in steps, float16_layers)
        if Step.bias_correction in steps:
            correct_in_order(
                source.model,
                graph,
                source.statistics,
                int8_levels(self._levels, self._image, self._io, graph),
                rounding=Rounding.every if Step.rounding in steps else Rounding.nearest,
                task=f"repair: {steps[-1]}",
                report=self._report,
            )
        return graph

    def quantize_only(self, float16_layers: tuple[str, ...]) -> Model:
        """Return the graph with all layers but `float16_layers` in 8 bits, each corrected alone.

        With floats before it a layer's mean input is the float one, so no walk is needed.
        """
        graph = self._lowered(self._plain, True, float16_layers)
        for layer in layers(self._plain.model, graph):
            mean = self._plain.statistics[layer.entry].mean
            wanted, got = Kernel(layer.float_linear())(mean), Kernel(layer.int8_linear())(mean)
            layer.add_to_bias(bias_shift(wanted, got))
        return graph

    def finish(self, graph: Model) -> bytes:
        """Return the file of a graph: the types asked for at its ends, honest versions."""
        finished = duplicate(graph)
        give_ends(finished, self._io)
        write_versions(finished)
        return pack(finished)

    def _lowered(self, source: Source, best: bool, float16_layers: tuple[str, ...]) -> Model:
        graph = lower(source.model, self._ranges(source, best), float16=float16_layers)
        if self._io is Io.uint8:
            absorb_half_level(graph, self._image)
        return graph

    def _source(self, equalized: bool) -> Source:
        if not equalized:
            return self._plain
        if self._equalized is None:
            model = equalize(self._plain.model, self._plain.statistics)
            self._equalized = Source(model, self._statistics(model))
        return self._equalized

    def _statistics(self, model: Model) -> Statistics:
        return collect_statistics(
            model, self._levels, self._image, seed=self._seed, report=self._report
        )

    def _ranges(self, source: Source, best: bool) -> Ranges:
        known = self._equal_ranges if source is self._equalized else self._plain_ranges
        if best not in known:
            main = source.model.subgraphs[0]
            found = {
                name: best_range(one)[0] if best else min_max(one)
                for name, one in source.statistics.items()
            }
            entry = text(main.tensors[int(main.inputs[0])].name)
            known[best] = found | {entry: input_range(self._image, self._io)}
        return known[best]
