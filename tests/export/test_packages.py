"""Name installed packages with their hashes: hand-made ones, and this environment's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline.export.packages import LOCK, Package, installed_packages, own_files_sha256

HASHES = {"any": "a" * 64, "linux": "b" * 64, "mac": "c" * 64}


def _wheel(name: str, of: str) -> str:
    return f'{{ url = "https://example.org/{name}.whl", hash = "sha256:{HASHES[of]}" }}'


LINUX_WHEEL = "outer_part-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"
LOCKED = f"""
version = 1
[[package]]
name = "outer-part"
version = "1.0"
wheels = [
    {_wheel("outer_part-1.0-cp311-cp311-macosx_11_0_arm64", "mac")},
    {_wheel(LINUX_WHEEL, "linux")},
]
[[package]]
name = "inner"
version = "2.0+local"
wheels = [{_wheel("inner-2.0%2Blocal-py3-none-any", "any")}]
[[package]]
name = "pipeline"
source = {{ editable = "." }}
"""
LINUX = ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_x86_64")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    install(
        folder,
        "Outer_Part",
        "1.0",
        tags=LINUX,
        requires=(
            "inner[fast]",
            "not-installed-here",
            'absent-too; extra == "more"',
            'inner; sys_platform == "no such one"',
        ),
        license="MIT OR Apache-2.0",
    )
    install(folder, "inner", "2.0+local", requires=('fast-part>=1; extra == "fast"',))
    install(folder, "fast-part", "3")
    return folder


def install(
    site: Path,
    name: str,
    version: str,
    *,
    tags: tuple[str, ...] = ("py3-none-any",),
    requires: tuple[str, ...] = (),
    license: str = "",
    record: str = "part.py,sha256=AAAA,5\n",
) -> Path:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}"]
    lines += [f"License-Expression: {license}"] if license else []
    lines += [f"Requires-Dist: {one}" for one in requires]
    (folder / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "WHEEL").write_text(
        "Wheel-Version: 1.0\n" + "".join(f"Tag: {tag}\n" for tag in tags), encoding="utf-8"
    )
    (folder / "RECORD").write_text(record, encoding="utf-8")
    return folder


def named(packages: tuple[Package, ...]) -> dict[str, Package]:
    return {one.name: one for one in packages}


def test_all_that_is_needed_is_found_and_nothing_else(site: Path, tmp_path: Path) -> None:
    found = installed_packages(["outer.part"], tmp_path / "no lock")
    assert [(one.name, one.version, one.requires) for one in found] == [
        ("fast-part", "3", ()),
        ("inner", "2.0+local", ("fast-part",)),
        ("outer-part", "1.0", ("inner",)),
    ]
    assert named(found)["outer-part"].license == "MIT OR Apache-2.0"
    assert {one.wheel_sha256 for one in found} == {None}


def test_the_hash_is_of_the_wheel_that_was_installed(site: Path, tmp_path: Path) -> None:
    lock = tmp_path / "uv.lock"
    lock.write_text(LOCKED, encoding="utf-8")
    found = named(installed_packages(["outer-part"], lock))
    assert found["outer-part"].wheel_sha256 == HASHES["linux"]
    assert found["inner"].wheel_sha256 == HASHES["any"]
    assert found["fast-part"].wheel_sha256 is None


def test_a_lock_of_another_version_gives_no_hash(site: Path, tmp_path: Path) -> None:
    lock = tmp_path / "uv.lock"
    lock.write_text(LOCKED.replace('"1.0"', '"1.1"'), encoding="utf-8")
    assert named(installed_packages(["outer-part"], lock))["outer-part"].wheel_sha256 is None


def test_the_digest_is_of_the_files_not_of_where_they_are(site: Path, tmp_path: Path) -> None:
    def digest(record: str) -> str | None:
        install(site, "fast-part", "3", record=record)
        return named(installed_packages(["fast-part"], tmp_path / "none"))["fast-part"].files_sha256

    info = "fast_part-3.dist-info"
    plain = digest("a.py,sha256=AAAA,5\nb.py,sha256=BBBB,6\n")
    assert plain == digest(
        "b.py,sha256=BBBB,6\n../../../bin/fast,sha256=CCCC,7\na.py,sha256=AAAA,5\n"
        f"__pycache__/a.cpython-311.pyc,,\n{info}/INSTALLER,sha256=DDDD,2\n{info}/RECORD,,\n"
        f"{info}/direct_url.json,sha256=EEEE,9\n"
    )
    assert plain != digest("a.py,sha256=AAAB,5\nb.py,sha256=BBBB,6\n")
    assert plain != digest("a.py,sha256=AAAA,5\n")
    (site / info / "RECORD").unlink()
    assert named(installed_packages(["fast-part"], tmp_path / "none"))["fast-part"] == Package(
        "fast-part", "3", "", None, None, ()
    )


def test_this_environment_is_the_locked_one() -> None:
    assert LOCK.is_file()
    found = named(installed_packages(["numpy", "pillow", "tensorflow"]))
    assert {"numpy", "pillow", "tensorflow", "keras", "h5py"} <= found.keys()
    assert "keras" in found["tensorflow"].requires
    assert [name for name, one in found.items() if one.wheel_sha256 is None] == []
    assert [name for name, one in found.items() if one.files_sha256 is None] == []


def test_the_digest_of_the_source_is_the_same_twice() -> None:
    assert own_files_sha256() == own_files_sha256()
    assert len(own_files_sha256()) == 64
