"""The practice set: its solution runs in a kernel, a student's way through it, its samples in this process."""

from __future__ import annotations

import os
import subprocess
import sys

import nbformat
import pytest

from autograder import corpus, release
from autograder.course import exercise_of, source_of

PS = "ps0_start"
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
    """nbval-lax runs every cell of the instructor's notebook in a kernel."""
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


@pytest.mark.slow
def test_released_notebook_runs_to_its_end_and_shows_what_it_tells_of(root):
    """Nothing answered: no cell raises but the student's own, the memorised answer is green and then is not."""
    from nbclient import NotebookClient

    notebook = nbformat.reads(exercise_of(root, PS).read_text(), as_version=4)
    NotebookClient(notebook, allow_errors=True, timeout=120).execute()
    cells = {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}
    raised = [name for name, cell in cells.items() if any(o.output_type == "error" for o in cell.outputs)]
    assert raised == []
    scores = {
        name: cells[name].outputs[-1].data["text/plain"]
        for name in ("spike_count", "longest_silence", "shares", "memorised", "other_seed")
    }
    assert scores == {
        "spike_count": "0.0",
        "longest_silence": "0.0",
        "shares": "0.0",
        "memorised": "1.0",
        "other_seed": "0.5",
    }
    assert "not answered yet" in cells["spike_count"].outputs[0].data["text/plain"]
