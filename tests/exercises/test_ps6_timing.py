"""The problem set on spike times: the objectives that its head names."""

from __future__ import annotations

from autograder.sets import table_of_sets

PS = "ps6_timing"


def test_table_of_sets_names_the_objectives_of_four_chapters(root):
    (row,) = [row for row in table_of_sets(root) if row.name == PS]
    assert row.objectives_text == "SPT-1 to 5, ENC-4, ENC-5, STDP-1 to 3, STDP-5, DG-3 to 5"
    assert (row.checked, row.checked_points, row.read, row.read_points) == (8, 24, 1, 6)
