"""Quantize a float `.tflite` file to int8 in a process of its own. Child process only."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.contract.choices import Repair
from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.search import SearchRecord
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.inputs import load_model, load_pixels
from pipeline.export.int8.measure import RepairSet, float_answers, with_blends
from pipeline.export.int8.noise import noise_floor
from pipeline.export.int8.request import QuantizeAnswer, QuantizeRequest
from pipeline.export.int8.search import search
from pipeline.progress import Report


def quantize_child(request: QuantizeRequest, report: Report) -> QuantizeAnswer:
    """Quantize the float file and write the int8 file to `request.out`.

    Raises:
        BadInput: a file changed, an image is bad, or the model cannot be quantized.
    """
    recipe, image, names = request.recipe, request.image, request.labels.names
    model = load_model(request.float_file)
    pixels = load_pixels(request.representative, image, "read the representative images", report)
    builder = Int8Builder(model, pixels, image, recipe.io, recipe.seed, report)
    record = SearchRecord()
    if recipe.steps is not None or recipe.repair is Repair.none:
        steps, float16 = recipe.steps or (), recipe.float16_layers
        data = builder.finish(builder.build(steps, float16))
    else:
        photographs = load_pixels(request.repair, image, "read the repair set", report)
        known = [names.index(one.label) for one in request.repair if one.label is not None]
        truth = np.array(known, np.int64)
        labelled = len(known) == len(photographs)
        if not labelled:
            # Unlike photographs are blended, and the float model says which are.
            of_class = float_answers(model, photographs, image, report).argmax(axis=1)
            truth = truth[:0]
        else:
            of_class = truth
        mixed = with_blends(photographs, of_class)
        critical = {name: names.index(name) for name in request.labels.critical}
        reference = float_answers(model, mixed, image, report)
        noise = noise_floor(
            model, mixed, image, critical, seed=recipe.seed, report=report, reference=reference
        )
        repair_set = RepairSet(
            pixels=mixed,
            labelled=len(truth),
            truth=truth,
            reference=reference,
            critical=critical,
            noise=noise,
        )
        found = search(builder, repair_set, image, recipe.io, recipe.repair, report)
        data, steps, float16 = found.data, found.steps, found.float16_layers
        hashes = tuple(one.sha256 for one in request.repair)
        record = found.record.model_copy(update={"repair_sha256": hashes})
    Path(request.out).write_bytes(data)
    return QuantizeAnswer(
        sha256=sha256_bytes(data), steps=steps, float16_layers=float16, search=record
    )
