"""Measure what int8 does to a family's float file. Child process only: LiteRT."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.contract.base import Frozen
from pipeline.contract.choices import Io, Repair
from pipeline.contract.image import ImageContract
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.kernels import Kernel
from pipeline.export.int8.measure import RepairSet, float_answers, with_blends
from pipeline.export.int8.search import search
from pipeline.imaging.preprocess import normalize
from pipeline.progress import Report
from pipeline.tflite.edit import name_of, unpack_whole
from pipeline.tflite.flatbuffer import Model
from tests.families.pictures import draw

_CALIBRATED = 128


class MeasureRequest(Frozen):
    """Ask for the figures of a float file; int8 files are left in `folder`."""

    family: str
    float_file: str
    image: ImageContract
    folder: str


class Measured(Frozen):
    """Hold a family's figures.

    Agreement is the share of held-out pictures that the int8 file answers as the float file does,
    both in LiteRT, 0 to 1; accuracy is the float file's. `steps` made the repaired file,
    `seconds` the time for statistics, search and all files.
    """

    operators: dict[str, int]
    float_bytes: int
    int8_bytes: int
    accuracy: float
    plain_agreement: float
    agreement: float
    mean_difference: float
    steps: tuple[str, ...]
    float16_layers: int
    meets_target: bool
    seconds: float
    held_out: int


def measure_child(request: MeasureRequest, report: Report) -> Measured:
    """Quantize plainly and with repair, uint8 in and out, and compare on held-out pictures."""
    start = time.monotonic()
    folder = Path(request.folder)
    data, pictures = Path(request.float_file).read_bytes(), draw(folder)
    model, image = unpack_whole(data, where=request.float_file), request.image
    calibrated = pictures.train[:: max(1, len(pictures.train) // _CALIBRATED)]
    builder = Int8Builder(model, calibrated, image, Io.uint8, 0, report)
    plain = builder.finish(builder.build(()))
    mixed = with_blends(pictures.repair, pictures.repair_truth)
    repair_set = RepairSet(
        pixels=mixed,
        labelled=len(pictures.repair),
        truth=pictures.repair_truth,
        reference=float_answers(model, mixed, image, report),
        critical={},
    )
    found = search(builder, repair_set, image, Io.uint8, Repair.auto, report)
    seconds = time.monotonic() - start
    for name, file in (("plain", plain), ("int8", found.data)):
        (folder / f"{request.family}.{name}.tflite").write_bytes(file)
    wanted = float_file_answers(data, pictures.held_out, image)
    answers = [uint8_file_answers(file, pictures.held_out) for file in (plain, found.data)]
    agreement = [float((one.argmax(axis=1) == wanted.argmax(axis=1)).mean()) for one in answers]
    chosen = next(trial for trial in found.record.trials if trial.chosen)
    return Measured(
        operators=counted(model),
        float_bytes=len(data),
        int8_bytes=len(found.data),
        accuracy=float((wanted.argmax(axis=1) == pictures.held_out_truth).mean()),
        plain_agreement=agreement[0],
        agreement=agreement[1],
        mean_difference=float(np.abs(answers[1] - wanted).max(axis=1).mean()),
        steps=tuple(step.value for step in found.steps),
        float16_layers=len(found.float16_layers),
        meets_target=chosen.meets_target,
        seconds=round(seconds, 1),
        held_out=len(pictures.held_out),
    )


def counted(model: Model) -> dict[str, int]:
    """Count the operators of a graph."""
    return dict(
        sorted(Counter(name_of(model, one) for one in model.subgraphs[0].operators).items())
    )


def float_file_answers(
    data: bytes, pixels: npt.NDArray[np.uint8], image: ImageContract
) -> npt.NDArray[np.float32]:
    """Return a float file's probabilities, float32 (n, classes)."""
    kernel = Kernel(data)
    return np.stack([kernel(normalize(one, image)[None])[0] for one in pixels])


def uint8_file_answers(data: bytes, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return a uint8 file's probabilities, float32 (n, classes): raw pixels in, 1/256 steps out."""
    kernel = Kernel(data)
    return np.stack([kernel(one[None])[0] for one in pixels]).astype(np.float32) / 256
