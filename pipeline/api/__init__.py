"""Offer what a script or a notebook calls; `import pipeline` loads it when it is first used.

Each function does what the command of its name does, with its defaults, and raises where that
exits: a `pipeline.errors.PipelineError` with the command's `exit_code`. Paths may be texts.
"""

from pipeline.api.bundles import export, load_bundle, parity, verify
from pipeline.api.models import evaluate, predict

__all__ = ["evaluate", "export", "load_bundle", "parity", "predict", "verify"]
