"""Slips of the language: each layer on a toy question that knows none of them."""

from __future__ import annotations

import textwrap
from dataclasses import replace

import numpy as np
import pytest
import torch

from autograder.judging import run
from autograder.language import answer_cells
from autograder.language.edits import edits, told
from autograder.language.mending import definitions
from autograder.message import plain
from autograder.question import Case, Group, Question, Slip, call

CENTRE = Question(
    "toy.centre",
    "Means over time, and the range",
    (Group("small", 1.0, "small"), Group("large", 1.0, "large"), Group("gradient", 1.0, "gradient")),
    lambda rng: [
        Case("small", "[3, 2]", call("centre", rng.uniform(1, 9, (3, 2)), 2.5)),
        Case("large", "[5, 4]", call("centre", rng.uniform(1, 9, (5, 4)), 1.5)),
        Case("gradient", "[3, 2]", call("centre", rng.uniform(1, 9, (3, 2)), 2.5).gradient(np.ones(2))),
    ],
    {"centre": lambda x, gain: (gain * x.mean(0), gain * (x.amax(0) - x.amin(0)))},
    gives={"centre": ("mean", "spread")},
    right_in_torch=True,
)
ANSWER = """
def centre(x, gain):
    mean = gain * x.mean(0)
    spread = gain * (x.amax(0) - x.amin(0))
    return mean, spread
"""


def asked(cell, question=CENTRE, **names):
    """The result of a cell's answer to a question."""
    cell = textwrap.dedent(cell).strip("\n")
    names = {"torch": torch, "np": np, **names}
    exec(compile(cell, "<cell>", "exec"), names)
    return run(question, names, cells=[cell])


def test_the_right_answer_is_told_nothing():
    result = asked(ANSWER)
    assert (result.score, result.slips) == (3.0, ())


@pytest.mark.parametrize(
    ("change", "id", "words"),
    [
        (("    return mean", "    mean"), "nothing_returned", "`centre` returns nothing"),
        (("return mean, spread", "print(mean, spread)"), "nothing_returned", "write `return` for `print`"),
        (
            ("return mean, spread", "return mean"),
            "number_of_results",
            "2 results (mean, spread), as `return a, b`",
        ),
        (("return mean, spread", "return spread, mean"), "swapped_pair", "mean first, then spread"),
        (("x, gain):", "x, factor):"), "name_error", "Nothing is called `gain` here"),
        (("x, gain):", "x):"), "other_arguments", "`centre` is called with 2 arguments and takes 1"),
        (("x.mean(0)\n", "x.mean(0)\n    if x > 1: pass\n"), "if_on_tensor", "torch.where(condition, a, b)"),
        (("x.mean(0)", "x.mean(2)"), "no_such_axis", "no such axis"),
        (
            ("x.mean(0)", "x.tolist().mean(0)"),
            "list_for_tensor",
            "`.mean` is asked of a list, which has none",
        ),
        (("gain * x.mean(0)", "torch.exp(gain)"), "number_for_tensor", "`math.exp` is for numbers"),
        (("gain * x.mean(0)", "gain * x.mean(0); x *= 1"), "in_place_on_leaf", "`x *= 1` in line 2"),
        (("x.mean(0)", "x.detach().mean(0)"), "no_gradient", "`.detach` in line 2 cuts it off"),
        (("gain * x.mean(0)", "x[len(x)]"), "one_too_far", "from 0 to n - 1"),
    ],
)
def test_what_exceptions_types_and_the_source_tell(change, id, words):
    assert change[0] in ANSWER
    result = asked(ANSWER.replace(*change, 1))
    said = next(group.slip for group in result.groups if group.slip is not None)
    assert (said.id, said.sure) == (id, True)
    assert words in said.sentence, said.sentence
    assert plain(result).count(said.sentence) == 1


MODULE = Question(
    "toy.module",
    "A module",
    (Group("all", 1.0, "values"),),
    lambda rng: [Case("all", f"{n} numbers", call("Twice", 2.0).on(rng.uniform(1, 2, n))) for n in (3, 4)],
    {"Twice": lambda factor: lambda x: factor * x},
    right_in_torch=True,
)
TWICE = """
class Twice(torch.nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.inner = torch.nn.Identity()
        self.factor = factor

    def forward(self, x):
        return self.factor * self.inner(x)
"""


@pytest.mark.parametrize(
    ("change", "id", "words"),
    [
        (
            ("        super().__init__()\n", ""),
            "missing_super",
            "`Twice.__init__` does not call `super().__init__(...)`",
        ),
        (("return self.factor *", "self.factor *"), "nothing_returned", "`forward` returns nothing"),
        (("self.factor * self", "factor * self"), "missing_self", "it is `self.factor`"),
        (("self.inner(x)", "x.sum"), "not_called", "`.sum` in line 8 needs `()`"),
    ],
)
def test_slips_in_a_class(change, id, words):
    assert asked(TWICE, MODULE).score == 1.0
    said = asked(TWICE.replace(*change), MODULE).groups[0].slip
    assert said.id == id
    assert words in said.sentence


SCALED = """
class Base(torch.nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

class Twice(Base):
    def __init__(self, factor):
        super().__init__({})

    def forward(self, x):
        return self.factor * x
"""


def test_a_base_class_that_needs_arguments():
    assert asked(SCALED.format("factor"), MODULE).score == 1.0
    said = asked(SCALED.format(""), MODULE).groups[0].slip
    assert said.id == "super_arguments"
    assert "in `Twice` is called without what the base class needs: 'factor'" in said.sentence


SERIES = Question(
    "toy.series",
    "A series",
    (Group("all", 1.0, "values"), Group("more", 1.0, "more")),
    lambda rng: [
        Case(group, f"{n} steps", call("series", rng.uniform(1, 9, (n, 3))))
        for group, n in (("all", 6), ("more", 7))
    ],
    {"series": lambda x: 3.5 * x},
    right_in_torch=True,
)


@pytest.mark.parametrize(
    ("made", "id"),
    [
        (lambda x: -3.5 * x, "sign"),
        (lambda x: 1 / (3.5 * x), "reciprocal"),
        (lambda x: 7 * x, "factor_two"),
        (lambda x: 1.75 * x, "factor_two"),
        (lambda x: (3.5 * x) ** 2, "variance_for_deviation"),
        (lambda x: (3.5 * x).sqrt(), "deviation_for_variance"),
        (lambda x: 3.5 * x[:-1], "last_missing"),
        (lambda x: 3.5 * x[1:], "first_missing"),
        (lambda x: (3.5 * x).roll(1, 0), "one_step_off"),
        (lambda x: (3.5 * x).T, "batch_time_exchanged"),
        (lambda x: 3.5 * x * len(x), "sum_for_mean"),
        (lambda x: 3.5 * x / len(x), "mean_for_sum"),
        (lambda x: (3.5 * x).cumsum(0), "accumulated"),
        (lambda x: (3.5 * x).floor(), "whole_numbers"),
        (lambda x: 3.5 * x.sum(0), "reduced"),
        (lambda x: 3.5 * x[None], "extra_axis"),
        (lambda x: x, "argument_itself"),
    ],
)
def test_what_numbers_tell(made, id):
    said = run(SERIES, {"series": made}).groups[0].slip
    assert (said.id, said.sure) == (id, True)


def test_a_case_that_is_right_contradicts_a_description():
    said = run(SERIES, {"series": lambda x: 3.5 * x if len(x) == 6 else -3.5 * x})
    assert (said.groups[0].failure, said.groups[1].slip) == (None, None)


FORMULA = """
def series(x):
    y = 3.5 * x
    return y {}
"""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("3.5 * x", "3.5 / x"), "With `*` for `/` in line 2, `y = 3.5 / x`, all is right."),
        (("return y", "return y.T.T.abs() + (y - y.mean(0)).abs().floor() * 0 + y[:-1].sum() * 0 + 2"), ""),
        (("3.5 * x", "3.5 * x.cumsum(0).flip(1)"), ""),
        (("3.5 * x", "3.5 * x.flip(1)"), "Without `flip` in line 2"),
    ],
)
def test_mending_names_the_kind_and_the_line_of_an_edit(change, words):
    said = asked(FORMULA.format("").replace(*change), SERIES).groups[0].slip
    assert (said.sentence if said and said.id == "mended" else "").startswith(words)
    assert said is None or said.id == "mended" or not words


def test_mending_goes_through_the_functions_of_several_cells():
    names = {"torch": torch}
    cells = ["def half(x):\n    return x - 2", "def series(x):\n    return 3.5 * half(x)\nprint(1 / 0)"]
    exec(cells[0], names)
    exec(cells[1].split("\nprint")[0], names)
    question = replace(SERIES, right={"series": lambda x: 3.5 * x, "half": lambda x: x})
    result = run(question, names, cells=cells)
    assert "in line 2, `return x - 2`, all is right" in result.groups[0].slip.sentence


def test_an_edit_that_does_not_end_is_left():
    cell = "def series(x):\n    n = 0\n    while n < 3:\n        n += 1\n    return 3.5 * x - n\n"
    said = asked(cell, SERIES).groups[0].slip
    assert said is not None
    assert said.id == "mended"


def test_the_cells_of_an_answer_are_the_last_that_bind_its_names():
    cells = ["a = 1", "def f(): pass", "%time x\n!ls\ndef f(): return 2", "f()", "broken("]
    assert answer_cells(cells, ("f", "a", "none")) == (cells[0], cells[2])
    assert definitions("%matplotlib inline\nimport math\nx = 1\nprint(x)\ndef f(): return x").count("\n") == 4


def test_an_edit_is_told_without_the_mended_text():
    cell = "def f(a, b):\n    return a[0] + 2 * b"
    sentences = {told(one, cell) for one in edits(cell)}
    assert "With `-` for `+` in line 2, `return a[0] + 2 * b`, all is right." in sentences
    assert "With another number for `2` in line 2, `return a[0] + 2 * b`, all is right." in sentences
    assert all("in line 2" in one for one in sentences)


def test_an_answer_with_several_slips_of_the_question_is_not_mended():
    slips = (
        Slip("negative", "", {"series": lambda x: -3.5 * x}),
        Slip("more", "", {"series": lambda x: 4.5 * x}),
    )
    question = replace(SERIES, slips=slips)
    cell = "def series(x):\n    return -3.5 * x if len(x) == 6 else 4.5 * x"
    said = [group.slip for group in asked(cell, question).groups]
    assert [(one.id, one.sure) for one in said] == [("negative", False), ("more", False)]
