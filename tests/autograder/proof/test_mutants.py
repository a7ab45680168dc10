"""The mutation test of the checks: how they are run, and that no mutant survives off the list."""

from __future__ import annotations

import os
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from autograder.catalogue import OWN, Catalogue
from autograder.course import CourseError, checkout
from autograder.notebook import Cell
from autograder.proof import mutants
from autograder.proof.__main__ import app
from autograder.proof.faults import Mutant
from autograder.proof.mutants import Survey, Trial, Tried, apart, trials, try_question
from autograder.proof.settings import settings
from autograder.question import Case, Group, Question, Tolerance, call

ROOT = checkout()
SETS = Catalogue(OWN).sets()


def test_trials_of_a_set_hold_the_cells_before_and_the_answer():
    found = {trial.question.id: trial for trial in trials(ROOT, "ps0_start")}
    shares = found["ps0.shares"]
    assert [cell.grade_id for cell in shares.cells] == ["shares_answer"]
    assert "other_seed" in [cell.grade_id for cell in shares.before]
    assert "### BEGIN SOLUTION" in shares.cells[0].source


POSITIVE = "def count(x):\n    ### BEGIN SOLUTION\n    return (x > 0).sum()\n    ### END SOLUTION\n"


def question(*inputs, right=lambda x: (x > 0).sum()):
    """How many elements are positive, asked of given inputs."""
    asked = Question(
        "ps9.count", "", (Group("all", 1.0, ""),),
        lambda rng: [Case("all", f"case {n}", call("count", np.array(x))) for n, x in enumerate(inputs)],
        {"count": right}, within=Tolerance(0, 0, ""), tensors=False,
    )  # fmt: skip
    return Trial(asked, (), (Cell(POSITIVE, grade_id="count_answer", answer=True),))


def test_a_good_check_kills_all_mutants_and_a_weak_one_does_not():
    assert try_question(question([3, -1, 0, 1, 1, 0, 0]), {}).survivors == []
    weak = try_question(question([3.0, 5.0, -1.0]), {})
    assert weak.survivors == [
        "ps9.count:comparison:count:return (x > 0).sum()->return (x >= 0).sum()",
        "ps9.count:number:count:return (x > 0).sum()->return (x > 1).sum()",
    ]


def test_the_reference_must_get_all_points_and_is_left_in_the_namespace():
    namespace = {}
    survey = try_question(question([1, 0]), namespace)
    assert namespace["count"](np.array([1, 1, 0])) == 2
    assert survey.tried[0].killed
    with pytest.raises(CourseError, match=r"ps9\.count.*all: case 0"):
        try_question(question([1, 0], right=lambda x: np.array(2)), {})


def test_what_ends_a_mutant_is_said_and_touches_nothing_here():
    here = []
    assert apart(lambda: here.append(1) or "all: case 1") == "all: case 1"
    assert here == []
    assert apart(lambda: "") == ""
    assert apart(lambda: str(1 / 0)) == "raises ZeroDivisionError"
    assert apart(lambda: str(sys.exit(3))) == "raises SystemExit"
    assert apart(lambda: os._exit(0)) == "ended early"
    assert apart(lambda: str(len(bytearray(1 << 30))), memory=1 << 28) == "raises MemoryError"
    assert apart(lambda: time.sleep(600) or "", seconds=0.01) == "time"
    assert apart(forever, seconds=0.3) == "time"


def forever():
    while True:
        pass


# ------------------------------------------------------------------------------------------------- the lists


def surveyed(*survivors):
    survey = Survey("ps9_nothing", questions=1)
    for name in ("a", "b", "c"):
        one = Mutant(name, "number", "cell", "")
        survey.tried.append(Tried(one, "" if name in survivors else "all: case 0", 0.0))
    return survey


@pytest.mark.parametrize(
    ("survivors", "listed", "status", "line"),
    [
        ("ab", {"a": "same", "b": "same"}, 0, ""),
        ("ab", {"a": "same"}, 1, "ps9_nothing: survives and is not listed: b"),
        ("a", {"a": "same", "b": "same"}, 1, "ps9_nothing: listed, and killed or gone: b"),
        ("a", {"a": "same", "z": "same"}, 1, "ps9_nothing: listed, and killed or gone: z"),
        ("ab", {"a": "same", "b": "either way: at the bar"}, 0, ""),
        ("a", {"a": "same", "b": "either way: at the bar"}, 0, ""),
        ("a", {"a": "same", "z": "either way: at the bar"}, 1, "ps9_nothing: listed, and killed or gone: z"),
    ],
)
def test_a_list_must_be_exact(survivors, listed, status, line, monkeypatch):
    def try_set(root, problem_set, told):
        survey = surveyed(*survivors)
        survey.hold_against(listed)
        return survey

    monkeypatch.setattr(mutants, "try_set", try_set)
    done = CliRunner().invoke(app, ["mutants", "ps9_nothing"])
    assert done.exit_code == status
    assert line in done.output
    assert "ps9_nothing" in done.output


@pytest.mark.parametrize("problem_set", SETS)
def test_every_listed_survivor_has_a_reason(problem_set):
    for name, reason in settings(ROOT, problem_set).survivors.items():
        assert name.startswith(f"{problem_set.split('_')[0]}.")
        assert len(reason.split()) > 3


@pytest.mark.slow
@pytest.mark.parametrize("problem_set", SETS)
def test_no_mutant_survives_off_the_list(problem_set, proved):
    proved("mutants", problem_set)
