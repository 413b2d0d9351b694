"""Let an opened runtime answer a list of image files. Child process only."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.classifier.spec import unchanged_sha256
from pipeline.errors import BadInput, PipelineError
from pipeline.imaging.decode import Pixels
from pipeline.imaging.preprocess import load_resized_pixels
from pipeline.progress import ProgressEvent, Report
from pipeline.runtimes.child_runtime import ChildAnswer, ChildRequest, ChildRuntime
from pipeline.runtimes.interface import InferenceRequest, Runtime
from pipeline.runtimes.keras import Keras
from pipeline.runtimes.latency import choose, single_latencies_ms
from pipeline.runtimes.registry import describe

_AHEAD = 32
_DECODERS = 2


def answer_child(request: ChildRequest, report: Report) -> ChildAnswer:
    """Answer images and write the arrays to `request.out`.

    Raises:
        BadInput: a file differs from its hash, an image is bad, or the model is refused.
    """
    found = unchanged_sha256(request.model, request.model_sha256)
    described = describe(request.runtime)
    if not isinstance(described, ChildRuntime):
        raise TypeError(f"{request.runtime} does not run in a Python process")
    report(ProgressEvent(f"{request.runtime} answers", 0, len(request.images)))
    with closing(described.open(request)) as runtime:
        answered, probabilities, bad = _answer(runtime, request, report)
        _check_classes(probabilities, request)
        # Decoding has ended: nothing runs beside what is timed.
        timed = [answered[i] for i in choose(len(answered), request.timed_inferences)]
        latencies_ms = single_latencies_ms(runtime, [_load(request, i) for i in timed])
        probed, by_normalization = _probe(runtime, request, answered)
    with request.out.open("wb") as stream:
        np.savez(
            stream,
            probabilities=probabilities,
            answered=np.array(answered, np.int64),
            latencies_ms=latencies_ms,
            probed=probed,
            by_normalization=by_normalization,
        )
    return ChildAnswer(
        model_sha256=found,
        bad=tuple(ChildAnswer.Bad(index=i, error=error.to_dict()) for i, error in bad),
    )


def _answer(
    runtime: Runtime[Any], request: InferenceRequest, report: Report
) -> tuple[list[int], npt.NDArray[np.float32], list[tuple[int, PipelineError]]]:
    bad: list[tuple[int, PipelineError]] = []
    rows: list[npt.NDArray[np.float32]] = []
    answered: list[int] = []
    with ThreadPoolExecutor(max_workers=_DECODERS) as pool:
        loaded = _load_all(request, pool)
        while batch := list(islice(loaded, runtime.batch)):
            good: list[tuple[int, Pixels]] = []
            for i, pixels in batch:
                if not isinstance(pixels, PipelineError):
                    good.append((i, pixels))
                elif request.collect_bad:
                    bad.append((i, pixels))
                else:
                    raise pixels
            if good:
                rows.append(runtime.invoke(runtime.prepare([pixels for _, pixels in good])))
                answered += [i for i, _ in good]
            done = len(answered) + len(bad)
            report(ProgressEvent(f"{request.runtime} answers", done, len(request.images)))
    if not rows:
        return [], np.zeros((0, len(request.labels)), np.float32), bad
    return answered, np.concatenate(rows), bad


def _probe(
    runtime: Runtime[Any], request: InferenceRequest, answered: list[int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Answer some images again, fed by other normalizations, if the runtime can be fed so."""
    rows = choose(len(answered), request.probe_images) if isinstance(runtime, Keras) else []
    shape = (len(request.probe_normalizations), len(rows), len(request.labels))
    answers = np.zeros(shape, np.float32)
    if isinstance(runtime, Keras) and rows:
        pixels = [_load(request, answered[row]) for row in rows]
        for place, normalization in enumerate(request.probe_normalizations):
            for start in range(0, len(rows), runtime.batch):
                part = slice(start, start + runtime.batch)
                answers[place, part] = runtime.answer_under(pixels[part], normalization)
    return np.array(rows, np.int64), answers


def _check_classes(probabilities: npt.NDArray[np.float32], request: InferenceRequest) -> None:
    classes = len(request.labels)
    if probabilities.shape[1] != classes:
        raise BadInput(
            "the model answers another number of classes than there are labels",
            where=str(request.model),
            expected=f"{classes} classes: {', '.join(request.labels)}",
            got=f"{probabilities.shape[1]}",
        )


def _load(request: InferenceRequest, index: int) -> Pixels:
    file = request.images[index]
    return load_resized_pixels(file.path, request.image, file.sha256)


def _load_all(
    request: InferenceRequest, pool: ThreadPoolExecutor
) -> Iterator[tuple[int, Pixels | PipelineError]]:
    def one(index: int) -> tuple[int, Pixels | PipelineError]:
        try:
            return index, _load(request, index)
        except PipelineError as error:
            return index, error

    pending = iter(range(len(request.images)))
    while chunk := list(islice(pending, _AHEAD)):
        yield from pool.map(one, chunk)
