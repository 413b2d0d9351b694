"""Say who signs or signed a bundle, and name the library that does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from enum import StrEnum
from pathlib import Path
from sys import stderr

from pipeline.contract.base import Frozen
from pipeline.contract.bundle import SIGNATURE_FILE
from pipeline.errors import EnvironmentProblem

INSTALL = "uv sync --extra signing, or pip install '.[signing]'"
# The check of a verification whose evidence says who signed.
SIGNATURE_CHECK = "bundle_signature"
# A command that makes a key is advised only where there is none: it would overwrite one.
PUBLIC_KEY_COMMAND = "openssl ec -in key.pem -pubout -out public.pem"
KEY_COMMANDS = f"openssl ecparam -name prime256v1 -genkey -noout -out key.pem; {PUBLIC_KEY_COMMAND}"


def not_elliptic(error: Exception) -> str:
    """Say in words why the library did not take a key."""
    # It looks for the curve of whatever key it read.
    if isinstance(error, AttributeError):
        return "a key that has no curve, such as RSA or Ed25519"
    return str(error) or type(error).__name__


class PublicKey(Frozen):
    """Name the PEM file of the elliptic-curve public key that a bundle must be signed with."""

    path: Path


class SigstoreIdentity(Frozen):
    """Name whose Sigstore signature a bundle must have.

    `name` is the mail address or the address of the CI workflow in the certificate, `issuer` the
    address of the OpenID Connect provider that vouched for it.
    """

    name: str
    issuer: str


class SignatureState(StrEnum):
    """Name what a check of a signature came to."""

    good = "good"
    absent = "absent"
    # Of another signer, damaged or forged: which of these, it cannot say.
    invalid = "invalid"
    files_differ = "files_differ"


class SignatureFound(Frozen):
    """Hold what became of the check of a bundle's signature against one signer.

    `signer` names whose signature was asked for, `detail` why it is invalid, in the library's
    words. `files` are those it covers; of a good one they are all but the signature itself. The
    others say what differs: files signed but `missing`, here but `not_signed`, or `changed`.
    """

    state: SignatureState
    signer: str
    detail: str = ""
    files: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    not_signed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def signature_path(bundle: Path) -> Path:
    """Return where the signature of a bundle is."""
    return bundle / SIGNATURE_FILE


@contextmanager
def signing_library() -> Iterator[None]:
    """Run the library's functions in this block; what it prints goes to standard error.

    Raises:
        EnvironmentProblem: the library is not installed.
    """
    try:
        import model_signing.signing
        import model_signing.verifying  # noqa: F401
    except ImportError as error:
        raise EnvironmentProblem(
            "signatures need the package model-signing, which is not installed",
            got=str(error),
            next_step=INSTALL,
        ) from error
    with redirect_stdout(stderr):
        yield
