"""Judge bundles and files the way `export` does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.contract.bundle import MANIFEST_FILE, MODEL_FILE
from pipeline.contract.manifest import FileEntry
from pipeline.contract.normalization import Normalization
from pipeline.contract.recipe import Quantize, Recipe
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput
from pipeline.parity.thresholds import Thresholds
from pipeline.workflow.export import export
from pipeline.workflow.export_job import ExportJob
from pipeline.workflow.exported import Exported
from pipeline.workflow.keras_model import StatedModel
from pipeline.workflow.parity import judge_model
from pipeline.workflow.source import keras_source
from tests.export.samples import LABELS, samples

EASY = Thresholds(
    min_images=1,
    accuracy_tolerance=1.0,
    min_top1_agreement=0.0,
    # The samples were never trained.
    accept_weak_reference=True,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    run = RunDir(tmp_path_factory.mktemp("run"))
    labels = LABELS.model_copy(update={"critical": ()})
    samples().dataset.model_copy(update={"labels": labels}).save(run.dataset)
    run.train.mkdir()
    shutil.copyfile(samples().models["good"], run.model)
    return run


@pytest.fixture(scope="module")
def exported(run: RunDir) -> Exported:
    recipe = Recipe(quantize=Quantize.float16)
    return export(
        ExportJob(
            keras_source(run, None, StatedModel(normalization=Normalization())), recipe, EASY
        ),
        run,
    )


def names(verdict: Verdict) -> list[tuple[str, str]]:
    return [(str(check.gate), check.name) for check in verdict.checks]


def test_a_bundle_is_judged_by_the_checks_of_its_export(run: RunDir, exported: Exported) -> None:
    verdict = judge_model(run, exported.folder, EASY)
    assert verdict.passed
    assert names(verdict) == names(exported.verdict)
    assert verdict.figures["not_checked"] == []
    assert {gate for gate, _ in names(verdict)} == {"reference", "structure", "numbers", "task"}


def test_a_bundle_whose_manifest_promises_something_else_fails_its_structure(
    run: RunDir, exported: Exported, tmp_path: Path
) -> None:
    forged = shutil.copytree(exported.folder, tmp_path / "forged")
    manifest = json.loads((forged / MANIFEST_FILE).read_text(encoding="utf-8"))
    manifest["about"]["license"] = "MIT"
    (forged / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
    verdict = judge_model(run, forged, EASY)
    assert [check.name for check in verdict.broken()] == ["metadata_texts"]
    assert {gate for gate, _ in names(verdict)} == {"structure"}


def test_another_file_with_its_hash_recorded_fails_its_structure(
    run: RunDir, exported: Exported, tmp_path: Path
) -> None:
    forged = shutil.copytree(exported.folder, tmp_path / "forged")
    shutil.copyfile(samples().described["int8-uint8"], forged / MODEL_FILE)
    manifest = json.loads((forged / MANIFEST_FILE).read_text(encoding="utf-8"))
    manifest["files"][MODEL_FILE] = FileEntry.of(forged / MODEL_FILE).model_dump()
    (forged / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
    broken = {check.name for check in judge_model(run, forged, EASY).broken()}
    assert {"input_tensor", "tensors_of_manifest", "recipe_applied_to_weights"} <= broken


def test_a_bundle_of_another_model_is_refused(
    run: RunDir, exported: Exported, tmp_path: Path
) -> None:
    foreign = shutil.copytree(exported.folder, tmp_path / "foreign")
    manifest = json.loads((foreign / MANIFEST_FILE).read_text(encoding="utf-8"))
    manifest["parents"]["model"] = "0" * 64
    (foreign / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BadInput, match="made from another model"):
        judge_model(run, foreign, EASY)


def test_a_bare_file_is_judged_and_the_verdict_says_what_could_not_be_checked(
    run: RunDir, exported: Exported
) -> None:
    verdict = judge_model(run, exported.folder / MODEL_FILE, EASY)
    assert verdict.passed
    assert "recipe_applied_to_weights" in verdict.figures["not_checked"]
    left_out = {name for _, name in names(exported.verdict)} - {n for _, n in names(verdict)}
    assert left_out <= set(verdict.figures["not_checked"])


def test_a_critical_class_can_be_named_for_a_file(run: RunDir, exported: Exported) -> None:
    verdict = judge_model(run, exported.folder, EASY, critical=("GREEN",))
    assert ("task", "critical_recall_drop:GREEN") in names(verdict)
