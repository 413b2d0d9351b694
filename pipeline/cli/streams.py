"""Write to standard output and standard error: to any reader, in any encoding, and printably."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from pipeline.contract.printable import printable

_NO_READER = frozenset({errno.EPIPE, errno.EBADF})


def open_standard_streams() -> None:
    """Give the process its three standard streams where it was started without one.

    Otherwise the next file opened takes the number of the missing one, and what is printed goes
    into it.
    """
    handle = os.open(os.devnull, os.O_RDWR)
    while handle <= 2:
        handle = os.dup(handle)
    os.close(handle)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # What the encoding of a terminal lacks, or a file name that is no UTF-8, ends no command.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class OutputLost(OSError):
    """Say that the result of a command could not be written to standard output."""


def is_standard_stream(path: Path) -> bool:
    """Tell whether a path is where standard output or standard error already go."""
    try:
        state = path.stat()
    except OSError:
        return False
    return any(os.path.samestat(state, os.fstat(number)) for number in (1, 2))


def tell(text: str) -> None:
    """Write to standard error what a person may want to know; nothing depends on it."""
    try:
        write(sys.stderr, printable(text))
    except OSError:
        discard(sys.stderr)


def write(stream: TextIO, text: str) -> None:
    """Write and flush; a reader that has gone (`| head`) is no failure of the command.

    Raises:
        OutputLost: anything else, such as a full disk.
    """
    with kept_or_lost(stream):
        stream.write(text)
        stream.flush()


@contextmanager
def kept_or_lost(stream: TextIO) -> Iterator[None]:
    """Discard what a stream does not take inside the block, which changes nothing if none reads.

    Raises:
        OutputLost: there is no room for it.
    """
    try:
        yield
    except OSError as error:
        discard(stream)
        if error.errno not in _NO_READER:
            raise OutputLost(error.errno, error.strerror) from error


def flush_or_discard(stream: TextIO) -> None:
    """Leave nothing to be written: what fails at the interpreter's exit changes the exit code."""
    try:
        stream.flush()
    except OSError:
        discard(stream)


def discard(stream: TextIO) -> None:
    """Send all that is still to be written to `stream` to nowhere, at the exit too."""
    handle = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(handle, stream.fileno())
    finally:
        os.close(handle)
