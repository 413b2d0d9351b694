"""Show names that may hold anything: a file may be called whatever the file system lets through."""

from __future__ import annotations

import unicodedata


def printable(text: str, *, keep: str = "\n\t") -> str:
    r"""Return text that a terminal shows as it is: a control character becomes its escape.

    What would colour the terminal, move its cursor or turn the direction of writing is shown as
    `\x1b` or `\u202e`, a byte that is no UTF-8 as `\udcff`.

    Args:
        text: anything.
        keep: the control characters that stay.
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign in keep or unicodedata.category(sign)[0] != "C" else _escaped(sign)
        for sign in text
    )


def printable_name(name: str) -> str:
    """Return the name of a file in one line; see `printable`."""
    return printable(name, keep="")


def _escaped(sign: str) -> str:
    number = ord(sign)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
