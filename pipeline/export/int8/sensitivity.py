"""Find the layers whose 8 bits cost most, so that mixed precision leaves the fewest in floats.

Child process only: imports LiteRT and litert-quantizer.

Each layer is quantized alone, its bias corrected, and the change of the answers is its
sensitivity: the ordering of Cai et al. 2020, "ZeroQ", arXiv 2001.00281, section 3.3, measured at
the network's output instead of modelled.
"""

from __future__ import annotations

from pipeline.contract.choices import Io, Step
from pipeline.contract.image import ImageContract
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.measure import RepairSet, measure
from pipeline.export.int8.operators import WEIGHTED
from pipeline.progress import ProgressEvent, Report, silent
from pipeline.tflite.edit import name_of
from pipeline.tflite.flatbuffer import Model, text

_IMAGES_TO_MEASURE = 16


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
    """Return the layers, most sensitive first, with the mean difference each causes alone."""
    names = weighted_layers(builder.float_model)
    few = _part(repair_set)
    found = []
    for done, name in enumerate(names):
        report(ProgressEvent("sensitivity of layers", done, len(names)))
        others = tuple(other for other in names if other != name)
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
        found.append((name, trial.mean_difference))
    report(ProgressEvent("sensitivity of layers", len(names), len(names)))
    return sorted(found, key=lambda pair: -pair[1])


def _part(repair_set: RepairSet) -> RepairSet:
    every = max(1, len(repair_set.pixels) // _IMAGES_TO_MEASURE)
    return RepairSet(
        pixels=repair_set.pixels[::every],
        labelled=0,
        truth=repair_set.truth[:0],
        reference=repair_set.reference[::every],
        critical={},
    )
