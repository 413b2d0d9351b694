"""Read the CSV tables that come with image collections."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from pipeline.contract.files import MAX_TABLE_BYTES
from pipeline.contract.text_file import read_text
from pipeline.errors import BadInput, reason_of


@dataclass(frozen=True)
class Table:
    """Hold a CSV file: its column names, and one dictionary a row."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]


def read_table(path: Path, required: tuple[str, ...]) -> Table:
    """Read a CSV file with a header line.

    Args:
        path: a UTF-8 file, with or without a byte order mark.
        required: columns that must be there.

    Raises:
        BadInput: unreadable, no header, a repeated or missing column, a row of another length.
    """
    try:
        text = read_text(path, "table", max_bytes=MAX_TABLE_BYTES)
        stream = io.StringIO(text, newline="")
        lines = [line for line in csv.reader(stream, strict=True) if line]
    except FileNotFoundError as error:
        raise BadInput("the table is missing", where=str(path)) from error
    except (OSError, csv.Error) as error:
        raise BadInput("cannot read the table", where=str(path), got=reason_of(error)) from error
    if not lines:
        raise BadInput("the table is empty", where=str(path), expected="a header line")
    columns = tuple(name.strip() for name in lines[0])
    missing = [name for name in required if name not in columns]
    if missing and len(columns) == 1 and (other := _other_separator(columns[0])) is not None:
        raise BadInput(
            f"the table is separated by {other}, not by commas",
            where=str(path),
            expected=",".join(required),
            got=columns[0],
            next_step="save it with commas: in a spreadsheet, export as CSV with the separator ','",
        )
    if missing:
        raise BadInput(
            f"the table lacks the column {', '.join(missing)}",
            where=str(path),
            expected=", ".join(required),
            got=", ".join(columns),
        )
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        raise BadInput(f"the table repeats the column {', '.join(repeated)}", where=str(path))
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(columns):
            raise BadInput(
                "a row of the table has another number of values than the header",
                where=f"{path}, row {number}",
                expected=str(len(columns)),
                got=str(len(line)),
            )
    rows = tuple(
        dict(zip(columns, (value.strip() for value in line), strict=True)) for line in lines[1:]
    )
    return Table(path, columns, rows)


def _other_separator(header: str) -> str | None:
    for sign, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if sign in header:
            return word
    return None
