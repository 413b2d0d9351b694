"""Build int8 graphs from a float graph, by named repair steps.

Child process only: imports LiteRT and litert-quantizer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.contract.choices import Io, Step
from pipeline.contract.image import ImageContract
from pipeline.export.int8.activation_statistics import Statistics, collect_statistics
from pipeline.export.int8.equal_scales import with_equal_scales
from pipeline.export.int8.float_graph import prepare
from pipeline.export.int8.io_types import input_range, int8_batch, set_io_type
from pipeline.export.int8.kernels import Kernel
from pipeline.export.int8.layer import layers
from pipeline.export.int8.lower import lower
from pipeline.export.int8.mean_rounding import absorb_mean_rounding
from pipeline.export.int8.sequential import correct_sequentially
from pipeline.export.int8.steps.bias_correction import bias_shift
from pipeline.export.int8.steps.interface import BuildPlan, ChooseRange, Prepare, SingleRanges
from pipeline.export.int8.steps.ranges import best_range
from pipeline.export.int8.steps.registry import plan_of
from pipeline.export.int8.value_range import Ranges
from pipeline.export.int8.versions import write_versions
from pipeline.progress import Report
from pipeline.tflite.edit import Array, duplicate, pack
from pipeline.tflite.flatbuffer import Model, text


@dataclass(frozen=True)
class _Source:
    """Hold a float graph with the statistics of its activations."""

    model: Model
    statistics: Statistics


class Int8Builder:
    """Turn one float model into int8 graphs; what several graphs share is made once.

    Args:
        model: the float32 model. What it does is kept, how it does it may be rewritten: see
            `pipeline.export.int8.float_graph`.
        pixels: uint8 (n, height, width, 3), the representative images, resized.
        image: the contract.
        io: what the finished file takes and gives.
        seed: of the drawn samples.
        report: receives progress.
    """

    def __init__(
        self, model: Model, pixels: Array, image: ImageContract, io: Io, seed: int, report: Report
    ) -> None:
        self._pixels, self._image, self._io = pixels, image, io
        self._seed, self._report = seed, report
        prepared = prepare(model)
        self._sources: dict[tuple[Prepare, ...], _Source] = {
            (): _Source(prepared, self._statistics(prepared))
        }
        self._known_ranges: dict[
            tuple[tuple[Prepare, ...], ChooseRange, tuple[SingleRanges, ...]], Ranges
        ] = {}

    @property
    def float_model(self) -> Model:
        """Return the float model as int8 is made of it."""
        return self._sources[()].model

    def build(self, steps: tuple[Step, ...], float16_layers: tuple[str, ...] = ()) -> Model:
        """Return the int8 graph, with int8 input and output, that these steps give.

        Args:
            steps: what to do; ranges are min-max and nothing is corrected without them.
            float16_layers: output tensors of the layers that mixed precision leaves in floats.
        """
        plan = plan_of(steps, float16_layers)
        source = self._source(plan)
        graph = self._lowered(plan)
        if plan.corrections:
            correct_sequentially(
                source.model,
                graph,
                source.statistics,
                int8_batch(self._pixels, self._image, self._io, graph),
                corrections=plan.corrections,
                task=f"repair: {steps[-1].display_name}",
                report=self._report,
            )
        return graph

    def build_isolated(self, float16_layers: tuple[str, ...]) -> Model:
        """Return the graph with all layers but `float16_layers` in 8 bits, each corrected alone.

        With floats before it a layer's mean input is the float one, so no image has to be run.
        """
        plan = BuildPlan(choose_range=best_range, float16_layers=float16_layers)
        source, graph = self._source(plan), self._lowered(plan)
        for layer in layers(source.model, graph):
            mean = source.statistics[layer.entry].mean
            wanted, got = Kernel(layer.float_linear())(mean), Kernel(layer.int8_linear())(mean)
            layer.add_to_bias(bias_shift(wanted, got))
        return graph

    def finish(self, graph: Model) -> bytes:
        """Return the file of a graph: the input and output types asked for, honest versions."""
        finished = duplicate(graph)
        set_io_type(finished, self._io)
        write_versions(finished)
        return pack(finished)

    def _lowered(self, plan: BuildPlan) -> Model:
        source = self._source(plan)
        graph = lower(source.model, self._ranges(plan), float16=plan.float16_layers)
        if self._io is Io.uint8:
            absorb_mean_rounding(graph, self._image)
        return graph

    def _source(self, plan: BuildPlan) -> _Source:
        """Return what the plan's prepares make of the float model.

        Statistics are large: of what was made before only what this plan begins with is kept.
        """
        prepares = plan.prepares
        if prepares not in self._sources:
            beginnings = {prepares[:count] for count in range(len(prepares))}
            for other in self._sources.keys() - beginnings:
                del self._sources[other]
            before = self._source(replace(plan, prepares=prepares[:-1]))
            model = prepares[-1](before.model, before.statistics)
            foretell = plan.foretold.get(prepares[-1])
            statistics = foretell(before.model, before.statistics) if foretell else None
            self._sources[prepares] = _Source(model, statistics or self._statistics(model))
        return self._sources[prepares]

    def _statistics(self, model: Model) -> Statistics:
        return collect_statistics(
            model, self._pixels, self._image, seed=self._seed, report=self._report
        )

    def _ranges(self, plan: BuildPlan) -> Ranges:
        key = (plan.prepares, plan.choose_range, plan.single_ranges)
        if key not in self._known_ranges:
            source = self._source(plan)
            main = source.model.subgraphs[0]
            found = {name: plan.choose_range(one) for name, one in source.statistics.items()}
            entry = text(main.tensors[int(main.inputs[0])].name)
            found[entry] = input_range(self._image, self._io)
            for choose in plan.single_ranges:
                found |= choose(source.model, source.statistics)
            self._known_ranges[key] = with_equal_scales(source.model, found)
        return self._known_ranges[key]
