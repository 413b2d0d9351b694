"""Make the goldens of real files, and hold each number to a slow reading of what it says."""

from __future__ import annotations

import hashlib
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipeline.contract.choices import Quantize, RuntimeName
from pipeline.contract.goldens import Goldens
from pipeline.contract.manifest import BundleManifest, FileEntry, TensorInfo
from pipeline.contract.recipe import Recipe
from pipeline.export.golden_photos import GoldenPhoto, user_photos
from pipeline.export.goldens import cell_means, make_goldens
from pipeline.runtimes.ask import ask
from pipeline.runtimes.interface import ImageFile, InferenceRequest
from pipeline.tflite.inspect import inspect_file
from tests.export.samples import ABOUT, IMAGE, LABELS, RECIPES, samples


def staged(folder: Path, recipe: Recipe) -> BundleManifest:
    """Put a finished file where a bundle has it, and describe it as `build` does."""
    file = folder / "model.tflite"
    shutil.copyfile(samples().described[recipe.name], file)
    graph = inspect_file(file).graph
    return BundleManifest(
        versions={},
        seed=0,
        parents={},
        files={"model.tflite": FileEntry.of(file)},
        image=IMAGE,
        labels=LABELS,
        about=ABOUT,
        recipe=recipe,
        inputs=graph.inputs,
        outputs=graph.outputs,
        operators={},
        min_runtime="1.14.0",
        promised_runtime="2.16.0",
    )


def black_tensor(fed: TensorInfo) -> bytes:
    """Return what a model of `IMAGE` is fed for black, whose real value is -1."""
    count = 32 * 32 * 3
    if fed.dtype == "float32":
        return struct.pack("<f", -1.0) * count
    if fed.dtype == "uint8":
        return bytes(count)
    assert fed.scale is not None
    assert fed.zero_point is not None
    return struct.pack("b", max(-128, round(-1 / fed.scale) + fed.zero_point)) * count


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_goldens_say_what_the_host_made_of_each_photo(tmp_path: Path, recipe: Recipe) -> None:
    manifest = staged(tmp_path, recipe)
    files = make_goldens(tmp_path, manifest)
    goldens = Goldens.load(tmp_path / "goldens" / "goldens.json")
    assert files == {name: FileEntry.of(tmp_path / name) for name in files}
    assert sorted(files) == sorted(
        str(path.relative_to(tmp_path)) for path in (tmp_path / "goldens").iterdir()
    )
    assert goldens.model_sha256 == manifest.files["model.tflite"].sha256
    assert goldens.image_contract_sha256 == IMAGE.digest()
    assert (goldens.labels, goldens.runtime) == (LABELS.names, "litert")
    exact = recipe.quantize in (Quantize.float32, Quantize.float16)
    assert goldens.tolerance == (0.005 if exact else 0.05)
    answers = ask(
        InferenceRequest(
            runtime=RuntimeName.litert,
            model=tmp_path / "model.tflite",
            model_sha256=goldens.model_sha256,
            image=IMAGE,
            labels=LABELS.names,
            images=tuple(
                ImageFile(path=tmp_path / "goldens" / golden.file, sha256=golden.sha256)
                for golden in goldens.goldens
            ),
        )
    ).probabilities
    for golden, row in zip(goldens.goldens, answers, strict=True):
        assert np.float32(list(golden.probabilities.values())).tolist() == row.tolist()
        assert tuple(golden.probabilities) == LABELS.names
        with Image.open(tmp_path / "goldens" / golden.file) as stored:
            upright = ImageOps.exif_transpose(stored).convert("RGB")
        assert (golden.width_px, golden.height_px) == upright.size
        assert golden.pixels_sha256 == hashlib.sha256(upright.tobytes()).hexdigest()
    assert len({tuple(one.probabilities.values()) for one in goldens.goldens}) > 2
    black = next(golden for golden in goldens.goldens if golden.file == "black.jpg")
    assert black.tensor_sha256 == hashlib.sha256(black_tensor(manifest.inputs[0])).hexdigest()
    assert set(black.cell_means) == {(0.0, 0.0, 0.0)}


def test_equal_files_get_equal_goldens_and_photos_of_a_user_are_added(tmp_path: Path) -> None:
    dataset = samples().dataset
    photos = user_photos([dataset.file(dataset.images[0])], IMAGE)
    made: list[dict[str, FileEntry]] = []
    for name, given in (("a", ()), ("b", ()), ("c", photos)):
        (tmp_path / name).mkdir()
        manifest = staged(tmp_path / name, RECIPES[0])
        made.append(make_goldens(tmp_path / name, manifest, given))
    assert made[0] == made[1]
    assert set(made[2]) - set(made[0]) == {"goldens/user-1.jpg"}
    assert made[2]["goldens/user-1.jpg"].sha256 == dataset.images[0].sha256
    assert made[2]["goldens/black.jpg"] == made[0]["goldens/black.jpg"]


def test_cells_are_averaged_rows_first_over_the_stated_spans() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 96, 3), dtype=np.uint8)
    means = cell_means(pixels)
    assert len(means) == 16
    for cell, mean in enumerate(means):
        row, column = divmod(cell, 4)
        values = [
            pixels[y, x]
            for y in range(row * 8, row * 8 + 8)
            for x in range(column * 24, column * 24 + 24)
        ]
        expected = np.array(values, dtype=np.float64).mean(axis=0)
        np.testing.assert_allclose(mean, expected, atol=5e-4)
    assert means == tuple(tuple(round(value, 3) for value in mean) for mean in means)


def test_a_photo_does_not_print_its_bytes() -> None:
    assert "JFIF" not in repr(GoldenPhoto("a.jpg", "x", b"JFIF"))
