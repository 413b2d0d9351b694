"""Check the signature of a bundle against a key or an identity."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from pydantic import BaseModel, ValidationError

from pipeline.contract.hashing import sha256_file
from pipeline.errors import BadInput, EnvironmentProblem, GateFailed, PipelineError
from pipeline.signing.sign import hashing_config
from pipeline.signing.signed import (
    KEY_COMMANDS,
    PublicKey,
    Signed,
    SigstoreIdentity,
    signature_path,
    signing_library,
)

if TYPE_CHECKING:
    from model_signing import verifying


def is_signed(bundle: Path) -> bool:
    """Tell whether a bundle has a signature; whether it holds is another question."""
    return signature_path(bundle).is_file()


def check_signature(bundle: Path, signer: PublicKey | SigstoreIdentity) -> Signed:
    """Check that `signer` signed exactly the files of a bundle as they are.

    Raises:
        GateFailed: there is no signature, it is of another signer, or a file was changed, added
            or taken away after it was signed.
        BadInput: the public key is not one.
        EnvironmentProblem: the signing library is not installed, or Sigstore is out of reach.
    """
    signature = signature_path(bundle)
    with signing_library():
        # The key before the signature: a wrong path is the user's own mistake.
        config = _config(signer)
        if not signature.is_file():
            raise GateFailed(
                "this bundle is not signed",
                where=str(bundle),
                expected=f"a signature in {signature.name}",
                next_step="pipeline sign BUNDLE --key key.pem",
            )
        config.set_hashing_config(hashing_config())
        # The signature is of whoever made the bundle: it may hold anything, and the library, which
        # has no error of its own, raises what comes of it.
        try:
            config.verify(bundle, signature)
        except Exception as error:
            raise _refused(bundle, signer, error) from error
        return _covered(bundle, signer)


class _Resource(BaseModel):
    name: str
    digest: str


class _Predicate(BaseModel):
    resources: tuple[_Resource, ...]


class _Statement(BaseModel):
    """The in-toto statement of OpenSSF Model Signing, as far as it names files."""

    predicate: _Predicate


def _config(signer: PublicKey | SigstoreIdentity) -> verifying.Config:
    from model_signing import verifying

    match signer:
        case PublicKey():
            return _key_config(verifying.Config(), signer.path)
        case SigstoreIdentity():
            # As for signing: no common base.
            try:
                return verifying.Config().use_sigstore_verifier(
                    identity=signer.name, oidc_issuer=signer.issuer
                )
            except Exception as error:
                raise EnvironmentProblem(
                    "Sigstore's keys cannot be fetched",
                    got=f"{type(error).__name__}: {error}",
                    expected="a network that reaches sigstore.dev",
                ) from error
        case _:
            assert_never(signer)


def _key_config(config: verifying.Config, path: Path) -> verifying.Config:
    try:
        return config.use_elliptic_key_verifier(public_key=path)
    except FileNotFoundError as error:
        raise BadInput("there is no public key here", where=str(path)) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput(
            "this is not the public key of a signature",
            where=str(path),
            expected="a public key in PEM of the curve P-256, P-384 or P-521",
            got=str(error) or type(error).__name__,
            next_step=KEY_COMMANDS,
        ) from error


def _refused(bundle: Path, signer: PublicKey | SigstoreIdentity, error: Exception) -> PipelineError:
    # Only a file that differs makes the library say so; its own words are of digests in bytes.
    if isinstance(error, ValueError) and str(error).startswith("Signature mismatch"):
        return _changed(bundle, "; ".join(_differences(bundle)) or str(error))
    return GateFailed(
        "the signature is not of this signer, or is damaged",
        where=str(signature_path(bundle)),
        expected=f"a signature by {_words(signer)}",
        got=f"{type(error).__name__}: {error}".rstrip(": ").strip(),
        next_step="ask whoever published the bundle for it, and for the public key, again",
    )


def _covered(bundle: Path, signer: PublicKey | SigstoreIdentity) -> Signed:
    """Return what the signature covers: its maker may have left files out by name."""
    if differences := _differences(bundle):
        raise _changed(bundle, "; ".join(differences))
    return Signed(signer=_words(signer), files=tuple(sorted(_signed_digests(bundle))))


def _changed(bundle: Path, what: str) -> GateFailed:
    return GateFailed(
        "the bundle was changed after it was signed, or not all of it was signed",
        where=str(bundle),
        expected="the files that were signed, and no other",
        got=what,
        next_step="ask whoever published the bundle for it again; never edit a bundle",
    )


def _differences(bundle: Path) -> list[str]:
    signed, signature = _signed_digests(bundle), signature_path(bundle)
    here = {
        path.relative_to(bundle).as_posix(): path
        for path in sorted(bundle.rglob("*"))
        if path.is_file() and path != signature
    }
    return [
        *(f"{name} is missing" for name in sorted(signed.keys() - here.keys())),
        *(f"{name} is not signed" for name in sorted(here.keys() - signed.keys())),
        *(
            f"{name} was changed"
            for name in sorted(signed.keys() & here.keys())
            if sha256_file(here[name]) != signed[name]
        ),
    ]


def _signed_digests(bundle: Path) -> dict[str, str]:
    """Read the digest of each signed file; the signature over them was checked before."""
    try:
        value = json.loads(signature_path(bundle).read_text(encoding="utf-8"))
        payload = base64.b64decode(value["dsseEnvelope"]["payload"])
        resources = _Statement.model_validate_json(payload).predicate.resources
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise GateFailed(
            "the signature does not say which files it is of",
            where=str(signature_path(bundle)),
            got=str(error),
        ) from error
    return {one.name: one.digest for one in resources}


def _words(signer: PublicKey | SigstoreIdentity) -> str:
    match signer:
        case PublicKey():
            return f"the key of {signer.path.name}"
        case SigstoreIdentity():
            return f"{signer.name} ({signer.issuer})"
        case _:
            assert_never(signer)
