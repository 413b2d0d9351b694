"""Sign a folder, and refuse it once one byte, one file or the signer is another."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from pipeline.contract.bundle import SIGNATURE_FILE
from pipeline.errors import BadInput, EnvironmentProblem
from pipeline.signing.check import check_signature, is_signed
from pipeline.signing.sign import sign_with_key, sign_with_sigstore
from pipeline.signing.signed import (
    INSTALL,
    PublicKey,
    SignatureFound,
    SignatureState,
    SigstoreIdentity,
)
from tests.signing.keys import KeyPair, key_pair

FILES = {"goldens/a.jpg": b"jpeg", "manifest.json": b"{}", "model.tflite": bytes(range(200))}


def check(bundle: Path, public: Path) -> SignatureFound:
    return check_signature(bundle, PublicKey(path=public))


@pytest.fixture
def keys(tmp_path: Path) -> KeyPair:
    return key_pair(tmp_path)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    for name, data in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.fixture
def signed(bundle: Path, keys: KeyPair) -> Path:
    sign_with_key(bundle, keys.private)
    return bundle


def test_a_signature_covers_every_file_but_itself(signed: Path, keys: KeyPair) -> None:
    found = check(signed, keys.public)
    assert found.state is SignatureState.good
    assert found.files == tuple(sorted(FILES))
    assert {path.name for path in signed.iterdir()} == {
        "goldens",
        "manifest.json",
        "model.tflite",
        SIGNATURE_FILE,
    }


def test_a_signature_travels_with_the_folder(signed: Path, keys: KeyPair, tmp_path: Path) -> None:
    elsewhere = signed.rename(tmp_path / "another name")
    assert check(elsewhere, keys.public).files == tuple(sorted(FILES))


def test_signing_again_replaces_the_signature(signed: Path, tmp_path: Path) -> None:
    other = key_pair(tmp_path, "other")
    (signed / "model.tflite").write_bytes(b"a new one")
    sign_with_key(signed, other.private)
    assert check(signed, other.public).files == tuple(sorted(FILES))


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_other_curves_sign_too(bundle: Path, tmp_path: Path, curve: ec.EllipticCurve) -> None:
    keys = key_pair(tmp_path, curve=curve)
    sign_with_key(bundle, keys.private)
    assert check(bundle, keys.public).files == tuple(sorted(FILES))


def _flip(name: str, at: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[at] ^= 1
        (folder / name).write_bytes(data)

    return change


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        (_flip("model.tflite", 100), {"changed": ("model.tflite",)}),
        (_flip("manifest.json", 0), {"changed": ("manifest.json",)}),
        (_flip("goldens/a.jpg", -1), {"changed": ("goldens/a.jpg",)}),
        (lambda folder: (folder / "goldens/a.jpg").unlink(), {"missing": ("goldens/a.jpg",)}),
        (lambda folder: (folder / "more").write_bytes(b""), {"not_signed": ("more",)}),
        (lambda folder: (folder / ".gitignore").write_bytes(b""), {"not_signed": (".gitignore",)}),
    ],
)
def test_a_change_is_refused_by_the_name_of_the_file(
    signed: Path,
    keys: KeyPair,
    change: Callable[[Path], None],
    differing: dict[str, tuple[str, ...]],
) -> None:
    change(signed)
    found = check(signed, keys.public)
    assert found.state is SignatureState.files_differ
    names = ("missing", "not_signed", "changed")
    assert {name: files for name in names if (files := getattr(found, name))} == differing


def test_a_link_in_place_of_a_file_is_refused(signed: Path, keys: KeyPair, tmp_path: Path) -> None:
    (signed / "model.tflite").rename(tmp_path / "moved")
    (signed / "model.tflite").symlink_to(tmp_path / "moved")
    found = check(signed, keys.public)
    assert (found.state, found.files) == (SignatureState.invalid, ())


def test_another_key_is_refused(signed: Path, tmp_path: Path) -> None:
    found = check(signed, key_pair(tmp_path, "other").public)
    assert (found.state, found.files) == (SignatureState.invalid, ())
    assert "Key mismatch" in found.detail


def test_an_unsigned_folder_is_refused(bundle: Path, keys: KeyPair) -> None:
    assert not is_signed(bundle)
    assert check(bundle, keys.public).state is SignatureState.absent


def _forge(change: Callable[[dict[str, object]], None]) -> Callable[[Path], None]:
    """Edit what is signed, and leave the signature over it as it was."""

    def forge(signature: Path) -> None:
        value = json.loads(signature.read_text(encoding="utf-8"))
        statement = json.loads(base64.b64decode(value["dsseEnvelope"]["payload"]))
        change(statement)
        value["dsseEnvelope"]["payload"] = base64.b64encode(
            json.dumps(statement).encode("utf-8")
        ).decode("ascii")
        signature.write_text(json.dumps(value), encoding="utf-8")

    return forge


def _no_signatures(signature: Path) -> None:
    value = json.loads(signature.read_text(encoding="utf-8"))
    value["dsseEnvelope"]["signatures"] = []
    signature.write_text(json.dumps(value), encoding="utf-8")


@pytest.mark.parametrize(
    "damage",
    [
        lambda signature: signature.write_text("", encoding="utf-8"),
        lambda signature: signature.write_text("[]", encoding="utf-8"),
        lambda signature: signature.write_bytes(b"\xff\x00"),
        lambda signature: signature.write_bytes(signature.read_bytes()[:-40]),
        _no_signatures,
        _forge(lambda statement: statement["predicate"]["resources"].pop()),
        _forge(lambda statement: statement["predicate"]["resources"].clear()),
        _forge(lambda statement: statement.clear()),
    ],
    ids=[
        "empty",
        "a list",
        "not text",
        "cut off",
        "none",
        "a file less",
        "no file",
        "no statement",
    ],
)
def test_a_damaged_or_forged_signature_is_refused(
    signed: Path, keys: KeyPair, damage: Callable[[Path], None]
) -> None:
    damage(signed / SIGNATURE_FILE)
    found = check(signed, keys.public)
    assert (found.state, found.files) == (SignatureState.invalid, ())


def test_a_true_signature_that_leaves_a_file_out_is_refused(bundle: Path, keys: KeyPair) -> None:
    from model_signing import hashing, signing

    leaves_out = hashing.Config().set_ignored_paths(
        paths=[SIGNATURE_FILE, "model.tflite"], ignore_git_paths=False
    )
    signing.Config().set_hashing_config(leaves_out).use_elliptic_key_signer(
        private_key=keys.private
    ).sign(bundle, bundle / SIGNATURE_FILE)
    found = check(bundle, keys.public)
    assert found.state is SignatureState.files_differ
    assert found.not_signed == ("model.tflite",)


def test_an_encrypted_key_needs_its_passphrase(bundle: Path, tmp_path: Path) -> None:
    keys = key_pair(tmp_path, passphrase="Schlüssel")
    for wrong in (None, "key"):
        with pytest.raises(BadInput) as refused:
            sign_with_key(bundle, keys.private, wrong)
        assert "PIPELINE_KEY_PASSPHRASE" in str(refused.value.expected)
        assert refused.value.next_step is not None
        # The advice of a mistyped passphrase must not make another key in place of this one.
        assert "genkey" not in refused.value.next_step
    assert not is_signed(bundle)
    sign_with_key(bundle, keys.private, "Schlüssel")
    assert is_signed(bundle)


def test_a_key_without_a_curve_is_named_as_such(bundle: Path, tmp_path: Path) -> None:
    key, private, public = ed25519.Ed25519PrivateKey.generate(), tmp_path / "a", tmp_path / "b"
    pem = serialization.Encoding.PEM
    private.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    for use in (lambda: sign_with_key(bundle, private), lambda: check(bundle, public)):
        with pytest.raises(BadInput) as refused:
            use()
        assert refused.value.got == "a key that has no curve, such as RSA or Ed25519"
        assert "genkey" not in str(refused.value.next_step)


def test_what_is_no_key_is_refused(bundle: Path, keys: KeyPair, tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no key", encoding="utf-8")
    unknown_curve = key_pair(tmp_path, "k1", curve=ec.SECP256K1())
    for path in (keys.public, text, tmp_path / "nothing.pem", unknown_curve.private):
        with pytest.raises(BadInput):
            sign_with_key(bundle, path)
    for path in (keys.private, text, tmp_path / "nothing.pem", unknown_curve.public):
        with pytest.raises(BadInput):
            check(bundle, path)
    assert not is_signed(bundle)


def test_sigstore_without_a_network_is_a_problem_of_the_environment(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A port where nobody listens stands for no network; the home, for no keys fetched before.
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(EnvironmentProblem) as refused:
        sign_with_sigstore(bundle)
    assert "--key" in str(refused.value.next_step)
    assert not is_signed(bundle)
    identity = SigstoreIdentity(name="someone@example.org", issuer="https://example.org")
    with pytest.raises(EnvironmentProblem):
        check_signature(bundle, identity)


def test_without_the_library_the_way_to_install_it_is_named(
    bundle: Path, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "model_signing"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "model_signing", None)
    for call in (
        lambda: sign_with_key(bundle, keys.private),
        lambda: sign_with_sigstore(bundle),
        lambda: check(bundle, keys.public),
    ):
        with pytest.raises(EnvironmentProblem) as refused:
            call()
        assert refused.value.next_step == INSTALL
