"""Verify the bundles that a commit touches: the entry of the pre-commit hook."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.cli.output import output
from pipeline.errors import EnvironmentProblem, GateFailed, PipelineError, reason_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify every bundle that one of the named files belongs to, and return an exit code.

    A `.tflite` file outside every bundle is refused: nothing proves it.

    Args:
        arguments: paths of the files of a commit; None takes `sys.argv`.
    """
    files = [Path(one) for one in (sys.argv[1:] if arguments is None else arguments)]
    code = 0
    for refused in _refusals(files):
        output.refusal(refused)
        code = code or refused.exit_code
    return code


def _refusals(files: Iterable[Path]) -> Iterable[PipelineError]:
    bundles: dict[Path, None] = {}
    for file in files:
        bundle = _bundle_of(file)
        if bundle is not None:
            bundles[bundle] = None
        elif file.suffix == ".tflite":
            yield GateFailed(
                "a .tflite file without a proof",
                where=str(file),
                expected="a bundle of `pipeline export` around it",
                next_step="commit the whole folder that `pipeline export` published",
            )
    for bundle in bundles:
        if (refused := _refusal(bundle)) is not None:
            yield refused


def _refusal(bundle: Path) -> PipelineError | None:
    from pipeline.workflow.verify import verify

    try:
        return verify(bundle).refusal() or _not_committed(bundle)
    except PipelineError as error:
        return error


def _bundle_of(file: Path) -> Path | None:
    """Return the nearest folder around a file that has the manifest of a bundle."""
    for folder in file.parents:
        manifest = folder / "manifest.json"
        if manifest.is_file() and _is_of_bundle(manifest):
            return folder
    return None


def _is_of_bundle(manifest: Path) -> bool:
    from pipeline.contract.files import MAX_JSON_BYTES, read_regular

    try:
        value = json.loads(read_regular(manifest, max_bytes=MAX_JSON_BYTES))
    except (OSError, ValueError):
        # With a model beside it, it was one, and `verify` says what became of it.
        return any(manifest.parent.glob("*.tflite"))
    return isinstance(value, dict) and value.get("kind") == "bundle"


def _not_committed(bundle: Path) -> PipelineError | None:
    """Refuse a bundle that is whole in the folder and not in the commit."""
    command = ["git", "ls-files", "--cached", "-z", "--", "."]
    try:
        done = subprocess.run(command, cwd=bundle, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return EnvironmentProblem("cannot ask git which files it has", got=reason_of(error))
    committed = set(done.stdout.split("\0"))
    here = (path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
    if missing := sorted(name for name in here if name not in committed):
        return GateFailed(
            "a bundle is committed in part",
            where=str(bundle),
            expected="every file of the folder in git",
            got=", ".join(missing),
            next_step=f"git add {bundle}",
        )
    return None


if __name__ == "__main__":
    sys.exit(main())
