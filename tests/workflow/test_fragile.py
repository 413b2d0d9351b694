"""A fragile network's bundle is published where that is accepted, and its record proves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.child import ask_child
from pipeline.contract.base import Frozen
from pipeline.contract.bundle import MANIFEST_FILE, VERDICT_FILE, load_bundle, seal_bundle
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Outcome, Verdict
from pipeline.progress import Report
from pipeline.workflow.verify import verify
from tests.commands import Call
from tests.export.samples import Made

SIZE_PX = 32
PHOTOS = 120
NAME = "int8-uint8-plain"


class FragileRequest(Frozen):
    """Ask for the network at `out`."""

    out: Path


def fragile_child(request: FragileRequest, report: Report) -> Made:
    """Make a network whose classes differ by the last bits of the pixels, and by little.

    Its weights are 1 and -1 times one number, which 8 bits hold exactly; each class's sum to zero,
    so that the photographs' common grey says nothing.
    """
    import keras

    random = np.random.default_rng(1)
    values = SIZE_PX * SIZE_PX * 3
    weights = np.stack(
        [random.permutation(np.repeat([1.0, -1.0], values // 2)) for _ in range(3)], axis=1
    )
    model = keras.Sequential(
        [
            keras.Input((SIZE_PX, SIZE_PX, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    # Logits of a few hundredths: probabilities a few steps of 1/256 apart.
    model.layers[-1].set_weights([(0.1 * weights).astype(np.float32), np.zeros(3, np.float32)])
    model.save(request.out)
    return Made()


@pytest.fixture
def published(tmp_path: Path, call: Call) -> Path:
    """Return the bundle of the fragile network, published as one."""
    photos = tmp_path / "photos"
    photos.mkdir()
    random = np.random.default_rng(2)
    for i in range(PHOTOS):
        pixels = random.integers(127, 130, (SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{i}.png")
    model = tmp_path / "fragile.keras"
    request = FragileRequest(out=model)
    ask_child(f"{__name__}:fragile_child", request, Made, log=tmp_path / "make.log")
    asked = (
        *("export", "--model", model, "--normalization", "tf", "--labels", "RED,GREEN,BLUE"),
        *("--unlabelled", photos, "--quantize", "int8", "--repair", "none"),
        *("--min-agreement", "0.995", "--run-dir", tmp_path / "run"),
    )
    done = call(*asked)
    # Not without being asked to.
    assert done.code == 4, done.said
    assert "--accept-fragile" in done.said
    done = call(*asked, "--accept-fragile")
    assert done.code == 0, done.said
    return RunDir(tmp_path / "run").bundle(NAME)


def edited(bundle: Path, edit: Any) -> None:
    """Change the verdict and pin both records again, as a careful forger would."""
    verdict = json.loads((bundle / VERDICT_FILE).read_text(encoding="utf-8"))
    edit(verdict)
    manifest: BundleManifest = BundleManifest.load(bundle / MANIFEST_FILE)
    seal_bundle(bundle, manifest, Verdict.model_validate(verdict))


@pytest.mark.slow
def test_an_accepted_fragile_bundle_is_proven_until_its_noise_is_edited(
    published: Path, call: Call
) -> None:
    verified = verify(published)
    assert verified.refusal() is None
    assert verified.verdict.outcome is Outcome.passed
    record = Verdict.load(published / VERDICT_FILE)
    (check,) = (one for one in record.checks if one.name == "top1_agreement")
    assert check.outcome is Outcome.passed
    noise = check.evidence["own_noise"]
    assert check.value is not None
    assert noise["reference_agreed"] / noise["n"] <= check.value < 0.995
    assert record.figures["noise"]["fragile"] is True
    assert load_bundle(published).recipe.name == NAME
    assert call("verify", published).code == 0

    def steadier(verdict: Any) -> None:
        for level in verdict["figures"]["noise"]["levels"]:
            level["agreement"] = 1.0

    edited(published, steadier)
    refused_by = verify(published).refused_by
    assert refused_by is not None
    assert (refused_by.name, refused_by.outcome) == ("noise_agrees", Outcome.failed)
    refused = call("verify", published)
    assert refused.code == 1, refused.said
