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
from autograder.checks import REGISTRY, UnknownQuestionError, checks_of, problem_sets
from autograder.course import problem_sets as sources
from autograder.course import source_of


def test_registry_names_every_question_once(root):
    assert problem_sets() == [
        name for name in sources(root) if 'check="' in source_of(root, name).read_text()
    ]
    assert len(set(REGISTRY)) == len(REGISTRY) == sum(len(checks_of(name)) for name in problem_sets())
    assert all(name == check.id for name, check in REGISTRY.items())
    with pytest.raises(
        UnknownQuestionError, match=r"^no question is called 'ps2.nope'; there are: .*ps2.sine_derivative"
    ):
        REGISTRY["ps2.nope"]
    with pytest.raises(
        UnknownQuestionError, match=r"no problem set is called 'ps9'; there are: .*ps2_surrogates"
    ):
        checks_of("ps9")


EVERY = pytest.mark.parametrize("question", REGISTRY.values(), ids=REGISTRY)


@cache
def drawn(question, seed):
    return REGISTRY[question].draw(seed)


@EVERY
def test_every_question_is_complete(question):
    assert len(question.hints) == 3
    assert all(len(hint) > 20 for hint in question.hints)
    assert question.within.reason
    assert len(question.slips) >= 3
    ids = [slip.id for slip in question.slips]
    assert len(set(ids)) == len(ids)
    assert {case.group for case in drawn(question.id, 1)} == {group.id for group in question.groups}
    assert all(name in REGISTRY for name in question.uses.values())
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
