"""Nothing is charged twice: what rests on what, the better of both outcomes, and a helper's stand-in in the notebook."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

from autograder.follow_on import Carried, better, names_of, planned
from autograder.judging import run
from autograder.question import Case, Group, Question, call
from autograder.second_try import second_try
from tests.autograder.outcomes import RIGHT_PART, WRONG_PART, result

REFERENCE = "def double(x):\n    return 2 * x\n\n\ndef negative(x):\n    return -x\n"


def question(name, group, right, uses=None, reference=None):
    def cases(rng):
        for own in right:
            for value in (1.0, 3.0):
                yield Case(own if group is None else group, f"{own} of {value}", call(own, value))

    groups = [Group(own, 1.0, own) for own in right] if group is None else [Group(group, 1.0, group)]
    return Question(
        f"toy.{name}", name, tuple(groups), cases, right, uses=uses or {}, reference=reference, tensors=False
    )


@pytest.fixture
def questions(tmp_path):
    file = tmp_path / "first_reference.py"
    file.write_text(REFERENCE)
    first = question("first", None, {"double": lambda x: 2 * x, "negative": lambda x: -x}, reference=file)
    second = question(
        "second", None, {"four": lambda x: 4 * x, "five": lambda x: 5 * x}, {"double": "toy.first"}
    )
    third = question("third", "all", {"eight": lambda x: 8 * x})
    return {"first": first, "second": second, "third": third}


def names(**definitions):
    space = {"__name__": "__main__"}
    for name, body in definitions.items():
        exec(f"def {name}(x):\n    return {body}", space)
    return space


RIGHT = {
    "double": "2 * x",
    "negative": "-x",
    "four": "double(double(x))",
    "five": "double(double(x)) + x",
    "eight": "double(four(x))",
}


def checked(questions, name, answer, cells=()):
    """What a question gets in the notebook, and which questions were asked on the way."""
    asked = []

    def hear(one, names):
        asked.append(one.id)
        return run(one, names, seed=3)

    first = run(questions[name], answer, seed=3)
    by_id = {one.id: one for one in questions.values()}
    files = {one.id: one.reference for one in questions.values() if one.reference}
    found = second_try(
        questions[name], answer, first, find=by_id.__getitem__, files=files, ask=hear, cells=cells
    )
    return found, asked


def test_what_a_cell_binds_and_reads():
    source = "import math as m\nk = other\ndef f(x, y=top):\n    z = inner(x)\n    return [g(a) for a in z]\nk += 1"
    assert names_of(source) == ({"m", "k", "f"}, {"other", "top", "inner", "g", "k"})
    assert names_of("%matplotlib inline\n!ls\ndef f(): return g()") == ({"f"}, {"g"})
    assert {"double", "x"} <= names_of("def broken(:\n double(x)")[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert names_of("pattern = '\\d'") == ({"pattern"}, set())


def test_names_carry_the_helpers_of_the_cells_that_bound_them(questions):
    carried = Carried(
        {"double": "toy.first", "negative": "toy.first"}, {"toy.second": {"double": "toy.first"}}
    )
    carried.ran("def double(x): return x")
    carried.ran("table = {'d': double}")
    carried.ran("def eight(x): return table['d'](x)")
    assert carried.rests(questions["third"]) == {"double"}
    assert carried.rests(questions["second"]) == {"double"}
    assert carried.rests(questions["first"]) == set()
    carried.ran("def eight(x): return 8 * x")
    assert carried.rests(questions["third"]) == set()


def test_uses_are_followed_through_others():
    uses = {"toy.third": {"four": "toy.second"}, "toy.second": {"double": "toy.first"}}
    carried = Carried({"double": "toy.first", "four": "toy.second"}, uses)
    third = question("third", "all", {"eight": abs}, {"four": "toy.second"})
    assert carried.rests(third) == {"four", "double"}


def test_only_what_lost_points_behind_a_lost_helper_is_asked_again(questions):
    cells = [
        ("", "def double(x): ...\ndef negative(x): ..."),
        ("first", ""),
        ("", "def four(x): return double(x)\ndef five(x): ..."),
        ("second", ""),
        ("", "def eight(x): return four(x)"),
        ("third", ""),
    ]
    lost, full = result(0.5), result(1.0)
    assert planned(cells, questions, {"first": lost, "second": lost, "third": lost}) == {
        "second": {"double"},
        "third": {"double"},
    }
    assert planned(cells, questions, {"first": full, "second": lost, "third": lost}) == {}
    assert planned(cells, questions, {"first": lost, "second": full, "third": full}) == {}


def test_the_better_of_both_by_group():
    wrong, right = result(0.5), result(1.0)
    whole = better(wrong, right, ["kernel"])
    assert whole.score == 1.0
    assert whole.remarks == ("right; but your `kernel` is not: mend that first",)
    assert not whole.failed
    assert better(wrong, right, ["slope", "kernel"]).remarks == (
        "right; but your `kernel` and `slope` are not: mend them first",
    )
    assert better(right, wrong, ["kernel"]) == right
    assert better(wrong, wrong, ["kernel"]) == wrong
    none = replace(
        wrong, score=0.0, groups=(replace(RIGHT_PART, score=0.0, failure=WRONG_PART.failure), WRONG_PART)
    )
    other = replace(WRONG_PART, failure=replace(WRONG_PART.failure, sentence="of its own"))
    part = better(none, replace(wrong, groups=(RIGHT_PART, other)), ["kernel"])
    assert part.score == 0.5
    assert part.remarks == ("0.5 of 1 points with a right `kernel`; yours is not: mend that first",)
    assert part.failed["other"].sentence == "of its own"
    late = replace(WRONG_PART, failure=replace(WRONG_PART.failure, kind="time"))
    assert better(none, replace(wrong, groups=(RIGHT_PART, late)), ["kernel"]).groups[1] == WRONG_PART


def test_a_wrong_helper_costs_its_own_points_only(questions):
    answer = names(**{**RIGHT, "double": "2 * x + 1"})
    before = dict(answer)
    first, _ = checked(questions, "first", answer)
    second, asked = checked(questions, "second", answer)
    assert (first.score, second.score) == (1.0, 2.0)
    assert second.remarks == ("right; but your `double` is not: mend that first",)
    assert asked == ["toy.first", "toy.second"]
    assert answer == before
    assert answer["four"](1) == 7


def test_a_helper_that_is_missing_is_stood_in_for(questions):
    answer = names(four=RIGHT["four"], five="6 * x")
    second, _ = checked(questions, "second", answer)
    assert second.score == 1.0
    assert second.remarks == ("1 of 2 points with a right `double`; yours is not: mend that first",)
    assert list(second.failed) == ["five"]
    assert "double" not in answer


def test_an_object_that_lets_nothing_stand_in_changes_nothing(questions, tmp_path):
    reference = tmp_path / "first_reference.py"
    reference.write_text("class double:\n    def __new__(cls, x):\n        return 2 * x\n")
    answer = names(**RIGHT)
    exec(
        "class Stubborn(type):\n    def __setattr__(cls, key, value):\n        raise TypeError('no')\n"
        "class double(metaclass=Stubborn):\n    def __new__(cls, x):\n        return 3 * x",
        answer,
    )
    second, _ = checked(questions, "second", answer)
    assert (second.score, second.remarks) == (0.0, ())


def test_a_question_of_its_own_fault_and_one_that_is_right_are_left_alone(questions):
    own, asked = checked(questions, "second", names(**{**RIGHT, "four": "3 * x", "five": "3 * x"}))
    assert (own.score, own.remarks, asked) == (0.0, (), ["toy.first"])
    right, asked = checked(questions, "second", names(**RIGHT))
    assert (right.score, asked) == (2.0, [])


def test_the_cells_of_the_kernel_tell_what_else_is_used(questions):
    answer = names(**{**RIGHT, "double": "3 * x", "four": "4 * x"})
    assert checked(questions, "third", answer)[0].score == 0.0
    cells = [f"def {name}(x): return {body}" for name, body in RIGHT.items()]
    third, _ = checked(questions, "third", answer, cells)
    assert third.score == 1.0
    assert third.remarks == ("right; but your `double` is not: mend that first",)


def test_what_cells_computed_with_a_helper_is_computed_again(questions):
    cells = [
        "def double(x): return 3 * x",
        "print('shown'); double(1)",
        "factor = 2 * double(1)",
        "def four(x): return factor * x\ndef five(x): return (factor + 1) * x",
    ]
    answer = {"__name__": "__main__"}
    for cell in cells:
        exec(cell, answer)
    before = dict(answer)
    second, _ = checked(questions, "second", answer, cells)
    assert second.score == 2.0
    assert second.remarks == ("right; but your `double` is not: mend that first",)
    assert answer == before
    assert answer["four"](1) == 6


def test_a_cell_that_failed_for_want_of_the_helper_is_run_again(questions):
    cells = ["def double(x): raise ValueError", "table = [double(k) for k in range(5)]"]
    cells.append("def eight(x): return table[4] * x")
    answer = {"__name__": "__main__", "four": None}
    exec(cells[0], answer)
    exec(cells[2], answer)
    third, _ = checked(questions, "third", answer, [*cells, "%timeit 3", "eight(3)"])
    assert third.score == 1.0
    assert "table" not in answer


def test_a_cell_that_is_very_long_is_not_compiled() -> None:
    source = "x = 1  # and y\n" * 10_000
    assert names_of(source) == (frozenset({"x", "and", "y"}),) * 2
    assert names_of(source[:150]) == (frozenset({"x"}), frozenset())
