"""A set's settings for the proving tools."""

from __future__ import annotations

import pytest

from autograder.course import CourseError
from autograder.notebook import dump, read
from autograder.proof.settings import Settings, settings, shorten

CELLS = {"long": "run(100)", "figure": "plot()", "": "x = 1"}
GIVEN = dump(
    {
        "cells": [
            {"cell_type": "code", "source": source, "metadata": {"nbgrader": {"grade_id": name}}}
            for name, source in CELLS.items()
        ],
        "nbformat": 4,
    }
)


def sources(brief):
    return [cell.source for cell in read(shorten(GIVEN, brief)).cells]


def test_given_cells_are_left_out_or_changed():
    assert sources({"long": [["100", "2"]], "figure": False}) == ["run(2)", "", "x = 1"]
    assert sources({}) == ["run(100)", "plot()", "x = 1"]
    with pytest.raises(CourseError, match="brief: the cell 'long' does not contain '1000'"):
        sources({"long": [["1000", "2"]]})


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert settings(tmp_path, "ps9") == Settings()
    place = tmp_path / "solutions" / "ps9" / "proof.toml"
    place.parent.mkdir(parents=True)
    for text in ("[brief", "[briefs]"):
        place.write_text(text)
        with pytest.raises(CourseError, match=r"proof\.toml: "):
            settings(tmp_path, "ps9")
