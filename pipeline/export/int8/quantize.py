"""Quantize a float `.tflite` file to int8 in a process of its own. Child process only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import Repair
from pipeline.contract.hashing import sha256_bytes, sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.ladder import Ladder
from pipeline.contract.recipe import Recipe
from pipeline.errors import BadInput
from pipeline.export.int8.attempt import Workshop
from pipeline.export.int8.measure import RepairSet, float_answers, with_blends
from pipeline.export.int8.search import search
from pipeline.imaging.preprocess import load_levels
from pipeline.progress import ProgressEvent, Report
from pipeline.tflite.edit import unpack_whole
from pipeline.tflite.flatbuffer import read_file


def quantize_child(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Quantize `request["float"]` and write the file to `request["out"]`.

    The request holds float, float_sha256, recipe, image (contract), out, critical (label index by
    name), and representative and repair: lists of {path, sha256, label}, label an index. The
    result holds steps, float16_layers and ladder.

    Raises:
        BadInput: a file changed, an image is bad, or the model cannot be quantized.
    """
    path, recipe = Path(request["float"]), Recipe.model_validate(request["recipe"])
    image = ImageContract.model_validate(request["image"])
    if (found := sha256_file(path)) != request["float_sha256"]:
        raise BadInput(
            "the float file changed while it was being quantized",
            where=str(path),
            expected=f"sha256 {request['float_sha256']}",
            got=f"sha256 {found}",
        )
    model = unpack_whole(read_file(path), where=str(path))
    levels, _ = _load(request["representative"], image, "read the representative images", report)
    workshop = Workshop(model, levels, image, recipe.io, recipe.seed, report)
    ladder = Ladder()
    if recipe.steps is not None or recipe.repair is Repair.none:
        steps, float16 = recipe.steps or (), recipe.float16_layers
        data = workshop.finish(workshop.attempt(steps, float16))
    else:
        photographs, truth = _load(request["repair"], image, "read the repair set", report)
        mixed = with_blends(photographs, truth)
        repair_set = RepairSet(
            levels=mixed,
            labelled=len(photographs),
            truth=truth,
            reference=float_answers(model, mixed, image, report),
            critical=request["critical"],
        )
        made = search(workshop, repair_set, image, recipe.io, recipe.repair, report)
        data, steps, float16 = made.data, made.steps, made.float16_layers
        hashes = tuple(entry["sha256"] for entry in request["repair"])
        ladder = made.ladder.model_copy(update={"repair_sha256": hashes})
    Path(request["out"]).write_bytes(data)
    return {
        "sha256": sha256_bytes(data),
        "steps": [str(step) for step in steps],
        "float16_layers": list(float16),
        "ladder": ladder.model_dump(mode="json"),
    }


def _load(
    entries: list[dict[str, Any]], image: ImageContract, task: str, report: Report
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    # Disjointness from validation and test was proven for these very bytes.
    def one(entry: dict[str, Any]) -> npt.NDArray[np.uint8]:
        return load_levels(Path(entry["path"]), image, entry["sha256"])

    levels = np.empty((len(entries), image.height_px, image.width_px, 3), np.uint8)
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done, pixels in enumerate(pool.map(one, entries)):
            report(ProgressEvent(task, done, len(entries)))
            levels[done] = pixels
    report(ProgressEvent(task, len(entries), len(entries)))
    return levels, np.array([entry["label"] for entry in entries], np.int64)
