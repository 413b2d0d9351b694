"""Run every stage on pictures this test draws: train, export, prove, resume, survive."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.contract.choices import Quantize
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Verdict
from pipeline.workflow.config import DataConfig, ExportConfig, RunConfig, TrainConfig
from pipeline.workflow.run import RunResult, run_stages
from tests.commands import Call

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Finished:
    run: RunDir
    config: Path
    result: RunResult


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    random = np.random.default_rng(0)
    for channel, name in enumerate(("RED", "GREEN", "BLUE")):
        (folder / "images" / name).mkdir(parents=True)
        for i in range(120):
            pixels = random.integers(0, 60, (36, 44, 3), dtype=np.uint8)
            pixels[:, :, channel] += np.uint8(random.integers(120, 190))
            Image.fromarray(pixels).save(folder / "images" / name / f"{i}.jpg")
    config = folder / "pipeline.toml"
    config.write_text(
        'run_dir = "run"\n'
        '[data]\nsource = "images"\nlicense = "CC0-1.0"\n'
        '[train]\nweights = "none"\nsize_px = 64\nwidth = 0.35\nepochs = 12\n'
        '[export]\nquantize = ["float16"]\n',
        encoding="utf-8",
    )
    loaded = RunConfig.from_toml(config)
    return Finished(RunDir(folder / "run"), config, run_stages(loaded))


def test_the_finished_ends_in_a_proven_bundle_and_a_report(finished: Finished) -> None:
    (exported,) = finished.result.exports
    assert exported.published, exported.refusal()
    assert exported.manifest.license == "CC0-1.0"
    assert exported.manifest.parents["dataset"] == finished.result.dataset.digest()
    page = finished.run.report.read_text(encoding="utf-8")
    assert "float16" in page
    assert "Not a medical device" in page


def test_a_second_walk_finds_everything_done(finished: Finished, call: Call) -> None:
    def stamps() -> dict[Path, int]:
        kept = (finished.run.train, finished.run.bundle("float16"), finished.run.recordings)
        return {p: p.stat().st_mtime_ns for folder in kept for p in folder.rglob("*")}

    before = stamps()
    done = call("run", finished.config, "--json")
    assert done.code == 0
    assert done.json()["exports"][0]["resumed"] is True
    assert stamps() == before


def test_the_gate_in_ci_is_one_command(finished: Finished, call: Call, tmp_path: Path) -> None:
    bundle, junit = finished.run.bundle("float16"), tmp_path / "parity.xml"
    done = call("parity", bundle, "--run-dir", finished.run.root, "--junit", junit)
    assert done.code == 0, done
    assert 'failures="0"' in junit.read_text(encoding="utf-8")


def test_bundle_and_keras_predict_the_same_class(finished: Finished, call: Call) -> None:
    image = finished.config.parent / "images" / "GREEN" / "0.jpg"
    labels = []
    for model in (finished.run.bundle("float16"), finished.run.model):
        done = call("predict", model, image, "--json")
        assert done.code == 0, done
        labels.append(done.json()["predictions"][0]["label"])
    assert labels == ["GREEN", "GREEN"]


def test_an_edited_bundle_is_refused_by_every_reader(
    finished: Finished, call: Call, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(finished.run.bundle("float16"), bundle)
    data = bytearray((bundle / "model.tflite").read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / "model.tflite").write_bytes(data)
    image = finished.config.parent / "images" / "RED" / "0.jpg"
    for command in (("predict", bundle, image), ("inspect", bundle), ("parity", bundle)):
        done = call(*command)
        assert done.code == 2
        assert "differs from its manifest" in done.said


def test_a_killed_export_leaves_nothing_half_done_and_is_run_again(
    finished: Finished, call: Call
) -> None:
    command = [sys.executable, "-m", "pipeline", "export", "--quantize", "dynamic"]
    options = ["--run-dir", str(finished.run.root)]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE)
    bundles = finished.run.root / "bundles"
    deadline = time.monotonic() + 60
    while not list(bundles.glob(".staging-dynamic-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not finished.run.bundle("dynamic").exists()
    done = call("export", "--quantize", "dynamic", *options)
    assert done.code == 0, done
    assert Verdict.load(finished.run.bundle("dynamic") / "verdict.json").passed
    assert not list(bundles.glob(".*"))


def test_a_model_from_elsewhere_is_exported_with_the_runs_dataset(
    finished: Finished, call: Call, tmp_path: Path
) -> None:
    alone = tmp_path / "brought.keras"
    shutil.copyfile(finished.run.model, alone)
    done = call("export", "--quantize", "float16", "--model", alone, "--run-dir", finished.run.root)
    assert done.code == 0, done


def test_a_changed_image_stops_the_proof(finished: Finished, call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished.config.parent, folder)
    shutil.rmtree(folder / "run" / "recordings")
    dataset = finished.result.dataset
    moved = dataset.model_copy(update={"root": str(folder / "images")})
    run = RunDir(folder / "run")
    moved.save(run.dataset)
    for image in moved.images:
        if image.split == "validation":
            Image.new("RGB", (40, 40)).save(moved.file(image))
    done = call("parity", run.bundle("float16"), "--run-dir", run.root)
    assert done.code == 2
    assert "changed since the dataset was prepared" in done.said


def test_the_earlier_name_of_float32_is_read_from_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text('[export]\nquantize = ["none", "float16"]\n', encoding="utf-8")
    assert RunConfig.from_toml(path).export.quantize == (Quantize.float32, Quantize.float16)


def test_the_defaults_of_the_demo_ask_for_both_files() -> None:
    from pipeline.workflow.run import demo_config

    config = demo_config(Path("somewhere"), seed=3)
    assert config.data == DataConfig(license=config.data.license)
    assert config.train == TrainConfig(weights="none", size_px=96, width=0.35)
    assert config.export == ExportConfig(quantize=(Quantize.int8, Quantize.float16))
