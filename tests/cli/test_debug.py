"""Debug a tiny exported model as a user does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.contract.choices import Io, Quantize, Step
from pipeline.contract.recipe import Recipe
from pipeline.contract.run import RunDir
from tests.commands import Call
from tests.export.samples import samples

pytestmark = pytest.mark.slow

EQUALIZED = Recipe(
    quantize=Quantize.int8,
    io=Io.uint8,
    representative_count=6,
    steps=(Step.ranges, Step.bias_correction, Step.equalization),
)


@pytest.fixture
def bundle(run_dir: Path, tmp_path: Path, call: Call) -> Path:
    """Return an equalized bundle of the run's model, published or not."""
    run = RunDir(run_dir)
    run.train.mkdir()
    shutil.copy(samples().models["good"], run.model)
    EQUALIZED.save(tmp_path / "recipe.json")
    call(
        *("export", "--recipe", tmp_path / "recipe.json", "--normalization", "tf"),
        *("--accept-weak-reference", "--run-dir", run_dir),
    )
    return next(
        folder
        for folder in (run.bundle(EQUALIZED.name), run.rejected(EQUALIZED.name))
        if folder.is_dir()
    )


def test_an_int8_bundle_is_shown_layer_by_layer(bundle: Path, run_dir: Path, call: Call) -> None:
    done = call("debug", bundle, "--images", "4", "--json", "--run-dir", run_dir)
    assert done.code == 0, done.said
    found = done.json()
    assert found["images"] == 4
    assert found["equalized"] is True
    assert {layer["operator"] for layer in found["layers"]} >= {"CONV_2D", "DEPTHWISE_CONV_2D"}
    # Without the float model equalized too, the errors would be as large as the signal.
    assert all(layer["sqnr_db"] > 10 for layer in found["layers"])
    weighted = [layer for layer in found["layers"] if layer["absolute_sum"] is not None]
    assert weighted
    assert all(0 <= layer["alone"] < 0.5 for layer in weighted)
    page = Path(found["page"])
    assert page == RunDir(run_dir).debug / "int8-uint8.html"
    assert "<svg" in page.read_text(encoding="utf-8")

    shown = call("debug", bundle / "model.tflite", "--images", "2", "--run-dir", run_dir)
    assert shown.code == 0, shown.said
    assert f"{len(found['layers'])} layers, 2 images" in shown.out
    assert "int8-uint8.html" in shown.out

    # The same file with nothing beside it that says how it was made.
    alone = shutil.copy(bundle / "model.tflite", run_dir / "alone.tflite")
    refused = call("debug", alone, "--images", "2", "--run-dir", run_dir)
    assert refused.code == 2
    assert "give the bundle folder" in refused.said

    shutil.copy(samples().models["seven"], RunDir(run_dir).model)
    refused = call("debug", bundle, "--run-dir", run_dir)
    assert refused.code == 2
    assert "another number of outputs" in refused.said
