"""Fixtures of the parity tests."""

from __future__ import annotations

import pytest

from tests.export.samples import Samples
from tests.export.samples import samples as make_samples


@pytest.fixture(scope="session")
def samples() -> Samples:
    """Return tiny models and the files made from them."""
    return make_samples()
