"""The table of problem sets agrees with what the sets say of themselves and with the released notebooks."""

from __future__ import annotations

import re

from autograder.course import exercise_of, problem_sets, questions_of
from autograder.notebook import read
from autograder.proof.overview import SetRow, _objectives, sources_of_table, table_of_sets


def test_points_and_questions_are_those_of_the_head_the_checks_and_the_notebook(root):
    rows = table_of_sets(root)
    assert [row.name for row in rows] == problem_sets(root)
    for row in rows:
        cells = read(exercise_of(root, row.name).read_bytes()).cells
        said = re.search(r"\*\*Points\*\* \| ([\d.]+) by checks, ([\d.]+)", cells[0].source)
        assert (row.checked_points, row.read_points) == (float(said[1]), float(said[2])), row.name
        assert row.time.startswith("about ")
        assert row.computing.startswith("about ")
        if questions_of(root, row.name):
            assert row.checked == len(questions_of(root, row.name))
            assert row.checked_points == sum(check.points for check in questions_of(root, row.name).values())
        graded = [cell for cell in cells if cell.graded]
        assert row.checked + row.read == len(graded)
        assert row.checked_points + row.read_points == sum(cell.points for cell in graded)
        assert row.correct >= 2  # the reference, and one written independently
        assert row.wrong >= 3
        assert row.mutants > 5 * row.checked
    assert all(file.is_relative_to(root) for file in sources_of_table(root))


def test_every_set_was_measured_and_keeps_its_limits(root):
    """On one core: at most 120 s for the reference, at most 60 s to grade a submission."""
    for row in table_of_sets(root):
        assert row.reference_s is not None, f"{row.name}: run python -m tools.measure_sets"
        assert row.grading_s is not None
        assert 0 < row.reference_s <= 120
        assert 0 < row.grading_s <= 60


def test_objectives_are_found_and_shortened():
    found = _objectives("LIF-1, ENC-4 and LIF-2 to LIF-4; QCFS-5, ENC-1 to 2 in T-1 steps")
    assert found == ("LIF-1", "ENC-4", "LIF-2", "LIF-3", "LIF-4", "QCFS-5", "ENC-1", "ENC-2")
    row = SetRow("x", "X", 0, 0, 0.0, 0.0, found, "", "", 0, 0, 0, 0, None, None)
    assert row.objectives_text == "LIF-1 to 4, ENC-1, ENC-2, ENC-4, QCFS-5"
