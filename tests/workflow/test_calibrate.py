"""Export a calibrated copy of a model that was trained elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.contract.choices import Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.hashing import sha256_file
from pipeline.contract.images import images_of_dataset
from pipeline.contract.recipe import Io, Recipe, Repair
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.runtimes.ask import record
from pipeline.training.calibration import fit_temperature, scaled
from pipeline.workflow.calibrate import calibrated_copy, calibrated_source, refuse_saturated
from pipeline.workflow.debug import debug_model
from pipeline.workflow.export import export
from pipeline.workflow.export_job import ExportJob
from pipeline.workflow.parity import judge_model
from pipeline.workflow.source import KerasSource
from pipeline.workflow.trace import trace_bundle
from pipeline.workflow.verify import verify
from tests.commands import Call
from tests.export.samples import IMAGE, samples
from tests.workflow.test_export import EASY, FLOAT16, NOTHING_CRITICAL, source


def unlabelled() -> DatasetManifest:
    dataset = samples().dataset
    images = tuple(image.model_copy(update={"label": None}) for image in dataset.images)
    return DatasetManifest.model_construct(**{**dict(dataset), "images": images})


@pytest.mark.slow
def test_a_calibrated_copy_is_exported_proven_and_found_again(tmp_path: Path) -> None:
    run, own = RunDir(tmp_path / "run"), source()
    samples().dataset.save(run.dataset)
    made = calibrated_source(own, run)
    assert made.path.parent == run.calibrated
    assert made.sha256 == sha256_file(made.path) != own.sha256
    assert made.calibration is not None
    assert made.calibration.uncalibrated_sha256 == own.sha256
    assert set(made.calibration.splits) == {"validation", "test"}
    images = images_of_dataset(own.dataset, Split.validation)
    before, after = (record(s.record_request(images), run).recording for s in (own, made))
    wanted = fit_temperature(before.truth, before.probabilities)
    assert made.calibration.temperature == wanted.value
    expected = scaled(before.probabilities, wanted.value)
    assert after.probabilities == pytest.approx(expected, abs=1e-5)
    assert np.array_equal(after.probabilities.argmax(axis=1), before.probabilities.argmax(axis=1))

    again = calibrated_source(own, run)
    assert (again.path, again.calibration) == (made.path, made.calibration)
    exported = export(ExportJob(source=made, recipe=FLOAT16, thresholds=EASY), run)
    assert exported.published
    assert exported.manifest is not None
    assert exported.manifest.calibration == made.calibration
    assert f"temperature {wanted.value:.4g}" in exported.manifest.about.description
    assert verify(exported.folder).refusal() is None
    # Its Keras model need not be named.
    assert calibrated_copy(run, exported.manifest) == made.path
    assert judge_model(run, exported.folder, EASY).passed
    traced, _ = trace_bundle(run, exported.folder)
    assert traced.steps
    int8 = Recipe(io=Io.uint8, repair=Repair.none, representative_count=4)
    eight_bits = export(ExportJob(source=made, recipe=int8, thresholds=EASY), run)
    figures, _ = debug_model(run, eight_bits.folder, 2)
    assert figures.layers
    with pytest.raises(BadInput, match="calibrated already"):
        calibrated_source(made, run)


def test_images_without_labels_calibrate_nothing(tmp_path: Path) -> None:
    own = replace(source(), dataset=unlabelled())
    with pytest.raises(BadInput, match="needs validation images with labels"):
        calibrated_source(own, RunDir(tmp_path))


def test_photographs_without_labels_are_refused_at_once(call: Call, tmp_path: Path) -> None:
    refused = call(
        *("export", "--quantize", "float16", "--calibrate", "--unlabelled", tmp_path),
        *("--model", samples().models["good"], "--run-dir", tmp_path / "run"),
    )
    assert refused.code == 2
    assert "--calibrate needs images with labels" in refused.said
    assert not (tmp_path / "run").exists()


def test_a_folder_whose_weights_are_fixed_is_refused(tmp_path: Path) -> None:
    from pipeline.classifier.facts import ModelFacts, ModelKind

    facts = ModelFacts(kind=ModelKind.saved_model, size_bytes=1)
    own = KerasSource(
        tmp_path, "0" * 64, IMAGE, NOTHING_CRITICAL, dataset=samples().dataset, facts=facts
    )
    with pytest.raises(BadInput, match="SavedModel"):
        calibrated_source(own, RunDir(tmp_path))


def test_two_classes_whose_logits_are_lost_are_refused() -> None:
    sure = np.array([[0.0, 1.0], [0.3, 0.7], [1.0, 0.0]], np.float32)
    with pytest.raises(BadInput) as refused:
        refuse_saturated(sure, where="model.keras")
    assert refused.value.got == "exactly 0 on 2 of 3 images"
    refuse_saturated(np.array([[1e-7, 1.0], [0.3, 0.7]], np.float32), where="model.keras")
    # Of more classes softmax gives 0 to what matters to no temperature.
    refuse_saturated(np.array([[0.0, 0.4, 0.6]], np.float32), where="model.keras")
