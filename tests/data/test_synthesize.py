"""The synthetic default: deterministic, marked, safe to draw again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.contract.image import ImageContract
from pipeline.contract.labels import ISIC_2019
from pipeline.contract.run import RunDir
from pipeline.data.prepare import prepare
from pipeline.data.synthesize import synthesize
from pipeline.errors import BadInput
from pipeline.imaging.preprocess import load_resized_pixels


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("syn") / "out", per_class=10, size_px=64, seed=4)


def test_the_same_seed_draws_the_same_bytes(drawn: Path, tmp_path: Path) -> None:
    again = synthesize(tmp_path / "again", per_class=10, size_px=64, seed=4)
    assert contents(again) == contents(drawn)


def test_more_images_begin_with_the_same_ones(drawn: Path, tmp_path: Path) -> None:
    more = contents(synthesize(tmp_path / "more", per_class=12, size_px=64, seed=4))
    assert all(more[name] == data for name, data in contents(drawn).items() if name[-3:] == "jpg")


def test_another_seed_draws_other_images(drawn: Path, tmp_path: Path) -> None:
    other = contents(synthesize(tmp_path / "other", per_class=4, size_px=64, seed=5))
    assert other["NV/synthetic_00000.jpg"] != contents(drawn)["NV/synthetic_00000.jpg"]


def test_every_picture_says_that_it_is_synthetic(drawn: Path) -> None:
    for path in drawn.rglob("*.jpg"):
        with Image.open(path) as image:
            assert "SYNTHETIC" in image.getexif()[0x010E]
            assert b"SYNTHETIC" in image.info["comment"]


def test_sizes_vary_and_some_pictures_are_stored_turned(drawn: Path) -> None:
    sizes, turned = set(), 0
    for path in drawn.rglob("*.jpg"):
        with Image.open(path) as image:
            sizes.add(image.size)
            turned += image.getexif().get(0x0112, 1) != 1
    assert len(sizes) > 40
    assert turned == len(ISIC_2019)


def test_prepare_reads_it_with_two_pictures_a_lesion(drawn: Path, tmp_path: Path) -> None:
    manifest = prepare(drawn, RunDir(tmp_path / "run"))
    assert manifest.labels == ISIC_2019
    assert len({image.group for image in manifest.images}) == 8 * 5
    assert not manifest.skipped
    kinds = {finding.kind for finding in manifest.findings}
    assert not [kind for kind in kinds if kind.startswith("shortcut")]


def test_classes_can_be_told_apart_by_color_alone(drawn: Path, tmp_path: Path) -> None:
    # The nearest of the class means, on color histograms, which no flip or rotation changes:
    # a floor for what a network can learn.
    contract = ImageContract(height_px=96, width_px=96)

    def feature(path: Path) -> np.ndarray:
        pixels = load_resized_pixels(path, contract)
        middle = pixels[20:76, 20:76].astype(np.float64)
        middle /= pixels[:6].mean()  # the light, as the skin at the edge shows it
        counts, _ = np.histogramdd(middle.reshape(-1, 3), bins=6, range=[(0, 1.5)] * 3)
        return np.sqrt(counts.ravel() / counts.sum())

    known, asked = {}, []
    for label in ISIC_2019.names:
        features = [feature(path) for path in sorted((drawn / label).glob("*.jpg"))]
        known[label] = np.mean(features[:6], axis=0)
        asked += [(label, value) for value in features[6:]]
    right = sum(
        label == min(known, key=lambda name: float(np.linalg.norm(known[name] - value)))
        for label, value in asked
    )
    assert right / len(asked) > 0.8


def test_drawing_again_keeps_what_is_there(drawn: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in drawn.rglob("*")}
    synthesize(drawn, per_class=10, size_px=64, seed=4)
    assert {path: path.stat().st_mtime_ns for path in drawn.rglob("*")} == before


@pytest.mark.parametrize("damage", ["change", "remove", "add"])
def test_a_damaged_folder_is_drawn_again(tmp_path: Path, damage: str) -> None:
    out = synthesize(tmp_path / "out", per_class=4, size_px=32)
    whole = contents(out)
    victim = out / "DF" / "synthetic_00001.jpg"
    if damage == "change":
        victim.write_bytes(b"x")
    elif damage == "remove":
        victim.unlink()
    else:
        (out / "DF" / "extra.jpg").write_bytes(b"x")
    synthesize(out, per_class=4, size_px=32)
    assert contents(out) == whole
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(BadInput, match="something else"):
        synthesize(tmp_path)
    assert (tmp_path / "holiday.jpg").read_bytes() == b"precious"


@pytest.mark.parametrize("options", [{"per_class": 3}, {"size_px": 8}, {"seed": -1}])
def test_numbers_out_of_range_are_refused(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(BadInput, match="cannot draw this"):
        synthesize(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
