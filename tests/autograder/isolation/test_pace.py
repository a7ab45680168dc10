"""Speed in the verdict: told in the notebook and in grading alike, without a point lost."""

from __future__ import annotations

import numpy as np
import pytest

from autograder.asking import ask
from autograder.judging import run
from autograder.message import plain
from autograder.pace import paced, remark, timing
from autograder.perform import Seen
from autograder.question import Case, Group, Pace, Question, Tolerance, call

pytestmark = pytest.mark.xdist_group("isolation")

SLOW = """
def double(x):
    total = x + x
    for k in range(200_000):
        k * k
    return total
"""
FAST = "double = lambda x: x + x"
WRONG = SLOW.replace("x + x", "x + x + 1")


@pytest.fixture
def question():
    return Question(
        "toy.double", "Twice", (Group("all", 2.0, "values"),),
        lambda rng: [Case("all", "four numbers", call("double", rng.normal(size=4)))],
        {"double": lambda x: 2 * x}, within=Tolerance(0.0, 1e-12, "exact"), tensors=False,
        pace=Pace(call("double", np.ones(4)), 1e5, "the training below", "Leave the loop out."),
    )  # fmt: skip


def in_kernel(question, source):
    names = {}
    exec(source, names)
    return run(question, names)


def in_sandbox(question, source, session):
    session.run_cell(source)
    result, problem = ask(session, question, 1)
    assert problem == ""
    return result


@pytest.mark.parametrize("where", ["kernel", "sandbox"])
def test_a_right_but_slow_answer_is_told_and_loses_nothing(question, where, request):
    more = () if where == "kernel" else (request.getfixturevalue("session"),)
    asked = in_kernel if where == "kernel" else in_sandbox
    slow, fast, wrong = (asked(question, source, *more) for source in (SLOW, FAST, WRONG))
    assert slow.score == fast.score == 2.0
    (said,) = slow.remarks
    assert said.startswith("Right, and about ")
    assert said.endswith(" minutes. Leave the loop out.")
    assert said in plain(slow)
    assert (fast.remarks, wrong.score, wrong.remarks) == ((), 0.0, ())


@pytest.mark.parametrize(
    ("seconds", "reference", "said"),
    [
        (0.4, 0.01, "about 40 times slower than the reference: the training below will take some 20 minutes. So."),
        (0.02, 0.001, "about 20 times slower than the reference: the training below will take some 1 minute. So."),
        (0.02, 0.0025, ""),  # 8 times slower only
        (0.019, 0.0001, ""),  # less than a minute in all
    ],
)  # fmt: skip
def test_only_what_is_slow_beside_the_reference_and_takes_long_is_told(seconds, reference, said):
    pace = Pace(call("f"), 3001, "the training below", "So.")
    assert remark(pace, seconds, reference) == (f"Right, and {said}" if said else "")


@pytest.mark.parametrize(
    "seen",
    [Seen(trouble="error"), Seen({"seconds": np.array(np.nan)}), Seen({"seconds": np.ones(2)}), Seen({})],
)
def test_nothing_is_told_where_nothing_was_measured(question, seen):
    result = in_kernel(question, FAST)
    assert paced(question, result, lambda call: seen) == result


def test_the_reference_is_measured_by_the_same_call(question):
    asked = []
    paced(question, in_kernel(question, FAST), lambda call: asked.append(call) or Seen({}))
    assert [one.kwargs.keys() for one in asked] == [timing(question.pace).kwargs.keys()]
