"""Say that the program itself failed: one line, the traceback in a file, an exit code of its own.

Needs the standard library alone, so that it works when something else cannot be imported.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import traceback
from pathlib import Path

from pipeline import __version__
from pipeline.cli.streams import write

# EX_SOFTWARE of sysexits.h: never one that means a verdict or a refusal.
EXIT_CODE = 70


def show_unexpected(error: Exception, *, as_json: bool) -> int:
    """Write the traceback to a file, tell in one line where and what to do, return the exit code.

    With `as_json` the line is the one JSON object on standard output.
    """
    text = _report(error)
    # What a child process failed with has a name of its own.
    what = f"unexpected {getattr(error, 'bug_name', None) or type(error).__name__}"
    said = " ".join(str(error).split())
    try:
        where = str(_write(text))
    except OSError as problem:
        # No folder takes a file: the terminal is the only place left.
        where = f"standard error, since no file could be written ({problem})"
        write(sys.stderr, text)
    next_step = "report this as a bug, with that file"
    fields = {
        "kind": "bug",
        "exit_code": EXIT_CODE,
        "what": what,
        "where": where,
        "got": said,
        "next_step": next_step,
    }
    if as_json:
        write(sys.stdout, json.dumps({"error": fields}, indent=2) + "\n")
    else:
        colon = f": {said}" if said else ""
        write(sys.stderr, f"bug: {what}{colon} (traceback in {where}; please {next_step})\n")
    return EXIT_CODE


def _report(error: Exception) -> str:
    head = (
        f"pipeline {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"command: {' '.join(sys.argv)}\n\n"
    )
    return head + "".join(traceback.format_exception(error))


def _write(text: str) -> Path:
    handle, name = tempfile.mkstemp(prefix="pipeline-bug-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(text)
    return Path(name)
