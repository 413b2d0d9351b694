"""Preparing a dataset from end to end, with bad images, kills and real ones."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from pipeline.contract.dataset import DatasetManifest, Split
from pipeline.contract.labels import ISIC_2019
from pipeline.contract.run import RunDir
from pipeline.data.choices import OnBad
from pipeline.data.prepare import prepare
from pipeline.errors import BadInput
from tests.data.pictures import class_folders, ham10000, isic_2019, jpeg


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path / "run")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "src", {"a": 6, "b": 6})


def refusal(source: Path, run: RunDir) -> str:
    with pytest.raises(BadInput) as caught:
        prepare(source, run)
    assert not run.dataset.exists()
    return str(caught.value)


def test_the_manifest_lists_every_image_and_can_be_loaded(source: Path, run: RunDir) -> None:
    manifest = prepare(source, run, license="CC0-1.0")
    assert DatasetManifest.load(run.dataset) == manifest
    assert manifest.root == str(source)
    assert manifest.license == "CC0-1.0"
    assert len(manifest.images) == 12
    assert all(manifest.file(image).is_file() for image in manifest.images)
    assert [image.path for image in manifest.images] == sorted(i.path for i in manifest.images)


def test_the_same_images_give_the_same_bytes_with_and_without_a_cache(
    source: Path, run: RunDir, tmp_path: Path
) -> None:
    prepare(source, run)
    first = run.dataset.read_bytes()
    prepare(source, run)
    assert run.dataset.read_bytes() == first
    other = RunDir(tmp_path / "other")
    prepare(source, other)
    assert other.dataset.read_bytes() == first


def test_the_same_images_elsewhere_are_the_same_dataset(
    source: Path, run: RunDir, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    # copied in another order, so that the folder lists them in another order
    for path in sorted(source.rglob("*.jpg"), reverse=True):
        target = moved / path.relative_to(source)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    assert prepare(source, run).digest() == prepare(moved, RunDir(tmp_path / "2")).digest()


def test_isic_2019_keeps_a_lesion_in_one_split(tmp_path: Path, run: RunDir) -> None:
    manifest = prepare(isic_2019(tmp_path / "src", per_class=5), run)
    assert manifest.layout == "isic2019"
    splits: dict[str, set[Split]] = {}
    for image in manifest.images:
        splits.setdefault(image.group, set()).add(image.split)
    assert all(len(found) == 1 for found in splits.values())
    for split in (Split.train, Split.validation):
        assert {i.label for i in manifest.of(split)} == set(ISIC_2019.names)


def test_ham10000_without_the_isic_table_is_refused_or_goes_without_akiec(
    tmp_path: Path, run: RunDir
) -> None:
    source = ham10000(tmp_path / "src")
    message = refusal(source, run)
    assert "6 are akiec" in message
    assert "--isic-table PATH" in message
    manifest = prepare(source, run, on_bad=OnBad.skip)
    assert [(f.kind, f.count) for f in manifest.skipped] == [("akiec_undivided", 6)]
    assert len(manifest.labels) == 6


def test_bad_images_are_counted_and_the_first_five_named(source: Path, run: RunDir) -> None:
    for number in range(7):
        (source / "a" / f"text_{number}.jpg").write_text("this is no picture")
    message = refusal(source, run)
    assert "7 images cannot be used" in message
    assert "a/text_4.jpg" in message
    assert "a/text_5.jpg" not in message
    assert "and 2 more" in message
    assert "--on-bad skip" in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"not a picture at all", "bytes of text"),
        (jpeg(1)[:400], "truncated"),
        (jpeg(1)[:-200], "truncated"),
    ],
)
def test_an_unreadable_image_is_refused_with_its_name_or_left_out(
    source: Path, run: RunDir, content: bytes, reason: str
) -> None:
    (source / "b" / "broken.jpg").write_bytes(content)
    message = refusal(source, run)
    assert "b/broken.jpg" in message
    assert reason in message
    manifest = prepare(source, run, on_bad=OnBad.skip)
    assert len(manifest.images) == 12
    assert [(f.kind, f.count) for f in manifest.skipped] == [("unreadable", 1)]


def test_a_decompression_bomb_is_refused(source: Path, run: RunDir) -> None:
    Image.new("1", (20_000, 10_000)).save(source / "a" / "bomb.png")
    assert "decompression bomb" in refusal(source, run)


def test_a_link_out_of_the_source_is_refused(source: Path, run: RunDir, tmp_path: Path) -> None:
    (tmp_path / "private.jpg").write_bytes(jpeg(99))
    (source / "a" / "link.jpg").symlink_to(tmp_path / "private.jpg")
    assert "lead out of the folder by a link: a/link.jpg" in refusal(source, run)


def test_a_copy_under_another_label_is_refused_and_skipping_drops_every_copy(
    source: Path, run: RunDir
) -> None:
    shutil.copy(source / "a" / "pic_000.jpg", source / "b" / "again.jpg")
    message = refusal(source, run)
    assert "same content as an image of another class: a/pic_000.jpg, b/again.jpg" in message
    manifest = prepare(source, run, on_bad=OnBad.skip)
    paths = {image.path for image in manifest.images}
    assert not {"a/pic_000.jpg", "b/again.jpg"} & paths
    assert [(f.kind, f.count) for f in manifest.skipped] == [("contradictory_label", 2)]


def test_copies_of_one_label_stay_in_one_split_and_are_reported(source: Path, run: RunDir) -> None:
    for number in range(6):
        shutil.copy(source / "a" / f"pic_{number:03d}.jpg", source / "a" / f"copy_{number}.jpg")
    for seed in range(3):
        manifest = prepare(source, run, seed=seed)
        split_of = {image.path: image.split for image in manifest.images}
        for number in range(6):
            assert split_of[f"a/copy_{number}.jpg"] is split_of[f"a/pic_{number:03d}.jpg"]
    (finding,) = [f for f in manifest.findings if f.kind == "exact_duplicate"]
    assert finding.count == 12


def test_a_class_left_with_one_image_is_refused_even_when_skipping(
    source: Path, run: RunDir
) -> None:
    class_folders(source, {"c": 2}, seed=70)
    (source / "c" / "pic_000.jpg").write_bytes(b"")
    with pytest.raises(BadInput, match="fewer than 2 groups"):
        prepare(source, run, on_bad=OnBad.skip)


def test_a_refusal_keeps_the_manifest_made_before(source: Path, run: RunDir) -> None:
    prepare(source, run)
    before = run.dataset.read_bytes()
    (source / "a" / "broken.jpg").write_bytes(b"")
    with pytest.raises(BadInput):
        prepare(source, run)
    assert run.dataset.read_bytes() == before


def test_near_duplicates_across_splits_are_reported_not_refused(source: Path, run: RunDir) -> None:
    for path in sorted(source.rglob("*.jpg")):
        Image.open(path).save(path.with_name(f"recoded_{path.name}"), quality=80)
    manifest = prepare(source, run)
    (finding,) = [f for f in manifest.findings if f.kind == "near_duplicate"]
    assert finding.count > 0


def test_shares_that_do_not_fit_are_refused_before_an_image_is_opened(
    source: Path, run: RunDir
) -> None:
    with pytest.raises(BadInput, match="shares"):
        prepare(source, run, fractions=(0.5, 0.1, 0.1))
    assert not run.scan_cache.exists()


_KILLED = """
import sys, time
from pathlib import Path
from pipeline.contract.run import RunDir
from pipeline.data.prepare import prepare

def slowly(event):
    time.sleep(0.01)

run = RunDir(Path(sys.argv[2]))
with run.lock():
    prepare(Path(sys.argv[1]), run, report=slowly)
"""


def test_a_killed_prepare_goes_on_where_it_was_and_ends_the_same(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "src", {"a": 150, "b": 150})
    run = RunDir(tmp_path / "run")
    cache = run.scan_cache
    process = subprocess.Popen([sys.executable, "-c", _KILLED, str(source), str(run.root)])
    deadline = time.monotonic() + 60
    while not cache.exists() or cache.read_bytes().count(b"\n") < 20:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = cache.read_bytes().count(b"\n")
    assert 20 <= done < 300
    assert not run.dataset.exists()

    first_events = []
    with run.lock():
        resumed = prepare(source, run, report=first_events.append)
    assert done <= first_events[0].done < 300
    fresh = RunDir(tmp_path / "fresh")
    prepare(source, fresh)
    assert run.dataset.read_bytes() == fresh.dataset.read_bytes()
    assert len(resumed.images) == 300
    for line in cache.read_text().splitlines():
        json.loads(line)


@pytest.mark.shared
@pytest.mark.slow
def test_the_real_sample_has_the_counts_it_states(shared_dir: Path, run: RunDir) -> None:
    manifest = prepare(shared_dir / "data" / "isic2019_sample", run, layout="auto")
    assert Counter(image.label for image in manifest.images) == {
        "NV": 1200,
        "BKL": 466,
        "MEL": 393,
        "BCC": 211,
        "SCC": 91,
        "VASC": 64,
        "AK": 54,
        "DF": 45,
    }
    assert manifest.labels == ISIC_2019
    assert len(manifest.of(Split.validation)) == pytest.approx(378, abs=10)
    assert len(manifest.of(Split.test)) == pytest.approx(378, abs=10)
    assert {(i.width_px, i.height_px) for i in manifest.images} == {(224, 224)}
    assert not manifest.skipped
