"""Verify bundles: an honest one passes, and each broken one of the shared table is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.contract.bundle import MANIFEST_FILE, MEASURED_FILE, MODEL_FILE, load_bundle
from pipeline.contract.hashing import sha256_file
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.verdict import Check, Gate, Outcome, Verdict
from pipeline.errors import BadInput, GateFailed, Inconclusive
from pipeline.parity.bundle_files import is_plain_name
from pipeline.parity.comparison import expect
from pipeline.workflow.verify import verify
from tests.bundles.broken import BUNDLE, OTHER_MODEL, Case, can_link, cases
from tests.bundles.litert_once import litert_once as litert_once
from tests.commands import Call

CASES = cases()
_FEWEST_CASES = 40


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLE, tmp_path / "bundle"))


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_an_honest_bundle_is_proven_and_left_alone(bundle: Path) -> None:
    before = contents(bundle)
    verified = verify(bundle)
    assert verified.refusal() is None
    assert verified.refused_by is None
    assert verified.manifest == load_bundle(bundle)
    assert verified.verdict.outcome is Outcome.passed
    assert verified.verdict.candidate == {"model_sha256": sha256_file(bundle / MODEL_FILE)}
    assert {check.gate for check in verified.verdict.checks} == {
        Gate.bundle,
        Gate.structure,
        Gate.numbers,
        Gate.task,
    }
    assert contents(bundle) == before


@pytest.mark.usefixtures("litert_once")
def test_measured_figures_are_in_no_hash_and_must_be_readable(bundle: Path) -> None:
    path = bundle / MEASURED_FILE
    path.write_text('{"figures": {"latency_ms": null}}', encoding="utf-8")
    assert verify(bundle).refused_by is None
    path.write_text('{"kind": "verdict"}', encoding="utf-8")
    refused_by = verify(bundle).refused_by
    assert refused_by is not None
    assert refused_by.name == "readable"


def test_the_table_is_large_and_its_names_are_unique() -> None:
    assert len(CASES) >= _FEWEST_CASES
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.sentence for case in CASES if case.app)


@pytest.mark.usefixtures("litert_once")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_bundle_is_refused_for_its_reason(tmp_path: Path, case: Case) -> None:
    if any("link" in edit for edit in case.edits) and not can_link(tmp_path):
        pytest.skip("no symbolic links here")
    verified = verify(case.make(tmp_path / "bundle"))
    assert verified.refused_by is not None
    assert verified.refused_by.name == case.reason
    refusal = verified.refusal()
    assert refusal is not None
    if case.sentence is not None:
        assert refusal.what == case.sentence
    undecided = case.name == "an undecided verdict"
    assert type(refusal) is (Inconclusive if undecided else GateFailed)


def test_a_pipe_is_no_file(bundle: Path) -> None:
    os.mkfifo(bundle / "pipe")
    refused = verify(bundle).refused_by
    assert refused is not None
    assert (refused.name, refused.evidence["found"]) == ("special_files", ["pipe"])


def test_an_empty_folder_is_listed_by_no_manifest(bundle: Path) -> None:
    (bundle / "goldens" / "more").mkdir()
    verified = verify(bundle)
    assert verified.refused_by is not None
    assert verified.refused_by.name == "unlisted_files"
    assert verified.refused_by.evidence["found"] == ["goldens/more/"]


def test_what_to_do_follows_from_what_is_wrong(tmp_path: Path) -> None:
    steps = {}
    for name, spoil in {
        "clutter": lambda folder: (folder / ".DS_Store").write_bytes(b"\0"),
        "edited": lambda folder: (folder / "labels.txt").write_text("RED\n", encoding="utf-8"),
    }.items():
        folder = Path(shutil.copytree(BUNDLE, tmp_path / name))
        spoil(folder)
        refusal = verify(folder).refusal()
        assert refusal is not None
        steps[name] = refusal.next_step
    assert str(steps["clutter"]).startswith("remove")
    assert str(steps["edited"]).startswith("copy it again")


def test_a_folder_that_is_no_bundle_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a bundle"):
        verify(tmp_path)
    with pytest.raises(BadInput, match="not a bundle"):
        verify(OTHER_MODEL)
    with pytest.raises(BadInput, match="there is no bundle here"):
        verify(tmp_path / "nothing")


def test_a_file_of_a_bundle_leads_to_its_folder() -> None:
    with pytest.raises(BadInput, match="this file is not a bundle") as refused:
        verify(BUNDLE / "model.tflite")
    assert refused.value.next_step == f"give the folder: {BUNDLE}"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("goldens/white.jpg", True),
        ("reference.npz", True),
        ("", False),
        ("..", False),
        ("a/../b", False),
        ("./a", False),
        ("a//b", False),
        ("/a", False),
        ("a/", False),
        ("a\\b", False),
        ("C:a", False),
        ("a\nb", False),
        ("manifest.json", False),
    ],
)
def test_a_file_name_is_one_inside_the_bundle(name: str, plain: bool) -> None:
    assert is_plain_name(name) is plain


@pytest.mark.usefixtures("litert_once")
def test_a_further_check_is_asked_after_the_hashes(bundle: Path) -> None:
    asked: list[Path] = []

    def signed(folder: Path, manifest: BundleManifest) -> list[Check]:
        asked.append(folder)
        return [expect("signature", Gate.bundle, "a", "b", files=len(manifest.files))]

    refused = verify(bundle, more=[signed]).refused_by
    assert refused is not None
    assert refused.name == "signature"
    (bundle / "labels.txt").write_text("RED\n", encoding="utf-8")
    refused = verify(bundle, more=[signed]).refused_by
    assert refused is not None
    assert refused.name == "changed_files"
    assert asked == [bundle]


def test_a_step_that_fails_is_the_last_one(bundle: Path) -> None:
    (bundle / "more.txt").write_text("more", encoding="utf-8")
    names = [check.name for check in verify(bundle).verdict.checks]
    assert names == ["release", "file_names", "special_files", "missing_files", "unlisted_files"]


def test_the_command_says_what_it_found(call: Call, bundle: Path, tmp_path: Path) -> None:
    done = call("verify", bundle, "--json")
    assert done.code == 0
    assert done.json()["refused_by"] is None
    assert Verdict.model_validate(done.json()["verdict"]).passed
    (bundle / "labels.txt").write_text("RED\n", encoding="utf-8")
    junit, markdown = tmp_path / "verify.xml", tmp_path / "verify.md"
    done = call("verify", bundle, "--json", "--junit", junit, "--markdown", markdown)
    assert done.code == 1
    assert done.json()["refused_by"] == "changed_files"
    assert done.json()["error"]["kind"] == "gate_failed"
    for path in (junit, markdown):
        assert "labels.txt differs from manifest.json" in path.read_text(encoding="utf-8")
    assert "changed files" in call("verify", bundle).out
    (bundle / MANIFEST_FILE).unlink()
    assert call("verify", bundle).code == 2


def test_no_tensorflow_is_loaded(bundle: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline.workflow.verify import verify\n"
        f"assert verify(Path({str(bundle)!r})).refusal() is None\n"
        "sys.exit(' '.join({'tensorflow', 'keras'} & {*sys.modules}) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
