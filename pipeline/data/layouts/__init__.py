"""List the layouts; a new one is a file here with a `LAYOUT`, and its name below.

The names alone are needed for `--help`, so a layout's file is imported when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.data.layouts.interface import Layout

NAMES: tuple[str, ...] = (
    "folder",
    "isic2019",
    "ham10000",
    "unlabelled",
)
# Not a layout: the one that a folder has is found out.
AUTO = "auto"
CHOICES = (AUTO, *NAMES)


def layout(name: str) -> Layout:
    """Return the layout of this name.

    Raises:
        BadInput: there is none.
    """
    if name not in NAMES:
        from pipeline.errors import BadInput

        raise BadInput("there is no such layout", expected=", ".join(CHOICES), got=name)
    member: Layout = import_module(f"{__name__}.{name}").LAYOUT
    return member
