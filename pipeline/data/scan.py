"""Open every image once: decode it, hash it, and remember the result for the next run."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from PIL import Image
from pydantic import Field, ValidationError

from pipeline.contract.base import Frozen
from pipeline.contract.files import (
    MAX_IMAGE_BYTES,
    MAX_WEIGHTS_BYTES,
    check_output_file,
    open_regular,
    read_regular,
)
from pipeline.contract.hashing import sha256_bytes, sha256_json
from pipeline.contract.image import ImageContract
from pipeline.data.threads import in_threads
from pipeline.errors import BadInput, reason_of
from pipeline.imaging.decode import Pixels, decode_bytes
from pipeline.progress import ProgressEvent, Report

_TASK = "check images"
_SCANNER_VERSION = 1


class FileKey(Frozen):
    """Tell one state of a file from another; `ctime_ns` catches an edit that restores the rest."""

    path: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: Path) -> FileKey:
        """Read the state of the file at `path`."""
        stat = path.stat()
        return cls(
            path=str(path),
            size_bytes=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            ctime_ns=stat.st_ctime_ns,
        )


class Scan(Frozen):
    """Hold what one image is: size as stored (before EXIF orientation), hashes, format.

    `phash` is the 64-bit perceptual hash of the decoded, oriented pixels, as 16 hex digits.
    """

    width_px: int = Field(ge=1)
    height_px: int = Field(ge=1)
    size_bytes: int = Field(ge=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    phash: str = Field(pattern="^[0-9a-f]{16}$")
    format: str


class _CacheLine(Frozen):
    scanner: str
    key: FileKey
    scan: Scan


def scan_images(
    root: Path,
    paths: Sequence[str],
    cache: Path,
    *,
    contract: ImageContract,
    report: Report,
) -> tuple[dict[str, Scan], dict[str, BadInput]]:
    """Scan image files, taking those that did not change from the cache.

    Args:
        root: the folder `paths` are under.
        paths: image files.
        cache: a file of JSON lines, appended to as images are done, so that a killed scan goes on
            where it was. Lines that are torn, or of another scanner, count for nothing. Only
            images that could be read are remembered.
        contract: gives the largest accepted image.
        report: gets the progress.

    Returns:
        The scan of each image, and why the others could not be read, both by path in the order
        of `paths`.
    """
    hasher = _perceptual_hash()
    scanner = sha256_json(
        [_SCANNER_VERSION, contract.max_image_px, version("pillow"), version("imagehash")]
    )
    known = _read_cache(cache, scanner)
    scans: dict[str, Scan] = {}
    bad: dict[str, BadInput] = {}
    waiting: list[tuple[str, FileKey]] = []
    for path in paths:
        try:
            key = FileKey.of(root / path)
        except OSError as error:
            bad[path] = BadInput("cannot read the image file", where=path, got=reason_of(error))
            continue
        if key in known:
            scans[path] = known[key]
        else:
            waiting.append((path, key))
    report(ProgressEvent(_TASK, len(paths) - len(waiting), len(paths)))
    with _appending(cache) as stream:
        for (path, key), result in in_threads(
            lambda entry: _scan(root / entry[0], entry[0], contract, hasher), waiting
        ):
            if isinstance(result, BadInput):
                bad[path] = result
            else:
                scans[path] = result
                line = _CacheLine(scanner=scanner, key=key, scan=result)
                stream.write(line.model_dump_json() + "\n")
                stream.flush()
            report(ProgressEvent(_TASK, len(scans) + len(bad), len(paths)))
    return (
        {path: scans[path] for path in paths if path in scans},
        {path: bad[path] for path in paths if path in bad},
    )


def _scan(
    file: Path, name: str, contract: ImageContract, hasher: Callable[[Pixels], str]
) -> Scan | BadInput:
    try:
        data = read_regular(file, max_bytes=MAX_IMAGE_BYTES)
        pixels = decode_bytes(data, contract, where=name)
    except OSError as error:
        return BadInput("cannot read the image file", where=name, got=reason_of(error))
    except BadInput as error:
        return error
    # The limit was the contract's, above; Pillow's own, lower one only warns.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(data)) as image:
            (width, height), kind = image.size, image.format or "unknown"
    return Scan(
        width_px=width,
        height_px=height,
        size_bytes=len(data),
        sha256=sha256_bytes(data),
        phash=hasher(pixels),
        format=kind,
    )


def _perceptual_hash() -> Callable[[Pixels], str]:
    # imagehash brings SciPy, half a second that only a scan needs.
    import imagehash

    def hasher(pixels: Pixels) -> str:
        return str(imagehash.phash(Image.fromarray(pixels)))

    return hasher


def _read_cache(cache: Path, scanner: str) -> dict[FileKey, Scan]:
    known: dict[FileKey, Scan] = {}
    try:
        with open_regular(cache, max_bytes=MAX_WEIGHTS_BYTES) as lines:
            for line in lines:
                try:
                    entry = _CacheLine.model_validate_json(line)
                except ValidationError:
                    # A kill tears a line; its image is simply scanned again.
                    continue
                if entry.scanner == scanner:
                    known[entry.key] = entry.scan
    except FileNotFoundError:
        return known
    return known


@contextmanager
def _appending(cache: Path) -> Iterator[TextIO]:
    check_output_file(cache)
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.open("a+b") as stream:
        # A torn last line must not swallow the next one.
        if stream.tell() > 0:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                stream.write(b"\n")
    with cache.open("a", encoding="utf-8") as text:
        yield text
