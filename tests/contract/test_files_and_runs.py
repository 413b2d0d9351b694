"""Writing whole files and folders, holding a run, and recovering after a death."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.contract.files import (
    NotAFile,
    atomic_path,
    read_regular,
    reserve_space,
    write_bytes_atomic,
    write_text_atomic,
)
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import ISIC_2019
from pipeline.contract.manifest import FileEntry, Manifest, package_versions
from pipeline.contract.run import RunDir, publish_dir, staging_dir
from pipeline.errors import BadInput, EnvironmentProblem


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole_and_readable_by_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "note.txt"
    write_text_atomic(path, "grün")
    assert path.read_bytes() == "grün".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert names(path.parent) == ["note.txt"]


@pytest.mark.parametrize("portable", [False, True])
def test_the_space_of_a_mapped_array_is_taken_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portable: bool
) -> None:
    if portable:
        # As on macOS.
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    path = tmp_path / "array.npy"
    array = np.lib.format.open_memmap(path, "w+", np.float32, (3000, 1001))
    size_bytes = path.stat().st_size
    assert path.stat().st_blocks * 512 < size_bytes, "the file system stores zeros at once"
    reserve_space(path, header_bytes=array.offset)
    assert path.stat().st_size == size_bytes
    assert path.stat().st_blocks * 512 >= size_bytes
    array[2999, 1000] = 1
    array.flush()
    read = np.load(path)
    assert read.shape == (3000, 1001)
    assert read.sum() == 1


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_bytes_atomic(path, b"old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:  # noqa: PT012
        temporary.write_bytes(b"new, but")
        raise RuntimeError("power cut")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_written_file_has_the_permissions_that_the_umask_leaves(
    tmp_path: Path, mask: int
) -> None:
    before = os.umask(mask)
    try:
        write_bytes_atomic(tmp_path / "a.bin", b"x")
        assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o666 & ~mask
        with staging_dir(tmp_path / "bundle") as staging:
            publish_dir(staging, tmp_path / "bundle")
        assert stat.S_IMODE((tmp_path / "bundle").stat().st_mode) == 0o777 & ~mask
        assert os.umask(mask) == mask
    finally:
        os.umask(before)


def test_only_a_regular_file_is_replaced_and_a_link_stays_a_link(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder", ""):
        with pytest.raises(NotAFile):
            write_bytes_atomic(tmp_path / name if name else Path(), b"x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    (tmp_path / "a.bin").write_bytes(b"old")
    (tmp_path / "link").symlink_to("a.bin")
    write_bytes_atomic(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a.bin").read_bytes() == b"new"


def test_a_file_is_read_up_to_its_limit_and_nothing_else_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(100))
    assert read_regular(path, max_bytes=100) == bytes(100)
    with pytest.raises(NotAFile, match="100 bytes"):
        read_regular(path, max_bytes=99)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotAFile, match="named pipe"):
        read_regular(tmp_path / "pipe", max_bytes=100)
    with pytest.raises(NotAFile, match="NUL"):
        read_regular(Path("a\0b"), max_bytes=100)


def test_a_refused_command_leaves_no_folder_that_it_made(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "deep" / "run")
    with pytest.raises(BadInput), run.lock():
        raise BadInput("refused by the test")
    assert list(tmp_path.iterdir()) == []
    run.root.mkdir(parents=True)
    with pytest.raises(BadInput), run.lock():
        raise BadInput("refused by the test")
    assert run.root.is_dir()


def test_what_a_killed_command_was_writing_is_removed_by_the_next(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.export_cache.mkdir(parents=True)
    for name in (".tmp-abc.json", "a.unfinished"):
        (run.export_cache / name).write_bytes(b"half")
    (run.export_cache / "kept.tflite").write_bytes(b"whole")
    with run.lock():
        assert names(run.export_cache) == ["kept.tflite"]


def test_the_temporary_file_keeps_the_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "model.keras") as temporary:
        assert temporary.suffix == ".keras"
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"x")


def test_a_published_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "bundles" / "int8"
    for content in ("one", "two"):
        with staging_dir(target) as staging:
            (staging / f"{content}.txt").write_text(content)
            publish_dir(staging, target)
    assert names(target) == ["two.txt"]
    assert names(target.parent) == ["int8"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


def test_a_folder_that_was_not_published_is_removed(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(RuntimeError), staging_dir(target) as staging:  # noqa: PT012
        (staging / "half").write_text("x")
        raise RuntimeError("no")
    assert names(tmp_path) == []


def test_every_path_of_a_run_is_under_its_root(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    state = run.training_state
    paths = [run.bundle("int8-uint8"), run.rejected("int8-uint8"), state.folder]
    for owner in (run, state):
        kind = type(owner)
        paths += [getattr(owner, n) for n in dir(kind) if isinstance(getattr(kind, n), property)]
    paths.remove(state)
    paths += [state.checkpoint("head", 1), state.checkpoint("head", 1, best=True)]
    paths += [state.pixels("train"), state.features("train", 0, "trunk")]
    assert len(set(paths)) == len(paths)
    assert all(path.is_relative_to(tmp_path) for path in paths)


def test_a_run_can_be_held_again_after_it_was_let_go(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    for _ in range(2):
        with run.lock():
            assert run.root.is_dir()


def test_a_run_is_let_go_when_the_work_fails(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with pytest.raises(RuntimeError), run.lock():
        raise RuntimeError("work failed")
    with run.lock():
        pass


_HOLD = """
import sys, time
from pathlib import Path
from pipeline.contract.run import RunDir
with RunDir(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_held_elsewhere_is_refused_until_its_holder_is_killed(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(EnvironmentProblem, match="another pipeline command") as caught,
            run.lock(),
        ):
            pass
        assert caught.value.where == str(tmp_path)
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with run.lock():
        pass


@pytest.mark.parametrize("parent", ["", "bundles", "rejected"])
def test_a_folder_left_aside_by_a_death_is_put_back(tmp_path: Path, parent: str) -> None:
    folder = tmp_path / parent
    (folder / ".replaced-int8").mkdir(parents=True)
    (folder / ".replaced-int8" / "model.tflite").write_bytes(b"old")
    (folder / ".staging-int8-abc").mkdir()
    with RunDir(tmp_path).lock():
        assert (folder / "int8" / "model.tflite").read_bytes() == b"old"
        assert not list(folder.glob(".replaced-*"))
        assert not list(folder.glob(".staging-*"))


def test_a_folder_left_aside_is_dropped_when_the_new_one_is_there(tmp_path: Path) -> None:
    for name, content in ((".replaced-train", b"old"), ("train", b"new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.keras").write_bytes(content)
    with RunDir(tmp_path).lock():
        assert (tmp_path / "train" / "model.keras").read_bytes() == b"new"
        assert not (tmp_path / ".replaced-train").exists()


def test_publishing_steps_over_what_a_death_left_aside(tmp_path: Path) -> None:
    (tmp_path / ".replaced-out").mkdir()
    (tmp_path / ".replaced-out" / "older").write_text("x")
    target = tmp_path / "out"
    target.mkdir()
    with staging_dir(target) as staging:
        (staging / "new").write_text("x")
        publish_dir(staging, target)
    assert names(tmp_path) == ["out"]
    assert names(target) == ["new"]


def manifest(folder: Path, *files: str) -> Manifest:
    return Manifest(
        versions={},
        seed=0,
        parents={},
        files={name: FileEntry.of(folder / name) for name in files},
        image=ImageContract(),
        labels=ISIC_2019,
    )


def test_a_manifest_recognizes_its_files(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"weights")
    found = manifest(tmp_path, "model.tflite")
    found.check_files(tmp_path)
    assert found.files["model.tflite"].size_bytes == 7
    assert "Not a medical device" in found.notice


@pytest.mark.parametrize("damage", ["change", "remove"])
def test_a_manifest_refuses_a_changed_or_missing_file(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"weights")
    found = manifest(tmp_path, "model.tflite")
    if damage == "change":
        path.write_bytes(b"WEIGHTS")
    else:
        path.unlink()
    with pytest.raises(BadInput) as caught:
        found.check_files(tmp_path)
    assert caught.value.where == str(path)


def test_versions_name_python_and_admit_what_is_absent() -> None:
    versions = package_versions("numpy", "no-such-package-at-all")
    assert versions["no-such-package-at-all"] == "absent"
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert list(versions) == sorted(versions)
