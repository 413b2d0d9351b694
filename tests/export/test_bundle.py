from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.classifier.spec import ClassifierSpec
from pipeline.contract.dataset import Split
from pipeline.contract.hashing import sha256_file
from pipeline.contract.recipe import Io, Quantize, Recipe, Repair, Step
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Verdict
from pipeline.export.bundle import BuildRequest, BuiltBundle, build
from pipeline.export.converted import Conversion, converted_file
from pipeline.export.metadata_writer import about_classifier
from pipeline.parity.structure import structure_of_bundle
from pipeline.progress import ProgressEvent, Report, silent
from pipeline.runtimes.delegation import Delegation
from pipeline.tflite.metadata import described_model
from tests.export.samples import IMAGE, INT8, LABELS, Samples


@dataclass
class Case:
    run: RunDir
    staging: Path
    bundle: BuiltBundle
    events: list[ProgressEvent]


@pytest.fixture(scope="module")
def built(samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> Case:
    root = tmp_path_factory.mktemp("run")
    events: list[ProgressEvent] = []
    run, staging = RunDir(root), root / "staging"
    bundle = rebuild(samples, run, staging, report=events.append)
    return Case(run, staging, bundle, events)


def built_spec(samples: Samples) -> ClassifierSpec:
    path = samples.models["good"]
    return ClassifierSpec(path=path, sha256=sha256_file(path), image=IMAGE, classes=3)


def rebuild(
    samples: Samples,
    run: RunDir,
    staging: Path,
    *,
    recipe: Recipe = INT8,
    report: Report = silent,
) -> BuiltBundle:
    staging.mkdir()
    conversion = Conversion(built_spec(samples), recipe, LABELS, samples.dataset)
    about = about_classifier(
        recipe, IMAGE, LABELS, model_sha256="0" * 64, model_version="1.2", license="CC0-1.0"
    )
    request = BuildRequest(conversion, about, "CC0-1.0", "2.16.0")
    return build(request, run, staging, report=report)


def test_a_bundle_holds_what_its_manifest_lists_and_passes_its_checks(
    built: Case, samples: Samples
) -> None:
    assert {path.name for path in built.staging.iterdir()} == {
        "model.tflite",
        "labels.txt",
        "recipe.json",
    }, "the manifest is written once, when everything is known"
    manifest = built.bundle.manifest
    manifest.check_files(built.staging)
    delegation = Delegation(nodes=1, delegated=1, partitions=1, left=())
    structure = structure_of_bundle(built.bundle.inspection, manifest, delegation)
    assert Verdict.from_checks(structure.checks).passed
    assert manifest.about.version == "1.2"
    assert manifest.parents == {
        "dataset": samples.dataset.digest(),
        "model": sha256_file(samples.models["good"]),
    }
    assert manifest.operators["CONV_2D@3"] == 7
    assert manifest.min_runtime == "1.14.0"
    training = {image.sha256 for image in samples.dataset.of(Split.train)}
    assert len(manifest.representative_sha256) == 6
    assert set(manifest.representative_sha256) <= training


def test_the_file_alone_says_how_to_use_it(built: Case) -> None:
    described = described_model(built.staging / "model.tflite")
    assert described.image == IMAGE
    assert described.labels.names == LABELS.names
    assert (built.staging / "labels.txt").read_text() == LABELS.text()


def test_progress_counts_steps_and_calibration_images(built: Case) -> None:
    assert ("calibrate", 6, 6, "") in built.events
    assert next(e.detail for e in built.events if e.task == "convert") == "load the model"


def test_a_second_export_takes_the_converted_file_and_gives_the_same_bytes(
    built: Case, samples: Samples, tmp_path: Path
) -> None:
    log = built.run.logs / f"quantize-{INT8.name}.log"
    log.unlink()
    again = rebuild(samples, built.run, tmp_path / "staging")
    assert not log.exists()
    assert again.manifest == built.bundle.manifest
    for name in ("model.tflite", "labels.txt", "recipe.json"):
        assert (again.folder / name).read_bytes() == (built.staging / name).read_bytes()


def test_a_conversion_that_was_killed_leaves_nothing_that_is_taken_for_a_result(
    built: Case,
) -> None:
    cache = built.run.export_cache
    # The float file; that file adapted to what a phone feeds, and what that is; the int8 file made
    # of it, and what was said of that one.
    # And a hash beside each.
    assert sorted(path.suffix for path in cache.iterdir()) == (
        [".json"] * 2 + [".sha256"] * 5 + [".tflite"] * 3
    )


def test_a_damaged_converted_file_of_the_same_size_is_made_again(
    built: Case, samples: Samples, tmp_path: Path
) -> None:
    root = tmp_path / "run"
    shutil.copytree(built.run.root, root)
    run = RunDir(root)
    log = run.log(f"quantize-{INT8.name}")
    log.unlink(missing_ok=True)
    (int8_file,) = (path for path in run.export_cache.glob("*.tflite") if b"int8" in _note(path))
    data = bytearray(int8_file.read_bytes())
    data[-100] ^= 1
    int8_file.write_bytes(data)
    again = rebuild(samples, run, tmp_path / "staging")
    assert log.exists()
    assert (again.folder / "model.tflite").read_bytes() == (
        built.staging / "model.tflite"
    ).read_bytes()


def test_a_damaged_float16_file_of_the_same_size_is_made_again(
    built: Case, samples: Samples, tmp_path: Path
) -> None:
    root = tmp_path / "run"
    shutil.copytree(built.run.root, root)
    run, spec = RunDir(root), built_spec(samples)
    conversion = Conversion(spec, Recipe(quantize=Quantize.float16), LABELS, samples.dataset)
    cached = converted_file(conversion, run, silent).path
    whole = cached.read_bytes()
    damaged = bytearray(whole)
    damaged[-100] ^= 1
    cached.write_bytes(damaged)
    assert converted_file(conversion, run, silent).path == cached
    assert cached.read_bytes() == whole


def _note(path: Path) -> bytes:
    """Return what was said of an int8 file, marked as such; nothing of another."""
    note = path.with_suffix(".json")
    text = note.read_bytes() if note.exists() else b""
    return b"int8" if b"steps" in text else b""


@pytest.fixture(scope="module")
def searched(samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> BuiltBundle:
    root = tmp_path_factory.mktemp("searched")
    recipe = Recipe(io=Io.uint8, representative_count=6, repair=Repair.max)
    return rebuild(samples, RunDir(root / "run"), root / "staging", recipe=recipe)


def test_a_search_says_what_it_tried_and_which_it_chose(searched: BuiltBundle) -> None:
    manifest = searched.manifest
    trials = manifest.search.trials
    assert [trial.steps for trial in trials[:2]] == [(), (Step.ranges, Step.bias_correction)]
    (chosen,) = (trial for trial in trials if trial.chosen)
    assert manifest.recipe.steps == chosen.steps
    assert manifest.recipe.repair is Repair.max
    assert chosen.size_bytes < manifest.files["model.tflite"].size_bytes
    passing = [trial for trial in trials if trial.meets_target]
    assert chosen.meets_target or not passing
    eight_bits = [trial for trial in trials if not trial.float16_layers]
    better = [trial for trial in passing if not trial.float16_layers] or passing or eight_bits
    assert chosen.mean_difference <= min(trial.mean_difference for trial in better)
    assert chosen.latency_of_float16 is not None
    assert manifest.search.noise is not None
    assert manifest.search.noise.images == 2 * len(manifest.search.repair_sha256)
    assert manifest.search.stopped is not None
    # The training split has 18 images, 6 of which calibrate.
    assert len(manifest.search.repair_sha256) == 12
    assert set(manifest.search.repair_sha256).isdisjoint(manifest.representative_sha256)


def test_a_settled_recipe_gives_the_same_bytes_without_a_search(
    searched: BuiltBundle, samples: Samples, tmp_path: Path
) -> None:
    recipe = Recipe.load(searched.folder / "recipe.json")
    again = rebuild(samples, RunDir(tmp_path / "run"), tmp_path / "staging", recipe=recipe)
    assert again.manifest.search.trials == ()
    one, other = (bundle.folder / "model.tflite" for bundle in (searched, again))
    assert one.read_bytes() == other.read_bytes()


def test_a_plain_file_has_a_name_of_its_own(samples: Samples, tmp_path: Path) -> None:
    recipe = Recipe(io=Io.uint8, representative_count=6, repair=Repair.none)
    plain = rebuild(samples, RunDir(tmp_path / "run"), tmp_path / "staging", recipe=recipe)
    assert plain.manifest.recipe.name == "int8-uint8-plain"
    assert plain.manifest.recipe.steps == ()
    assert plain.manifest.search.trials == ()
