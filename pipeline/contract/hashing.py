"""Hash files and values the one way every manifest uses."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pipeline.contract.files import MAX_WEIGHTS_BYTES, open_regular


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 lower-case hex digits.

    Raises:
        NotAFile: it is a pipe, a device or a folder, or far too large.
        OSError: the file cannot be read.
    """
    with open_regular(path, max_bytes=MAX_WEIGHTS_BYTES) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def canonical_json(value: Any) -> str:
    """Return `value` as JSON with sorted keys and no spaces: equal values, equal text."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `value`."""
    return sha256_bytes(canonical_json(value).encode("ascii"))
