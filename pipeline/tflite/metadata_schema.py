"""Load the generated schema of TFLite metadata without the packages around it.

Their imports pull in native libraries, and tflite_support's TensorFlow: so the one file that is
needed is loaded alone, by its location. Both packages generate it from the same schema, version
1.5.0.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.errors import EnvironmentProblem

METADATA_NAME = "TFLITE_METADATA"
METADATA_IDENTIFIER = b"M001"

_FILE = "metadata_schema_py_generated.py"
# mediapipe is installed on every platform; tflite-support only with the extra `task-library`.
SCHEMA_HOMES = {"mediapipe": "tasks/metadata", "tensorflow_lite_support": "metadata"}


def metadata_schema() -> Any:
    """Return the module of the generated schema.

    Raises:
        EnvironmentProblem: neither package is installed.
    """
    for package in SCHEMA_HOMES:
        module = schema_of(package)
        if module is not None:
            return module
    raise EnvironmentProblem(
        "the schema of TFLite metadata is missing",
        expected="the package mediapipe",
        next_step="install the locked environment with `uv sync`",
    )


@cache
def schema_of(package: str) -> Any | None:
    """Return the schema that a package ships, or None where it is not installed."""
    found = importlib.util.find_spec(package)
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / SCHEMA_HOMES[package] / _FILE
        spec = importlib.util.spec_from_file_location(f"pipeline_metadata_schema_{package}", path)
        if path.is_file() and spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    return None
