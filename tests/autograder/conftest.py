"""One warm parent for each test process, for the tests that grade whole notebooks of the course."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autograder.isolation import sandbox
from autograder.isolation.source import WarmParent


@pytest.fixture(scope="session")
def warm_parent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmParent]:
    try:
        found = WarmParent(tmp_path_factory.mktemp("copies"), cache=tmp_path_factory.mktemp("warm"))
    except sandbox.IsolationError as error:
        pytest.skip(str(error).splitlines()[0])
    with found:
        yield found
