"""Sign a proven bundle on the command line, and verify whose it is."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.contract.bundle import SIGNATURE_FILE, load_bundle, seal_bundle
from pipeline.contract.hashing import sha256_file
from pipeline.contract.manifest import BundleManifest, FileEntry
from pipeline.contract.verdict import Gate, Verdict
from pipeline.parity.comparison import expect
from pipeline.signing.check import check_signature
from pipeline.signing.sign import sign_with_key
from pipeline.signing.signed import PublicKey, SignatureState
from pipeline.workflow.signature import SignatureAsked
from pipeline.workflow.verify import Verified
from tests.bundles.broken import BUNDLE
from tests.commands import Call
from tests.signing.keys import KeyPair, key_pair


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLE, tmp_path / "bundle"))


@pytest.fixture
def keys(tmp_path: Path) -> KeyPair:
    return key_pair(tmp_path)


@pytest.fixture
def signed(bundle: Path, keys: KeyPair) -> Path:
    sign_with_key(bundle, keys.private)
    return bundle


@pytest.fixture
def proven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every bundle for proven, where the proof is another test's."""

    def verify(folder: Path) -> Verified:
        check = expect("taken_for_proven", Gate.bundle, True, True)
        return Verified(folder, Verdict.from_checks([check]), None)

    monkeypatch.setattr("pipeline.workflow.sign.verify", verify)


def test_a_proven_bundle_is_signed_and_signed_again(
    call: Call, bundle: Path, keys: KeyPair
) -> None:
    before = {path.name: sha256_file(path) for path in bundle.iterdir() if path.is_file()}
    # The second time the first signature is in the way.
    for _ in range(2):
        done = call("sign", bundle, "--key", keys.private, "--json")
        assert done.code == 0
        assert done.json()["signature"] == str(bundle / SIGNATURE_FILE)
        assert check_signature(bundle, PublicKey(path=keys.public)).state is SignatureState.good
    after = {path.name: sha256_file(path) for path in bundle.iterdir() if path.is_file()}
    assert after.keys() - before.keys() == {SIGNATURE_FILE}
    assert before.items() <= after.items()


def test_a_bundle_that_verify_refuses_is_not_signed(
    call: Call, bundle: Path, keys: KeyPair
) -> None:
    (bundle / "labels.txt").write_text("BLUE\n", encoding="utf-8")
    done = call("sign", bundle, "--key", keys.private)
    assert done.code == 1
    assert "labels.txt" in done.said
    assert not (bundle / SIGNATURE_FILE).exists()


def test_a_key_inside_the_bundle_is_refused(call: Call, bundle: Path) -> None:
    keys = key_pair(bundle)
    done = call("sign", bundle, "--key", keys.private)
    assert done.code == 1
    assert "key-public.pem" in done.said
    assert not (bundle / SIGNATURE_FILE).exists()


def test_one_way_of_signing_is_asked_for(call: Call, bundle: Path, keys: KeyPair) -> None:
    assert call("sign", bundle).code == 2
    assert call("sign", bundle, "--key", keys.private, "--sigstore").code == 2
    assert not (bundle / SIGNATURE_FILE).exists()


def test_the_passphrase_comes_from_the_environment(
    call: Call, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proven: None
) -> None:
    keys = key_pair(tmp_path, "locked", passphrase="open")
    assert call("sign", bundle, "--key", keys.private).code == 2
    monkeypatch.setenv("PIPELINE_KEY_PASSPHRASE", "open")
    assert call("sign", bundle, "--key", keys.private).code == 0


def test_a_signed_bundle_is_verified_by_its_key(call: Call, signed: Path, keys: KeyPair) -> None:
    done = call("verify", signed, "--public-key", keys.public, "--require-signature", "--json")
    assert done.code == 0
    value = done.json()
    assert (value["signed"], value["signature_checked"]) == (True, True)
    (check,) = [one for one in value["verdict"]["checks"] if one["name"] == "bundle_signature"]
    assert (check["outcome"], check["evidence"]["found"]) == ("pass", "good")
    assert "model.tflite" in check["evidence"]["files"]
    done = call("verify", signed, "--public-key", keys.public)
    assert "signed by the key of key-public.pem" in " ".join(done.out.split())


def test_a_signature_that_nobody_asked_about_is_said_not_to_be_checked(
    call: Call, signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What needs no signature needs no library.
    _uninstall(monkeypatch)
    done = call("verify", signed)
    assert done.code == 0
    assert "by whom is not checked" in done.out


def test_another_key_is_refused(call: Call, signed: Path, tmp_path: Path) -> None:
    other = key_pair(tmp_path, "other")
    done = call("verify", signed, "--public-key", other.public)
    assert done.code == 1
    assert "other-public.pem" in done.said
    value = call("verify", signed, "--public-key", other.public, "--json").json()
    assert value["refused_by"] == "bundle_signature"


def test_an_unsigned_bundle_passes_unless_a_signature_is_required(
    call: Call, bundle: Path, keys: KeyPair
) -> None:
    done = call("verify", bundle, "--public-key", keys.public)
    assert done.code == 0
    assert "not signed" in done.out
    done = call("verify", bundle, "--public-key", keys.public, "--require-signature")
    assert done.code == 1
    assert "The bundle is not signed." in done.said
    assert "pipeline sign" in done.said


def _forge_consistently(folder: Path) -> None:
    """Change a file, and everything else in the bundle that would notice."""
    recipe = folder / "recipe.json"
    recipe.write_text(recipe.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    manifest = BundleManifest.load(folder / "manifest.json")
    files = {**manifest.files, "recipe.json": FileEntry.of(recipe)}
    forged = manifest.model_copy(update={"files": files})
    seal_bundle(folder, forged, Verdict.load(folder / "verdict.json"))


def _append(name: str) -> Callable[[Path], None]:
    def append(folder: Path) -> None:
        with (folder / name).open("ab") as stream:
            stream.write(b" ")

    return append


@pytest.mark.parametrize("name", ["model.tflite", "manifest.json", "verdict.json", "labels.txt"])
def test_a_byte_more_is_refused_by_the_name_of_the_file(
    call: Call, signed: Path, keys: KeyPair, name: str
) -> None:
    _append(name)(signed)
    done = call("verify", signed, "--public-key", keys.public)
    assert done.code == 1
    assert name in done.said


def test_a_forgery_that_agrees_with_itself_is_refused_by_its_signature(
    call: Call, signed: Path, keys: KeyPair
) -> None:
    _forge_consistently(signed)
    assert [*SignatureAsked().checks(signed, load_bundle(signed))] == []
    done = call("verify", signed, "--public-key", keys.public)
    assert done.code == 1
    assert "manifest.json was changed after it was signed" in done.said


@pytest.mark.parametrize(
    "options",
    [
        ["--require-signature"],
        ["--identity", "someone@example.org"],
        ["--identity-provider", "https://example.org"],
        ["--public-key", "p.pem", "--identity", "a@b.org", "--identity-provider", "https://b.org"],
        ["--public-key", "nothing.pem", "--require-signature"],
    ],
)
def test_options_that_do_not_fit_together_are_refused(
    call: Call, bundle: Path, options: list[str]
) -> None:
    assert call("verify", bundle, *options).code == 2


def test_without_the_extra_the_install_command_is_named(
    call: Call, signed: Path, keys: KeyPair, monkeypatch: pytest.MonkeyPatch, proven: None
) -> None:
    _uninstall(monkeypatch)
    for command in (
        ("sign", signed, "--key", keys.private),
        ("verify", signed, "--public-key", keys.public),
    ):
        done = call(*command)
        assert done.code == 3
        assert "uv sync --extra signing" in done.said


def _uninstall(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "model_signing"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "model_signing", None)
