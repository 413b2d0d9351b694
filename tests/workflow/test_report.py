"""Write the report of a run in which some things are damaged; hide none of them, lose no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli import export as export_command
from pipeline.contract.bundle import MANIFEST_FILE, MODEL_FILE, VERDICT_FILE
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import BundleManifest, FileEntry
from pipeline.contract.recipe import Quantize, Recipe
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput
from pipeline.parity.judge import judge_recordings as judge
from pipeline.parity.thresholds import Thresholds
from pipeline.runtimes.recording import Recording
from pipeline.workflow.exported import Exported, recommendation
from pipeline.workflow.report import gather, write_report
from tests.commands import Call
from tests.export.samples import ABOUT
from tests.parity.recordings import pair
from tests.platforms import needs_proc

TRUTH = [0] * 20 + [1, 2] * 50
FLIPPED = [1] * 20 + [1, 2] * 50


def publish(folder: Path, verdict: Verdict) -> BundleManifest:
    """Write a whole bundle around a verdict, with a model that nobody runs."""
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(b"a model")
    manifest = BundleManifest(
        versions={},
        seed=0,
        parents={"model": "a" * 64},
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
