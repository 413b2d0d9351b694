"""Put something else where a good file or folder was."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np

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
