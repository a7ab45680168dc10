"""An answer of the wrong type raises nothing of ours, gets no blame for lines that are not its own, and gains nothing."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from autograder.catalogue import OWN, Catalogue
from autograder.judging import judge, right_values
from autograder.perform import attempt, quiet

CATALOGUE = Catalogue(OWN)
QUESTIONS = {question.id: question for question in CATALOGUE}
WRONG = {
    "nothing": lambda: None,
    "a list": lambda: [torch.ones(2), 3],
    "an empty list": list,
    "a pair": lambda: (torch.ones(2), torch.ones(2)),
    "a number": lambda: 3.5,
    "text": lambda: "four",
    "a generator": lambda: (one for one in range(3)),
    "an array": lambda: np.ones((2, 3)),
    "a tensor": lambda: torch.ones(2, 3, 4),
    "a function": lambda: abs,
    "a dictionary": lambda: {"spikes": 1},
}


@cache
def drawn(id):
    return QUESTIONS[id].draw(1)


@cache
def right(id):
    """The right arrays, worked out once where that is cheap; a question that trains is judged without."""
    question, found = QUESTIONS[id], {}
    judged = {group.id for group in question.groups if group.judge is not None or group.unchanged}
    for at, case in enumerate(drawn(id)):
        if case.group not in judged:
            with quiet():
                found[at] = right_values(question, case.call)
    return found


def asked(question, answer):
    def see(at, case):
        return attempt(answer, case.call, question.results(case.call), tensors=question.tensors)

    with quiet():
        return judge(question, drawn(question.id), see, seed=1, right=right(question.id))


@pytest.mark.slow
@pytest.mark.parametrize("id", QUESTIONS)
def test_a_wrong_type_is_named_and_nobody_is_blamed_for_our_lines(id):
    question = QUESTIONS[id]
    for kind, value in WRONG.items():
        answer = {name: lambda *_, **__: value() for name in question.names}  # noqa: B023
        result = asked(question, answer)
        sentences = [failure.sentence for failure in result.failed.values()]
        blamed = [text for text in sentences if "your code raised" in text or "our mistake" in text]
        assert not blamed, (kind, blamed)
        assert result.fault == "", (kind, result.fault)
        assert result.score < question.points, kind


@pytest.mark.parametrize(
    ("id", "answer", "said"),
    [
        ("ps1.lapicque", {"euler_step": 3}, "euler_step is an int, where something to call is asked for"),
        (
            "ps1.lapicque",
            {"exact_step": lambda v, current, dt, tau, resistance: v.tolist()},
            "what exact_step returns is a list, where a tensor is asked for, with its gradient",
        ),
        (
            "ps1.lapicque",
            {"exact_step": lambda v, current, dt, tau, resistance: torch.ones(1, requires_grad=True)[0]},
            "what exact_step returns is of shape [], where [3, 2] is asked for",
        ),
        (
            "ps1.lapicque",
            {"exact_step": lambda v, current, dt, tau, resistance: torch.ones_like(v)},
            "what exact_step returns has no gradient by what was handed in (element 0 of tensors does not require grad",
        ),
    ],
)
def test_the_type_is_named_before_anything_computes_with_it(id, answer, said):
    result = asked(QUESTIONS[id], {**QUESTIONS[id].answer, **answer})
    assert said in " | ".join(failure.sentence for failure in result.failed.values())


def test_a_class_that_makes_no_callable_is_named():
    question = QUESTIONS["ps2.sine_surrogate"]
    result = asked(
        question,
        {name: type("Made", (), {"__init__": lambda self, *_, **__: None}) for name in question.names},
    )
    sentences = [failure.sentence for failure in result.failed.values()]
    assert sentences
    assert not any("your code raised" in text for text in sentences)


class Odd(Exception):
    def __str__(self):
        raise ValueError("no words")


def throw(error):
    raise error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Odd(), "your code raised Odd: (it has no text)"),
        (type("Two\nlines", (Exception,), {})("a\nb"), "your code raised Two lines: a b"),
        (NotImplementedError("later"), "not answered yet"),
    ],
)
def test_an_error_of_any_kind_is_one_line(error, said):
    question = QUESTIONS["ps0.spike_count"]
    result = asked(question, {"spike_count": lambda charge, threshold: throw(error)})
    sentence = next(iter(result.failed.values())).sentence
    assert sentence.startswith(said)
    assert "\n" not in sentence


def test_an_error_of_torchs_own_that_is_not_implemented_is_an_error():
    question = QUESTIONS["ps0.spike_count"]
    result = asked(question, {"spike_count": lambda charge, threshold: torch.nn.Module()(charge)})
    assert 'NotImplementedError: Module [Module] is missing the required "forward" function' in (
        next(iter(result.failed.values())).sentence
    )
