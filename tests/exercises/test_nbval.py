"""The solution of the practice set, run by nbval in a kernel as a reader would run it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from autograder.notebook import dump
from autograder.source import solution_notebook


@pytest.mark.slow
def test_every_cell_of_the_practice_set_runs_without_an_error(root, tmp_path):
    notebook = tmp_path / "solution.ipynb"
    notebook.write_bytes(dump(solution_notebook(root, "ps0_start")))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval-lax",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), str(notebook)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
