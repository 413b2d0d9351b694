"""Know how much memory the arrays of a file claim before any is taken."""

from __future__ import annotations

import io
import math
import zipfile

import numpy as np

from pipeline.contract.files import MAX_WEIGHTS_BYTES


def check_claims(data: bytes) -> None:
    """Refuse arrays that claim more memory than the file holds, before any is taken.

    Raises:
        ValueError: an array claims another size than it has, or it unpacks to far too much.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            if member.file_size > MAX_WEIGHTS_BYTES or member.file_size > 200 * len(data):
                raise ValueError(f"{member.filename} unpacks to {member.file_size} bytes")
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0
                if version != (1, 0):
                    read = np.lib.format.read_array_header_2_0
                shape, _, dtype = read(stream)
                claimed = math.prod(shape) * dtype.itemsize
                if dtype.hasobject or claimed > member.file_size:
                    raise ValueError(f"{member.filename} claims {claimed} bytes")
