"""One warm parent for all habits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autograder.isolation import sandbox
from autograder.isolation.source import WarmParent


@pytest.fixture(scope="session")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmParent]:
    try:
        with WarmParent(tmp_path_factory.mktemp("copies"), cache=tmp_path_factory.mktemp("warm")) as warm:
            yield warm
    except sandbox.IsolationError as error:
        pytest.skip(str(error).splitlines()[0])
