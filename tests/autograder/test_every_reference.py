"""Every reference is right, stands alone, and is there for every helper that a later question or given cell uses."""

from __future__ import annotations

import ast
import sys

import pytest

from autograder.catalogue import OWN, Catalogue
from autograder.follow_on import Carried, names_of
from autograder.judging import PUBLIC_SEED, run
from autograder.message import plain
from autograder.notebook import parse
from autograder.reference import helpers, load
from autograder.source import solution_notebook

CATALOGUE = Catalogue(OWN)
FILES = CATALOGUE.references()
EVERY = pytest.mark.parametrize("question", FILES)
#: Made by running, so that no function can stand in for them; given cells only draw them.
TABLES = {"settings", "results", "studies"}


def answer(question):
    """A question's references, beside what the notebook gives it."""
    return {"__name__": "__main__", **load(FILES[question])}


@EVERY
@pytest.mark.parametrize("seed", [PUBLIC_SEED, 7, 1009])
def test_a_reference_is_right(question, seed):
    asked, names = CATALOGUE[question], answer(question)
    result = run(asked, names, seed=seed)
    missing = [one for one in result.groups if one.failure is not None and one.failure.kind == "missing"]
    lost = [one for one in result.groups if one.score < one.points and one not in missing]
    assert not lost, plain(result)
    assert len(missing) < len(result.groups)
    assert not missing or set(asked.names) - set(asked.uses) - set(names)


@EVERY
def test_a_reference_stands_alone(question):
    tree = ast.parse(FILES[question].read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip
    assert imported <= set(sys.stdlib_module_names) | {"numpy", "torch", "spikingjelly"}
    assert set(load(FILES[question])) <= set(CATALOGUE[question].names)
    same_set = [name for file in CATALOGUE.references(question).values() for name in load(file)]
    assert len(same_set) == len(set(same_set))


def followed(uses, question):
    """The names that a question uses, directly or through others."""
    found, waiting = {}, [question]
    while waiting:
        now = uses[waiting.pop()]
        waiting += [id for name, id in now.items() if name not in found]
        found |= now
    return found.keys()


@pytest.mark.parametrize("problem_set", CATALOGUE.sets())
def test_what_questions_use_is_what_the_reference_solution_uses(root, problem_set):
    """Read from its cells, through given cells too; and what a later answer or a given cell reads has a reference."""
    questions = CATALOGUE.questions(problem_set)
    uses = {one.id: dict(one.uses) for one in questions.values()}
    owner = {name: one.id for one in questions.values() for name in one.names if name not in one.uses}
    references = helpers({one.id: one.reference for one in questions.values() if one.reference})
    carried, answered_by, read_later = Carried(owner, {}), dict[str, str](), set[str]()
    for cell in parse(solution_notebook(root, problem_set)).cells:
        if cell.question and cell.grade_id in questions:
            asked = questions[cell.grade_id]
            assert carried.rests(asked) <= followed(uses, asked.id), asked.id
        elif cell.code:
            carried.ran(cell.source)
            bound, read = names_of(cell.source)
            read_later |= {name for name in read if answered_by.get(name, cell.grade_id) != cell.grade_id}
            if cell.answer:
                answered_by |= dict.fromkeys(bound & owner.keys(), cell.grade_id)
    assert all(owner[name] == id for used in uses.values() for name, id in used.items())
    assert read_later - TABLES <= references.keys()
