"""Make elliptic-curve keys as `openssl` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True)
class KeyPair:
    private: Path
    public: Path


def key_pair(
    folder: Path,
    name: str = "key",
    *,
    curve: ec.EllipticCurve | None = None,
    passphrase: str | None = None,
) -> KeyPair:
    """Write a new key and its public half to `folder`."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    pair = KeyPair(folder / f"{name}.pem", folder / f"{name}-public.pem")
    pair.private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()
            if passphrase is None
            else serialization.BestAvailableEncryption(passphrase.encode("utf-8")),
        )
    )
    pair.public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return pair
