"""Honest habits keep their points: each is played in a notebook with many others, in the sandbox, as it is graded.

Each has a section of its own: a cell that takes the name away, the cells of the habit, and a question. So one that
stops its cell, ends the process or spoils what comes after is seen at its own or at the next question.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from autograder.course import checkout, questions_of
from autograder.graded import Graded
from autograder.isolation import runner
from autograder.isolation.limits import Limits
from autograder.isolation.source import WarmParent
from autograder.message import plain
from autograder.notebook import Cell
from autograder.question import Question

from .machine import MACHINE, SETTINGS
from .making import Habit
from .screen import MAGICS, OUTPUTS
from .styles import ANSWERS, AROUND

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("habits")]

TABLES = {
    "outputs": OUTPUTS,
    "magics": MAGICS,
    "machine": MACHINE,
    "settings": SETTINGS,
    "around": AROUND,
    "answers": ANSWERS,
}
# takes away what a habit has put over a builtin, and the names of the question
CLEAN = """
_b = __import__("builtins")
for _n in _b.sorted((_b.set(_b.vars(_b)) - {{"exit", "quit", "open"}} | {names!r}) & _b.set(_b.globals())):
    if not _n.startswith("_"): _b.globals().pop(_n)
"""
IMPORTS = "import math\nimport numpy as np\nimport torch\nfrom autograder import check\n"


@pytest.fixture(scope="module")
def questions() -> dict[str, Question]:
    root = checkout()
    return {**questions_of(root, "ps0_start"), **questions_of(root, "ps1_neurons")}


def section(number: int, habit: Habit, question: Question) -> Iterator[Cell]:
    """The cells of one habit; the names of its question are not there at its beginning."""
    yield Cell(CLEAN.format(names={*question.names}), True)
    yield Cell(IMPORTS, True, "setup")
    yield from (Cell(source, True) for source in habit.cells)
    yield Cell("", True, f"habit_{number}", graded=True, points=question.points)


def played(habits: list[Habit], questions: dict[str, Question], workers: WarmParent) -> Graded:
    asked = {
        f"habit_{number}": replace(questions[habit.question], reference=None, uses={}, pace=None)
        for number, habit in enumerate(habits)
    }
    cells = [
        cell
        for number, habit in enumerate(habits)
        for cell in section(number, habit, questions[habit.question])
    ]
    graded, _ = runner.play(cells, asked, 7, Limits(), workers=workers)
    return graded


@pytest.mark.parametrize("table", TABLES)
def test_habits_keep_their_points(table: str, questions: dict[str, Question], workers: WarmParent) -> None:
    names, habits = list(TABLES[table]), list(TABLES[table].values())
    graded = played(habits, questions, workers)
    wrong = {}
    for number, (name, habit) in enumerate(zip(names, habits, strict=True)):
        mark = graded.questions[f"habit_{number}"]
        assert mark.result is not None
        said = plain(mark.result)
        if (mark.lost, mark.fault, habit.told in said) != (bool(habit.told), "", True):
            wrong[name] = said
    assert not wrong, json.dumps(wrong, indent=1)
    assert graded.restarts == 0


def test_there_are_many_and_each_is_there_once() -> None:
    names = [name for table in TABLES.values() for name in table]
    assert len(names) == len(set(names)) >= 170
    lost = [habit for table in TABLES.values() for habit in table.values() if habit.told]
    assert all(habit.why for habit in lost)
    assert len(lost) <= 14
