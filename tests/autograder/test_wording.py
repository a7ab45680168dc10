"""What is said of a difference: names for codes, sentences for a yes or no, digits enough, and nothing twice."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from autograder.catalogue import OWN, Catalogue
from autograder.comparing import compare
from autograder.judging import run
from autograder.message import plain
from autograder.question import Case, Group, Question, Tolerance, call
from autograder.result import number, told_apart
from autograder.wording import PLAIN, Vocabulary

EXACT = Tolerance(0.0, 1e-9, "exact")
KNOWN = Vocabulary(
    {"case": ("even", "silent", "extra")},
    {"is float64": ("the result is not float64", "the result is float64")},
)


def said(got, wanted, key="value", asked=None, known=PLAIN, within=EXACT):
    return compare({key: np.asarray(got)}, {key: np.asarray(wanted)}, asked or {}, within, known).sentence


def test_a_code_is_told_by_its_name():
    count = {"count": np.array([0, 3])}
    sentence = said([0, 2], [0, 1], "case", count, KNOWN)
    assert sentence == 'case[1] at count = 3: you called it "extra"; it is "silent" (1 of 2 elements differs)'
    assert said(7, 1, "case", known=KNOWN) == 'case: you gave none of its names; it is "silent"'


def test_a_yes_or_no_is_told_as_a_sentence():
    assert said(0, True, "is float64", known=KNOWN) == "the result is not float64"
    assert said(True, 0, "is float64", known=KNOWN) == "the result is float64"
    assert said(False, True, "is nan") == "is nan: no; expected yes"
    assert said([1.0, 0.0], [True, True], "is nan") == "is nan[1]: no; expected yes (1 of 2 elements differs)"
    assert said(3, True, "is nan") == "is nan is 3; expected 1"


@pytest.mark.parametrize(
    ("got", "wanted", "within", "sentence"),
    [
        (0.083333334, 0.083333335, Tolerance(0.0, 1e-12), "value is 0.083333334; expected 0.083333335"),
        (1664360, 1664361, EXACT, "value is 1664360; expected 1664361"),
        (0.25, 0.5, EXACT, "value is 0.25; expected 0.5"),
        (1 / 3, 0.5, EXACT, "value is 0.333333; expected 0.5"),
    ],
)
def test_numbers_have_as_many_digits_as_it_takes_to_differ(got, wanted, within, sentence):
    assert said(got, wanted, within=within) == sentence


def test_numbers_of_any_size_are_shown():
    assert [number(one) for one in (0.0, -0.0, 1e-17, 2.5, 3.0, 1e20, float("inf"))] == [
        "0", "0", "0", "2.5", "3", "1e+20", "inf",
    ]  # fmt: skip
    assert told_apart(1e-14, 2e-14) == ("1e-14", "2e-14")


@pytest.mark.parametrize(
    "declared", [{"words": {"a": "even"}}, {"facts": {"a": ("one",)}}, {"words": {"a": ()}}]
)
def test_words_that_are_not_a_list_of_names_are_refused(declared):
    with pytest.raises(ValueError, match=r"toy\.two: 'a' is put into words by .*expected a"):
        replace(TWO, **declared)


TWO = Question(
    "toy.two",
    "Two groups",
    (Group("a", 1.0, "first"), Group("b", 1.0, "second")),
    lambda rng: [Case("a", "one", call("f", np.ones(2))), Case("b", "another", call("f", np.zeros(2)))],
    {"f": lambda x: 2 * x},
    tensors=False,
)


def test_an_error_is_told_once():
    def broken(x):
        raise RuntimeError("this does not go.")

    text = plain(run(TWO, {"f": broken}))
    assert text.count("RuntimeError: this does not go, in the line `raise") == 1
    assert "another: the same as above." in text
    assert "..\n" not in f"{text}\n"
    assert plain(run(TWO, {})).count("f is not defined") == 1


def test_the_theorem_speaks_in_its_own_words():
    question = Catalogue(OWN)["ps5.theorem"]
    text = plain(run(question, {"verdict": lambda count, v_end, threshold, steps: ("even", 0)}))
    assert re.search(
        r'case\[\d+\] at count = \d+, v_end = \S+: you called it "even"; it is "(extra|missing)"', text
    )
