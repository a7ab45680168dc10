"""The proving tools in a process of their own: the course's samples and mutants may leave anything behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def proved(root: Path) -> Callable[..., str]:
    """What ``python -m autograder.proof`` prints; it must end well."""

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "autograder.proof", *arguments],
            cwd=root, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
