"""Answer images as runtimes do that feed the model wrongly."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.child import ask_child
from pipeline.classifier.spec import unchanged_sha256
from pipeline.contract.base import Frozen
from pipeline.contract.choices import Mistake
from pipeline.contract.image import ImageContract
from pipeline.contract.manifest import TensorInfo
from pipeline.imaging.decode import decode_file
from pipeline.imaging.preprocess import resize_pixels
from pipeline.mistakes.feeding import right_tensor
from pipeline.mistakes.interface import Fed, Float32, Picture, Stored
from pipeline.mistakes.registry import wrong_tensor
from pipeline.progress import ProgressEvent, Report, silent
from pipeline.runtimes.interface import ImageFile
from pipeline.runtimes.litert import LiteRt

_AHEAD = 4
_DECODERS = 2
_MOST_THREADS = 4


class Hypothesis(Frozen):
    """Name a mistake on the way in, and which variant of it."""

    mistake: Mistake
    variant: str


class MistakenRequest(Frozen):
    """Ask what a file answers when it is fed rightly, and under each hypothesis.

    `input` is the file's input tensor. The answers go to `out` as `.npz`: `answers` float32
    (1 + hypotheses, images, classes), the right ones first, and `same` bool (hypotheses,),
    whether the file is fed the right tensor on every image.
    """

    model: Path
    model_sha256: str
    image: ImageContract
    input: TensorInfo
    images: tuple[ImageFile, ...]
    hypotheses: tuple[Hypothesis, ...]
    out: Path


class MistakenAnswer(Frozen):
    """Say that the answers are there."""


def ask_mistaken(
    request: MistakenRequest, *, report: Report = silent
) -> tuple[Float32, npt.NDArray[np.bool_]]:
    """Return `answers` and `same` of a request, whose `out` is not used.

    Raises:
        BadInput: the model or an image is refused.
        EnvironmentProblem: LiteRT is not installed, or its process died.
    """
    with tempfile.TemporaryDirectory(prefix="pipeline-mistaken-") as folder:
        out = Path(folder) / "answers.npz"
        ask_child(
            "pipeline.runtimes.mistaken:mistaken_child",
            request.model_copy(update={"out": out}),
            MistakenAnswer,
            report=report,
        )
        with np.load(out, allow_pickle=False) as arrays:
            return arrays["answers"], arrays["same"]


def mistaken_child(request: MistakenRequest, report: Report) -> MistakenAnswer:
    """Answer every image under every hypothesis. Runs in a child process.

    Raises:
        BadInput: the model changed, or it or an image is refused.
    """
    unchanged_sha256(request.model, request.model_sha256)
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    total, rows = len(request.images), []
    same = np.ones(len(request.hypotheses), np.bool_)
    with (
        closing(LiteRt(request.model, request.image, num_threads=threads)) as runtime,
        ThreadPoolExecutor(max_workers=_DECODERS) as pool,
    ):
        for tensors in _prepared(request, pool):
            # A square picture is the same cropped or not: it is answered once.
            known: dict[bytes, Float32] = {}
            answers = []
            for tensor in tensors:
                key = tensor.tobytes()
                if key not in known:
                    known[key] = runtime.invoke(tensor[None])[0]
                answers.append(known[key])
            right = tensors[0].tobytes()
            same &= np.array([tensor.tobytes() == right for tensor in tensors[1:]], np.bool_)
            rows.append(answers)
            report(ProgressEvent("known mistakes are made", len(rows), total))
    stacked = np.array(rows, np.float32).swapaxes(0, 1)
    with request.out.open("wb") as stream:
        np.savez(stream, answers=stacked, same=same)
    return MistakenAnswer()


def _prepared(request: MistakenRequest, pool: ThreadPoolExecutor) -> Iterator[list[Stored]]:
    """Yield the input tensors of each image, the right one first."""
    fed = Fed(request.image, request.input)

    def one(file: ImageFile) -> list[Stored]:
        def stored() -> npt.NDArray[np.uint8]:
            return decode_file(file.path, request.image, file.sha256, as_stored=True)

        picture = Picture(decode_file(file.path, request.image, file.sha256), stored)
        pixels = resize_pixels(picture.upright, request.image)
        wrong = (
            wrong_tensor(asked.mistake, asked.variant, picture, pixels, fed)
            for asked in request.hypotheses
        )
        return [right_tensor(pixels, fed), *wrong]

    pending = iter(request.images)
    while chunk := list(islice(pending, _AHEAD)):
        yield from pool.map(one, chunk)
