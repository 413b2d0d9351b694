"""Sign a bundle that is whole and proven, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.signing.sign import sign_with_key, sign_with_sigstore
from pipeline.signing.signed import signature_path
from pipeline.workflow.verify import verify


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
        BadInput: the folder is no bundle, or the key cannot sign.
        GateFailed: the bundle is not what was proven.
        Inconclusive: its verdict was not decided.
        EnvironmentProblem: the signing library is not installed, Sigstore is out of reach, or
            LiteRT could not run.
    """
    # A signature would lend a name to a broken proof.
    if (refused := verify(bundle).refusal()) is not None:
        raise refused
    match signer:
        case KeySigner():
            sign_with_key(bundle, signer.key, signer.passphrase)
        case SigstoreSigner():
            sign_with_sigstore(bundle)
    return signature_path(bundle)
