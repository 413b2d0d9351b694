"""Sign a proven bundle on the command line, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.contract.bundle import SIGNATURE_FILE
from pipeline.contract.verdict import Outcome
from pipeline.signing.check import check_signature
from pipeline.signing.signed import PublicKey
from tests.android.bundles import verdict, whole_bundle
from tests.commands import Call
from tests.signing.keys import KeyPair, key_pair


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return whole_bundle(tmp_path / "bundle")


@pytest.fixture
def keys(tmp_path: Path) -> KeyPair:
    return key_pair(tmp_path)


def test_a_proven_bundle_is_signed_and_signed_again(
    call: Call, bundle: Path, keys: KeyPair
) -> None:
    for _ in range(2):
        done = call("sign", bundle, "--key", keys.private, "--json")
        assert done.code == 0
        assert done.json()["signature"] == str(bundle / SIGNATURE_FILE)
        files = check_signature(bundle, PublicKey(path=keys.public)).files
        assert {"model.tflite", "manifest.json", "verdict.json", "labels.txt"} <= set(files)


def test_an_unproven_or_changed_bundle_is_not_signed(
    call: Call, bundle: Path, keys: KeyPair
) -> None:
    verdict(bundle, Outcome.failed)
    assert call("sign", bundle, "--key", keys.private).code == 1
    verdict(bundle, Outcome.inconclusive)
    assert call("sign", bundle, "--key", keys.private).code == 4
    verdict(bundle, Outcome.passed, "0" * 64)
    assert call("sign", bundle, "--key", keys.private).code == 2
    verdict(bundle, Outcome.passed)
    (bundle / "labels.txt").write_text("BLUE\n", encoding="utf-8")
    assert call("sign", bundle, "--key", keys.private).code == 2
    assert not (bundle / SIGNATURE_FILE).exists()


def test_a_key_inside_the_bundle_is_refused(call: Call, bundle: Path) -> None:
    keys = key_pair(bundle)
    done = call("sign", bundle, "--key", keys.private)
    assert done.code == 2
    assert "key.pem" in done.said


def test_one_way_of_signing_is_asked_for(call: Call, bundle: Path, keys: KeyPair) -> None:
    assert call("sign", bundle).code == 2
    assert call("sign", bundle, "--key", keys.private, "--sigstore").code == 2
    assert not (bundle / SIGNATURE_FILE).exists()


def test_the_passphrase_comes_from_the_environment(
    call: Call, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = key_pair(tmp_path, "locked", passphrase="open")
    assert call("sign", bundle, "--key", keys.private).code == 2
    monkeypatch.setenv("PIPELINE_KEY_PASSPHRASE", "open")
    assert call("sign", bundle, "--key", keys.private).code == 0
