"""Hand the recording of a phone whose self-test failed to the host, which says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.contract.bundle import GOLDENS_FILE
from pipeline.runtimes.android_host import AndroidHost
from pipeline.runtimes.recording import Recording
from tests.android.bundles import edit_json, whole_bundle
from tests.android.host import self_test
from tests.bundles.published import seal_again
from tests.commands import Call
from tests.commands import call as call

pytestmark = pytest.mark.android
# Whole steps of an 8-bit answer, so that it stays one.
MOVED = 77 / 256


def move_answers(value: dict[str, Any]) -> None:
    """Let the host have answered the second golden otherwise, by more than any tolerance."""
    probabilities = value["goldens"][1]["probabilities"]
    most = max(probabilities, key=probabilities.get)
    least = min(probabilities, key=probabilities.get)
    probabilities[most] -= MOVED
    probabilities[least] += MOVED


def test_the_host_says_which_answer_differs(tmp_path: Path, host: AndroidHost, call: Call) -> None:
    bundle, recording = whole_bundle(tmp_path / "bundle"), tmp_path / "phone.json"
    edit_json(bundle / GOLDENS_FILE, move_answers)
    seal_again(bundle, GOLDENS_FILE)
    done = self_test(host, bundle, recording)
    assert done.returncode == 1, done.stdout + done.stderr
    goldens = json.loads((bundle / GOLDENS_FILE).read_text(encoding="utf-8"))["goldens"]
    shared = Recording.load(recording)
    assert shared.image_ids.tolist() == [golden["sha256"] for golden in goldens]
    assert shared.self_test_failed == (goldens[1]["sha256"],)
    judged = call("parity", "--reference", bundle, "--candidate", recording, "--json")
    assert judged.code == 1
    checks = {check["name"]: check for check in judged.json()["verdict"]["checks"]}
    difference = checks["largest_probability_difference"]
    assert difference["outcome"] == "fail"
    assert difference["value"] == pytest.approx(MOVED, abs=0.05)


def test_what_is_prepared_otherwise_is_answered_and_named(
    tmp_path: Path, host: AndroidHost
) -> None:
    bundle, recording = whole_bundle(tmp_path / "bundle"), tmp_path / "phone.json"
    edit_json(
        bundle / GOLDENS_FILE, lambda value: value["goldens"][0].update(tensor_sha256="0" * 64)
    )
    seal_again(bundle, GOLDENS_FILE)
    assert self_test(host, bundle, recording).returncode == 1
    goldens = json.loads((bundle / GOLDENS_FILE).read_text(encoding="utf-8"))["goldens"]
    shared = Recording.load(recording)
    assert shared.facts.count == len(goldens)
    assert shared.self_test_failed == (goldens[0]["sha256"],)
