"""Write the report of a run in which some things are damaged; hide none of them, lose no other."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from pipeline.cli import export as export_command
from pipeline.contract.bundle import MANIFEST_FILE, MODEL_FILE, VERDICT_FILE
from pipeline.contract.choices import Split
from pipeline.contract.dataset import DatasetManifest, ImageRecord
from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import BundleManifest, FileEntry, ModelManifest
from pipeline.contract.recipe import Quantize, Recipe
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput
from pipeline.parity.judge import judge_recordings as judge
from pipeline.parity.statistics import wilson_95
from pipeline.parity.thresholds import Thresholds
from pipeline.report.verdict_figures import figures_of
from pipeline.runtimes.recording import Recording
from pipeline.workflow.exported import Exported, recommendation
from pipeline.workflow.report import gather, write_report
from tests.commands import Call
from tests.export.samples import ABOUT
from tests.parity.recordings import pair
from tests.platforms import needs_proc

TRUTH = [0] * 20 + [1, 2] * 50
FLIPPED = [1] * 20 + [1, 2] * 50


def publish(folder: Path, verdict: Verdict, model: str = "a" * 64) -> BundleManifest:
    """Write a whole bundle around a verdict, with a model that nobody runs."""
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(b"a model")
    manifest = BundleManifest(
        versions={},
        seed=0,
        parents={"model": model},
        files={MODEL_FILE: FileEntry.of(folder / MODEL_FILE)},
        image=ImageContract(),
        labels=Labels(names=("MEL", "NV", "BCC")),
        about=ABOUT,
        recipe=Recipe(quantize=Quantize.float16),
        inputs=(),
        outputs=(),
        operators={},
        min_runtime="2.3.0",
        promised_runtime="2.16.0",
    )
    manifest.save(folder / MANIFEST_FILE)
    verdict.save(folder / VERDICT_FILE)
    return manifest


def save(recordings: tuple[Recording, Recording], run: RunDir) -> None:
    run.recordings.mkdir(parents=True, exist_ok=True)
    for recording in recordings:
        recording.save(run.recordings / f"{recording.facts.digest()}.json")


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """Return a run with one published and one rejected bundle, and their recordings."""
    run = RunDir(tmp_path / "run")
    for folder, chosen in ((run.bundle("float16"), TRUTH), (run.rejected("int8"), FLIPPED)):
        recordings = pair(TRUTH, TRUTH, chosen)
        save(recordings, run)
        publish(folder, judge(*recordings, Thresholds(), critical=("MEL",)))
    return run


def exported_of(run: RunDir, name: str = "float16") -> Exported:
    folder = run.bundle(name)
    return Exported(
        Recipe(quantize=Quantize.float16),
        folder,
        True,
        False,
        Verdict.load(folder / VERDICT_FILE),
        BundleManifest.load(folder / MANIFEST_FILE),
    )


def test_a_whole_run_is_shown_whole(run: RunDir) -> None:
    found = gather(run)
    assert [(bundle.name, bundle.verdict.passed) for bundle in found.bundles] == [
        ("float16", True),
        ("int8", False),
    ]
    assert all(bundle.points is not None for bundle in found.bundles)
    assert not found.unreadable


def test_answers_are_measured_as_the_verdict_records_them(run: RunDir) -> None:
    passed, failed = gather(run).bundles
    assert passed.recall_intervals["MEL"].reference == wilson_95(20, 20)
    assert failed.recall_intervals["MEL"].candidate == wilson_95(0, 20)
    assert failed.calibrations is not None
    assert sum(one.images for one in failed.calibrations.candidate.bins) == len(TRUTH)


def test_another_models_exports_have_a_page_of_their_own(run: RunDir, call: Call) -> None:
    other = "b" * 64
    recordings = pair(TRUTH, TRUTH, TRUTH)
    publish(run.bundle("dynamic"), judge(*recordings, Thresholds(), critical=("MEL",)), other)
    done = call("report", "--run-dir", run.root, "--json")
    # The first folder's model, since this run trained none.
    own, foreign = run.report, run.report_of("a" * 64)
    assert done.json()["report"] == str(own)
    assert done.json()["other_reports"] == [str(foreign)]
    assert titles(own) == ["Side by side", "dynamic"]
    assert titles(foreign) == ["Side by side", "float16", "int8"]
    assert f'<a href="{"a" * 12}/index.html">' in own.read_text(encoding="utf-8")
    assert '<a href="../index.html">' in foreign.read_text(encoding="utf-8")
    assert write_report(run, model_sha256="a" * 64).path == foreign


def test_the_runs_own_model_comes_first_and_alone_has_its_training(run: RunDir) -> None:
    run.train.mkdir()
    run.model.write_bytes(b"a model of this run")
    trained(run)
    written = write_report(run)
    assert (written.path, written.others) == (run.report, (run.report_of("a" * 64),))
    assert titles(run.report) == ["Side by side", "The trained model", "To make it again"]
    assert titles(written.others[0]) == ["Side by side", "float16", "int8"]


def trained(run: RunDir) -> None:
    ModelManifest(
        versions={},
        seed=0,
        parents={},
        files={"model.keras": FileEntry.of(run.model)},
        image=ImageContract(),
        labels=Labels(names=("MEL", "NV", "BCC")),
        recipe="default",
        backbone="mobilenet_v2",
        width=1.0,
        weights="none",
        training={},
    ).save(run.model_manifest)
    run.metrics.write_text("{}", encoding="utf-8")


def titles(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    (contents,) = re.findall(r'<nav class="contents".*?</nav>', text, flags=re.DOTALL)
    return re.findall(r"<a [^>]*>([^<]*)</a>", contents)


def test_the_page_of_a_model_that_is_gone_goes_too(run: RunDir) -> None:
    stale = run.report_of("c" * 64)
    stale.parent.mkdir(parents=True)
    stale.write_text("of a bundle that was deleted", encoding="utf-8")
    kept = run.report.parent / "mine" / "index.html"
    kept.parent.mkdir()
    kept.write_text("mine", encoding="utf-8")
    write_report(run)
    assert not stale.parent.exists()
    assert kept.exists()


def test_a_debug_page_is_linked_only_if_it_is_of_the_very_file(run: RunDir) -> None:
    page = run.debug_page("float16")
    page.parent.mkdir()
    page.write_text("of another file", encoding="utf-8")
    write_report(run)
    assert "debug/float16.html" not in run.report.read_text(encoding="utf-8")
    sha256 = BundleManifest.load(run.bundle("float16") / MANIFEST_FILE).files[MODEL_FILE].sha256
    page.write_text(f"of {sha256}", encoding="utf-8")
    write_report(run)
    assert '<a href="../debug/float16.html">' in run.report.read_text(encoding="utf-8")


def flipped_photos(run: RunDir) -> list[str]:
    """Give the images that flip in the rejected bundle a dataset; return their names."""
    flips = figures_of(Verdict.load(run.rejected("int8") / VERDICT_FILE)).flips
    assert flips is not None
    folder = run.root / "photos"
    folder.mkdir()
    images, ids = [], {}
    for i, flip in enumerate(flips.examples):
        path = folder / f"private-{i}.jpg"
        comment = Image.Exif()
        comment[0x010E] = "taken at home"
        Image.new("RGB", (400, 300), (12 * i, 0, 0)).save(path, exif=comment)
        sha256 = ids[flip.image_id] = sha256_file(path)
        images.append(
            ImageRecord(
                path=path.name,
                label="MEL",
                group=path.name,
                split=Split.validation,
                width_px=400,
                height_px=300,
                size_bytes=path.stat().st_size,
                sha256=sha256,
            )
        )
    path = run.rejected("int8") / VERDICT_FILE
    text = path.read_text(encoding="utf-8")
    for image_id, sha256 in ids.items():
        text = text.replace(f'"{image_id}"', f'"{sha256}"')
    path.write_text(text, encoding="utf-8")
    DatasetManifest(
        root=str(folder),
        layout="folder",
        labels=Labels(names=("MEL", "NV", "BCC")),
        seed=0,
        fractions=(0.7, 0.15, 0.15),
        images=tuple(images),
    ).save(run.dataset)
    return [image.path for image in images]


def test_images_are_shown_only_where_asked_for_and_without_what_they_carry(
    run: RunDir, call: Call
) -> None:
    names = flipped_photos(run)
    assert len(names) == 20
    call("report", "--run-dir", run.root)
    quiet = run.report.read_text(encoding="utf-8")
    assert "data:image" not in quiet
    assert "private" not in quiet
    (run.root / "photos" / names[0]).write_bytes(b"another image")
    done = call("report", "--run-dir", run.root, "--images", "--json")
    (left_out,) = done.json()["unreadable"]
    assert left_out["where"].endswith(names[0])
    page = run.report.read_text(encoding="utf-8")
    shown = re.findall(r'src="data:image/jpeg;base64,([^"]+)" alt="The image ([^"]+)"', page)
    assert [name for _, name in shown] == names[1:]
    with Image.open(io.BytesIO(base64.b64decode(shown[0][0]))) as picture:
        assert picture.size == (224, 168)
        assert not picture.getexif()
    call("report", "--run-dir", run.root)
    assert "data:image" not in run.report.read_text(encoding="utf-8")


def damage_verdict(run: RunDir) -> Path:
    path = run.rejected("int8") / VERDICT_FILE
    path.write_text("{", encoding="utf-8")
    return path


def damage_version(run: RunDir) -> Path:
    path = run.rejected("int8") / VERDICT_FILE
    value = json.loads(path.read_text(encoding="utf-8"))
    for check in value["checks"]:
        check["evidence"] = "words of an earlier version"
    path.write_text(json.dumps({**value, "schema_version": 1}), encoding="utf-8")
    return path


def damage_figures(run: RunDir) -> Path:
    path = run.rejected("int8") / VERDICT_FILE
    verdict = Verdict.load(path)
    verdict.model_copy(update={"figures": {"recall": {"MEL": 0.5}}}).save(path)
    return path


def damage_manifest(run: RunDir) -> Path:
    path = run.rejected("int8") / MANIFEST_FILE
    path.write_bytes(b"\xff\xfe")
    return path


def damage_model(run: RunDir) -> Path:
    path = run.rejected("int8") / MODEL_FILE
    path.write_bytes(b"another model")
    return path


def lose_verdict(run: RunDir) -> Path:
    path = run.rejected("int8") / VERDICT_FILE
    path.unlink()
    return path


@pytest.mark.parametrize(
    "damage",
    [
        damage_verdict,
        damage_version,
        damage_figures,
        damage_manifest,
        damage_model,
        lose_verdict,
    ],
)
def test_a_damaged_bundle_is_listed_and_the_others_are_shown(
    damage: object, run: RunDir, call: Call
) -> None:
    assert callable(damage)
    path = damage(run)
    done = call("report", "--run-dir", run.root, "--json")
    assert done.code == 0, done.said
    (left_out,) = done.json()["unreadable"]
    assert left_out["where"] == str(path)
    assert [bundle.name for bundle in gather(run).bundles] == ["float16"]
    page = run.report.read_text(encoding="utf-8")
    assert "Not in this report" in page
    assert str(path) in page
    shown = call("report", "--run-dir", run.root)
    assert f"left out of the report: {path}" in shown.out.replace("\n", "")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("recordings/stray.json", b'{"some": "thing"}'),
        ("recordings/stray.json", b"\xff"),
        ("bundles/notes.txt", b"mine"),
        ("rejected/empty/notes.txt", b"mine"),
        ("data/dataset.json", b"{}"),
        ("train/manifest.json", b"{}"),
        ("training-state/history.csv", b"epoch,loss\n0,\xff\n"),
    ],
)
def test_a_stray_or_damaged_file_is_listed_and_hides_nothing(
    name: str, data: bytes, run: RunDir
) -> None:
    path = run.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    written = write_report(run)
    assert written.problem is None
    assert written.unreadable
    assert all(one.where.startswith(str(path.parent)) for one in written.unreadable)
    assert [bundle.name for bundle in gather(run).bundles] == ["float16", "int8"]


def test_a_damaged_recording_costs_its_drawing_alone(run: RunDir) -> None:
    for arrays in run.recordings.glob("*.npz"):
        arrays.write_bytes(b"damaged")
    found = gather(run)
    assert [bundle.points for bundle in found.bundles] == [None, None]
    assert len(found.unreadable) == 2


def test_the_outcome_of_an_export_is_shown_where_an_old_bundle_is_damaged(
    run: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    damage_verdict(run)
    export_command.finish([exported_of(run)], write_report(run), None, None)
    out = capsys.readouterr().out
    assert out.index("published") < out.index("left out of the report") < out.index("report: ")


def test_the_outcome_of_an_export_is_shown_where_the_report_cannot_be_written(
    run: RunDir, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run.report.parent.write_text("a file stands here", encoding="utf-8")
    written = write_report(run)
    assert written.problem is not None
    with pytest.raises(type(written.problem)):
        export_command.finish([exported_of(run)], written, None, tmp_path)
    out = capsys.readouterr().out
    assert out.index("published") < out.index("the report is NOT written")


def test_a_report_that_cannot_be_written_is_an_environment_refusal(run: RunDir, call: Call) -> None:
    run.report.parent.write_text("a file stands here", encoding="utf-8")
    done = call("report", "--run-dir", run.root, "--json")
    assert done.code == 3
    assert done.json()["report"] is None
    assert done.json()["error"]["kind"] == "environment"


def test_a_damaged_bundle_is_not_offered_instead_of_a_refused_one(run: RunDir) -> None:
    asked = Recipe(quantize=Quantize.int8)
    assert "ship float16" in recommendation(run, asked, "a" * 64)
    (run.bundle("float16") / VERDICT_FILE).write_text("{", encoding="utf-8")
    assert recommendation(run, asked, "a" * 64).startswith("pipeline export --quantize float16")
    with pytest.raises(BadInput):
        Verdict.load(run.bundle("float16") / VERDICT_FILE)


def test_parity_writes_markdown_where_asked_and_where_github_shows_it(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary, markdown = tmp_path / "summary.md", tmp_path / "verdict.md"
    summary.write_text("an earlier step\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    sides = []
    for name, recording in zip(("a", "b"), pair(TRUTH, TRUTH, FLIPPED), strict=True):
        recording.save(tmp_path / f"{name}.json")
        sides.append(tmp_path / f"{name}.json")
    done = call("parity", "--reference", sides[0], "--candidate", sides[1], "--markdown", markdown)
    assert done.code == 1
    text = markdown.read_text(encoding="utf-8")
    assert text.startswith("# parity: fail\n")
    assert "critical recall drop: MEL" in text
    assert summary.read_text(encoding="utf-8") == f"an earlier step\n{text}"


@needs_proc
def test_a_verdict_that_cannot_be_written_is_shown_before_it_is_refused(
    tmp_path: Path, call: Call
) -> None:
    first, second = pair(TRUTH, TRUTH, TRUTH)
    first.save(tmp_path / "a.json")
    second.save(tmp_path / "b.json")
    done = call(
        *("parity", "--reference", tmp_path / "a.json", "--candidate", tmp_path / "b.json"),
        # No name to refuse at once, but no folder can be made there either.
        *("--junit", "/proc/nowhere/junit.xml"),
    )
    assert done.code == 3
    assert "Passed: all 13 checks passed" in done.out
    assert "cannot write the verdict" in done.said
