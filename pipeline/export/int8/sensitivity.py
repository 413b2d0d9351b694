"""Find the layers whose 8 bits cost most, so that mixed precision leaves the fewest in floats.

Child process only: imports LiteRT and litert-quantizer.

Each layer is quantized alone, its bias corrected, and the change of the answers is its
sensitivity: the ordering of Cai et al. 2020, "ZeroQ", arXiv 2001.00281, section 3.3, measured at
the network's output instead of modelled.
"""

from __future__ import annotations

import math

from pipeline.contract.choices import Io, Step
from pipeline.contract.image import ImageContract
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.measure import RepairSet, measure
from pipeline.export.int8.operators import WEIGHTED
from pipeline.progress import ProgressEvent, Report, silent
from pipeline.tflite.edit import activations, name_of
from pipeline.tflite.flatbuffer import Model, text

_IMAGES_TO_MEASURE = 128
# A layer takes seconds, and a search leaves eight in floats at most.
_MOST_ALONE = 64
_GROUPS = 24


def weighted_layers(model: Model) -> list[str]:
    """Return the names of the tensors that convolutions and dense operators write, in order."""
    main = model.subgraphs[0]
    return [
        text(main.tensors[int(operator.outputs[0])].name)
        for operator in main.operators
        if name_of(model, operator) in WEIGHTED
    ]


def by_sensitivity(
    builder: Int8Builder, repair_set: RepairSet, image: ImageContract, io: Io, report: Report
) -> list[tuple[str, float]]:
    """Return the layers, most sensitive first, with the mean difference each causes alone.

    Of a network with very many layers, groups of neighbours are measured first, and single layers
    of the most sensitive groups only.
    """
    model = builder.float_model
    names, few = weighted_layers(model), _part(repair_set)
    # Sums and pools stay in floats too: in 8 bits they would hide what one layer does.
    written = [text(model.subgraphs[0].tensors[j].name) for j in activations(model)]

    def alone(group: tuple[str, ...]) -> float:
        others = tuple(name for name in written if name not in group)
        trial = measure(
            builder.build_isolated(others),
            few,
            image,
            io,
            steps=(Step.ranges, Step.bias_correction, Step.mixed_precision),
            float16_layers=others,
            size_bytes=0,
            report=silent,
        )
        return trial.mean_difference

    def ranked(groups: list[tuple[str, ...]], task: str) -> list[tuple[tuple[str, ...], float]]:
        found = []
        for done, group in enumerate(groups):
            report(ProgressEvent(task, done, len(groups)))
            found.append((group, alone(group)))
        report(ProgressEvent(task, len(groups), len(groups)))
        return sorted(found, key=lambda pair: -pair[1])

    candidates = names
    if len(names) > _MOST_ALONE:
        size = math.ceil(len(names) / _GROUPS)
        groups = [tuple(names[start : start + size]) for start in range(0, len(names), size)]
        enough = math.ceil(_MOST_ALONE / 2 / size)
        kept = [group for group, _ in ranked(groups, "sensitivity of groups of layers")[:enough]]
        candidates = [name for name in names if any(name in group for group in kept)]
    single = ranked([(name,) for name in candidates], "sensitivity of layers")
    return [(group[0], difference) for group, difference in single]


def _part(repair_set: RepairSet) -> RepairSet:
    every = max(1, len(repair_set.pixels) // _IMAGES_TO_MEASURE)
    return RepairSet(
        pixels=repair_set.pixels[::every],
        labelled=0,
        truth=repair_set.truth[:0],
        reference=repair_set.reference[::every],
        critical={},
    )
