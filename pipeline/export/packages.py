"""Name the installed packages that made a file: version, licence, hashes, and who needs whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from itertools import product
from pathlib import Path
from urllib.parse import unquote

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import pipeline
from pipeline.contract.files import resolved
from pipeline.contract.hashing import sha256_bytes, sha256_file, sha256_json
from pipeline.contract.text_file import read_toml

# Beside the package in a checkout; an installed wheel has none.
LOCK = resolved(Path(pipeline.__file__)).parents[1] / "uv.lock"
# What the installer writes says where and how it was installed, not what.
_INSTALLER_FILES = frozenset({"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"})


@dataclass(frozen=True)
class Package:
    """Hold what is known of one installed package.

    `name` is normalized as on PyPI. `license` is an SPDX expression, empty where the package
    states none. `wheel_sha256` is the hash of the wheel in the lock, None where there is no lock
    or it does not have the installed version. `files_sha256` is the digest of the installed
    files' names and hashes as the installer recorded them, the same wherever the same wheel is
    installed; None where nothing was recorded. `requires` are names of packages in the same list.
    """

    name: str
    version: str
    license: str
    wheel_sha256: str | None
    files_sha256: str | None
    requires: tuple[str, ...]


def installed_packages(roots: Iterable[str], lock: Path = LOCK) -> tuple[Package, ...]:
    """Return the packages `roots` and all that they need here, sorted by name.

    What is asked for but not installed is left out: it made nothing.

    Args:
        roots: names of packages.
        lock: a `uv.lock`, which need not exist.
    """
    locked = _locked_wheels(lock)
    found: dict[str, tuple[Distribution, set[str]]] = {}
    waiting = [(str(canonicalize_name(root)), frozenset[str]()) for root in roots]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            one = distribution(name)
        except PackageNotFoundError:
            continue
        needs = _needs(one, extras)
        found.setdefault(name, (one, set()))[1].update(need for need, _ in needs)
        waiting += needs
    return tuple(
        Package(
            name=name,
            version=one.version,
            license=_license(one),
            wheel_sha256=_wheel_sha256(one, locked.get((name, one.version), {})),
            files_sha256=_files_sha256(one),
            requires=tuple(sorted(needs & found.keys())),
        )
        for name, (one, needs) in sorted(found.items())
    )


def own_files_sha256() -> str:
    """Return the digest of the names and hashes of this package's own files."""
    root = Path(pipeline.__file__).parent
    files = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return sha256_json({path.relative_to(root).as_posix(): sha256_file(path) for path in files})


def _license(one: Distribution) -> str:
    stated: list[str] = one.metadata.get_all("License-Expression") or [""]
    return stated[0]


def _needs(one: Distribution, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    requirements = map(Requirement, one.requires or ())
    return [
        (str(canonicalize_name(need.name)), frozenset(need.extras))
        for need in requirements
        if need.marker is None
        or any(need.marker.evaluate({"extra": extra}) for extra in extras or {""})
    ]


def _files_sha256(one: Distribution) -> str | None:
    record = one.read_text("RECORD")
    if record is None:
        return None
    lines = [
        line
        for line in record.splitlines()
        if line and not _is_of_installation(line.rsplit(",", 2)[0])
    ]
    return sha256_bytes("\n".join(sorted(lines)).encode("utf-8"))


def _is_of_installation(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    # Scripts begin with the path of the interpreter, and lie outside.
    outside = path.startswith(("/", "../", '"/', '"../'))
    return (
        outside
        or name.endswith(".pyc")
        or (folder.endswith(".dist-info") and name in _INSTALLER_FILES)
    )


def _locked_wheels(lock: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Return the SHA-256 of each wheel by its file name, by name and version of the package."""
    if not lock.is_file():
        return {}
    value = read_toml(lock, "lock of the packages")
    return {
        (package["name"], package["version"]): {
            unquote(wheel["url"].rpartition("/")[2]): wheel["hash"].removeprefix("sha256:")
            for wheel in package.get("wheels", ())
            if wheel.get("hash", "").startswith("sha256:")
        }
        for package in value.get("package", ())
        if "version" in package
    }


def _wheel_sha256(one: Distribution, wheels: dict[str, str]) -> str | None:
    """Return the hash of the one wheel of these tags: which of them was installed."""
    tags = {
        line.removeprefix("Tag:").strip()
        for line in (one.read_text("WHEEL") or "").splitlines()
        if line.startswith("Tag:")
    }
    hashes = [sha256 for file, sha256 in wheels.items() if _tags(file) == tags]
    return hashes[0] if len(hashes) == 1 else None


def _tags(wheel: str) -> set[str]:
    parts = wheel.removesuffix(".whl").rsplit("-", 3)[1:]
    return {"-".join(tag) for tag in product(*(part.split(".") for part in parts))}
