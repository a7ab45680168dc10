"""Which references cells ask for in plain text, and which they hold word for word."""

from __future__ import annotations

from functools import partial

import pytest

from autograder.catalogue import OWN, Catalogue
from autograder.isolation.handed_out import copies
from autograder.notebook import Cell, parse
from autograder.source import solution_notebook
from autograder.word_for_word import copied, copied_remark, references_asked

CATALOGUE = Catalogue(OWN)

REFERENCE = '''"""A reference."""

import torch


def squares(x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
    """The sum of squares, scaled."""
    total = torch.zeros(())
    for row in x:
        total = total + scale * (row * row).sum()
    return total


def half(x):
    return x / 2
'''

BARE = """def squares(x, scale=1.0):
    total = torch.zeros(())
    for row in x:
        total = total + scale * (row * row).sum()
    return total
"""


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ('kernel = use_reference("kernel")', ["kernel"]),
        ("a = autograder.use_reference( 'toy.a.train' )\nb = use_reference(name='b')", ["toy.a.train", "b"]),
        ('%matplotlib inline\n!ls\nx = use_reference(\n    "x",\n)', ["x"]),
        ('%%time\nx = use_reference("x")', ["x"]),
        ('def f():\n    return [use_reference("x") for _ in "ab"]', ["x"]),
        ("use_reference(name)\nuse_reference()\nuse_reference(3)\nuse_reference(f'{x}')", []),
        ('take = use_reference\ntake("kernel")', []),
        ("exec('use_reference(\"kernel\")')", []),
        ('# use_reference("kernel") is for cowards\nx = 1', []),
        ('def broken(:\n    use_reference("kernel")', ["kernel"]),
        ("x = 1\n" * 30_000 + 'use_reference("kernel")', ["kernel"]),
        ("(" * 20_000, []),
        ("x = '\0'", []),
    ],
)
def test_what_a_cell_asks_for_is_read_from_its_syntax(source, asked):
    assert list(references_asked(source)) == asked


@pytest.mark.parametrize(
    "cells",
    [
        [REFERENCE],
        ["x = 1", BARE],
        ["%%time\n" + BARE],
        ["def mine():\n    " + BARE.replace("\n", "\n    ")],
        [BARE.replace("scale=1.0):", 'scale: "any" = 1.0) -> "t":\n    "Mine."\n    # mine')],
    ],
)
def test_a_reference_word_for_word_is_seen(cells):
    assert copied(cells, REFERENCE) == ["squares"]


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [BARE.replace("scale * (row * row)", "(row * row)")],
        [BARE.replace("total", "result")],
        ["def half(x):\n    return x / 2"],  # as everybody writes it
        [BARE + "def broken(:"],
        [BARE + "x = 1\n" * 30_000],
    ],
)
def test_what_is_written_otherwise_or_very_short_is_not(cells):
    assert copied(cells, REFERENCE) == []


@pytest.mark.parametrize(
    "source",
    ["-" * 90_000 + "1", "x" + "+1" * 40_000, "a" + ".b" * 40_000, "lambda:" * 12_000 + "1", "[" * 90_000],
    ids=["signs", "sum", "attributes", "lambdas", "brackets"],
)
def test_what_is_nested_without_end_is_nothing(source):
    assert copied([source], REFERENCE) == []
    assert references_asked(source) == ()


@pytest.mark.parametrize("problem_set", CATALOGUE.sets())
def test_the_course_own_references_are_recognised_and_its_solutions_are_not(root, problem_set):
    """What many write alike, in few words, is told of nobody."""
    questions = CATALOGUE.questions(problem_set)
    assert copies(parse(solution_notebook(root, problem_set)).cells, questions) == []
    question = partial(Cell, "", graded=True)
    for name, one in questions.items():
        if one.reference is not None:
            pasted = [Cell(one.reference.read_text()), question(grade_id=name)]
            found = copies(pasted, questions)
            assert found, name
            assert set(found) <= {copied_remark(own) for own in one.names}
