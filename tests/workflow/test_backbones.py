"""Train every backbone of the registry a little, from the command line, and publish it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.contract.bundle import load_bundle
from pipeline.contract.recipe import Quantize, Recipe
from pipeline.contract.run import RunDir
from pipeline.parity.thresholds import Thresholds
from pipeline.training.backbones import NAMES, backbone
from pipeline.workflow.export import export
from pipeline.workflow.export_job import ExportJob
from pipeline.workflow.source import keras_source
from tests.commands import Call
from tests.commands import call as call
from tests.training.samples import coloured_dataset, small_width

EASY = Thresholds(
    min_images=1,
    accuracy_tolerance=1.0,
    min_top1_agreement=0.0,
    accept_weak_reference=True,
)


# What scales in front of the first layer, channel by channel with ImageNet figures, is left to
# the phone as far as one mean and one deviation can say it: the averages of the three.
_TAKEN_OVER = {"efficientnet_v2_b0": (114.495, 57.63)}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_backbone_is_trained_and_its_float16_file_published(
    tmp_path: Path, call: Call, name: str
) -> None:
    run, member = RunDir(tmp_path / "run"), backbone(name)
    coloured_dataset(tmp_path / "images", run)
    done = call(
        *("train", "--backbone", name, "--weights", "none", "--width", str(small_width(member))),
        *("--size-px", "32", "--epochs", "10", "--batch-size", "4", "--run-dir", run.root),
    )
    assert done.code == 0, done
    exported = export(
        ExportJob(
            source=keras_source(run, None),
            recipe=Recipe(quantize=Quantize.float16),
            thresholds=EASY,
        ),
        run,
    )
    assert exported.published, exported.refusal()
    image = load_bundle(run.bundle("float16")).image
    fed = (image.mean, image.std)
    assert image.height_px == 32
    assert fed == pytest.approx(_TAKEN_OVER.get(name, (member.mean, member.std)), abs=0.01)
