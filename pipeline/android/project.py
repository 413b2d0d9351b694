"""Find the Android project and read what it promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.contract.text_file import read_toml
from pipeline.errors import BadInput, EnvironmentProblem, reason_of
from pipeline.tflite.runtime_versions import check_version

_LOCK_FILE = ".lock"
_VERSIONS = Path("gradle") / "libs.versions.toml"
_PROMISED = "tflite-checked"


@dataclass(frozen=True)
class AndroidProject:
    """Name the places of an Android project that the pipeline reads and writes."""

    root: Path

    @property
    def model(self) -> Path:
        """Return the assets folder that holds the one installed model."""
        return self.root / "app" / "src" / "main" / "assets" / "model"

    def promised_runtime(self) -> str:
        """Return the newest TFLite runtime whose operators the app promises, as `2.16.1`.

        Raises:
            BadInput: this is not the Android project, or its version catalogue lacks the entry.
        """
        path = self.root / _VERSIONS
        try:
            promised = read_toml(path, "version catalogue")["versions"][_PROMISED]
            check_version(promised)
        except FileNotFoundError as error:
            raise BadInput(
                "this folder is not the Android project",
                where=str(self.root),
                expected=f"a folder with {_VERSIONS}",
                next_step="give it with --project DIR",
            ) from error
        except (OSError, BadInput, KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                "the version catalogue of the Android project cannot be read",
                where=str(path),
                expected=f"[versions] with {_PROMISED}",
                got=_why(error),
            ) from error
        return str(promised)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold this project for writing, so that two installations never mix their files.

        Raises:
            EnvironmentProblem: another process holds it. A killed process holds nothing.
        """
        from filelock import FileLock, Timeout

        # Not among the assets, which a phone gets.
        lock = FileLock(self.root / _LOCK_FILE, timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise EnvironmentProblem(
                "another `pipeline android install` is writing to this project",
                where=str(self.root),
                next_step="wait for it, and install again",
            ) from error
        try:
            yield
        finally:
            lock.release()


def _why(error: Exception) -> str:
    if isinstance(error, BadInput):
        return error.what if error.got is None else f"{error.what}: {error.got}"
    return reason_of(error) if isinstance(error, OSError) else f"no entry {error}"
