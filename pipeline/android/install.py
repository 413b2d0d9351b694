"""Put a bundle into the app's assets, whole or not at all.

The app checks its model folder again when it starts, and Gradle before it builds
(`pipeline.core.Bundle` in Kotlin). A bundle that all three refuse is refused in the same words.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.android.project import AndroidProject
from pipeline.contract.bundle import MANIFEST_FILE, MODEL_FILE
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.run import publish_dir, recover, staging_dir
from pipeline.errors import BadInput
from pipeline.tflite.inspect import inspect_file
from pipeline.tflite.runtime_versions import version_key

# Proves a bundle's folder, naming another in its errors, and returns its manifest; raises where it
# is not proven.
Proof = Callable[[Path, Path], BundleManifest]


@dataclass(frozen=True)
class Installed:
    """Say what was installed where."""

    folder: Path
    manifest: BundleManifest
    size_bytes: int


def install(bundle: Path, project: AndroidProject, prove: Proof) -> Installed:
    """Copy `bundle` into the assets of `project`, replacing the model that was there.

    Raises:
        BadInput: the folder is no bundle, or its operators are newer than the app's.
        PipelineError: whatever `prove` refuses it with.
        EnvironmentProblem: another process installs into the project.
    """
    promised = project.promised_runtime()
    _check_fit(bundle, promised, prove, named=bundle)
    target = project.model
    target.parent.mkdir(parents=True, exist_ok=True)
    with project.lock():
        recover(target.parent)
        with staging_dir(target) as staging:
            # A link is copied as one, and refused there.
            shutil.copytree(bundle, staging, dirs_exist_ok=True, symlinks=True)
            # What was copied is what the phone gets, so that is what must be proven.
            manifest = _check_fit(staging, promised, prove, named=bundle)
            publish_dir(staging, target)
    size_bytes = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return Installed(target, manifest, size_bytes)


def _check_fit(folder: Path, promised_runtime: str, prove: Proof, *, named: Path) -> BundleManifest:
    """Check that a folder is a proven bundle that the app's runtime loads."""
    models = sorted(path.name for path in folder.glob("*.tflite"))
    if not models:
        raise BadInput(
            'No model is installed: run "pipeline android install BUNDLE".',
            where=str(named),
            expected="a bundle, as `pipeline export` publishes it",
            next_step="pipeline export --quantize int8",
        )
    if len(models) > 1:
        raise BadInput(
            f"There are {len(models)} .tflite files where one model belongs: {', '.join(models)}.",
            where=str(named),
        )
    if not (folder / MANIFEST_FILE).is_file():
        raise BadInput(
            f"The bundle is not whole: {MANIFEST_FILE} is missing.",
            where=str(named),
            next_step="copy the whole folder that `pipeline export` published",
        )
    manifest = prove(folder, named)
    needed = inspect_file(folder / MODEL_FILE).runtime.version or manifest.min_runtime
    if version_key(needed) > version_key(promised_runtime):
        raise BadInput(
            f"The model needs runtime {needed} or newer; the app has {promised_runtime}.",
            where=str(named),
            next_step=f"pipeline export --min-runtime {promised_runtime}",
        )
    return manifest
