"""Sign a bundle with a key or with Sigstore."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.contract.bundle import SIGNATURE_FILE
from pipeline.contract.files import (
    MAX_CONFIG_BYTES,
    MAX_JSON_BYTES,
    check_input_file,
    read_regular,
    write_bytes_atomic,
)
from pipeline.errors import BadInput, EnvironmentProblem, reason_of
from pipeline.signing.signed import KEY_COMMANDS, not_elliptic, signature_path, signing_library

if TYPE_CHECKING:
    from model_signing import hashing, signing


def sign_with_key(bundle: Path, key: Path, passphrase: str | None = None) -> None:
    """Sign every file of a bundle with an elliptic-curve key, replacing an earlier signature.

    Args:
        bundle: the folder; whether it is worth a signature is the caller's to know.
        key: a PEM file with a private key of the curve P-256, P-384 or P-521.
        passphrase: opens an encrypted key.

    Raises:
        BadInput: the key is not one of these, or the passphrase does not open it.
        EnvironmentProblem: the signing library is not installed.
    """
    with signing_library():
        from model_signing import signing

        config = signing.Config()
        try:
            # The library names a text here, and passes on what must be bytes.
            secret = None if passphrase is None else passphrase.encode("utf-8")
            check_input_file(key, max_bytes=MAX_CONFIG_BYTES)
            config.use_elliptic_key_signer(private_key=key, password=secret)
        except FileNotFoundError as error:
            raise BadInput(
                "there is no key here", where=str(key), next_step=KEY_COMMANDS
            ) from error
        except OSError as error:
            raise BadInput("cannot read the key", where=str(key), got=reason_of(error)) from error
        except (ValueError, TypeError, AttributeError) as error:
            raise BadInput(
                "this key cannot sign",
                where=str(key),
                expected="a private key in PEM of the curve P-256, P-384 or P-521; the passphrase "
                "of an encrypted one in PIPELINE_KEY_PASSPHRASE",
                got=not_elliptic(error),
                next_step="sign with another key, or set PIPELINE_KEY_PASSPHRASE",
            ) from error
        _sign(bundle, config)


def sign_with_sigstore(bundle: Path) -> None:
    """Sign every file of a bundle as the person or the CI job that Sigstore knows.

    In a CI job the job's own identity signs; elsewhere a browser asks who you are. The signature
    and the identity go into Sigstore's public log.

    Raises:
        EnvironmentProblem: the signing library is not installed, Sigstore is out of reach, or it
            does not accept the identity.
    """
    with signing_library():
        from model_signing import signing

        # Sigstore's clients raise errors of their own for network, log, authority and identity,
        # without a common base.
        try:
            config = signing.Config().use_sigstore_signer(use_ambient_credentials=True)
            _sign(bundle, config)
        except OSError as error:
            if Path(str(error.filename)).is_relative_to(bundle):
                raise
            raise _no_sigstore(error) from error
        except Exception as error:
            raise _no_sigstore(error) from error


def hashing_config() -> hashing.Config:
    """Return how the files of a bundle are hashed: all of them, links refused, but no signature."""
    from model_signing import hashing

    return hashing.Config().set_ignored_paths(paths=[SIGNATURE_FILE], ignore_git_paths=False)


def _sign(bundle: Path, config: signing.Config) -> None:
    config.set_hashing_config(hashing_config())
    with tempfile.TemporaryDirectory(prefix="pipeline-sign-") as folder:
        # Outside the bundle: a file in it would be signed.
        written = Path(folder) / SIGNATURE_FILE
        config.sign(bundle, written)
        write_bytes_atomic(signature_path(bundle), read_regular(written, max_bytes=MAX_JSON_BYTES))


def _no_sigstore(error: Exception) -> EnvironmentProblem:
    return EnvironmentProblem(
        "Sigstore did not sign",
        got=f"{type(error).__name__}: {error}",
        expected="a network that reaches sigstore.dev, and an identity that it accepts",
        next_step="sign with a key: pipeline sign BUNDLE --key key.pem",
    )
