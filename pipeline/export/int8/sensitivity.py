"""Find the layers whose 8 bits cost most, so that mixed precision leaves the fewest in floats.

Child process only: imports LiteRT and litert-quantizer.

Each layer is quantized alone, its bias corrected, and the change of the answers is its
sensitivity: the ordering of Cai et al. 2020, "ZeroQ", arXiv 2001.00281, section 3.3, measured at
the network's output instead of modelled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import Io
from pipeline.contract.image import ImageContract
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.measure import RepairSet, int8_answers
from pipeline.export.int8.operators import WEIGHTED
from pipeline.progress import ProgressEvent, Report, silent
from pipeline.tflite.edit import Array, activations, name_of
from pipeline.tflite.flatbuffer import Model, text

Float32 = npt.NDArray[np.float32]

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


def differences_alone(
    builder: Int8Builder,
    groups: Sequence[tuple[str, ...]],
    pixels: Array,
    reference: Float32,
    image: ImageContract,
    io: Io,
    *,
    task: str,
    report: Report,
) -> list[float]:
    """Return of each group of layers what it changes when it alone is in 8 bits.

    Sums and pools stay in floats too: in 8 bits they would hide what one layer does.

    Args:
        builder: of the network.
        groups: names of the tensors that the layers write.
        pixels: uint8 (n, height, width, 3), resized, n at least 1.
        reference: float32 (n, ...), the float model's answers to them.
        image: gives the normalization.
        io: which values reach the graph.
        task: the name progress is reported under.
        report: receives progress.

    Returns:
        The mean over images of the largest difference in any value of the answer.
    """
    model, found = builder.float_model, []
    written = [text(model.subgraphs[0].tensors[j].name) for j in activations(model)]
    for done, group in enumerate(groups):
        report(ProgressEvent(task, done, len(groups)))
        graph = builder.build_isolated(tuple(name for name in written if name not in group))
        answers = int8_answers(graph, pixels, image, io, task=task, report=silent)
        off = np.abs(answers - reference).reshape(len(pixels), -1)
        found.append(float(off.max(axis=1).mean()))
    report(ProgressEvent(task, len(groups), len(groups)))
    return found


def by_sensitivity(
    builder: Int8Builder, repair_set: RepairSet, image: ImageContract, io: Io, report: Report
) -> list[tuple[str, float]]:
    """Return the layers, most sensitive first, with the mean difference each causes alone.

    Of a network with very many layers, groups of neighbours are measured first, and single layers
    of the most sensitive groups only.
    """
    names = weighted_layers(builder.float_model)
    every = max(1, len(repair_set.pixels) // _IMAGES_TO_MEASURE)
    pixels, reference = repair_set.pixels[::every], repair_set.reference[::every]

    def ranked(groups: list[tuple[str, ...]], task: str) -> list[tuple[tuple[str, ...], float]]:
        found = differences_alone(
            builder, groups, pixels, reference, image, io, task=task, report=report
        )
        return sorted(zip(groups, found, strict=True), key=lambda pair: -pair[1])

    candidates = names
    if len(names) > _MOST_ALONE:
        size = math.ceil(len(names) / _GROUPS)
        groups = [tuple(names[start : start + size]) for start in range(0, len(names), size)]
        enough = math.ceil(_MOST_ALONE / 2 / size)
        kept = [group for group, _ in ranked(groups, "sensitivity of groups of layers")[:enough]]
        candidates = [name for name in names if any(name in group for group in kept)]
    single = ranked([(name,) for name in candidates], "sensitivity of layers")
    return [(group[0], difference) for group, difference in single]
