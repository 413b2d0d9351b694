"""End threads where the block that uses them is interrupted."""

from __future__ import annotations

import threading

import pytest

from pipeline.data.threads import image_threads


def test_what_waits_is_never_begun_after_an_interruption() -> None:
    begun: list[int] = []
    go = threading.Event()

    def work(number: int) -> None:
        begun.append(number)
        if number:
            go.wait(10)

    def interrupted() -> None:
        with image_threads() as pool:
            pool.submit(work, 0).result()
            for number in range(1, 1000):
                pool.submit(work, number)
            threading.Timer(0.2, go.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    # One a thread, and the first.
    assert len(begun) <= 9


def test_all_is_done_where_nothing_interrupts() -> None:
    with image_threads() as pool:
        assert list(pool.map(abs, range(-5, 0))) == [5, 4, 3, 2, 1]
