"""Put something else where a good file or folder was."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import socket
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.tflite.edit import pack, unpack_whole

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


def edit_config(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the configuration in a `.keras` archive."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = _dumped(config)
    with zipfile.ZipFile(path, "w") as new:
        for name, data in members.items():
            new.writestr(name, data)


def _dumped(value: Any) -> bytes:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        return json.dumps(value).encode()
    finally:
        sys.setrecursionlimit(before)


def add_member(path: Path, name: str) -> None:
    """Add a file of this name to a `.keras` archive."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")


def zip_bomb(path: Path) -> None:
    """Add 256 MiB of zeros, packed, to a `.keras` archive."""
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros", "w", force_zip64=True) as stream,
    ):
        for _ in range(64):
            stream.write(bytes(2**22))


def set_scale(path: Path, scale: float) -> None:
    """Give the first quantized tensor of a `.tflite` file this scale."""
    model = unpack_whole(path.read_bytes(), where=str(path))
    for tensor in model.subgraphs[0].tensors:
        if tensor.quantization is not None and tensor.quantization.scale is not None:
            tensor.quantization.scale = np.array([scale], np.float32)
            break
    path.write_bytes(pack(model))


def claim_terabytes(path: Path) -> None:
    """Let the arrays of a recording claim a size they do not have, by a hash that is right."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("image_ids", "truth", "probabilities"):
            array = io.BytesIO()
            header = {"descr": "<f4", "fortran_order": False, "shape": (2**40, 3)}
            np.lib.format.write_array_header_1_0(array, header)
            packed.writestr(f"{name}.npy", array.getvalue() + bytes(16))
    data = archive.getvalue()
    facts = json.loads(path.read_text(encoding="utf-8"))
    facts["arrays_sha256"] = hashlib.sha256(data).hexdigest()
    path.write_text(json.dumps(facts), encoding="utf-8")
    path.with_suffix(".npz").write_bytes(data)
