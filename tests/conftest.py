"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine must not fail a test: how fast code is belongs to benchmarks/.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Return the folder of development images and weights, or skip with a reason."""
    named = os.environ.get("PIPELINE_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"development data not found at {folder}; set PIPELINE_SHARED to its folder")
    return folder
