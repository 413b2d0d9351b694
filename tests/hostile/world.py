"""Give each case what it needs: a folder with good files, for it to spoil."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.contract.run import RunDir
from tests.android.bundles import whole_bundle
from tests.export.samples import FLOATS, LABELS, samples
from tests.parity.recordings import pair


def make_world(folder: Path) -> None:
    """Write one good file or folder of each kind to `folder`."""
    made = samples()
    random = np.random.default_rng(0)
    for label in ("A", "B"):
        (folder / "images" / label).mkdir(parents=True)
        for i in range(20):
            pixels = random.integers(0, 255, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "images" / label / f"{i}.jpg")
    photos = folder / "photos"
    photos.mkdir()
    for i in range(4):
        shutil.copyfile(folder / "images" / "A" / f"{i}.jpg", photos / f"{i}.jpg")
    shutil.copyfile(photos / "0.jpg", folder / "photo.jpg")
    shutil.copytree(made.dataset.root, folder / "dataset")
    labels = LABELS.model_copy(update={"critical": ()})
    # In its place in the end: {case}/dataset.
    dataset = made.dataset.model_copy(update={"labels": labels, "root": "dataset"})
    dataset.save(RunDir(folder / "run").dataset)
    shutil.copyfile(made.models["good"], folder / "good.keras")
    shutil.copyfile(made.described["float16"], folder / "model.tflite")
    shutil.copyfile(made.described["int8-uint8"], folder / "int8.tflite")
    shutil.copyfile(made.converted["float16"], folder / "plain.tflite")
    whole_bundle(folder / "bundle")
    whole_bundle(folder / "float", FLOATS[1])
    first, second = pair([0, 1, 2] * 20, [0, 1, 2] * 20, [0, 1, 2] * 20)
    (folder / "recordings").mkdir()
    first.save(folder / "recordings" / "a.json")
    second.save(folder / "recordings" / "b.json")
    (folder / "labels.txt").write_text("RED\nGREEN\nBLUE\n", encoding="utf-8")
    (folder / "pipeline.toml").write_text(
        '[data]\nsource = "images"\n[train]\nweights = "none"\nsize_px = 32\nwidth = 0.35\n',
        encoding="utf-8",
    )
    (folder / "project").mkdir()


@dataclass(frozen=True)
class Place:
    """Copy parts of the world to `root` when a case names them."""

    world: Path
    root: Path

    def __getitem__(self, name: str) -> Path:
        target = self.root / name
        if not os.path.lexists(target) and (self.world / name).exists():
            if (self.world / name).is_dir():
                shutil.copytree(self.world / name, target)
            else:
                shutil.copyfile(self.world / name, target)
            if name == "run":
                self["dataset"]
        return target


Spoil = Callable[[Path], None]


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)


def missing(path: Path) -> None:
    _gone(path)


def folder(path: Path) -> None:
    _gone(path)
    path.mkdir()


def pipe(path: Path) -> None:
    _gone(path)
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    _gone(path)
    # A socket's name may have 108 bytes, an absolute path here has more.
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(path.name)
    finally:
        os.chdir(before)


def zero_device(path: Path) -> None:
    _gone(path)
    path.symlink_to("/dev/zero")


def full_device(path: Path) -> None:
    _gone(path)
    path.symlink_to("/dev/full")


def random_device(path: Path) -> None:
    _gone(path)
    path.symlink_to("/dev/urandom")


def loop(path: Path) -> None:
    _gone(path)
    path.symlink_to(path.name)


def dangling(path: Path) -> None:
    _gone(path)
    path.symlink_to("nowhere")


def empty(path: Path) -> None:
    _gone(path)
    path.write_bytes(b"")


def noise(path: Path) -> None:
    _gone(path)
    path.write_bytes(np.random.default_rng(7).bytes(5000))


def terabyte(path: Path) -> None:
    _gone(path)
    with path.open("wb") as stream:
        stream.truncate(2**40)


def zeros(path: Path) -> None:
    _gone(path)
    path.write_bytes(bytes(4096))


def utf16(path: Path) -> None:
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else "x = 1\n"
    _gone(path)
    path.write_bytes(text.encode("utf-16"))


def latin1(path: Path) -> None:
    _gone(path)
    path.write_bytes("größe = 1\nmélanome,1\n".encode("latin-1"))


def nul(path: Path) -> None:
    data = path.read_bytes() if path.is_file() else b"x = 1\n"
    _gone(path)
    path.write_bytes(data[: len(data) // 2] + b"\0" + data[len(data) // 2 :])


def half(path: Path) -> None:
    data = path.read_bytes() if path.is_file() else b"x = 1\n" * 9
    _gone(path)
    path.write_bytes(data[: len(data) // 2])


SPECIAL: tuple[Spoil, ...] = (pipe, unix_socket, zero_device, full_device, random_device, loop)
ABSENT: tuple[Spoil, ...] = (missing, dangling)
SHAPES: tuple[Spoil, ...] = (folder, terabyte)
CONTENT: tuple[Spoil, ...] = (empty, noise, zeros, utf16, latin1, nul, half)
ALL = (*SPECIAL, *ABSENT, *SHAPES, *CONTENT)
