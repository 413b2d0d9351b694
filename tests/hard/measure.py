"""Search an int8 file for a hard network, and judge it as the gate would. Child only: LiteRT."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.contract.base import Frozen
from pipeline.contract.choices import Io, Repair
from pipeline.contract.noise import MeasuredNoise, NoiseFloor
from pipeline.contract.search import SearchRecord
from pipeline.contract.verdict import Verdict
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.inputs import load_pixels
from pipeline.export.int8.measure import RepairSet, float_answers, with_blends
from pipeline.export.int8.noise import noise_floor
from pipeline.export.int8.request import ImageFile
from pipeline.export.int8.search import search
from pipeline.parity.judge import judge_recordings
from pipeline.parity.thresholds import Thresholds
from pipeline.progress import Report
from pipeline.tflite.edit import unpack_whole
from tests.families.measure import uint8_file_answers
from tests.hard.models import IMAGE
from tests.parity.recordings import recording

_CALIBRATED, _REPAIR = 200, 128


class MeasureRequest(Frozen):
    """Ask for the search on `seen` images and the verdict on `held_out` ones."""

    float_file: str
    seen: tuple[ImageFile, ...]
    held_out: tuple[ImageFile, ...]


class Row(Frozen):
    """Hold the noise floor on the held-out images, the search, and what the gate says."""

    noise: NoiseFloor
    plain_agreement: float
    search: SearchRecord
    agreement: float
    mean_difference: float
    verdict: Verdict


def measure_child(request: MeasureRequest, report: Report) -> Row:
    """Quantize, search and judge."""
    model = unpack_whole(Path(request.float_file).read_bytes(), where=request.float_file)
    seen = load_pixels(request.seen[: _CALIBRATED + _REPAIR], IMAGE, "read", report)
    held_out = load_pixels(request.held_out, IMAGE, "read", report)
    builder = Int8Builder(model, seen[:_CALIBRATED], IMAGE, Io.uint8, 0, report)
    repair = seen[_CALIBRATED:]
    mixed = with_blends(repair, float_answers(model, repair, IMAGE, report).argmax(axis=1))
    reference = float_answers(model, mixed, IMAGE, report)
    about = (model, mixed, IMAGE, {})
    repair_set = RepairSet(
        pixels=mixed,
        labelled=0,
        truth=np.zeros(0, np.int64),
        reference=reference,
        critical={},
        noise=noise_floor(*about, seed=0, report=report, reference=reference),
    )
    found = search(builder, repair_set, IMAGE, Io.uint8, Repair.auto, report)
    wanted = float_answers(model, held_out, IMAGE, report)
    noise = noise_floor(model, held_out, IMAGE, {}, seed=0, report=report, reference=wanted)
    got = uint8_file_answers(found.data, held_out)
    plain = uint8_file_answers(builder.finish(builder.build(())), held_out)
    ids = [one.sha256 for one in request.held_out]
    labels = tuple(f"class {k}" for k in range(wanted.shape[1]))
    truth = [-1] * len(ids)
    # 8-bit probabilities of many classes sum to 1 only nearly, which another check judges.
    sums = got.sum(axis=1, keepdims=True)
    verdict = judge_recordings(
        recording(wanted, truth, ids=ids, labels=labels),
        recording(got / sums, truth, runtime="litert", ids=ids, labels=labels),
        Thresholds(),
        critical=(),
        unlabelled=True,
        noise=MeasuredNoise(image_ids=tuple(ids), floor=noise),
    )
    return Row(
        noise=noise,
        plain_agreement=float((plain.argmax(axis=1) == wanted.argmax(axis=1)).mean()),
        search=found.record,
        agreement=float((got.argmax(axis=1) == wanted.argmax(axis=1)).mean()),
        mean_difference=float(np.abs(got - wanted).max(axis=1).mean()),
        verdict=verdict,
    )
