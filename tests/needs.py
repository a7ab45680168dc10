"""The rule for tests that need something a machine may lack.

``SNNKIT_REQUIRE=browser,data,postgres`` (set by the continuous integration) turns a skip for want of Chromium, of the
recordings or of PostgreSQL into a failure, so that these tests cannot fall silent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support import initdb
from tools.chromium import chromium

NEEDS = {
    "browser": (
        lambda: chromium() is not None,
        "Chromium was not found; install it (Debian: apt-get install chromium) or set CHROMIUM to its path",
    ),
    "data": (
        lambda: bool(os.environ.get("SNNKIT_DATA")),
        "SNNKIT_DATA is not set; point it to the folder with the real recordings and images",
    ),
    "postgres": (
        lambda: initdb() is not None,
        "PostgreSQL was not found; install it (Debian: apt-get install postgresql)",
    ),
}


def required() -> set[str]:
    return {word for word in os.environ.get("SNNKIT_REQUIRE", "").split(",") if word}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, (present, reason) in NEEDS.items():
        if item.get_closest_marker(marker) and not present():
            if marker in required():
                pytest.fail(f"required by SNNKIT_REQUIRE, but: {reason}", pytrace=False)
            pytest.skip(reason)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and not hasattr(report, "wasxfail"):
        asked = [marker for marker in required() if item.get_closest_marker(marker)]
        if asked:
            report.outcome = "failed"
            report.longrepr = (
                f"{item.nodeid} was skipped, but SNNKIT_REQUIRE asks for {asked[0]}: {call.excinfo}"
            )
