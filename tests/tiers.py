"""The three tiers of the tests (CONTRIBUTING), and a line that says what a run left out.

Tests marked ``soak`` run in ``make soak`` alone; all others run in ``make test``.  Those that are not ``slow`` and need
no browser, no sandbox and no built site are marked ``quick`` here and run in ``make quick`` too.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings

#: A test that uses the fixture carries the marker.
MARKED_BY_FIXTURE = {"browser": "browser", "site": "site", "warm_parent": "sandbox"}
#: Where a test that is not quick is run, by the marker that says why, dearest first.
TIERS = {"soak": "make soak", **dict.fromkeys(("slow", "sandbox", "browser", "site"), "make test")}
LEFT_OUT = pytest.StashKey[Counter[str]]()

# One thread of torch in each process: several test processes share the machine, and small sums need no second core.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# jsonschema takes this grammar of internationalised addresses where it finds it; building it takes longer than many tests.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
# Nothing is measured against a clock.  The same examples in each run, and new ones in each soak.
settings.register_profile("course", deadline=None, derandomize=True, max_examples=40)
settings.register_profile("soak", deadline=None, derandomize=False, max_examples=2000)
settings.load_profile("course")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = Counter()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKED_BY_FIXTURE:
                item.add_marker(MARKED_BY_FIXTURE[fixture])
        if not any(item.get_closest_marker(name) for name in TIERS):
            item.add_marker("quick")


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        tier = next((name for name in TIERS if item.get_closest_marker(name)), "other")
        item.config.stash[LEFT_OUT]["other" if item.config.option.keyword else tier] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(session.config.stash[LEFT_OUT])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every worker of xdist collects, and leaves out, the same tests."""
    node.config.stash[LEFT_OUT] = Counter(node.workeroutput.get("left_out", {}))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    left = config.stash[LEFT_OUT]
    if left:
        counted = (f"{left[name]} {name} ({run})" for name, run in TIERS.items() if left[name])
        other = [f"{left['other']} by the selection"] if left["other"] else []
        terminalreporter.write_line(f"left out: {', '.join([*counted, *other])}")
