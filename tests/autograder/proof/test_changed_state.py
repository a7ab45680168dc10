"""Whole notebooks of right answers in which a cell of the student's changes something global: full points when graded."""

from __future__ import annotations

import json

import pytest

from autograder.catalogue import OWN, Catalogue
from autograder.isolation import runner
from autograder.isolation.limits import Limits
from autograder.judging import PUBLIC_SEED
from autograder.proof.samples import build, released_notebook, sample
from autograder.proof.settings import settings, shorten
from tests.support import ROOT

CATALOGUE = Catalogue(OWN)
CHANGE = """import numpy as np, torch
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
np.seterr(all="raise")
torch.Tensor.sum = lambda *arguments, **more: torch.tensor(1.0)
torch.seed()"""


def changed(notebook):
    """The notebook with a cell of the student's below its first code cell."""
    content = json.loads(notebook)
    first = next(at for at, cell in enumerate(content["cells"]) if cell["cell_type"] == "code")
    own = {
        "cell_type": "code",
        "id": "own",
        "metadata": {},
        "source": CHANGE,
        "outputs": [],
        "execution_count": None,
    }
    content["cells"].insert(first + 1, own)
    return json.dumps(content).encode()


def each_set():
    """One that died of this in the suite; all in the soak."""
    return [
        name if name == "ps6_timing" else pytest.param(name, marks=pytest.mark.soak)
        for name in CATALOGUE.sets()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("problem_set", each_set())
def test_a_notebook_that_changes_global_state_keeps_its_points(problem_set, warm_parent):
    brief, released = settings(ROOT, problem_set).brief, released_notebook(ROOT, problem_set)
    right = build(ROOT, problem_set, sample(ROOT, problem_set, "second_correct"), released)
    graded = runner.grade_notebook(
        changed(shorten(right, brief)),
        CATALOGUE.questions(problem_set),
        PUBLIC_SEED,
        Limits(cell_seconds=240, notebook_seconds=900),
        workers=warm_parent,
        released=shorten(released, brief),
    )
    assert {name: mark.score for name, mark in graded.questions.items() if mark.score < mark.points} == {}
    assert graded.trouble == ()
