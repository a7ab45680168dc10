"""Chromium, driven by Playwright, for the tests of what a reader and a student see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support import chromium

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def shots() -> Path:
    """Where screenshots for a person to look at are put."""
    folder = Path(os.environ.get("SCREENSHOTS", "build/screenshots")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
