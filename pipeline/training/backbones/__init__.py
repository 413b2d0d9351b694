"""List the backbones; a new one is a file here with a `BACKBONE`, and its name below.

The names alone are needed for `--help`, so a backbone's file is imported when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.training.backbones.interface import Backbone

NAMES: tuple[str, ...] = (
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "mobilenet_v1",
    "efficientnet_v2_b0",
    "efficientnet_b0",
)
DEFAULT = NAMES[0]


def backbone(name: str) -> Backbone:
    """Return the backbone of this name.

    Raises:
        BadInput: there is none.
    """
    if name not in NAMES:
        from pipeline.errors import BadInput

        raise BadInput("there is no such backbone", expected=", ".join(NAMES), got=name)
    member: Backbone = import_module(f"{__name__}.{name}").BACKBONE
    return member
