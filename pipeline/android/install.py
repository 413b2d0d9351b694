"""Put a bundle into the app's assets, whole or not at all.

The app checks its model folder again when it starts, and Gradle before it builds
(`pipeline.core.Bundle` in Kotlin). A bundle that all three refuse is refused in the same words.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline.android.project import AndroidProject
from pipeline.contract.bundle import (
    GOLDENS_FILE,
    LABELS_FILE,
    MANIFEST_FILE,
    VERDICT_FILE,
)
from pipeline.contract.files import MAX_CONFIG_BYTES
from pipeline.contract.goldens import Goldens
from pipeline.contract.hashing import sha256_file
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.run import publish_dir, recover, staging_dir
from pipeline.contract.text_file import read_text
from pipeline.contract.verdict import Check, Verdict
from pipeline.errors import BadInput, GateFailed, Inconclusive, PipelineError
from pipeline.tflite.inspect import inspect_file
from pipeline.tflite.metadata import described_model
from pipeline.tflite.runtime_versions import version_key

_SHOWN_NAMES = 8
_Read = TypeVar("_Read", BundleManifest, Verdict, Goldens)


@dataclass(frozen=True)
class Installed:
    """Say what was installed where."""

    folder: Path
    manifest: BundleManifest
    size_bytes: int


def install(bundle: Path, project: AndroidProject) -> Installed:
    """Copy `bundle` into the assets of `project`, replacing the model that was there.

    Raises:
        BadInput: the folder is no whole bundle, its labels or operators do not fit.
        GateFailed: its verdict is a failure.
        Inconclusive: its verdict was not decided.
        EnvironmentProblem: another process installs into the project.
    """
    promised = project.promised_runtime()
    check_bundle(bundle, promised)
    target = project.model
    target.parent.mkdir(parents=True, exist_ok=True)
    with project.lock():
        recover(target.parent)
        with staging_dir(target) as staging:
            shutil.copytree(bundle, staging, dirs_exist_ok=True)
            # What was copied is what the phone gets, so that is what must be proven.
            manifest = check_bundle(staging, promised, where=bundle)
            publish_dir(staging, target)
    size_bytes = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return Installed(target, manifest, size_bytes)


def check_bundle(
    folder: Path, promised_runtime: str, *, where: Path | None = None
) -> BundleManifest:
    """Check that a folder is a whole, proven bundle that the app's runtime loads.

    Args:
        folder: what is checked.
        promised_runtime: the newest runtime whose operators the app has.
        where: the folder that errors name, where it is another.

    Raises:
        BadInput: the folder is no whole bundle, its labels or operators do not fit.
        GateFailed: its verdict is a failure.
        Inconclusive: its verdict was not decided.
    """
    named = str(where or folder)
    models = sorted(path.name for path in folder.glob("*.tflite"))
    if not models:
        raise BadInput(
            'No model is installed: run "pipeline android install BUNDLE".',
            where=named,
            expected="a bundle, as `pipeline export` publishes it",
            next_step="pipeline export --quantize int8",
        )
    if len(models) > 1:
        raise BadInput(
            f"There are {len(models)} .tflite files where one model belongs: {', '.join(models)}.",
            where=named,
        )
    _need(folder, MANIFEST_FILE, named)
    manifest = _read(BundleManifest, folder, MANIFEST_FILE, named)
    if models[0] not in manifest.files:
        raise _changed(models[0], named)
    for name, entry in sorted(manifest.files.items()):
        _need(folder, name, named)
        if sha256_file(folder / name) != entry.sha256:
            raise _changed(name, named)
    _need(folder, VERDICT_FILE, named)
    _check_verdict(
        _read(Verdict, folder, VERDICT_FILE, named), manifest.files[models[0]].sha256, named
    )
    own = described_model(folder / models[0]).labels.names
    if GOLDENS_FILE not in manifest.files:
        raise BadInput(
            "The bundle has no goldens, so the phone cannot prove it.",
            where=named,
            next_step="export it again with `pipeline export`",
        )
    goldens = _read(Goldens, folder, GOLDENS_FILE, named)
    _need(folder, LABELS_FILE, named)
    written = read_text(folder / LABELS_FILE, "label file", max_bytes=MAX_CONFIG_BYTES)
    for name, stated in (
        (LABELS_FILE, tuple(line.strip() for line in written.splitlines() if line.strip())),
        (MANIFEST_FILE, manifest.labels.names),
        (Path(GOLDENS_FILE).name, goldens.labels),
    ):
        if tuple(stated) != own:
            raise BadInput(
                f"The labels are not the model's: {name} says {_shown(stated)}; "
                f"the model says {_shown(own)}.",
                where=named,
                next_step="export it again; never edit a bundle",
            )
    needed = inspect_file(folder / models[0]).runtime.version or manifest.min_runtime
    if version_key(needed) > version_key(promised_runtime):
        raise BadInput(
            f"The model needs runtime {needed} or newer; the app has {promised_runtime}.",
            where=named,
            next_step=f"pipeline export --min-runtime {promised_runtime}",
        )
    return manifest


def _check_verdict(verdict: Verdict, model_sha256: str, named: str) -> None:
    if not verdict.passed:
        outcome = str(verdict.outcome)
        kind: type[PipelineError] = GateFailed if outcome == "fail" else Inconclusive
        broken = "; ".join(_measured(check) for check in verdict.broken())
        raise kind(
            f"The model is not proven: its verdict is {outcome}, not pass.",
            where=named,
            got=broken or None,
            next_step="install a bundle from the run's bundles/ folder",
        )
    if verdict.candidate.get("model_sha256") != model_sha256:
        raise BadInput("The verdict belongs to another model.", where=named)


def _measured(check: Check) -> str:
    if check.value is None:
        return f"{check.name}: {check.outcome}"
    asked = "" if check.threshold is None else f", asked {check.comparison} {check.threshold:.4g}"
    return f"{check.name}: {f'{check.value:.4g} {check.unit}'.strip()}{asked}"


def _read(kind: type[_Read], folder: Path, name: str, named: str) -> _Read:
    try:
        return kind.load(folder / name)
    except BadInput as error:
        raise BadInput(
            f"{name} is not the JSON it should be.", where=named, got=error.got or error.what
        ) from error


def _need(folder: Path, name: str, named: str) -> None:
    if not (folder / name).is_file():
        raise BadInput(
            f"The bundle is not whole: {name} is missing.",
            where=named,
            next_step="copy the whole folder that `pipeline export` published",
        )


def _changed(name: str, named: str) -> BadInput:
    return BadInput(
        f"The bundle was changed after it was proven: {name} differs from {MANIFEST_FILE}.",
        where=named,
        next_step="export it again; never edit a bundle",
    )


def _shown(names: tuple[str, ...]) -> str:
    more = ", ..." if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more
