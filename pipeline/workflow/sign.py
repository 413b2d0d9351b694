"""Sign a bundle that is whole and proven, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.contract.bundle import (
    MANIFEST_FILE,
    MODEL_FILE,
    SIGNATURE_FILE,
    VERDICT_FILE,
    load_bundle,
)
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput
from pipeline.signing.sign import sign_with_key, sign_with_sigstore
from pipeline.signing.signed import signature_path
from pipeline.workflow.refusal import refusal


@dataclass(frozen=True)
class KeySigner:
    """Hold the PEM file of an elliptic-curve private key, and what opens it if it is encrypted."""

    key: Path
    passphrase: str | None = None


@dataclass(frozen=True)
class SigstoreSigner:
    """Sign as the person or the CI job that Sigstore knows."""


def sign_bundle(bundle: Path, signer: KeySigner | SigstoreSigner) -> Path:
    """Sign every file of a proven bundle, replacing an earlier signature, and return its path.

    Raises:
        BadInput: the folder is no whole bundle, or the key cannot sign.
        GateFailed: the bundle's verdict is a failure.
        Inconclusive: its verdict was not decided.
        EnvironmentProblem: the signing library is not installed, or Sigstore is out of reach.
    """
    _check_proven(bundle)
    match signer:
        case KeySigner():
            sign_with_key(bundle, signer.key, signer.passphrase)
        case SigstoreSigner():
            sign_with_sigstore(bundle)
    return signature_path(bundle)


def _check_proven(bundle: Path) -> None:
    manifest, verdict = load_bundle(bundle), Verdict.load(bundle / VERDICT_FILE)
    refused = refusal(verdict, failed="a bundle that is not proven is not signed")
    if refused is not None:
        raise refused
    if verdict.candidate.get("model_sha256") != manifest.files[MODEL_FILE].sha256:
        raise BadInput("the verdict belongs to another model", where=str(bundle))
    if unlisted := _unlisted(bundle, manifest):
        raise BadInput(
            "the folder holds files that are not the bundle's",
            where=str(bundle),
            expected=f"the files of {MANIFEST_FILE}",
            got=", ".join(unlisted),
            next_step="move them elsewhere; keep a key outside the bundle",
        )


def _unlisted(bundle: Path, manifest: BundleManifest) -> list[str]:
    listed = {*manifest.files, MANIFEST_FILE, VERDICT_FILE, SIGNATURE_FILE}
    found = (path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
    return sorted(name for name in found if name not in listed)
