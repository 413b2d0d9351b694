"""What a latency measures: one inference of one image, with nothing beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.contract.choices import RuntimeName
from pipeline.imaging.decode import Pixels
from pipeline.progress import silent
from pipeline.runtimes import litert
from pipeline.runtimes.answer import answer_child
from pipeline.runtimes.ask import ask, hash_model
from pipeline.runtimes.child_runtime import ChildRequest
from pipeline.runtimes.interface import ImageFile, InferenceRequest
from pipeline.runtimes.latency import choose, single_latencies_ms
from tests.export.samples import IMAGE, LABELS, samples
from tests.platforms import needs_tflite_support


class Slow:
    """Take a while to prepare, and 5 ms for each image of an inference."""

    batch = 4

    def __init__(self) -> None:
        self.invoked: list[tuple[int, int]] = []

    def prepare(self, pixels: Sequence[Pixels]) -> npt.NDArray[np.uint8]:
        time.sleep(0.02)
        return np.stack(pixels)

    def invoke(self, prepared: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self.invoked.append((len(prepared), threading.active_count()))
        time.sleep(0.005 * len(prepared))
        return np.full((len(prepared), 3), 1 / 3, np.float32)

    def close(self) -> None:
        pass


def request(runtime: RuntimeName, model: Path, timed: int) -> InferenceRequest:
    dataset = samples().dataset
    return InferenceRequest(
        runtime=runtime,
        model=model,
        model_sha256=hash_model(model),
        image=IMAGE,
        labels=LABELS.names,
        images=tuple(
            ImageFile(path=dataset.file(entry), sha256=entry.sha256) for entry in dataset.images
        ),
        timed_inferences=timed,
    )


def test_preparation_is_not_in_a_latency() -> None:
    found = single_latencies_ms(Slow(), [np.zeros((2, 2, 3), np.uint8)] * 3)
    assert found.shape == (3,)
    assert found.min() >= 5
    assert np.median(found) < 20


def test_images_are_timed_alone_after_decoding_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow()
    monkeypatch.setattr(litert, "RUNTIME", replace(litert.RUNTIME, open=lambda _: slow))
    asked = request(RuntimeName.litert, samples().described["float32"], timed=5)
    out = tmp_path / "answers.npz"
    before = threading.active_count()
    answer_child(ChildRequest(**dict(asked), out=out), silent)
    with np.load(out) as arrays:
        assert arrays["latencies_ms"].shape == (5,)
        assert len(arrays["probabilities"]) == len(asked.images)
    answering, timing = slow.invoked[:-8], slow.invoked[-8:]
    assert max(size for size, _ in answering) == 4
    # Three to warm up, then five that count: single images, and no thread that decodes.
    assert timing == [(1, before)] * 8


def test_which_images_are_timed_is_fixed_and_never_more_than_there_are() -> None:
    assert choose(100, 20) == choose(100, 20)
    assert len(set(choose(100, 20))) == 20
    assert choose(3, 20) == [0, 1, 2]
    assert choose(0, 20) == []


@pytest.mark.parametrize(
    ("runtime", "model"),
    [
        (RuntimeName.keras, "good"),
        (RuntimeName.litert, "float32"),
        pytest.param(RuntimeName.task_library, "float32", marks=needs_tflite_support),
        (RuntimeName.mediapipe, "float32"),
    ],
)
def test_every_runtime_is_timed_the_same_way(runtime: RuntimeName, model: str) -> None:
    files: dict[str, Any] = {**samples().described, **samples().models}
    answers = ask(request(runtime, files[model], timed=6))
    assert answers.latencies_ms.shape == (6,)
    assert answers.latencies_ms.min() > 0
    assert len(answers.probabilities) == len(samples().dataset.images)
