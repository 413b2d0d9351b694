"""Install a bundle into the Android app, if it is proven."""

from __future__ import annotations

from pathlib import Path

from pipeline.android.install import Installed
from pipeline.android.install import install as install_proven
from pipeline.android.project import AndroidProject
from pipeline.contract.manifest import BundleManifest
from pipeline.errors import BadInput
from pipeline.workflow.verify import verify


def install(bundle: Path, project: AndroidProject) -> Installed:
    """Verify a bundle as `pipeline verify` does, copy it into the app, and verify the copy.

    Raises:
        BadInput: the folder is no bundle, or its operators are newer than the app's.
        GateFailed: it is not what was proven, or its verdict is a failure.
        Inconclusive: its verdict was not decided.
        EnvironmentProblem: another process installs into the project, or LiteRT could not run.
    """
    return install_proven(bundle, project, _proven)


def _proven(folder: Path, named: Path) -> BundleManifest:
    verified = verify(folder)
    if (refused := verified.refusal(where=named)) is not None:
        raise refused
    if verified.manifest is None:
        raise BadInput("the bundle has no manifest", where=str(named))
    return verified.manifest
