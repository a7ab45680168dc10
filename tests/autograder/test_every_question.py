"""What holds for every question of every problem set."""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import sys
from functools import cache

import numpy as np
import pytest

from autograder.asking import probe_text
from autograder.catalogue import OWN, BrokenQuestionError, Catalogue, UnknownQuestionError
from autograder.course import problem_sets, source_of

CATALOGUE = Catalogue(OWN)
QUESTIONS = {question.id: question for question in CATALOGUE}
EVERY = pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)


def test_the_catalogue_names_every_question_once(root):
    asked = [name for name in problem_sets(root) if 'check="' in source_of(root, name).read_text()]
    assert CATALOGUE.sets() == asked
    assert len(QUESTIONS) == sum(len(CATALOGUE.questions(name)) for name in asked)
    with pytest.raises(
        UnknownQuestionError, match=r"^no question is called 'ps2.nope'; there are: .*ps2.sine_derivative"
    ):
        CATALOGUE["ps2.nope"]
    with pytest.raises(
        UnknownQuestionError, match=r"no problem set is called 'ps9'; there are: .*ps2_surrogates"
    ):
        CATALOGUE.questions("ps9")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("def broken(:", r"ps9_mine.mine\.py: SyntaxError"),
        ("from nowhere import x", r"mine\.py: ModuleNotFoundError: No module named 'nowhere'"),
        (
            "from autograder.question import Question\n"
            "from autograder.question import Group\n"
            "QUESTION = Question('ps9.other', '', (Group('a', 1, ''),), lambda rng: [], ())",
            r"mine\.py: its question is called 'ps9.other'; expected 'ps9.mine'",
        ),
    ],
)
def test_a_broken_question_names_its_file(tmp_path, content, said):
    (tmp_path / "ps9_mine").mkdir()
    (tmp_path / "ps9_mine" / "mine.py").write_text(content)
    with pytest.raises(BrokenQuestionError, match=said):
        Catalogue(tmp_path).questions("ps9_mine")


@cache
def drawn(question, seed):
    return QUESTIONS[question].draw(seed)


@EVERY
def test_every_question_is_complete(question):
    assert len(question.hints) == 3
    assert all(len(hint) > 20 for hint in question.hints)
    assert question.within.reason
    assert len(question.slips) >= 3
    ids = [slip.id for slip in question.slips]
    assert len(set(ids)) == len(ids)
    assert {case.group for case in drawn(question.id, 1)} == {group.id for group in question.groups}
    assert all(name in QUESTIONS for name in question.uses.values())
    for name in question.withheld:
        module, attribute = name.rsplit(".", 1)
        assert hasattr(__import__(module, fromlist=[attribute]), attribute)


def free_names(code):
    """Global names that a piece of code and those in it use."""
    own = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    nested = (const for const in code.co_consts if inspect.iscode(const))
    return own.union(*map(free_names, nested))


@EVERY
def test_probes_stand_alone(question):
    """Their text runs elsewhere: a function uses no global name but builtins, a module imports nothing of the checks."""
    probes = {case.call.of for case in drawn(question.id, 1) if callable(case.call.of)}
    for probe in probes:
        text = probe_text(probe)
        if probe.__module__.endswith("_probe"):
            imported = {
                name.split(".")[0]
                for node in ast.walk(ast.parse(text))
                for name in (
                    [alias.name for alias in node.names] if isinstance(node, ast.Import)
                    else [node.module or "." * node.level] if isinstance(node, ast.ImportFrom) else []
                )
            }  # fmt: skip
            assert imported <= set(sys.stdlib_module_names) | {"numpy", "torch", "spikingjelly", "snnkit"}
        else:
            allowed = set(dir(builtins)) | {"Any", "Data", "__name__", "__annotations__"}
            assert free_names(probe.__code__) <= allowed, probe


def plain_data(value):
    if isinstance(value, dict):
        return all(isinstance(key, str) and plain_data(one) for key, one in value.items())
    if isinstance(value, list | tuple):
        return all(plain_data(one) for one in value)
    return value is None or type(value) in (int, float, str, bool, np.ndarray)


@EVERY
def test_cases_hold_plain_data_only(question):
    calls = [case.call for case in drawn(question.id, 1)]
    assert all(plain_data([call.args, dict(call.kwargs), call.then, call.upstream]) for call in calls)


@EVERY
def test_the_same_seed_draws_the_same_cases(question):
    again = question.draw(1)
    assert len(again) == len(drawn(question.id, 1))
    for one, other in zip(drawn(question.id, 1), again, strict=True):
        assert (one.group, one.label) == (other.group, other.label)
        assert repr(one.call.args) == repr(other.call.args)
        assert repr(one.call.kwargs) == repr(other.call.kwargs)
