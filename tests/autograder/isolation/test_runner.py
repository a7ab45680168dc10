"""Whole notebooks in isolation: scores, messages, seeds, and every question graded whatever the others did."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from typing import Any

import pytest

from autograder.course import checkout, questions_of
from autograder.graded import Graded, decode_results, encode_results, without_measures
from autograder.isolation import runner
from autograder.isolation.limits import Limits
from autograder.isolation.source import WarmParent
from autograder.judging import PUBLIC_SEED, run
from autograder.message import plain
from autograder.proof.play import play
from autograder.proof.settings import settings, shorten
from autograder.release import student_notebook

from . import toy
from .conftest import NORMAL, SHORT
from .toy import RELEASED, RIGHT, cells, notebook

pytestmark = pytest.mark.xdist_group("isolation")


def grade(
    warm_parent: WarmParent, content: list[dict[str, Any]], limits: Limits = NORMAL, seed: int = 5
) -> Graded:
    return runner.grade_notebook(
        notebook(content), toy.QUESTIONS, seed, limits, workers=warm_parent, released=RELEASED
    )


def scores(graded: Graded) -> list[float | None]:
    assert sorted(graded.questions) == ["double", "energy", "slope"]
    return [graded.questions[name].score for name in ("double", "slope", "energy")]


def said(graded: Graded, question: str) -> str:
    result = graded.questions[question].result
    assert result is not None
    return plain(result)


def test_right_answers_get_full_points_and_the_release_none(warm_parent: WarmParent) -> None:
    right = grade(warm_parent, cells(RIGHT))
    assert scores(right) == [2.0, 2.0, 2.0]
    assert right.score == right.points == 6.0
    assert right.restarts == 0
    assert not any(mark.result.hints for mark in right.questions.values() if mark.result)
    released = grade(warm_parent, cells({}))
    assert scores(released) == [0.0, 0.0, 0.0]
    assert "not answered yet" in said(released, "double")
    assert released.questions["double"].result.hints == ("look again",)
    assert decode_results(encode_results("toy", [right, released])) == [right, released]


def test_the_same_seed_gives_the_same_report(warm_parent: WarmParent) -> None:
    wrong = cells(
        {
            **RIGHT,
            "answer_double": "def double(x): return x ** 2",
            "answer_slope": "def cube(x): return x ** 2",
        }
    )
    first, again, other = (
        grade(warm_parent, wrong),
        grade(warm_parent, wrong),
        grade(warm_parent, wrong, seed=6),
    )
    assert without_measures(first) == without_measures(again)
    assert first.questions["double"].result.slips == ("squared",)
    assert "This is the square." in said(first, "double")
    assert said(first, "double") != said(other, "double")
    assert scores(first) == scores(other) == [0.0, 0.0, 2.0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"answer_double": "import os\nos._exit(0)"}, [0, 2, 2]),
        ({"answer_double": "import os\ndef double(x): os._exit(0)"}, [0, 2, 2]),
        ({"answer_slope": "import ctypes\ndef cube(x): ctypes.string_at(0)"}, [2, 0, 2]),
        ({"answer_slope": "x = []\nwhile True: x.append(bytearray(10**7))"}, [2, 0, 2]),
        ({"answer_double": "def double(x):"}, [0, 2, 2]),
        ({"answer_double": "def double(x):\n    warnings.warn('careful')\n    print('e', file=sys.stderr)\n    return 2 * x"}, [2, 2, 2]),
        ({"answer_double": "print('loud', file=sys.stderr); warnings.warn('x')\ndouble = lambda x: 2 * x"}, [2, 2, 2]),
        ({"answer_double": "def double(x): return (2 * x).tolist()"}, [2, 2, 2]),
        ({"answer_double": "def double(x):\n    snnkit.surrogate.Sine()\n    return 2 * x"}, [0, 2, 2]),
        ({"answer_double": "import snnkit\ndef double(x): return 2 * x + 0 * int(snnkit.dynamics.heaviside.__name__ == '')"}, [2, 2, 2]),
        ({"answer_energy": "def energy(x): return x"}, [2, 2, 0]),
        ({"answer_energy": "def energy(x): return float('nan')"}, [2, 2, 0]),
        ({"answer_slope": "import torch\ntorch.allclose = lambda *a, **k: True\ndef cube(x): return x"}, [2, 0, 2]),
        ({"answer_double": "get_ipython().input_transformers_post.append(lambda l: ['pass\\n'])\ndouble = lambda x: 9 * x"}, [0, 0, 0]),
        ({"answer_double": "get_ipython().events.register('pre_run_cell', lambda info: display(-1))"}, [0, 2, 2]),
        ({"answer_double": "from autograder import check\ncheck('toy.double')\nimport autograder\nautograder.check = None"}, [0, 2, 2]),
    ],
)  # fmt: skip
def test_each_question_is_graded_whatever_the_others_did(
    warm_parent: WarmParent, change: dict[str, str], expected: list[float]
) -> None:
    assert scores(grade(warm_parent, cells({**RIGHT, **change}))) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    ["while True: pass", "while True:\n    try:\n        while True: pass\n    except BaseException: pass"],
)
@pytest.mark.parametrize("inside", [False, True])
def test_an_endless_loop_costs_its_question_only(warm_parent: WarmParent, body: str, inside: bool) -> None:
    source = "def double(x):\n    " + body.replace("\n", "\n    ") if inside else body
    report = grade(warm_parent, cells({**RIGHT, "answer_double": source}), SHORT)
    assert scores(report) == [0.0, 2.0, 2.0]
    if inside:
        assert "of 1.5 s of processor time" in said(report, "double")
    else:
        assert (report.trouble[0].cell, report.trouble[0].status) == ("answer_double", "time")


def edited(change: str) -> list[dict[str, Any]]:
    """Right answers to all but ``double``, in a notebook whose question was tampered with."""
    content = cells({**RIGHT, "answer_double": "def double(x): return 9 * x"})
    place = next(at for at, cell in enumerate(content) if cell["id"] == "double")
    if change == "edited":
        content[place]["source"] = "2.0"
        content[place]["metadata"]["nbgrader"]["points"] = 100
    elif change == "not graded":
        content[place]["metadata"]["nbgrader"].update(grade=False, solution=True)
        content[place]["source"] = "2.0"
    elif change == "markdown":
        content[place]["cell_type"] = "markdown"
    elif change == "deleted":
        del content[place]
    elif change == "doubled":
        content.insert(0, copy.deepcopy(content[place]))
        content.append(copy.deepcopy(content[place]))
    elif change == "setup edited":
        content[0]["source"] = "raise SystemExit"
    return content


@pytest.mark.parametrize("change", ["edited", "not graded", "markdown", "deleted", "setup edited"])
def test_a_changed_question_is_put_back(warm_parent: WarmParent, change: str) -> None:
    report = grade(warm_parent, edited(change))
    assert scores(report) == [0.0, 2.0, 2.0]
    assert report.questions["double"].points == 2.0


def test_a_doubled_question_counts_once_and_is_put_behind_its_answer(warm_parent: WarmParent) -> None:
    report = grade(warm_parent, edited("doubled"))
    assert scores(report) == [0.0, 2.0, 2.0]
    assert "not defined" not in said(report, "double")


@pytest.mark.slow
def test_the_words_are_the_same_in_isolation_and_in_the_notebook(warm_parent: WarmParent) -> None:
    """An untouched notebook: the scores and the messages are those that it gets in this process."""
    root, problem_set = checkout(), "ps2_surrogates"
    questions = questions_of(root, problem_set)
    data = shorten(student_notebook(root, problem_set), settings(root, problem_set).brief)
    report = runner.grade_notebook(data, questions, PUBLIC_SEED, Limits(), workers=warm_parent)
    assert report.trouble == ()
    assert {mark.score for mark in report.questions.values()} == {0.0}
    for question, result in play(data, questions, run).items():
        mark = report.questions[question.split(".")[1]]
        assert replace(mark.result, hints=(), seconds=0.0, allowed=0.0) == replace(
            result, seconds=0.0, allowed=0.0
        )


def test_numbers_beyond_all_bounds_are_compared_in_silence(warm_parent: WarmParent) -> None:
    answers = {
        **RIGHT,
        "answer_double": "import numpy as np\ndef double(x): return np.full(x.shape, np.inf)",
        "answer_slope": "import torch\ndef cube(x): return x * torch.tensor(float('nan'))",
        "answer_energy": "def energy(x): return float('-inf')",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graded = grade(warm_parent, cells(answers))
    assert scores(graded) == [0.0, 0.0, 0.0]
    assert not any(mark.fault for mark in graded.questions.values())
