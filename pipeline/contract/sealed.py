"""Know whether a file that was kept for a later run is still what was written.

Beside the file lies its SHA-256, written last: a file without it was never finished, one that
differs was damaged, with the same size or another. Either is made again, never used.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.files import MAX_CONFIG_BYTES, read_regular, write_text_atomic
from pipeline.contract.hashing import sha256_file
from pipeline.progress import ProgressEvent, Report


def seal(path: Path) -> None:
    """Write the hash of a finished file beside it."""
    write_text_atomic(_seal_of(path), f"{sha256_file(path)}\n")


def is_whole(path: Path, report: Report) -> bool:
    """Tell whether a file is there as it was sealed; say so in one line where it was damaged."""
    if not path.exists():
        return False
    try:
        sealed = read_regular(_seal_of(path), max_bytes=MAX_CONFIG_BYTES).decode("ascii").strip()
    except FileNotFoundError:
        # Killed between the two writes, or left by an earlier release.
        return False
    except (OSError, UnicodeDecodeError):
        sealed = ""
    try:
        if sha256_file(path) == sealed:
            return True
    except OSError:
        # What cannot be read is no more whole than what differs.
        sealed = ""
    say_damaged(path, report)
    return False


def say_damaged(path: Path, report: Report) -> None:
    """Say in one line that a file is made again, since it is not what was written."""
    report(ProgressEvent(f"make {path.name} again", 1, 1, "the cached file was damaged"))


def remove_sealed(path: Path) -> None:
    """Remove a file and its hash, where they are there."""
    path.unlink(missing_ok=True)
    _seal_of(path).unlink(missing_ok=True)


def _seal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
