"""Fixtures that several folders share.  What is heavy to import is imported by the fixture that needs it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT
from tools.chromium import FLAGS, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from autograder.isolation.source import WarmParent


@pytest.fixture(autouse=True)
def _seed() -> None:
    """The same numbers in every test, whatever ran before it."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the real data sets (only in tests marked ``data``)."""
    return Path(os.environ["SNNKIT_DATA"])


@pytest.fixture(scope="session")
def site() -> Path:
    """Folder of the built site: ``SNN_SITE``, or ``build/site``, built when it is not there or out of date."""
    if "SNN_SITE" in os.environ:
        folder = Path(os.environ["SNN_SITE"])
        assert (folder / "index.html").exists(), (
            f"SNN_SITE={folder} has no index.html; build the site there first"
        )
        return folder
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "site.lock").open("w") as alone:  # test processes run side by side
        fcntl.flock(alone, fcntl.LOCK_EX)
        built = subprocess.run(
            [sys.executable, "tools/build_book.py"], cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert built.returncode == 0, built.stdout + built.stderr
    return ROOT / "build" / "site"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, driven by Playwright, for the tests of what a reader and a student see: one for each test process."""
    from playwright.sync_api import sync_playwright

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


@pytest.fixture(scope="session")
def warm_parent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmParent]:
    """One warm parent for each test process, for the tests that grade whole notebooks of the course."""
    from autograder.isolation import sandbox
    from autograder.isolation.source import WarmParent

    try:
        found = WarmParent(tmp_path_factory.mktemp("copies"), cache=tmp_path_factory.mktemp("warm"))
    except sandbox.IsolationError as error:
        pytest.skip(str(error).splitlines()[0])
    with found:
        yield found
