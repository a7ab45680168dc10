"""Slips of the language that the source proves: a loop that ends, a list returned, a helper without ``return``, ..."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest
import torch

from autograder.judging import run
from autograder.language import Evidence, Shown, mending, told
from autograder.question import Case, Group, Question, Slip, Tolerance, call

SUMS = Question(
    "toy.sums",
    "Sums of rows",
    (Group("all", 1.0, ""),),
    lambda rng: [Case("all", f"{n} rows", call("sums", rng.uniform(1, 9, (n, 3)))) for n in (4, 5)],
    {"sums": lambda x: 2.5 * x},
    right_in_torch=True,
    slips=(Slip("blames", "Something of the question's.", error=r"NoneType|raised"),),
)


def said(cell, question=SUMS):
    cell = textwrap.dedent(cell).strip("\n")
    names = {"torch": torch, "np": np}
    exec(compile(cell, "<cell>", "exec"), names)
    result = run(question, names, cells=[cell])
    assert not result.fault
    return result.groups[0].slip


@pytest.mark.parametrize(
    ("cell", "id", "words"),
    [
        ("def sums(x):\n    out = []\n    for row in x:\n        out.append(2.5 * row)\n        return torch.stack(out)", "return_in_loop", "in line 5"),
        ("def sums(x):\n    out = []\n    for v in (2.5 * x).flatten():\n        out.append(float(v))\n    return out", "list_returned", "returns a list in line 5"),
        ("def sums(x):\n    def twice(row):\n        row * 2.5\n    return torch.stack([twice(row) for row in x])", "nothing_returned", "`twice` returns nothing, and line 4"),
    ],
)  # fmt: skip
def test_what_the_source_proves_goes_before_a_slip_known_by_an_error(cell, id, words):
    found = said(cell)
    assert (found.id, found.sure) == (id, True)
    assert words in found.sentence


def test_a_loop_that_may_go_on_is_not_blamed():
    cell = (
        "def sums(x):\n    for k in range(9):\n        if k < 2:\n            continue\n        return x * k"
    )
    found = said(cell)
    assert found is None or found.id != "return_in_loop"


def test_a_helper_that_works_in_place_is_not_blamed():
    cell = "def sums(x):\n    def fill(y):\n        y *= 2.5\n    y = x.clone()\n    fill(y)\n    return y + y.nothing"
    assert said(cell).id != "nothing_returned"


def unusable(error):
    """A failing case of a probe that could not go on."""
    text = f"what rows returns (a list) cannot be used: {error}"
    return Shown("all", "probe", False, "error", text, {}, {}, {}, (), Tolerance())


def test_a_key_of_another_name_is_named():
    cells = ("def rows():\n    return [dict(alpha=3.0)]",)
    found = told(Evidence((unusable("KeyError: 'parameter'"),), ("rows",), cells))
    assert (found.id, found.sure) == ("keyword_renamed", True)
    assert "`parameter` is asked for, and there is none; yours are `alpha`" in found.sentence


def test_a_number_for_a_pair_is_named():
    error = "TypeError: 'float' object is not subscriptable"
    found = told(Evidence((unusable(error),), ("rows",), ("def rows():\n    return {1: 3.0}",)))
    assert found.id == "number_of_results"


STEP = """
class Base:
    def __init__(self, **kept):
        self.kept = kept
    def __call__(self, x):
        return self.function(x, **self.kept)
    @staticmethod
    def function(x, factor, **rest):
        return factor * x

class Step(Base):
    def __init__(self, factor=2.5):
        super().__init__({})

def sums(x):
    return Step()(x)
"""


def test_a_base_class_that_is_not_handed_an_argument():
    assert said(STEP.format("factor=factor")) is None
    found = said(STEP.format("more=True"))
    assert (found.id, found.sure) == ("super_arguments", True)
    assert "hand it on as `factor=factor`" in found.sentence


GRADIENT = Question(
    "toy.gradient",
    "A gradient",
    (Group("all", 1.0, ""),),
    lambda rng: [Case("all", "a gradient", call("square", rng.uniform(1, 9, 5)).gradient(np.ones(5)))],
    {"square": lambda x: x**2},
    right_in_torch=True,
    slips=(Slip("no_backward", "Return `YourFunction.apply`.", error="does not require grad"),),
)
SQUARE = """
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x ** 2
    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        with torch.{}():
            y = x.detach().requires_grad_()
            return torch.autograd.grad(y ** 2, y, upstream)[0]

def square(x):
    return Square.apply(x)
"""


def test_gradients_switched_off_inside_backward():
    assert said(SQUARE.format("enable_grad"), GRADIENT) is None
    found = said(SQUARE.format("no_grad"), GRADIENT)
    assert (found.id, found.sure) == ("gradients_off", True)
    assert "line 9" in found.sentence


def test_an_argument_written_through_a_view_is_a_perhaps():
    question = Question(
        "toy.difference", "", (Group("all", 1.0, ""),),
        lambda rng: [Case("all", "five", call("sums", rng.uniform(1, 9, 5)))],
        {"sums": lambda x: torch.full_like(x, 2.0)}, right_in_torch=True,
    )  # fmt: skip
    cell = """
    def sums(x):
        up, down = x.detach(), x.detach()
        one = x.detach()
        one[:] += 1
        two = x.detach()
        two[:] -= 1
        one[:] = one * 1
        return (one - two) * torch.arange(5)
    """
    found = said(cell, question)
    assert (found.id, found.sure) == ("in_place", False)


def test_a_slip_that_was_copied_is_mended_in_all_its_places():
    question = Question(
        "toy.half", "", (Group("all", 1.0, ""),),
        lambda rng: [Case("all", f"{n}", call("share", rng.uniform(1, 9, n), 3.0)) for n in (5, 6)],
        {"share": lambda x, b: torch.exp(-x / b) + x * (1 - torch.exp(-x / b))}, right_in_torch=True,
    )  # fmt: skip
    cell = "def share(x, b):\n    return torch.exp(-x // b) + x * (1 - torch.exp(-x // b))"
    found = said(cell, question)
    assert found.id == "mended"
    assert found.sentence.startswith("With `/` for `//` in line 2")
    assert found.sentence.endswith("and wherever it stands again all is right.")


def test_edits_are_counted_and_no_more_are_tried(monkeypatch):
    monkeypatch.setattr(mending, "EDITS", 7)
    tried = []
    put = tried.append
    assert mending.mend(["def f(x):\n    return 2 * x + 1"], [0], put, lambda *_: False, lambda: False) == ""
    assert len(tried) == 7


COUNTS = Question(
    "toy.counts",
    "Sums over time",
    (Group("all", 1.0, ""),),
    lambda rng: [Case("all", f"{n}", call("counts", rng.uniform(1, 9, (n, 3, 2)))) for n in (5, 6)],
    {"counts": lambda x: x.sum(dim=(0, 2))},
    right_in_torch=True,
)


@pytest.mark.parametrize(
    ("made", "id", "sure"),
    [
        (lambda x: x.sum(dim=(1, 2)), "other_axis", False),
        (lambda x: (x.sum(dim=(0, 2)), x[:, :, 0].sum(0)), "number_of_results", True),
        (lambda x: 7 * x.sum(dim=(0, 2)), "sum_for_mean", False),
        (lambda x: x.sum(dim=(0, 2)) / 7, "mean_for_sum", False),
    ],
)
def test_what_shapes_and_a_common_factor_tell(made, id, sure):
    found = run(COUNTS, {"counts": made}).groups[0].slip
    assert (found.id, found.sure) == (id, sure)
