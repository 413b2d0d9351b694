from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.contract.dataset import DatasetManifest, Split
from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import BundleManifest, FileEntry, ModelManifest
from pipeline.contract.recipe import Io, Recipe, Repair
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput
from pipeline.export.bundle import BuiltBundle, build
from pipeline.progress import ProgressEvent
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
    run, staging = RunDir(root), root / "staging"
    staging.mkdir()
    events: list[ProgressEvent] = []
    bundle = build(
        samples.models["good"],
        INT8,
        run,
        staging,
        dataset=samples.dataset,
        labels=LABELS,
        image=IMAGE,
        license="CC0-1.0",
        report=events.append,
    )
    return Case(run, staging, bundle, events)


def rebuild(
    samples: Samples,
    run: RunDir,
    staging: Path,
    *,
    model: str = "good",
    labels: Labels = LABELS,
    image: ImageContract = IMAGE,
    dataset: DatasetManifest | None = None,
    recipe: Recipe = INT8,
    model_manifest: ModelManifest | None = None,
    min_runtime: str = "2.16.0",
) -> BuiltBundle:
    staging.mkdir()
    return build(
        samples.models[model],
        recipe,
        run,
        staging,
        dataset=dataset or samples.dataset,
        labels=labels,
        image=image,
        license="CC0-1.0",
        model_manifest=model_manifest,
        min_runtime=min_runtime,
    )


def test_a_bundle_holds_what_its_manifest_lists_and_passes_its_checks(
    built: Case, samples: Samples
) -> None:
    assert {path.name for path in built.staging.iterdir()} == {
        "model.tflite",
        "labels.txt",
        "recipe.json",
        "manifest.json",
    }
    manifest = BundleManifest.load(built.staging / "manifest.json")
    assert manifest == built.bundle.manifest
    manifest.check_files(built.staging)
    assert Verdict.from_checks(built.bundle.checks).passed
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
    for name in ("model.tflite", "labels.txt", "manifest.json"):
        assert (again.folder / name).read_bytes() == (built.staging / name).read_bytes()


def test_a_conversion_that_was_killed_leaves_nothing_that_is_taken_for_a_result(
    built: Case,
) -> None:
    cache = built.run.root / "export-cache"
    # The float file, the int8 file made of it, and what was said of that one.
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".tflite", ".tflite"]


def test_a_runtime_older_than_the_operators_fails_a_check(
    built: Case, samples: Samples, tmp_path: Path
) -> None:
    old = rebuild(samples, built.run, tmp_path / "staging", min_runtime="1.13.0")
    broken = Verdict.from_checks(old.checks).broken()
    assert [check.name for check in broken] == ["oldest runtime"]


def test_a_model_that_carries_code_is_refused(samples: Samples, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="carries code"):
        rebuild(samples, RunDir(tmp_path / "run"), tmp_path / "staging", model="lambda")
    assert not (samples.folder / "code-ran").exists()


def test_a_runtime_that_is_no_version_is_refused(samples: Samples, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a runtime version"):
        rebuild(samples, RunDir(tmp_path / "r"), tmp_path / "s", min_runtime="newest")


@pytest.mark.parametrize("what", ["content", "labels", "image contract"])
def test_a_model_that_disagrees_with_its_manifest_is_refused(
    samples: Samples, tmp_path: Path, what: str
) -> None:
    path = samples.models["logits" if what == "content" else "good"]
    manifest = ModelManifest(
        versions={},
        seed=0,
        parents={},
        files={"good.keras": FileEntry.of(path)},
        image=ImageContract() if what == "image contract" else IMAGE,
        labels=Labels(names=("A", "B", "C")) if what == "labels" else LABELS,
        recipe="default",
        backbone="mobilenet_v2",
        width=0.35,
        weights="none",
        training={},
    )
    with pytest.raises(BadInput, match=f"the model's {what} is not what its manifest records"):
        rebuild(samples, RunDir(tmp_path / "r"), tmp_path / "s", model_manifest=manifest)


@pytest.fixture(scope="module")
def searched(samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> BuiltBundle:
    root = tmp_path_factory.mktemp("searched")
    recipe = Recipe(io=Io.uint8, representative_count=6, repair=Repair.max)
    return rebuild(samples, RunDir(root / "run"), root / "staging", recipe=recipe)


def test_a_search_says_what_it_tried_and_which_it_chose(searched: BuiltBundle) -> None:
    manifest = searched.manifest
    rungs = manifest.ladder.rungs
    assert [len(rung.steps) for rung in rungs[:5]] == [0, 1, 2, 3, 4]
    (chosen,) = (rung for rung in rungs if rung.chosen)
    assert manifest.recipe.steps == chosen.steps
    assert manifest.recipe.repair is Repair.max
    assert chosen.size_bytes < manifest.files["model.tflite"].size_bytes
    passing = [rung for rung in rungs if rung.passed]
    assert chosen.passed or not passing
    eight_bits = [rung for rung in rungs if not rung.float16_layers]
    assert chosen.mean_difference <= min(r.mean_difference for r in passing or eight_bits)
    # The training split has 18 images, 6 of which calibrate.
    assert len(manifest.ladder.repair_sha256) == 12
    assert set(manifest.ladder.repair_sha256).isdisjoint(manifest.representative_sha256)


def test_a_settled_recipe_gives_the_same_bytes_without_a_search(
    searched: BuiltBundle, samples: Samples, tmp_path: Path
) -> None:
    recipe = Recipe.load(searched.folder / "recipe.json")
    again = rebuild(samples, RunDir(tmp_path / "run"), tmp_path / "staging", recipe=recipe)
    assert again.manifest.ladder.rungs == ()
    one, other = (bundle.folder / "model.tflite" for bundle in (searched, again))
    assert one.read_bytes() == other.read_bytes()


def test_a_plain_file_has_a_name_of_its_own(samples: Samples, tmp_path: Path) -> None:
    recipe = Recipe(io=Io.uint8, representative_count=6, repair=Repair.none)
    plain = rebuild(samples, RunDir(tmp_path / "run"), tmp_path / "staging", recipe=recipe)
    assert plain.manifest.recipe.name == "int8-uint8-plain"
    assert plain.manifest.recipe.steps == ()
    assert plain.manifest.ladder.rungs == ()
