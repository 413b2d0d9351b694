"""Downloads the pinned libraries: what downloads.txt names, and nothing else."""

import hashlib
import os
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from checks.project import BUILD, CHECKS, Failed, Missing, cache_folder

REPOSITORY = "https://repo1.maven.org/maven2"
PINS = CHECKS / "downloads.txt"
PARALLEL = 8
ATTEMPTS = 3
CHUNK_BYTES = 1 << 20
TIMEOUT_S = 60


@dataclass(frozen=True)
class Pin:
    """One file of Maven Central, by content: `group:artifact:version@extension`."""

    sha256: str
    size_bytes: int
    coordinates: str

    @property
    def artifact(self) -> str:
        """The name without group and version."""
        return self.coordinates.split(":")[1]

    @property
    def path(self) -> str:
        """The file's path in a Maven repository."""
        module, extension = self.coordinates.split("@")
        group, artifact, version = module.split(":")
        folder = f"{group.replace('.', '/')}/{artifact}/{version}"
        return f"{folder}/{artifact}-{version}.{extension}"

    @property
    def file(self) -> Path:
        """Where the download is kept."""
        return cache_folder() / self.path


@cache
def pins() -> dict[str, list[Pin]]:
    """Read downloads.txt: the pins of each group."""
    groups: dict[str, list[Pin]] = {}
    for line in PINS.read_text().splitlines():
        if line.startswith("["):
            current = groups.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            sha256, size, coordinates = line.split()
            current.append(Pin(sha256, int(size), coordinates))
    return groups


def require(coordinates: str) -> None:
    """Fail if a version that the project states is not the pinned one.

    Raises:
        Failed: downloads.txt has no such file.
    """
    if not any(pin.coordinates == coordinates for group in pins().values() for pin in group):
        raise Failed(f"{PINS.name} has no {coordinates}: run checks/pin_downloads.py")


def jars(*groups: str) -> list[Path]:
    """Download groups and return their class files as JARs, each once, in the list's order.

    An AAR gives its classes.jar.

    Raises:
        Missing: A file cannot be downloaded.
    """
    wanted = list(dict.fromkeys(pin for group in groups for pin in pins()[group]))
    _fetch(wanted)
    return [_classes(pin) if pin.file.suffix == ".aar" else pin.file for pin in wanted]


def files(group: str) -> list[Path]:
    """Download a group and return the files as they are.

    Raises:
        Missing: A file cannot be downloaded.
    """
    _fetch(pins()[group])
    return [pin.file for pin in pins()[group]]


def unpacked(group: str, artifact: str) -> Path:
    """Download a group and return the folder with the content of one of its AARs.

    Raises:
        Missing: A file cannot be downloaded.
    """
    _fetch(pins()[group])
    return _unpack(next(pin for pin in pins()[group] if pin.artifact == artifact))


def _classes(pin: Pin) -> Path:
    return _unpack(pin) / "classes.jar"


def _unpack(pin: Pin) -> Path:
    # Named by content, so that another version is never taken for this one.
    folder = BUILD / "aar" / f"{pin.artifact}-{pin.sha256[:12]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent))
        with zipfile.ZipFile(pin.file) as archive:
            archive.extractall(temporary)
        temporary.chmod(0o755)
        temporary.rename(folder)
    return folder


def _fetch(wanted: list[Pin]) -> None:
    # The hash was proven before the rename; only the length is looked at again.
    absent = [p for p in wanted if not (p.file.is_file() and p.file.stat().st_size == p.size_bytes)]
    if not absent:
        return
    with ThreadPoolExecutor(PARALLEL) as pool:
        # The largest first: they decide how long it takes.
        for _ in pool.map(_download, sorted(absent, key=lambda pin: -pin.size_bytes)):
            pass


def _download(pin: Pin) -> None:
    pin.file.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, ATTEMPTS + 1):
        handle, name = tempfile.mkstemp(dir=pin.file.parent, suffix=".part")
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as target:
                digest = hashlib.sha256()
                for chunk in _chunks(f"{REPOSITORY}/{pin.path}"):
                    digest.update(chunk)
                    target.write(chunk)
            if digest.hexdigest() == pin.sha256:
                part.chmod(0o644)
                part.rename(pin.file)
                return
            reason = f"its content is not the pinned one ({part.stat().st_size} bytes)"
        except (urllib.error.URLError, OSError) as error:
            reason = str(error)
        finally:
            part.unlink(missing_ok=True)
        if attempt < ATTEMPTS:
            time.sleep(2.0**attempt)
    raise Missing(
        f"cannot download {REPOSITORY}/{pin.path}: {reason}. Run again with a network: what has "
        f"arrived is kept; or put the file at {pin.file}"
    )


def _chunks(url: str) -> Iterator[bytes]:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
        while chunk := response.read(CHUNK_BYTES):
            yield chunk
