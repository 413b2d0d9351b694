"""Write files so that a reader sees the old one or the new one, never half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ZEROS_BYTES = 1 << 20


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed onto it when the block succeeds.

    The temporary file is removed when the block raises. It keeps the suffix of `path`, since
    several writers choose a format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".tmp-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` through a temporary file and a rename."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text_atomic(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8 through a temporary file and a rename."""
    write_bytes_atomic(path, text.encode("utf-8"))


def reserve_space(path: Path, *, header_bytes: int) -> None:
    """Take the disk space of a file at once that is all zeros after its header.

    Raises:
        OSError: the disk is full.
    """
    with path.open("r+b") as stream:
        size_bytes = os.fstat(stream.fileno()).st_size
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, size_bytes)
            return
        # macOS lacks it; zeros written over zeros take the space and change nothing.
        stream.seek(header_bytes)
        for start in range(header_bytes, size_bytes, _ZEROS_BYTES):
            stream.write(bytes(min(_ZEROS_BYTES, size_bytes - start)))
