"""Read and draw images in threads that a signal ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

_MOST = 8
_AHEAD = 4 * _MOST

E = TypeVar("E")
R = TypeVar("R")


@contextmanager
def image_threads() -> Iterator[ThreadPoolExecutor]:
    """Yield threads, one a core and at most 8; where the block raises, what waits never begins.

    The executor's own `with` would do all that was handed in first, minutes after a Ctrl-C.
    """
    pool = ThreadPoolExecutor(max_workers=min(_MOST, os.cpu_count() or 1))
    try:
        yield pool
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def in_threads(work: Callable[[E], R], entries: Iterable[E]) -> Iterator[tuple[E, R]]:
    """Yield each entry with what `work` returned for it, as they are done.

    A few are taken ahead of those that are done, so that the memory does not grow with their
    number. Where the caller stops, what is not begun never is.
    """
    waiting = iter(entries)
    pending: dict[Future[R], E] = {}
    with image_threads() as pool:
        try:
            while True:
                for entry in islice(waiting, _AHEAD - len(pending)):
                    pending[pool.submit(work, entry)] = entry
                if not pending:
                    return
                done, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield pending.pop(future), future.result()
        finally:
            for future in pending:
                future.cancel()
