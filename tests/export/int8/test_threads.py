"""The result of shared work does not depend on how many cores there are."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.choices import Io, Step
from pipeline.contract.image import ImageContract
from pipeline.export.int8 import threads
from pipeline.export.int8.activation_statistics import collect_statistics
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.measure import float_answers
from pipeline.export.int8.threads import in_threads
from pipeline.progress import silent
from tests.export.int8.steps.test_equalization import bottleneck

IMAGE = ImageContract(height_px=32, width_px=32)
PIXELS = np.random.default_rng(6).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)


@given(count=st.integers(0, 50), parts=st.one_of(st.none(), st.integers(1, 9)))
def test_every_item_is_worked_on_once_and_results_come_in_order(
    count: int, parts: int | None
) -> None:
    done = in_threads(count, list, parts=parts)
    assert [item for part in done for item in part] == list(range(count))
    assert all(done)
    if parts is not None:
        sizes = [len(part) for part in done]
        assert len(done) == min(count, parts)
        assert not sizes or max(sizes) - min(sizes) <= 1


def test_each_core_has_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 3)
    # All three must be at work at once, or the barrier breaks.
    barrier = threading.Barrier(3)

    def wait(part: range) -> range:
        barrier.wait(timeout=10)
        return part

    assert in_threads(8, wait) == [range(3), range(3, 6), range(6, 8)]


def test_the_parts_that_are_asked_for_are_the_same_on_every_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for cores in (1, 2, 4):
        monkeypatch.setattr(threads, "usable_cores", lambda cores=cores: cores)
        assert in_threads(7, lambda part: part, parts=2) == [range(4), range(4, 7)]


def test_a_failure_in_one_part_is_raised() -> None:
    def work(part: range) -> None:
        if 5 in part:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_threads(8, work)


def test_the_same_model_gives_the_same_bytes_on_1_2_and_4_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, steps = bottleneck(), tuple(step for step in Step if not step.keeps_floats)
    files, samples, answers = set(), set(), set()
    for cores in (1, 2, 4):
        monkeypatch.setattr(threads, "usable_cores", lambda cores=cores: cores)
        builder = Int8Builder(model, PIXELS, IMAGE, Io.uint8, 0, silent)
        files.add(builder.finish(builder.build(steps)))
        statistics = collect_statistics(model, PIXELS, IMAGE, seed=0, report=silent)
        samples.add(b"".join(one.samples.tobytes() for one in statistics.values()))
        answers.add(float_answers(model, PIXELS, IMAGE, silent).tobytes())
    assert [len(found) for found in (files, samples, answers)] == [1, 1, 1]
