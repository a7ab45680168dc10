"""In a notebook the check says what became of the given cells, in the words of grading, and nothing without reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.catalogue import OWN
from autograder.course import checkout, exercise_of, problem_sets
from autograder.given_in_notebook import GIVEN, Placed, given_remarks, remarks, table
from autograder.notebook import read
from autograder.proof import samples

SETUP = "import math\nimport torch\n\nCOLOURS = ['k', 'r']\nTHRESHOLD = 1.0"
FIGURE = "def figure(x):\n    print(x)\n    return COLOURS[0]"
PLACED = (Placed("setup", SETUP), Placed("a"), Placed("figure", FIGURE), Placed("b"))
SETS = [name for name in problem_sets(checkout()) if (OWN / name).is_dir()]


@pytest.mark.parametrize("problem_set", SETS)
def test_the_committed_table_is_that_of_the_committed_notebook(root: Path, problem_set: str) -> None:
    made = table(read(exercise_of(root, problem_set).read_bytes()))
    assert (OWN / problem_set / GIVEN).read_bytes() == made, f"run: snngrade release {problem_set}"


@pytest.mark.parametrize("problem_set", SETS)
def test_of_a_notebook_as_it_should_be_nothing_is_said(root: Path, problem_set: str) -> None:
    """Answers in many styles are no changed given cells."""
    placed = [Placed(**row) for row in json.loads((OWN / problem_set / GIVEN).read_bytes())]
    released = samples.released_notebook(root, problem_set)
    for one in samples.samples(root, problem_set):
        cells = read(samples.build(root, problem_set, one, released)).cells
        typed = [cell.source for cell in cells if cell.code]
        for question in (row.name for row in placed if row.source is None):
            assert remarks(placed, question, typed) == (), (one.name, question)


def test_a_change_is_told_as_grading_tells_it() -> None:
    (said,) = remarks(PLACED, "a", ["import numpy as np\n" + SETUP, "def a(): ..."])
    assert said == "The given cell `setup` was changed: your line `import numpy as np` was kept."
    (said,) = remarks(PLACED, "a", [SETUP.replace("1.0", "2.0")])
    assert said == (
        "The given cell `setup` was changed: our line `THRESHOLD = 1.0` was put back; your line `THRESHOLD = 2.0` was not "
        "run: it stands for something of the course's (when graded; here it ran as you changed it)."
    )


def test_the_last_run_of_a_cell_counts() -> None:
    changed = SETUP.replace("1.0", "2.0")
    assert remarks(PLACED, "a", [changed, SETUP]) == ()
    assert len(remarks(PLACED, "a", [SETUP, changed, "x = 1"])) == 1


def test_what_was_told_at_an_earlier_question_is_not_told_again() -> None:
    typed = ["import numpy as np\n" + SETUP, FIGURE + "\nprint(COLOURS)"]
    assert len(remarks(PLACED, "a", typed)) == 1
    (said,) = remarks(PLACED, "b", typed)
    assert "`figure`" in said


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "THRESHOLD = 3.0",
        "def figure(x):\n    return 'mine'",
        "import math",
        "def broken(",
        "x" * 100_000,
        "\0",
    ],
)
def test_a_cell_of_one_s_own_is_none_of_the_course_s(typed: str) -> None:
    assert remarks(PLACED, "b", [SETUP, typed]) == ()


def test_unknown_questions_and_no_kernel_are_nothing(tmp_path: Path) -> None:
    assert remarks(PLACED, "z", [SETUP + "\nx = 1"]) == ()
    assert given_remarks("ps0.shares", [OWN / "ps0_start"]) == ()
    assert given_remarks("ps9.shares", [tmp_path]) == ()


KERNEL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
run = lambda source: shell.run_cell(source, store_history=True)
run("import json\\nimport numpy as np\\n\\nfrom autograder import check")
run("def spike_count(charge, threshold):\\n    return int((charge >= threshold).sum())")
run('check("ps0.spike_count")')
"""


@pytest.mark.slow
def test_check_says_it_in_a_live_session() -> None:
    done = subprocess.run([sys.executable, "-c", KERNEL], capture_output=True, text=True, timeout=300)
    assert "The given cell `setup` was changed: your line `import json` was kept." in done.stdout, done.stderr
