"""Open regular files alone, and write so that a reader sees the old one or the new, never half.

A pipe would make its reader wait for ever and a device would feed it for ever; a rename onto a
device replaces the device. So every file that a user names is opened and replaced here.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

# A flatbuffer's offsets reach no further than 2 GiB.
MAX_MODEL_BYTES = 2**31
# Keras and HDF5 files of weights, and recordings.
MAX_WEIGHTS_BYTES = 2**32
# The largest photograph of the contract, 100 million pixels, has 300 MB uncompressed.
MAX_IMAGE_BYTES = 2**29
# A dataset manifest takes 300 bytes an image.
MAX_JSON_BYTES = 2**28
MAX_TABLE_BYTES = 2**28
MAX_CONFIG_BYTES = 2**20

_ZEROS_BYTES = 1 << 20
# How the name of a file begins that is being written; see `RunDir.lock`.
UNFINISHED = ".tmp-"
_KINDS = (
    (stat.S_ISDIR, "a folder, not a file"),
    (stat.S_ISFIFO, "a named pipe, not a file"),
    (stat.S_ISSOCK, "a socket, not a file"),
    (stat.S_ISCHR, "a device, not a file"),
    (stat.S_ISBLK, "a device, not a file"),
)


class NotAFile(OSError):
    """Say that a path is no regular file, or one that is far too large."""


def kind_of(mode: int) -> str | None:
    """Return in words what `st_mode` is if it is no regular file, None for one."""
    return next((words for test, words in _KINDS if test(mode)), None)


def resolved(path: Path) -> Path:
    """Return the absolute path with its links followed; a circle of links stays as it is.

    `Path.resolve` raises RuntimeError for a circle, which is no error of the machine's.
    """
    return Path(os.path.realpath(path))


@contextmanager
def open_regular(path: Path, *, max_bytes: int) -> Iterator[BufferedReader]:
    """Open a regular file for reading bytes; links are followed.

    Raises:
        NotAFile: a pipe, a socket, a device or a folder, or larger than `max_bytes`.
        OSError: it cannot be opened.
    """
    try:
        # Not to wait for who writes to a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise NotAFile(errno.ENOENT, "no path has a NUL in it", str(path)) from error
    with os.fdopen(handle, "rb") as stream:
        state = os.fstat(handle)
        if (kind := kind_of(state.st_mode)) is not None:
            raise NotAFile(None, kind, str(path))
        if state.st_size > max_bytes:
            larger = f"{state.st_size} bytes, more than the {max_bytes} that are read"
            raise NotAFile(None, larger, str(path))
        yield stream


def read_regular(path: Path, *, max_bytes: int) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        NotAFile: a pipe, a socket, a device or a folder, or larger than `max_bytes`.
        OSError: it cannot be read.
    """
    with open_regular(path, max_bytes=max_bytes) as stream:
        # One that grows while it is read ends here too.
        data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise NotAFile(None, f"more than {max_bytes} bytes", str(path))
    return data


def check_input_file(path: Path, *, max_bytes: int) -> None:
    """Refuse what another library is not to open by its name.

    Raises:
        NotAFile: a pipe, a socket, a device or a folder, or larger than `max_bytes`.
        OSError: it cannot be opened.
    """
    with open_regular(path, max_bytes=max_bytes):
        return


def check_output_file(path: Path) -> None:
    """Refuse to write where anything but a regular file stands, or where no file can be.

    Raises:
        NotAFile: a pipe, a socket, a device or a folder stands there, or the name is empty.
        OSError: its folder cannot be searched, or links lead in a circle.
    """
    if str(path) in ("", "."):
        raise NotAFile(None, "an empty name", str(path))
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if (kind := kind_of(mode)) is not None:
        raise NotAFile(None, kind, str(path))


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed onto it when the block succeeds.

    The temporary file is removed when the block raises. It keeps the suffix of `path`, since
    several writers choose a format by it. A link is followed, so that it stays a link. The file
    gets the permissions that the user's umask leaves.

    Raises:
        NotAFile: something else than a regular file stands there.
    """
    check_output_file(path)
    path = resolved(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=UNFINISHED, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def umask() -> int:
    """Return the permissions that the user takes from every new file and folder."""
    # It cannot be read without being set.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


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
