"""The objectives that the head of the set names."""

from __future__ import annotations

from autograder.proof.overview import table_of_sets


def test_table_of_sets_names_the_objectives_of_four_chapters(root):
    (row,) = [row for row in table_of_sets(root) if row.name == "ps6_timing"]
    assert row.objectives_text == "SPT-1 to 5, ENC-4, ENC-5, STDP-1 to 3, STDP-5, DG-3 to 5"
