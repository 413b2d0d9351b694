"""Write to standard output and standard error: to any reader, in any encoding, and printably."""

from __future__ import annotations

import errno
import os
import sys
import unicodedata
from io import TextIOWrapper
from typing import TextIO

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


def printable(text: str) -> str:
    r"""Return text that a terminal shows as it is: a control character becomes its escape.

    A file may be called anything: what would colour the terminal, move its cursor or turn the
    direction of writing is shown as `\x1b` or `\u202e`. Line ends and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign in "\n\t" or unicodedata.category(sign)[0] != "C" else _escaped(sign)
        for sign in text
    )


def _escaped(sign: str) -> str:
    number = ord(sign)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def write(stream: TextIO, text: str) -> None:
    """Write and flush; a reader that has gone (`| head`) is no failure of the command.

    Raises:
        OSError: anything else, such as a full disk.
    """
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        discard(stream)
        if error.errno not in _NO_READER:
            raise


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
