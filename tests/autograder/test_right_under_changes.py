"""Right answers after something global was changed: full points in the notebook, and nothing is raised."""

from __future__ import annotations

import contextlib
import io

import pytest

from autograder.catalogue import OWN, Catalogue
from autograder.in_notebook import check
from autograder.proof.play import play
from autograder.proof.samples import build, released_notebook, sample
from autograder.proof.settings import settings, shorten
from tests.autograder.apart import apart
from tests.autograder.global_changes import CHANGES
from tests.support import ROOT

CATALOGUE = Catalogue(OWN)
#: These lost points, raised, or kept the checker from ending, before the state was put aside.
FEW = [
    "default dtype",
    "default device",
    "gradients off",
    "numpy raises",
    "np.array_equal",
    "Tensor.sum",
    "builtins.sum",
]


def told(id, points, names, change):
    """What a check says after a change, in a process of its own; nothing for full points."""

    def checked():
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            CHANGES[change]()
            score = check(id, namespace=names)
        return "" if score == points else f"{score:g}: {shown.getvalue()}"

    return apart(checked)


def lost(problem_set, changes, only):
    """Which right answers do not get their points after which change, and what they are told."""
    released, told_of = released_notebook(ROOT, problem_set), settings(ROOT, problem_set)
    notebook = shorten(
        build(ROOT, problem_set, sample(ROOT, problem_set, "second_correct"), released), told_of.brief
    )
    questions = {name: one for name, one in CATALOGUE.questions(problem_set).items() if only(name, told_of)}

    def ask(question, names):
        found = {change: told(question.id, question.points, names, change) for change in changes}
        return {change: text for change, text in found.items() if text}

    outcomes = play(notebook, questions, ask)
    assert len(outcomes) == len(questions)
    return {id: found for id, found in outcomes.items() if found}


@pytest.mark.slow
@pytest.mark.parametrize(("problem_set", "changes"), [("ps0_start", FEW), ("ps1_neurons", FEW[:2])])
def test_right_answers_keep_their_points(problem_set, changes):
    assert lost(problem_set, changes, lambda name, told_of: True) == {}


@pytest.mark.soak
@pytest.mark.parametrize("problem_set", CATALOGUE.sets())
def test_every_right_answer_keeps_its_points_after_every_change(problem_set):
    assert lost(problem_set, CHANGES, lambda name, told_of: name not in told_of.trained) == {}


@pytest.mark.soak
@pytest.mark.parametrize("problem_set", CATALOGUE.sets())
def test_a_training_keeps_its_points_after_the_changes_that_cost_most(problem_set):
    assert lost(problem_set, FEW, lambda name, told_of: name in told_of.trained) == {}
