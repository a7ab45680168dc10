"""Withheld names of the library refuse while an answer is asked, whoever holds them, and are given back."""

from __future__ import annotations

import functools
import importlib
import sys

import pytest
import torch

import snnkit.dynamics as dynamics
from autograder.catalogue import OWN, Catalogue
from autograder.in_place import WithheldError, refusing
from autograder.judging import run
from snnkit.dynamics import lapicque_exact as alias

NAME = "snnkit.dynamics.lapicque_exact"
ARGUMENTS = {"v": torch.ones(2), "current": torch.ones(2), "dt": 1.0, "tau": 2.0, "resistance": 3.0}
TABLE = {"exact": dynamics.lapicque_exact}


def closure(held=dynamics.lapicque_exact):
    def inner(*args, **kwargs):
        return held(*args, **kwargs)

    return inner


def late(*args, **kwargs):
    from snnkit.dynamics import lapicque_exact

    return lapicque_exact(*args, **kwargs)


def default(*args, function=dynamics.lapicque_exact, **kwargs):
    return function(*args, **kwargs)


class Holder:
    method = staticmethod(dynamics.lapicque_exact)


WAYS = {
    "by the module": lambda *a, **k: dynamics.lapicque_exact(*a, **k),
    "alias": alias,
    "partial": functools.partial(dynamics.lapicque_exact),
    "closure": closure(),
    "default argument": default,
    "table": lambda *a, **k: TABLE["exact"](*a, **k),
    "late import": late,
    "by sys.modules": lambda *a, **k: sys.modules["snnkit.dynamics"].lapicque_exact(*a, **k),
    "attribute of a class": Holder.method,
    "wrapped": functools.wraps(dynamics.lapicque_exact)(lambda *a, **k: alias(*a, **k)),
}


def test_what_was_made_or_kept_before_refuses_too():
    """An instance, one of a subclass, a bound method, and what a cache of the library's own would give."""
    spike = importlib.import_module("snnkit.surrogate").Sine()
    mine = type("Mine", (type(spike),), {})()
    bound = spike.__call__ if hasattr(spike, "__call__") else spike  # noqa: B004
    x = torch.zeros(2, requires_grad=True)
    for used in (spike, mine, bound):
        assert used(x) is not None
        with refusing(["snnkit.surrogate.Sine"], []), pytest.raises(WithheldError):
            used(x).sum().backward()
        assert used(x) is not None


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_a_withheld_function_refuses(way):
    before, used = WAYS[way](**ARGUMENTS), []
    with (
        refusing([NAME], used),
        pytest.raises(
            WithheldError, match=f"this uses `{NAME}`, which this problem set asks you to write: 0 points"
        ),
    ):
        WAYS[way](**ARGUMENTS)
    assert used == [NAME]
    assert torch.equal(WAYS[way](**ARGUMENTS), before)


def test_a_refusal_that_is_caught_is_noted():
    def swallows(v, **kwargs):
        try:
            return alias(v, **kwargs)
        except Exception:
            return v

    used = []
    with refusing([NAME], used):
        assert swallows(**ARGUMENTS) is ARGUMENTS["v"]
    assert used == [NAME]


def every_name():
    return sorted({name for question in Catalogue(OWN) for name in question.withheld})


def meant(name):
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError:  # a method
        return getattr(meant(module), attribute)


@pytest.mark.parametrize("name", every_name())
def test_every_withheld_name_of_the_course_refuses_and_is_given_back(name):
    value = meant(name)
    before = dict(vars(value)) if isinstance(value, type) else value.__code__
    with refusing([name], []):
        with pytest.raises(WithheldError):
            value()
        if isinstance(value, type):
            with pytest.raises(WithheldError):
                type("Mine", (value,), {})()
    assert (dict(vars(value)) if isinstance(value, type) else value.__code__) == before


def test_a_constant_refuses_in_the_modules_that_have_it(monkeypatch):
    marker = object()
    monkeypatch.setattr(dynamics, "MARKER", marker, raising=False)
    monkeypatch.setattr(sys.modules["snnkit.encoding"], "MARKER", marker, raising=False)
    with refusing(["snnkit.dynamics.MARKER"], []), pytest.raises(RuntimeError, match="MARKER"):
        sys.modules["snnkit.encoding"].MARKER + 1
    assert dynamics.MARKER is marker


def test_what_does_not_exist_refuses_nothing():
    with refusing(["snnkit.nowhere.nothing", "nowhere.at_all"], []):
        assert alias(**ARGUMENTS) is not None


def test_the_library_as_an_answer_gets_no_points_and_says_why():
    question = Catalogue(OWN)["ps1.lapicque"]
    answer = {"euler_step": dynamics.lapicque_euler, "exact_step": dynamics.lapicque_exact}
    withheld = Catalogue(OWN).withheld("ps1.lapicque")
    assert set(question.withheld) < withheld
    used = []
    result = run(question, answer, around=functools.partial(refusing, withheld, used))
    assert result.score == 0
    assert result.groups[0].failure.sentence.startswith("this uses `snnkit.dynamics.lapicque_")
    assert run(question, answer).score == question.points
