"""Break copies of the small proven bundle as the shared table says."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.contract.bundle import MANIFEST_FILE, VERDICT_FILE, seal_bundle
from pipeline.contract.hashing import sha256_file
from pipeline.contract.manifest import BundleManifest, FileEntry
from pipeline.contract.verdict import Verdict

BROKEN = Path(__file__).resolve().parents[2] / "android_demo" / "checks" / "broken"
BUNDLE = BROKEN / "bundle"
OTHER_MODEL = BROKEN / "other.tflite"
TABLE = BROKEN / "cases.json"
_HASH_OF = "sha256:"


@dataclass(frozen=True)
class Case:
    """Name one way to break the bundle, the check that refuses it, and the sentence for people.

    `app` tells whether the Android app's core refuses it too, with the same sentence; without it
    there is none to compare.
    """

    name: str
    edits: tuple[dict[str, Any], ...]
    reason: str
    sentence: str | None
    app: bool

    def make(self, folder: Path) -> Path:
        """Write the broken bundle to `folder`, a new one."""
        shutil.copytree(BUNDLE, folder)
        for edit in self.edits:
            apply(edit, folder)
        return folder


def cases() -> tuple[Case, ...]:
    """Return the table."""
    return tuple(
        Case(one["name"], tuple(one["edits"]), one["reason"], one["sentence"], one["app"])
        for one in json.loads(TABLE.read_text(encoding="utf-8"))["cases"]
    )


def apply(edit: dict[str, Any], folder: Path) -> None:
    """Make one edit in a bundle's folder; android_demo/checks/broken/README.md lists the kinds."""
    match edit:
        case {"delete": name}:
            (folder / name).unlink()
        case {"write": name, "text": text}:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        case {"flip": name, "at": place}:
            data = bytearray((folder / name).read_bytes())
            data[int(len(data) * place)] ^= 1
            (folder / name).write_bytes(data)
        case {"link": name, "to": target}:
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(target)
        case {"nest": name, "depth": depth}:
            (folder / name).write_text("[" * depth + "]" * depth, encoding="utf-8")
        case {"copy": name, "as": other}:
            (folder / other).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, folder / other)
        case {"other_model": name}:
            shutil.copyfile(OTHER_MODEL, folder / name)
        case {"replace": name, "text": text, "by": by}:
            content = (folder / name).read_text(encoding="utf-8")
            assert content.count(text) >= 1, f"{name} does not say {text!r}"
            (folder / name).write_text(content.replace(text, by, 1), encoding="utf-8")
        case {"json": name, "at": [*keys], **change}:
            value = json.loads((folder / name).read_text(encoding="utf-8"))
            _change(value, keys, change, folder)
            (folder / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
        case {"list": names}:
            value = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
            for name in names:
                value["files"][name] = FileEntry.of(folder / name).model_dump()
            (folder / MANIFEST_FILE).write_text(json.dumps(value, indent=2), encoding="utf-8")
        case {"seal": True}:
            manifest = BundleManifest.load(folder / MANIFEST_FILE)
            seal_bundle(folder, manifest, Verdict.load(folder / VERDICT_FILE))
        case _:
            raise ValueError(f"no such edit: {edit}")


def _change(value: Any, keys: list[Any], change: dict[str, Any], folder: Path) -> None:
    *path, last = keys
    for key in path:
        value = value[_place(value, key)]
    last = _place(value, last)
    match change:
        case {"remove": True}:
            del value[last]
        case {"to": str(text)} if text.startswith(_HASH_OF):
            value[last] = sha256_file(folder / text.removeprefix(_HASH_OF))
        case {"to": new}:
            value[last] = new
        case _:
            raise ValueError(f"no such change: {change}")


def _place(value: Any, key: Any) -> Any:
    """Return a key of an object or a place of a list, where a text is the `name` to look for."""
    if isinstance(value, list) and isinstance(key, str):
        return next(i for i, one in enumerate(value) if one["name"] == key)
    return key


def can_link(folder: Path) -> bool:
    """Tell whether this system lets a test make a symbolic link."""
    try:
        (folder / "link").symlink_to("nowhere")
    except OSError:
        return False
    os.unlink(folder / "link")  # noqa: PTH108
    return True
