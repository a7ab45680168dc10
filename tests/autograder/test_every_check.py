"""What holds for every question of every problem set."""

from __future__ import annotations

import builtins
import dis
import inspect

import numpy as np
import pytest

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


@pytest.mark.parametrize("check", REGISTRY.values(), ids=REGISTRY)
def test_every_check_is_complete(check):
    assert len(check.hints) == 3
    assert all(len(hint) > 20 for hint in check.hints)
    assert check.tolerance.reason
    assert len(check.misconceptions) >= 3
    ids = [found.id for found in check.misconceptions]
    assert len(set(ids)) == len(ids)
    for found in check.misconceptions:
        assert sum(part is not None for part in (found.arrays, found.error, found.when)) == 1
    groups = {group.id for group in check.groups}
    assert {case.group for case in check.draw(1)} == groups
    for name in check.withheld:
        module, attribute = name.rsplit(".", 1)
        assert hasattr(__import__(module, fromlist=[attribute]), attribute)


@pytest.mark.parametrize("check", REGISTRY.values(), ids=REGISTRY)
def test_probe_is_self_contained(check):
    """Its source runs elsewhere: it uses no global name but builtins and those of its annotations."""

    def global_names(code):
        own = {
            step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
        }
        nested = (const for const in code.co_consts if inspect.iscode(const))
        return own.union(*(global_names(inner) for inner in nested))

    allowed = set(dir(builtins)) | {"Any", "Data", "__name__", "__annotations__"}
    assert global_names(check.probe.__code__) <= allowed


@pytest.mark.parametrize("check", REGISTRY.values(), ids=REGISTRY)
def test_cases_hold_plain_data_only(check):
    def plain(value):
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(one) for key, one in value.items())
        if isinstance(value, list | tuple):
            return all(plain(one) for one in value)
        return type(value) in (int, float, str, bool, np.ndarray)

    assert all(plain(case.data) for case in check.draw(3))


@pytest.mark.parametrize("check", REGISTRY.values(), ids=REGISTRY)
def test_the_same_seed_draws_the_same_cases(check):
    first, again = (repr([(case.group, case.label, case.data) for case in check.draw(1)]) for _ in range(2))
    assert first == again
