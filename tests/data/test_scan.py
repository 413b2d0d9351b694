"""Scanning images: what is remembered, and that remembering changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.data.scan import Scan, scan_images
from pipeline.errors import BadInput
from pipeline.progress import ProgressEvent, silent
from tests.data.pictures import jpeg


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.jpg").write_bytes(jpeg(number, (30 + number, 20)))
    return folder


def scan(
    source: Path, cache: Path, contract: ImageContract | None = None
) -> tuple[dict[str, Scan], dict[str, BadInput], int]:
    """Scan everything; also return how many images the cache answered for."""
    events: list[ProgressEvent] = []
    scans, bad = scan_images(
        source,
        sorted(path.name for path in source.iterdir()),
        cache,
        contract=contract or ImageContract(),
        report=events.append,
    )
    return scans, bad, events[0].done


def test_a_scan_says_size_hash_and_format(source: Path, tmp_path: Path) -> None:
    scans, bad, _ = scan(source, tmp_path / "scan.jsonl")
    assert not bad
    assert list(scans) == [f"{n}.jpg" for n in range(6)]
    found = scans["3.jpg"]
    assert (found.width_px, found.height_px, found.format) == (33, 20, "JPEG")
    assert found.sha256 == sha256_file(source / "3.jpg")
    assert found.size_bytes == (source / "3.jpg").stat().st_size


def test_the_size_is_as_stored_before_the_exif_orientation(tmp_path: Path) -> None:
    folder = tmp_path / "src"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(folder / "turned.jpg", exif=exif)
    scans, _, _ = scan(folder, tmp_path / "scan.jsonl")
    assert (scans["turned.jpg"].width_px, scans["turned.jpg"].height_px) == (30, 20)


def test_a_second_scan_opens_nothing_and_says_the_same(source: Path, tmp_path: Path) -> None:
    first, _, known = scan(source, tmp_path / "scan.jsonl")
    assert known == 0
    second, _, known = scan(source, tmp_path / "scan.jsonl")
    assert known == 6
    assert second == first


@pytest.mark.parametrize(("keep_bytes", "left"), [(0, 0), (1, 0), (-1, 6), (-30, 5)])
def test_a_scan_goes_on_from_a_torn_cache(
    source: Path, tmp_path: Path, keep_bytes: int, left: int
) -> None:
    cache = tmp_path / "scan.jsonl"
    whole, _, _ = scan(source, cache)
    cache.write_bytes(cache.read_bytes()[:keep_bytes])
    resumed, _, known = scan(source, cache)
    assert resumed == whole
    assert known == left
    again, _, known = scan(source, cache)
    assert known == 6
    assert again == whole


def test_a_cache_of_noise_counts_for_nothing(source: Path, tmp_path: Path) -> None:
    whole, _, _ = scan(source, tmp_path / "one.jsonl")
    (tmp_path / "two.jsonl").write_bytes(b'\xff\x00{"scan": 1}\n[]\nnull\n{}')
    assert scan(source, tmp_path / "two.jsonl")[0] == whole


def test_a_changed_image_is_scanned_again_even_if_size_and_time_are_put_back(
    source: Path, tmp_path: Path
) -> None:
    cache, target = tmp_path / "scan.jsonl", source / "0.jpg"
    scan(source, cache)
    before = target.stat()
    data = bytearray(target.read_bytes())
    data[-20] ^= 1
    target.write_bytes(bytes(data))
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    scans, _, known = scan(source, cache)
    assert known == 5
    assert scans["0.jpg"].sha256 == sha256_file(target)


def test_an_unreadable_image_is_not_remembered(source: Path, tmp_path: Path) -> None:
    cache = tmp_path / "scan.jsonl"
    whole = (source / "0.jpg").read_bytes()
    (source / "0.jpg").write_bytes(whole[: len(whole) // 2])
    _, bad, _ = scan(source, cache)
    assert list(bad) == ["0.jpg"]
    (source / "0.jpg").write_bytes(whole)
    scans, bad, known = scan(source, cache)
    assert not bad
    assert known == 5
    assert len(scans) == 6


def test_the_cache_of_a_looser_limit_does_not_let_a_bomb_through(
    source: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "scan.jsonl"
    scan(source, cache)
    scans, bad, _ = scan(source, cache, ImageContract(max_image_px=33 * 20))
    assert list(bad) == ["4.jpg", "5.jpg"]
    assert "decompression bomb" in bad["4.jpg"].what
    assert len(scans) == 4


def test_an_image_that_vanished_is_a_bad_one(source: Path, tmp_path: Path) -> None:
    _, bad = scan_images(
        source,
        ["0.jpg", "gone.jpg"],
        tmp_path / "scan.jsonl",
        contract=ImageContract(),
        report=silent,
    )
    assert list(bad) == ["gone.jpg"]
