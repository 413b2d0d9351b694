"""Find out how a source folder is laid out and read it."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.files import resolved
from pipeline.contract.labels import Labels
from pipeline.data.intake import Intake
from pipeline.data.layouts import AUTO, NAMES, layout
from pipeline.data.layouts.interface import Layout, LayoutOptions
from pipeline.errors import BadInput


def read_layout(
    source: Path,
    name: str = AUTO,
    *,
    labels: Labels | None = None,
    options: LayoutOptions | None = None,
) -> Intake:
    """Read which images a folder has, their labels and their groups; open no image.

    Args:
        source: the folder.
        name: how it is laid out; `auto` detects it.
        labels: the label order; None derives it from the class names found.
        options: what only some layouts take.

    Returns:
        The images in order of path, and the problems of single images.

    Raises:
        BadInput: the folder as a whole cannot be read as this layout, an option is not one of this
            layout, or `auto` finds no layout or several.
    """
    if not source.is_dir():
        raise BadInput("the source is not a folder", where=str(source))
    root = resolved(source)
    chosen = detect(root) if name == AUTO else layout(name)
    given = LayoutOptions() if options is None else options
    for option in given.given():
        if option not in chosen.options:
            owners = [one.name for one in map(layout, NAMES) if option in one.options]
            raise BadInput(
                f"--{option.replace('_', '-')} belongs to the layout {' and '.join(owners)}",
                got=chosen.name,
            )
    return chosen.read(root, labels, given)


def detect(root: Path) -> Layout:
    """Return the one layout a folder has.

    Raises:
        BadInput: none or several match; names what was looked for.
    """
    members = [layout(name) for name in NAMES]
    matches = matching(root)
    if len(matches) == 1:
        return matches[0]
    raise BadInput(
        "several layouts match this folder" if matches else "no layout matches this folder",
        where=str(root),
        expected="; ".join(f"{member.name}: {member.looked_for}" for member in members),
        got=", ".join(member.name for member in matches) or _contents(root),
        next_step="choose one with --layout",
    )


def matching(root: Path) -> list[Layout]:
    """Return every layout that a folder (resolved) could have.

    Raises:
        BadInput: it looks like one, but is something else.
    """
    return [member for member in map(layout, NAMES) if member.detect(root)]


def _contents(root: Path) -> str:
    names = sorted(path.name for path in root.iterdir())
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "") or "an empty folder"
