"""Export a tiny real model through the gates: published, kept aside, undecided, found again."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.contract.bundle import load_bundle, seal_bundle
from pipeline.contract.choices import Io, Quantize, Repair, Split
from pipeline.contract.chosen import DecisionAsked
from pipeline.contract.decision import Decision
from pipeline.contract.goldens import load_goldens
from pipeline.contract.hashing import sha256_file
from pipeline.contract.measured import load_verdict
from pipeline.contract.recipe import Recipe
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Outcome, Verdict
from pipeline.errors import BadInput, GateFailed, Inconclusive
from pipeline.parity.thresholds import Thresholds
from pipeline.process import Log
from pipeline.report.verdict_figures import figures_of
from pipeline.runtimes.bundle_reference import load_reference
from pipeline.runtimes.recording import Recording
from pipeline.tflite.inspect import inspect_file
from pipeline.worker import Worker
from pipeline.workflow.export import export as export_file
from pipeline.workflow.export import export_all
from pipeline.workflow.export_job import ExportJob
from pipeline.workflow.exported import Exported, recommendation
from pipeline.workflow.source import KerasSource
from pipeline.workflow.verify import verify
from tests.export.samples import IMAGE, LABELS, samples

FLOAT16 = Recipe(quantize=Quantize.float16)
EASY = Thresholds(
    min_images=1,
    accuracy_tolerance=1.0,
    min_top1_agreement=0.0,
    # The samples were never trained.
    accept_weak_reference=True,
)
NOTHING_CRITICAL = LABELS.model_copy(update={"critical": ()})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return RunDir(tmp_path_factory.mktemp("run"))


def export(
    run: RunDir,
    recipe: Recipe = FLOAT16,
    thresholds: Thresholds = EASY,
    golden_photos: Sequence[Path] = (),
    decision: Decision | None = None,
    reference: bool = True,
    asked: DecisionAsked | None = None,
) -> Exported:
    job = ExportJob(
        source=source(),
        recipe=recipe,
        thresholds=thresholds,
        golden_photos=tuple(golden_photos),
        decision=decision or Decision(),
        reference=reference,
        asked=asked or DecisionAsked(),
    )
    return export_file(job, run)


def source() -> KerasSource:
    made = samples()
    model = made.models["good"]
    return KerasSource(model, sha256_file(model), IMAGE, NOTHING_CRITICAL, dataset=made.dataset)


@pytest.fixture(scope="module")
def published(run: RunDir) -> Iterator[Exported]:
    exported = export(run)
    yield exported
    load_bundle(exported.folder)


def test_a_proven_bundle_is_published_with_its_proof(run: RunDir, published: Exported) -> None:
    assert published.published
    assert published.refusal() is None
    assert published.folder == run.bundle("float16")
    names = {path.name for path in published.folder.iterdir()}
    assert names == {
        "README.md",
        "sbom.json",
        "model.tflite",
        "labels.txt",
        "recipe.json",
        "manifest.json",
        "measured.json",
        "verdict.json",
        "reference.json",
        "reference.npz",
        "goldens",
    }
    verdict = load_verdict(published.folder)
    assert verdict == published.verdict
    assert {str(check.gate) for check in verdict.checks} == {
        "reference",
        "structure",
        "numbers",
        "task",
    }
    assert verdict.inputs["dataset"] == samples().dataset.digest()
    assert all(isinstance(value, str | int) for value in verdict.candidate.values())
    assert verdict.candidate["model_sha256"] == published.manifest.files["model.tflite"].sha256


def test_what_export_publishes_is_proven_by_its_own_files(
    published: Exported, tmp_path: Path
) -> None:
    verified = verify(published.folder)
    assert verified.refusal() is None, verified.refused_by
    edited = shutil.copytree(published.folder, tmp_path / "edited")
    (edited / "labels.txt").unlink()
    assert verify(edited).refused_by is not None


def test_the_same_export_again_finds_the_bundle(run: RunDir, published: Exported) -> None:
    before = (published.folder / "model.tflite").stat().st_mtime_ns
    again = export(run)
    assert again.resumed
    assert again.verdict == published.verdict
    assert (published.folder / "model.tflite").stat().st_mtime_ns == before


def test_other_thresholds_are_judged_anew_and_a_failure_is_kept_aside(
    run: RunDir, published: Exported
) -> None:
    strict = EASY.model_copy(update={"max_mean_probability_difference": 0.0})
    failed = export(run, thresholds=strict)
    assert not failed.published
    assert failed.verdict.outcome is Outcome.failed
    assert failed.folder == run.rejected("float16")
    assert (failed.folder / "model.tflite").is_file()
    assert not (failed.folder / "goldens").exists()
    refusal = failed.refusal()
    assert isinstance(refusal, GateFailed)
    assert "mean_probability_difference" in str(refusal)
    assert Verdict.load(published.folder / "verdict.json").passed, "the proven one stays"


def test_what_to_ship_instead_is_offered_with_its_figures(
    run: RunDir, published: Exported, tmp_path: Path
) -> None:
    model = published.manifest.parents["model"]
    offer = recommendation(run, Recipe(quantize=Quantize.int8), model)
    assert "ship float16, which is proven: agreement 100.0%" in offer
    assert str(published.folder) in offer
    for other in (
        recommendation(run, Recipe(), "0" * 64),
        recommendation(RunDir(tmp_path), Recipe(), model),
    ):
        assert other.startswith("pipeline export --quantize float16")


def test_too_few_images_are_inconclusive_and_not_published(run: RunDir) -> None:
    undecided = export(run, thresholds=EASY.model_copy(update={"min_images": 50}))
    assert not undecided.published
    assert isinstance(undecided.refusal(), Inconclusive)


def test_a_file_that_fails_its_structure_is_never_run(run: RunDir) -> None:
    job = ExportJob(source(), FLOAT16, EASY, promised_runtime="1.5.0")
    failed = export_file(job, run)
    assert not failed.published
    assert {str(check.gate) for check in failed.verdict.checks} == {"structure"}
    assert "oldest_runtime" in str(failed.refusal())


def test_equal_inputs_give_equal_bundles(run: RunDir, published: Exported, tmp_path: Path) -> None:
    other = export(RunDir(tmp_path))
    names = ("model.tflite", "labels.txt", "goldens/goldens.json", "README.md", "sbom.json")
    records = ("reference.json", "reference.npz", "verdict.json", "manifest.json")
    for name in (*names, *records):
        assert (other.folder / name).read_bytes() == (published.folder / name).read_bytes()


def test_an_edited_bundle_is_refused(published: Exported, tmp_path: Path) -> None:
    copy = shutil.copytree(published.folder, tmp_path / "copy")
    load_bundle(copy)
    (copy / "labels.txt").write_text("BLUE\nGREEN\nRED\n", encoding="utf-8")
    with pytest.raises(BadInput, match="differs from its manifest"):
        load_bundle(copy)


def test_a_verdict_cannot_be_turned_into_a_pass_by_hand(run: RunDir, tmp_path: Path) -> None:
    failed = export(run, thresholds=EASY.model_copy(update={"max_mean_probability_difference": 0}))
    values = json.loads((failed.folder / "verdict.json").read_text(encoding="utf-8"))
    values["outcome"] = "pass"
    forged = tmp_path / "verdict.json"
    forged.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(BadInput, match="does not follow"):
        Verdict.load(forged)


def test_a_bundle_carries_goldens_that_its_manifest_pins(published: Exported) -> None:
    goldens = load_goldens(published.folder)
    assert goldens.model_sha256 == published.manifest.files["model.tflite"].sha256
    assert goldens.labels == LABELS.names
    listed = {name for name in published.manifest.files if name.startswith("goldens/")}
    assert listed == {f"goldens/{one.file}" for one in goldens.goldens} | {"goldens/goldens.json"}
    assert {path.name for path in (published.folder / "goldens").iterdir()} == {
        name.removeprefix("goldens/") for name in listed
    }
    assert not any("user" in name for name in listed)


def test_a_bundle_carries_what_its_model_answered_and_no_name(
    run: RunDir, published: Exported
) -> None:
    folder, dataset = published.folder, samples().dataset
    manifest = load_bundle(folder)
    assert manifest.reference == "included"
    assert {"reference.json", "reference.npz"} <= manifest.files.keys()
    carried = Recording.load(folder / "reference.json")
    (path,) = run.recordings.glob("keras-*.json")
    recorded = Recording.load(path)
    images = dataset.of(Split.validation)
    assert carried.image_ids.tolist() == [one.sha256 for one in images]
    assert [LABELS.names[k] for k in carried.truth] == [one.label for one in images]
    np.testing.assert_array_equal(carried.probabilities, recorded.probabilities)
    assert carried.facts.dataset_sha256 == dataset.digest()
    assert carried.facts.latency_ms_p50 is None
    text = b"".join((folder / name).read_bytes() for name in ("reference.json", "reference.npz"))
    assert not any(one.path.encode() in text for one in images)
    per_value = 64 + 8 + 4 * len(LABELS)
    assert (folder / "reference.npz").stat().st_size <= len(images) * per_value + 2000
    found = load_reference(folder, manifest)
    assert found is not None
    assert found.facts == carried.facts
    for key in ("model", "dataset"):
        other = manifest.model_copy(update={"parents": {**manifest.parents, key: "0" * 64}})
        with pytest.raises(BadInput, match=f"reference is of another {key}"):
            load_reference(folder, other)


def test_a_bundle_without_its_reference_says_so(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert export(run).manifest.reference == "included"
    bare = export(run, reference=False)
    assert not bare.resumed
    manifest = load_bundle(bare.folder)
    assert manifest.reference == "left_out"
    assert not any(name.startswith("reference") for name in manifest.files)
    assert not list(bare.folder.glob("reference*"))
    assert load_reference(bare.folder, manifest) is None
    assert export(run, reference=False).resumed


def test_a_bundle_says_how_an_answer_is_to_be_read(tmp_path: Path) -> None:
    run, wanted = RunDir(tmp_path), Decision(unsure_below=0.5, thresholds={"RED": 0.2})
    assert export(run).manifest.decision == Decision()
    made = export(run, decision=wanted)
    assert not made.resumed
    assert load_bundle(made.folder).decision == wanted
    assert export(run, decision=wanted).resumed
    with pytest.raises(BadInput, match="a class that the model does not have"):
        export(run, decision=Decision(thresholds={"MAUVE": 0.2}))


def test_a_decision_is_chosen_on_validation_and_chosen_again_by_verify(tmp_path: Path) -> None:
    run, stated = RunDir(tmp_path / "run"), Decision(thresholds={"BLUE": 0.5})
    asked = DecisionAsked(sensitivity={"RED": 0.9}, unsure_coverage=0.6)
    made = export(run, asked=asked, decision=stated)
    assert made.published
    manifest = load_bundle(made.folder)
    assert manifest.chosen is not None
    (one,) = manifest.chosen.thresholds
    assert (one.label, one.reached.sensitivity.images, one.is_promised) == ("RED", 1, False)
    assert one.file is not None
    assert manifest.decision.thresholds == {"BLUE": 0.5, "RED": one.threshold}
    assert f"RED is named from {one.threshold:g} on" in manifest.about.description
    verified = verify(made.folder)
    assert verified.refusal() is None, verified.refused_by
    assert "decision_follows" in {check.name for check in verified.verdict.checks}
    assert export(run, asked=asked, decision=stated).resumed

    # A forger lowers the threshold everywhere, and pins everything again.
    forged = shutil.copytree(made.folder, tmp_path / "forged")
    lower = manifest.decision.model_copy(
        update={"thresholds": {"BLUE": 0.5, "RED": one.threshold / 2}}
    )
    verdict = Verdict.load(forged / "verdict.json")
    inputs = {**verdict.inputs, "decision": lower.digest()}
    seal_bundle(
        forged,
        manifest.model_copy(update={"decision": lower}),
        verdict.model_copy(update={"inputs": inputs}),
    )
    refused = verify(forged).refused_by
    assert refused is not None
    assert refused.name == "decision_follows"
    with pytest.raises(BadInput, match="a class that the model does not have"):
        export(run, asked=DecisionAsked(sensitivity={"MAUVE": 0.5}))


def test_photos_of_a_user_are_goldens_too_and_other_ones_are_another_export(
    tmp_path: Path,
) -> None:
    run, dataset = RunDir(tmp_path), samples().dataset
    one, other = (dataset.file(image) for image in dataset.images[:2])
    first = export(run, golden_photos=[one])
    assert (first.folder / "goldens" / "user-1.jpg").read_bytes() == one.read_bytes()
    assert "user-1.jpg" in [golden.file for golden in load_goldens(first.folder).goldens]
    assert export(run, golden_photos=[one]).resumed
    second = export(run, golden_photos=[other])
    assert not second.resumed
    assert (second.folder / "goldens" / "user-1.jpg").read_bytes() == other.read_bytes()
    with pytest.raises(BadInput, match="cannot read the golden photo"):
        export(run, golden_photos=[tmp_path / "missing.jpg"])
    assert load_goldens(second.folder), "the published one stays"


@pytest.mark.parametrize(
    "name",
    [
        "labels.txt",
        "model.tflite",
        "verdict.json",
        "manifest.json",
        "goldens/goldens.json",
        "goldens/black.jpg",
        "reference.json",
        "reference.npz",
    ],
)
def test_a_published_bundle_that_was_edited_is_made_again(
    run: RunDir, published: Exported, name: str
) -> None:
    edited = published.folder / name
    whole = edited.read_bytes()
    edited.write_bytes(whole[:-2])
    again = export(run)
    assert again.published
    assert not again.resumed
    assert edited.read_bytes() == whole


def test_a_runtime_that_is_no_version_is_refused_before_any_work(run: RunDir) -> None:
    with pytest.raises(BadInput, match="not a runtime version"):
        export_file(ExportJob(source(), FLOAT16, EASY, promised_runtime="newest"), run)


def test_the_metadata_gives_the_models_own_version_and_author(run: RunDir, tmp_path: Path) -> None:
    job = ExportJob(source(), FLOAT16, EASY, model_version="7.1", author="A. Author")
    made = export_file(job, RunDir(tmp_path))
    about = inspect_file(made.folder / "model.tflite").metadata
    assert about is not None
    assert (about.version, about.author) == ("7.1", "A. Author")
    plain = ExportJob(source(), FLOAT16, EASY).build_request().about
    assert (plain.version, plain.author) == (source().sha256[:12], "")


def test_a_file_of_8_bits_is_held_beside_its_model_s_noise_and_other_kernels(
    run: RunDir, published: Exported
) -> None:
    assert "noise" not in published.verdict.figures
    assert "runtime_spread" not in published.verdict.figures
    recipe = Recipe(quantize=Quantize.int8, io=Io.uint8, representative_count=6, repair=Repair.none)
    loose = EASY.model_copy(update={"max_mean_probability_difference": 1.0})
    exported = export(run, recipe, loose)
    figures = figures_of(exported.verdict)
    held_out = samples().dataset.of(Split.validation)
    assert figures.noise is not None
    assert figures.noise.images == len(held_out)
    assert [level.pixel_steps for level in figures.noise.levels] == [0.5, 1.0]
    assert figures.runtime_spread is not None
    assert figures.runtime_spread.images == len(held_out)
    reference, android = figures.runtime_spread.others
    assert (reference.runtime, android.runtime) == ("litert-reference", "android")
    assert reference.agreement is not None
    assert reference.mean_difference is not None
    assert reference.mean_difference < 0.1
    # The float file was converted once and the noise measured once.
    before = {path: path.stat().st_mtime_ns for path in run.root.glob("noise/*.json")}
    export(run, recipe, loose.model_copy(update={"min_images": 2}))
    assert before == {path: path.stat().st_mtime_ns for path in run.root.glob("noise/*.json")}
    assert len(before) == 1


@pytest.mark.slow
def test_several_files_are_made_by_one_start_of_each_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    start = Worker._started

    def counted(worker: Worker, log: Log) -> subprocess.Popen[bytes]:
        before = worker._process
        process = start(worker, log)
        if process is not before:
            started.append(log.path.stem)
        return process

    monkeypatch.setattr(Worker, "_started", counted)
    loose = EASY.model_copy(update={"max_mean_probability_difference": 1.0, "accept_fragile": True})
    recipes = (
        Recipe(io=Io.uint8, representative_count=6, repair=Repair.none),
        FLOAT16,
        Recipe(quantize=Quantize.dynamic),
    )
    run = RunDir(tmp_path)
    jobs = ExportJob(source(), FLOAT16, loose).for_recipes(recipes)
    assert [job.thresholds.accept_fragile for job in jobs] == [True, False, False]
    made = export_all(jobs, run)
    assert [one.recipe.name for one in made] == ["int8-uint8-plain", "float16", "dynamic"]
    assert all(one.published for one in made), [one.refusal() for one in made]
    # Keras answers first, then LiteRT's kernels are needed; nothing starts them again.
    assert started == ["record-keras", "quantize-int8-uint8-plain"]
    assert len(list(run.recordings.glob("keras-*.json"))) == 1
    alone = export(RunDir(tmp_path / "alone"))
    (same,) = (one for one in made if one.recipe == FLOAT16)
    assert alone.manifest.files["model.tflite"] == same.manifest.files["model.tflite"]
    assert [one.resumed for one in export_all(jobs, run)] == [True] * 3
