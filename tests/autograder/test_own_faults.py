"""A mistake of the checker's is told as one, reaches whoever keeps the question, and costs nothing but itself."""

from __future__ import annotations

from dataclasses import asdict, replace

import nbformat
import numpy as np
import pytest

from autograder import judging
from autograder.asking import ask
from autograder.isolation.session import ProbeResult, Reply
from autograder.judging import run
from autograder.question import Case, Group, Pace, Question, Slip, call
from autograder.result import Result
from autograder.stock import _result


def question(**changes):
    fields = dict(
        id="toy.twice",
        title="Twice",
        groups=(Group("one", 1.0, "one number"), Group("many", 2.0, "many numbers")),
        cases=lambda rng: [
            Case("one", "1", call("twice", np.ones(1))),
            Case("many", "3", call("twice", np.ones(3))),
        ],
        right={"twice": lambda x: 2 * x},
        tensors=False,
    )
    return Question(**{**fields, **changes})


def broken_judge(got, asked):
    return got["twice"].reshape(17)


def test_a_judge_that_fails_costs_its_own_group_and_is_told_as_ours():
    groups = (Group("one", 1.0, "one number", judge=broken_judge), question().groups[1])
    result = run(question(groups=groups), {"twice": lambda x: 2 * x})
    assert [group.score for group in result.groups] == [0.0, 2.0]
    failure = result.groups[0].failure
    assert failure.kind == "fault"
    assert failure.sentence.startswith(
        "our mistake, not yours: this could not be compared with what is right (ValueError: cannot reshape"
    )
    assert failure.sentence.endswith("please report it")
    assert result.fault.startswith("case '1': ValueError: cannot reshape")


def test_a_right_value_that_cannot_be_had_is_ours():
    broken = question(values=lambda asked: {}["none"], right=("twice",))
    result = run(broken, {"twice": lambda x: 2 * x})
    assert result.score == 0
    assert {failure.kind for failure in result.failed.values()} == {"fault"}


def test_what_is_told_of_a_fault_costs_no_points(monkeypatch):
    def no_words(*_):
        raise KeyError("no words")

    monkeypatch.setattr(judging, "named", no_words)
    result = run(question(), {"twice": lambda x: 2 * x if len(x) > 1 else x})
    assert result.score == 2.0
    assert result.fault == "diagnosis: KeyError: 'no words'"
    assert run(question(), {"twice": lambda x: 2 * x}).fault == ""


def test_a_measurement_that_fails_leaves_the_result():
    pace = Pace(call("twice", np.ones(1)), calls=10, below="the training", advice="", reference={"other": 1})
    result = run(question(pace=pace), {"twice": lambda x: 2 * x})
    assert (result.score, result.remarks) == (3.0, ())


def test_a_slip_that_fails_is_no_fault_of_anybodys():
    slips = (Slip("odd", "Odd.", wrong=lambda x: 1 / 0),)
    result = run(question(slips=slips), {"twice": lambda x: x})
    assert "odd" not in result.slips
    assert result.fault == ""


class Session:
    """Answers every call rightly."""

    ran = ()

    def probe(self, names, cases, modules=(), question=""):
        replies = tuple(Reply("", arrays={"twice": 2 * case["args"][0]}) for case in cases)
        return ProbeResult(replies, "", 0.1)

    class limits:
        cell_seconds = 60.0


def test_in_grading_the_fault_is_the_instructors():
    groups = (Group("one", 1.0, "one number", judge=broken_judge), question().groups[1])
    result, fault = ask(Session(), question(groups=groups), seed=1)
    assert result.score == 2.0
    assert fault == result.fault
    assert "cannot reshape" in fault


@pytest.mark.parametrize("kind", ["of the check", "of a group"])
def test_nbgraders_own_way_finds_the_fault(kind):
    result = replace(run(question(), {}), fault="case '1': ValueError: odd" if kind == "of a group" else "")
    metadata = (
        {"autograder": asdict(result)} if kind == "of a group" else {"autograder_fault": "Our mistake: odd"}
    )
    output = nbformat.v4.new_output("display_data", data={"text/plain": ""}, metadata=metadata)
    found, fault = _result([output])
    assert isinstance(found, Result) == (kind == "of a group")
    assert "odd" in fault
