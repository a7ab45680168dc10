"""The instructor's source: what the headers of its cells become, and what is wrong with one is said."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from autograder.course import CourseError
from autograder.isolation.limits import Limits
from autograder.source import read_source

CHECKS = [SimpleNamespace(id="ps9.rate", points=1.5)]
SOURCE = """\
# %% [markdown]
# # A set
# {points by checks} by checks, {points by readers} by a person; rate: {points of rate}, why: {points of why}

# %% given="setup"
import numpy as np


# %% answer="rate"
def rate(x):
    return x.mean()


# %% check="rate"

# %% [markdown] read="why" points=2
# Because.

# %% [markdown] tags=["instructor"]
# Rubric.
"""


@pytest.fixture
def place(tmp_path):
    return tmp_path / "notebook.py"


def marks(grade_id, *, grade, locked, **points):
    return {
        "grade": grade,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": not locked,
        "task": False,
        **points,
    }


def test_one_word_of_a_header_becomes_what_nbgrader_wants(place):
    place.write_text(SOURCE)
    cells = read_source(place, CHECKS).cells
    assert [cell.metadata for cell in cells] == [
        {},
        {"nbgrader": marks("setup", grade=False, locked=True)},
        {"nbgrader": marks("rate_answer", grade=False, locked=False)},
        {"nbgrader": marks("rate", grade=True, locked=True, points=1.5)},
        {"nbgrader": marks("why", grade=True, locked=False, points=2.0)},
        {"tags": ["instructor"]},
    ]
    assert cells[0].source == "# A set\n1.5 by checks, 2 by a person; rate: 1.5 points, why: 2 points"
    assert cells[3].source == 'check("ps9.rate")'
    assert [cell.id for cell in cells[1:5]] == ["setup", "rate_answer", "rate", "why"]
    assert len(read_source(place, CHECKS, instructor=False).cells) == 5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('check="rate"', 'check="rates"', r'cell check="rates": there is no such check; there are: rate$'),
        (
            'check="rate"\n',
            'check="rate"\ncheck("ps9.rate")\n',
            "leave it empty: the call comes from the check",
        ),
        ('check="rate"', 'check="rate" points=3', "those of a check are the check's"),
        (" points=2", "", 'points stand beside read="..."'),
        ('given="setup"', 'given="setup" answer="setup"', "says given and answer; a cell is one of them"),
        ('given="setup"', 'given="rate"', "the name 'rate' is used twice"),
        (
            "{points of rate}",
            "{points of rat}",
            r"{points of rat} means nothing; there are: .*{points of rate}",
        ),
        ('# %% check="rate"', "# %%", r'no cell asks ps9\.rate; write: # %% check="rate"'),
    ],
)
def test_wrong_headers_are_named(place, old, new, said):
    assert old in SOURCE
    place.write_text(SOURCE.replace(old, new))
    with pytest.raises(CourseError, match=said) as raised:
        read_source(place, CHECKS)
    assert str(place) in str(raised.value)


def test_limits_of_time_are_stated_and_are_those_that_hold(place, root):
    """In every set, and on the page for instructors."""
    limits = Limits()
    place.write_text(SOURCE.replace("# A set", "# A set, {seconds of check} and {seconds of grading}"))
    text = read_source(place, CHECKS).cells[0].source
    assert f"A set, {limits.check_seconds:g} seconds and {limits.cell_seconds:g} seconds" in text
    for one in sorted((root / "solutions").glob("*/notebook.py")):
        assert "{seconds of check} of processor time" in " ".join(one.read_text().replace("# ", "").split())
        assert "{seconds of grading}" in one.read_text()
    page = (root / "book" / "instructors.md").read_text()
    assert f"may use {limits.cell_seconds:g} seconds of it" in page
    assert f"a whole notebook {limits.notebook_seconds:g}; `check` in the notebook stops at" in page
    assert f"stops at {limits.check_seconds:g}, " in page
    assert "after ten times as long" in page
    assert limits.wall_factor == 10
