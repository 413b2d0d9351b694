"""Read and draw images in threads that a signal ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

_MOST = 8


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
