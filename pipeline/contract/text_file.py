"""Read text that a person or another program wrote, in UTF-8 or not at all."""

from __future__ import annotations

import codecs
import tomllib
from pathlib import Path
from typing import Any

from pipeline.contract.files import MAX_CONFIG_BYTES, read_regular
from pipeline.errors import BadInput

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path, what: str, *, max_bytes: int) -> str:
    """Return the text of a UTF-8 file, with or without a byte order mark.

    Args:
        path: the file.
        what: what errors call it, as "table".
        max_bytes: the largest size that is read.

    Raises:
        BadInput: it is not UTF-8, or holds a NUL, which no text does.
        OSError: it cannot be read; NotAFile where it is none.
    """
    return decode_text(read_regular(path, max_bytes=max_bytes), what, where=str(path))


def read_toml(path: Path, what: str, *, next_step: str | None = None) -> dict[str, Any]:
    """Return the values of a TOML file.

    Args:
        path: the file.
        what: what errors call it.
        next_step: what errors advise where it is not TOML.

    Raises:
        BadInput: it is not UTF-8, not TOML, or nested too deeply.
        OSError: it cannot be read; NotAFile where it is none.
    """
    try:
        return tomllib.loads(read_text(path, what, max_bytes=MAX_CONFIG_BYTES))
    except RecursionError as error:
        raise BadInput(
            f"the {what} is nested too deeply", where=str(path), next_step=next_step
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(
            f"the {what} is not TOML", where=str(path), got=str(error), next_step=next_step
        ) from error


def decode_text(data: bytes, what: str, *, where: str) -> str:
    """Return UTF-8 bytes as text, without a byte order mark.

    Raises:
        BadInput: they are not UTF-8, or hold a NUL, which no text does.
    """
    if data.startswith(_UTF16) and not data.startswith(codecs.BOM_UTF8):
        raise _refused(what, where, "UTF-16, as some Windows programs write it", "UTF-16")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"byte 0x{data[error.start]:02x} at position {error.start}"
        raise _refused(what, where, got, "LATIN1") from error
    if (position := text.find("\0")) >= 0:
        raise BadInput(
            f"the {what} holds a NUL, which no text does",
            where=where,
            got=f"a NUL at position {position}",
            next_step="write it again, or get it again from where it came from",
        )
    return text


def _refused(what: str, where: str, got: str, encoding: str) -> BadInput:
    return BadInput(
        f"the {what} is not UTF-8",
        where=where,
        got=got,
        next_step=f"iconv -f {encoding} -t UTF-8 {where}, or save it as UTF-8 in your editor",
    )
