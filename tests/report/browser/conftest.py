"""A headless Chromium, Debian's package, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMED = "PIPELINE_CHROMIUM"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start the browser; skip where none is installed and none was named."""
    named = os.environ.get(_NAMED)
    found = shutil.which(named or "chromium")
    if found is None and named:
        pytest.fail(f"{_NAMED} names {named}, which is not there")
    if found is None:
        pytest.skip(f"no chromium here: apt install chromium, or name a browser in {_NAMED}")
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=quiet)
        yield browser
        browser.close()
