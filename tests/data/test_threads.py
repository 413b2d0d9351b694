"""End threads where the block that uses them is interrupted."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pipeline.data.threads import image_threads, in_threads


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


def test_every_entry_is_answered_with_few_taken_ahead() -> None:
    taken = 0

    def entries() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    found = {}
    for done, (entry, result) in enumerate(in_threads(lambda number: -number, entries())):
        found[entry] = result
        assert taken - done <= 64
    assert found == {number: -number for number in range(1000)}


def test_what_is_ahead_is_never_begun_where_the_caller_stops() -> None:
    begun: list[int] = []

    def stopped() -> None:
        for _ in in_threads(begun.append, range(1000)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert len(begun) <= 64


def test_an_error_of_the_work_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda number: 1 // number, [2, 1, 0]))
