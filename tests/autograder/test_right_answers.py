"""No right answer of the checks, which are in the student's hands, gets a point when it is pasted into its answer cell.

Graded beside the library as a student has it, without what the set withholds: so a right answer is a call of what is
withheld, or has another form than what is asked for (arrays for tensors, tensors for arrays, values by ``asked``).
"""

from __future__ import annotations

import ast
import inspect
import pickle
import subprocess
import sys
import textwrap
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

import snnkit
from autograder.catalogue import OWN, Catalogue
from autograder.course import source_of
from autograder.isolation.withhold import withhold
from autograder.judging import PUBLIC_SEED, judge
from tests.autograder import answer_withheld
from tests.autograder.answer_withheld import right_answer
from tests.support import ROOT

CATALOGUE = Catalogue(OWN)
EVERY = [
    pytest.param(problem_set, name, id=question.id)
    for problem_set in CATALOGUE.sets()
    for name, question in CATALOGUE.questions(problem_set).items()
    if right_answer(question)
]


def lambdas_at(function):
    """Texts of the lambdas on a function's line."""
    source = Path(inspect.getsourcefile(function)).read_text()
    return [
        ast.get_source_segment(source, node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Lambda) and node.lineno == function.__code__.co_firstlineno
    ]


def parts(name, value):
    """What a student would paste for a right answer, with the student's name bound to it."""
    while isinstance(value, partial):
        value = value.func
    if not value.__module__.startswith("autograder.checks"):
        return [f"import {value.__module__}\n{name} = {value.__module__}.{value.__qualname__}"]
    if value.__name__ == "<lambda>":
        return [f"{name} = ({text})" for text in lambdas_at(value)]
    return [f"{textwrap.dedent(inspect.getsource(value))}\n{name} = {value.__name__}"]


def setup(problem_set):
    """What the first cell of a set's notebook imports."""
    source = source_of(ROOT, problem_set).read_text()
    first = source.split('# %% given="setup"\n')[1].split("\n# %%")[0]
    imports = (node for node in ast.parse(first).body if isinstance(node, ast.Import | ast.ImportFrom))
    return "\n".join(map(ast.unparse, imports))


@cache
def drawn(problem_set):
    """Cases of each question of a set that has a right answer."""
    return {
        name: question.draw(PUBLIC_SEED)
        for name, question in CATALOGUE.questions(problem_set).items()
        if right_answer(question)
    }


def answered(problem_set, folder, texts):
    """What comes back for pasted texts and for the right answers themselves, by question and case."""
    questions = CATALOGUE.questions(problem_set)
    withheld = {name for question in questions.values() for name in question.withheld}
    withhold(Path(snnkit.__file__).parent, withheld, folder / "copy")
    (folder / "library").mkdir()
    (folder / "library" / "snnkit").symlink_to(folder / "copy" / "snnkit")
    jobs = {
        name: (text, [(case.call, questions[name].results(case.call)) for case in drawn(problem_set)[name]])
        for name, text in texts.items()
    }
    done = subprocess.run(
        [sys.executable, answer_withheld.__file__, str(folder / "library")],
        input=pickle.dumps((problem_set, setup(problem_set), jobs)),
        stdout=subprocess.PIPE,
        check=True,
    )
    return pickle.loads(done.stdout)


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """:func:`answered` for every question of a set, once."""

    @cache
    def of(problem_set):
        texts = {
            name: [text for own, value in right_answer(question).items() for text in parts(own, value)]
            for name, question in CATALOGUE.questions(problem_set).items()
            if right_answer(question)
        }
        return answered(problem_set, tmp_path_factory.mktemp(problem_set), texts)

    return of


def scored(problem_set, name, seen):
    cases = drawn(problem_set)[name]
    return judge(CATALOGUE.questions(problem_set)[name], cases, lambda at, case: seen[at], seed=PUBLIC_SEED)


def gained(result, groups):
    """What an answer gets in these groups, in words; empty for nothing."""
    got = [f"{group.score:g} for {group.id}" for group in result.groups if group.score and group.id in groups]
    return f"{result.question} gets {', '.join(got)}" if got else ""


def holds_arrays(value):
    if isinstance(value, dict):
        return any(map(holds_arrays, value.values()))
    return any(map(holds_arrays, value)) if isinstance(value, list | tuple) else isinstance(value, np.ndarray)


@pytest.mark.slow
@pytest.mark.parametrize(("problem_set", "name"), EVERY)
def test_no_right_answer_gets_points_as_pasted(problem_set, name, everything):
    result = scored(problem_set, name, everything(problem_set)[name][0])
    assert not gained(result, {group.id for group in result.groups})


@pytest.mark.slow
@pytest.mark.parametrize(("problem_set", "name"), EVERY)
def test_no_right_answer_gets_points_where_it_is_called_with_arrays(problem_set, name, everything):
    """Its form is another one there. Numbers have one form only, and a probe hands the same to both answers."""
    with_arrays = {
        case.group
        for case in drawn(problem_set)[name]
        if isinstance(case.call.of, str)
        and holds_arrays([case.call.args, dict(case.call.kwargs), case.call.then])
    }
    result = scored(problem_set, name, everything(problem_set)[name][1])
    assert not gained(result, with_arrays)


@pytest.mark.slow
def test_what_is_pasted_and_right_gets_points(tmp_path):
    right = "def spike_count(charge, threshold):\n    return int((charge >= threshold).sum())"
    seen, _ = answered("ps0_start", tmp_path, {"spike_count": [right]})["spike_count"]
    assert scored("ps0_start", "spike_count", seen).score == CATALOGUE["ps0.spike_count"].points
