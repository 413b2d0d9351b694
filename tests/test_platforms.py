"""Hold the lock to the platforms that the README names."""

from __future__ import annotations

import tomllib
from itertools import product
from pathlib import Path

import pytest
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
# The newest tags that a supported system of each kind takes.
PLATFORMS = {
    "linux-x86_64": [f"manylinux_2_{n}_x86_64" for n in range(35, 4, -1)]
    + ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"],
    "linux-aarch64": [f"manylinux_2_{n}_aarch64" for n in range(35, 16, -1)]
    + ["manylinux2014_aarch64", "linux_aarch64"],
    "macos-arm64": [
        f"macosx_{n}_0_{kind}" for n in range(14, 10, -1) for kind in ("arm64", "universal2")
    ]
    + [f"macosx_10_{n}_universal2" for n in range(16, 8, -1)],
}
PYTHONS = ((3, 11), (3, 12), (3, 13))
TASK_LIBRARY = {"tflite-support", "libusb-package"}


@pytest.mark.parametrize(("platform", "python"), list(product(PLATFORMS, PYTHONS)))
def test_every_locked_package_has_a_wheel(platform: str, python: tuple[int, int]) -> None:
    tags = {*cpython_tags(python, platforms=PLATFORMS[platform])}
    tags |= {*compatible_tags(python, platforms=PLATFORMS[platform])}
    missing = {p["name"] for p in LOCK["package"] if "registry" in p["source"]} - {
        p["name"] for p in LOCK["package"] if fits(p, tags)
    }
    # The extra's marker leaves them out where they have none.
    expected = set() if (platform, python) == ("linux-x86_64", (3, 11)) else TASK_LIBRARY
    assert missing <= expected


def test_the_pythons_are_those_that_the_project_takes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    first, last = PYTHONS[0], PYTHONS[-1]
    assert project["requires-python"] == f">={first[0]}.{first[1]},<{last[0]}.{last[1] + 1}"


def fits(package: dict[str, object], tags: set[Tag]) -> bool:
    wheels = package.get("wheels", [])
    assert isinstance(wheels, list)
    names = [wheel["url"].rsplit("/", 1)[1] for wheel in wheels]
    return any(parse_wheel_filename(name)[3] & tags for name in names)
