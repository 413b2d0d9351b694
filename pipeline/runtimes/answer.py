"""Open a runtime and let it answer a list of image files. Child process only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.classifier.spec import model_sha256
from pipeline.contract.choices import RuntimeName
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput, PipelineError
from pipeline.imaging.decode import Pixels
from pipeline.imaging.preprocess import load_levels
from pipeline.progress import ProgressEvent, Report
from pipeline.runtimes.protocol import Runtime

_AHEAD = 32
_WARM_UP = 3


def open_runtime(
    name: RuntimeName, model: Path, image: ImageContract, labels: list[str], threads: int
) -> Runtime:
    """Open a model in the named runtime.

    Raises:
        BadInput: the runtime refuses the model, or the model does not fit the contract.
    """
    # Only one of these libraries may be in a process.
    if name is RuntimeName.keras:
        from pipeline.runtimes.keras import Keras

        return Keras(model, image, len(labels), threads)
    if name is RuntimeName.litert:
        from pipeline.runtimes.litert import LiteRt

        return LiteRt(model, image, threads)
    if name is RuntimeName.task_library:
        from pipeline.runtimes.task_library import TaskLibrary

        return TaskLibrary(model, labels, threads)
    from pipeline.runtimes.mediapipe_tasks import MediaPipe

    return MediaPipe(model, labels)


def answer_child(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Answer images and write the probabilities to `request["out"]` as `.npz`.

    The request holds runtime, model, model_sha256, image (contract), labels, threads, out, and
    images: a list of {path, sha256 or None}. With `collect_bad` a bad image is listed in the
    result instead of ending the work. The arrays are probabilities float32 (n, classes),
    latencies_ms float64 (n,) and answered int64 (n,), the indices into `images`.

    Raises:
        BadInput: a file differs from its hash, an image is bad, or the model is refused.
    """
    image = ImageContract.model_validate(request["image"])
    model, name = Path(request["model"]), RuntimeName(request["runtime"])
    found = model_sha256(model)
    if found != request["model_sha256"]:
        raise BadInput(
            "the model file changed while it was being used",
            where=str(model),
            expected=f"sha256 {request['model_sha256']}",
            got=f"sha256 {found}",
        )
    images: list[dict[str, Any]] = request["images"]
    bad: list[tuple[int, PipelineError]] = []
    rows: list[npt.NDArray[np.float32]] = []
    latencies: list[float] = []
    answered: list[int] = []
    task = f"{name} answers"
    report(ProgressEvent(task, 0, len(images)))
    opened = open_runtime(name, model, image, request["labels"], request["threads"])
    with closing(opened) as runtime:
        loaded = _load(images, image)
        while batch := list(islice(loaded, runtime.batch)):
            for _, levels in batch:
                if isinstance(levels, PipelineError) and not request["collect_bad"]:
                    raise levels
            bad += [(i, levels) for i, levels in batch if isinstance(levels, PipelineError)]
            good = [(i, levels) for i, levels in batch if not isinstance(levels, PipelineError)]
            if good:
                pixels = [levels for _, levels in good]
                if not rows:
                    for _ in range(_WARM_UP):
                        runtime.answer(pixels)
                start = time.perf_counter()
                rows.append(runtime.answer(pixels))
                spent_ms = (time.perf_counter() - start) * 1000 / len(good)
                latencies += [spent_ms] * len(good)
                answered += [i for i, _ in good]
            report(ProgressEvent(task, len(answered) + len(bad), len(images)))
    classes = len(request["labels"])
    probabilities = np.concatenate(rows) if rows else np.zeros((0, classes), np.float32)
    if probabilities.shape[1] != classes:
        raise BadInput(
            "the model answers another number of classes than there are labels",
            where=str(model),
            expected=f"{classes} classes: {', '.join(request['labels'])}",
            got=f"{probabilities.shape[1]}",
        )
    with Path(request["out"]).open("wb") as stream:
        np.savez(
            stream,
            probabilities=probabilities,
            latencies_ms=np.array(latencies, np.float64),
            answered=np.array(answered, np.int64),
        )
    return {
        "model_sha256": found,
        "bad": [{"index": i, "error": error.to_dict()} for i, error in bad],
    }


def _load(
    images: list[dict[str, Any]], contract: ImageContract
) -> Iterator[tuple[int, Pixels | PipelineError]]:
    def one(item: tuple[int, dict[str, Any]]) -> tuple[int, Pixels | PipelineError]:
        index, entry = item
        try:
            return index, load_levels(Path(entry["path"]), contract, entry["sha256"])
        except PipelineError as error:
            return index, error

    pending = iter(enumerate(images))
    with ThreadPoolExecutor(max_workers=2) as pool:
        while chunk := list(islice(pending, _AHEAD)):
            yield from pool.map(one, chunk)
