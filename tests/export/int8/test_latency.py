"""Latencies are ratios of times that lie next to each other."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.export.int8 import latency as module
from pipeline.export.int8.latency import Timed, pairwise_latency
from pipeline.tflite.edit import Array
from pipeline.tflite.flatbuffer import Model
from tests.export.int8.graphs import Network


def graph() -> Model:
    network = Network((1, 4, 4, 3))
    network.mean("image", "mean")
    return network.build("mean")


def test_a_machine_that_slows_down_changes_no_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, speed, order = [0.0], {"one": 0.001, "two": 0.003}, iter(("one", "two"))
    rounds = 9

    class FakeKernel:
        def __init__(self, _: bytes) -> None:
            self._seconds, self._runs = speed[next(order)], 0

        def run(self, _: Array) -> None:
            # Ten times slower from the middle on, and once interrupted.
            self._runs += 1
            slower = 10 if self._runs > module._WARM_UP + rounds // 2 else 1
            clock[0] += self._seconds * slower * (50 if self._runs == module._WARM_UP + 1 else 1)

    monkeypatch.setattr(module, "Kernel", FakeKernel)
    monkeypatch.setattr(module.time, "process_time", lambda: clock[0])
    inputs = [np.zeros((1, 4, 4, 3), np.float32)] * rounds
    (first, first_of), (second, second_of) = pairwise_latency([Timed(graph(), inputs)] * 2)
    assert first_of == pytest.approx([1, 1 / 3])
    assert second_of == pytest.approx([3, 1])
    assert second == pytest.approx(3 * first)


def test_real_graphs_take_time() -> None:
    inputs = [np.zeros((1, 4, 4, 3), np.float32)] * 3
    ((own_ms, ratios),) = pairwise_latency([Timed(graph(), inputs)])
    assert own_ms > 0
    assert ratios == [1]
