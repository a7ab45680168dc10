"""The problem set on Dspike: its solution runs in a kernel, its samples get what they must."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from autograder import corpus, release
from autograder.course import exercise_of, source_of

PS = "ps3_dspike"
SAMPLES = corpus.samples(PS)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_sample_gets_exactly_its_scores_and_messages(root, sample):
    handed_in = corpus.build(root, PS, sample, exercise_of(root, PS).read_bytes())
    results = corpus.play(handed_in, PS, corpus.brief(PS))
    assert {name.split(".")[1]: result.score for name, result in results.items()} == sample.scores
    found = {name.split(".")[1]: list(result.misconceptions) for name, result in results.items()}
    assert {name: ids for name, ids in found.items() if ids} == sample.misconceptions


@pytest.mark.slow
def test_solution_notebook_runs_without_an_error(root, tmp_path):
    """nbval-lax runs every cell of the instructor's notebook in a kernel, without data and without the course's folder."""
    notebook = tmp_path / "solution.ipynb"
    notebook.write_bytes(release.to_bytes(release.solution_notebook(source_of(root, PS))))
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider"]
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    variables.pop("SNNKIT_DATA", None)
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), str(notebook)],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout
