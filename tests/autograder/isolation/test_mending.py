"""Edits of an answer that run in the sandbox: the sentence is the notebook's, and nothing else changes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from autograder.graded import Graded
from autograder.isolation import mending, runner
from autograder.isolation.source import WarmParent
from autograder.judging import run

from . import toy
from .conftest import NORMAL
from .toy import RELEASED, RIGHT, cells, notebook

pytestmark = [pytest.mark.xdist_group("isolation"), pytest.mark.slow]


def grade(warm_parent: WarmParent, answers: dict[str, str]) -> Graded:
    content = notebook(cells({**RIGHT, **answers}))
    return runner.grade_notebook(content, toy.QUESTIONS, 5, NORMAL, workers=warm_parent, released=RELEASED)


def said(graded: Graded, question: str) -> str:
    result = graded.questions[question].result
    assert result is not None
    return next((group.slip.sentence for group in result.groups if group.slip is not None), "")


TRIPLE = "def double(x):\n    print('!')\n    return x + 2 * x"


def test_the_sentence_is_that_of_the_notebook(warm_parent: WarmParent) -> None:
    graded = grade(warm_parent, {"answer_double": TRIPLE})
    sentence = said(graded, "double")
    assert sentence.endswith("in line 3, `return x + 2 * x`, all is right.")
    names = {"torch": torch, "np": np, "math": math}
    exec(TRIPLE, names)
    here = run(toy.QUESTIONS["double"], names, cells=[TRIPLE])
    assert [group.slip.sentence for group in here.groups if group.slip] == [sentence]
    assert [graded.questions[name].score for name in ("double", "slope", "energy")] == [0.0, 2.0, 2.0]


@pytest.mark.parametrize(
    "wrong",
    [
        "import os\ndef double(x):\n    n = 3\n    while n > 0:\n        n -= 1\n    return 5 * x + n",
        "import os\ndef double(x):\n    if len(x) > 99:\n        os._exit(1)\n    return 5 * x * x + 1",
    ],
)
def test_an_edit_that_does_not_end_or_ends_the_process_costs_nothing(
    warm_parent: WarmParent, wrong: str
) -> None:
    graded = grade(warm_parent, {"answer_double": wrong, "answer_slope": "def cube(x):\n    return x ** 2"})
    assert [graded.questions[name].score for name in ("double", "slope", "energy")] == [0.0, 0.0, 2.0]
    assert (graded.restarts, graded.trouble) == (0, ())


@pytest.mark.parametrize(
    "beside",
    [
        "x = 1" + "+1" * 3000,
        "x = [" + ", ".join(map(str, range(20_000))) + "]",
        "if False:\n    !ls",
        "if False:\n    table = {[1]: 2, 0x" + "f" * 5000 + ": 3}",
    ],
    ids=["deep", "long", "shell", "odd"],
)
def test_what_is_written_costs_a_sentence_at_most(warm_parent: WarmParent, beside: str) -> None:
    answers = {"answer_double": f"{TRIPLE}\n{beside}", "answer_slope": "def cube(x):\n    return x ** 2"}
    graded = grade(warm_parent, answers)
    assert [graded.questions[name].score for name in ("double", "slope", "energy")] == [0.0, 0.0, 2.0]
    assert not any(mark.fault or mark.result.fault for mark in graded.questions.values() if mark.result)
    assert "`return x ** 2`, all is right" in said(graded, "slope")


def test_a_failure_while_mending_costs_the_sentence(
    warm_parent: WarmParent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> str:
        raise RecursionError("in the text")

    monkeypatch.setattr(mending, "mend", fails)
    graded = grade(warm_parent, {"answer_double": TRIPLE})
    assert [graded.questions[name].score for name in ("double", "slope", "energy")] == [0.0, 2.0, 2.0]
    assert not any(mark.fault or mark.result.fault for mark in graded.questions.values() if mark.result)
