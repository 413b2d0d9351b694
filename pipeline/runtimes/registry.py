"""Find the description of a runtime.

`RuntimeName` is the list: each member is described by the file of this folder that has the
member's name, as `RUNTIME`. A file is imported only when its runtime is asked for.
"""

from __future__ import annotations

from importlib import import_module

from pipeline.contract.choices import RuntimeName
from pipeline.runtimes.interface import RuntimeDescription


def describe(name: RuntimeName) -> RuntimeDescription:
    """Return what a runtime says about itself."""
    described = import_module(f"pipeline.runtimes.{name.name}").RUNTIME
    if not isinstance(described, RuntimeDescription) or described.name is not name:
        raise TypeError(f"pipeline/runtimes/{name.name}.py does not describe {name}")
    return described
