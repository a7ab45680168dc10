"""The practice set: a student's way through it."""

from __future__ import annotations

import nbformat
import pytest

from autograder.course import exercise_of

PS = "ps0_start"


@pytest.mark.slow
def test_released_notebook_runs_to_its_end_and_shows_what_it_tells_of(root):
    """Nothing answered: no cell raises but the student's own, the memorised answer is green and then is not."""
    from nbclient import NotebookClient

    notebook = nbformat.reads(exercise_of(root, PS).read_text(), as_version=4)
    NotebookClient(notebook, allow_errors=True, timeout=None).execute()
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
