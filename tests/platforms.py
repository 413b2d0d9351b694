"""Say which tests need what only some platforms have."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

HAS_TFLITE_SUPPORT = find_spec("tflite_support") is not None
needs_tflite_support = pytest.mark.skipif(
    not HAS_TFLITE_SUPPORT,
    reason="tflite-support has wheels for Python 3.11 on Linux x86-64 only",
)
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="looks processes up in /proc, which is Linux's"
)
