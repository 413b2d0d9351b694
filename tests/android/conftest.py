"""Offer the app's core as a program of this machine."""

from __future__ import annotations

import pytest

from pipeline.contract.choices import RuntimeName
from pipeline.errors import EnvironmentProblem
from pipeline.runtimes.android_host import AndroidHost, find_host
from tests.android.host import PROJECT


@pytest.fixture(scope="session")
def host() -> AndroidHost:
    try:
        return find_host(RuntimeName.android, PROJECT)
    except EnvironmentProblem as error:
        pytest.skip(f"{error.what}: {error.next_step}")
