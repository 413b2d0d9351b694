"""Describe the finished file of a bundle, as its manifest records it."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from pipeline.contract.manifest import TensorInfo
from pipeline.report.page import code
from pipeline.report.run_report import BundleResult
from pipeline.report.wording import amount, joined

_TIMES = " \N{MULTIPLICATION SIGN} "


def context(bundle: BundleResult) -> dict[str, Any] | None:
    """Return names and values; None for a bundle without a manifest."""
    manifest = bundle.manifest
    if manifest is None:
        return None
    operators = (f"{name}{_TIMES}{count}" for name, count in manifest.operators.items())
    return {
        "facts": [
            ("recipe", manifest.recipe.name),
            *((f"input {tensor.name}", _tensor(tensor)) for tensor in manifest.inputs),
            *((f"output {tensor.name}", _tensor(tensor)) for tensor in manifest.outputs),
            ("oldest runtime", manifest.min_runtime),
            ("license", manifest.license),
            ("seed", str(manifest.seed)),
            ("representative images", str(len(manifest.representative_sha256))),
            ("operators", joined(operators)),
            *(
                (
                    name,
                    Markup("{}, {}").format(amount(entry.size_bytes, "bytes"), code(entry.sha256)),
                )
                for name, entry in manifest.files.items()
            ),
        ]
    }


def _tensor(tensor: TensorInfo) -> str:
    text = f"{tensor.dtype}, {_TIMES.join(map(str, tensor.shape))}"
    if tensor.scale is None:
        return text
    return f"{text}, real = {tensor.scale:.8g}{_TIMES}(stored - {tensor.zero_point})"
