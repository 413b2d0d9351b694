"""Keep what a Keras model answers when it is fed by other input conventions than the stated one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.contract.base import Frozen
from pipeline.contract.normalization import Normalization

# Enough for chance to be out of the question where the stated convention is wrong, and a few
# seconds of the reference's time.
PROBE_IMAGES = 64


class Chosen(Frozen):
    """Hold the class that was chosen for each probed image under one normalization."""

    normalization: Normalization
    classes: tuple[int, ...]


class Conventions(Frozen):
    """Hold the answers to the images at `rows` of the recording with these arrays."""

    schema_version: Literal[1] = 1
    kind: Literal["conventions"] = "conventions"
    arrays_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    rows: tuple[int, ...]
    chosen: tuple[Chosen, ...]
