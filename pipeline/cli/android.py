"""Offer `pipeline android install`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import JsonOption, ProjectOption
from pipeline.cli.output import output

app = typer.Typer(
    help="Hand proven models to the Android app.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _root() -> None:
    pass


@app.command("install")
def install(
    bundle: Annotated[Path, typer.Argument(help="A bundle that `pipeline export` published.")],
    project: ProjectOption = Path("android_demo"),
    json: JsonOption = False,
) -> None:
    """Copy a bundle into the app's assets, whole or not at all.

    Refuses what `pipeline verify` refuses, and a model whose operators need a newer runtime than
    the app ships.
    """
    from pipeline.android.project import AndroidProject
    from pipeline.workflow.install import install as install_stage

    installed = install_stage(bundle, AndroidProject(project))
    names = installed.manifest.labels.names
    output.result(
        {
            "folder": str(installed.folder),
            "size_bytes": installed.size_bytes,
            "recipe": installed.manifest.recipe.name,
            "labels": list(names),
        },
        f"Installed {installed.manifest.recipe.name}, {len(names)} classes, "
        f"{installed.size_bytes / 1e6:.1f} MB, in {installed.folder}",
        f"next: open {project} in Android Studio, or run {project}/check",
    )
