"""References: what is given out refuses its own question; what stands in reaches whoever holds the helper, and goes again."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import sys
import types

import pytest

from autograder.reference import (
    NotYourOwnError,
    asking,
    helpers,
    install,
    load,
    names_in,
    reduced,
    standing_in,
    taken,
)

REFERENCE = '''"""A reference."""

_FACTOR = 2


def helper(x, k=_FACTOR):
    return k * x


class Helper:
    def __init__(self, a):
        self.a = a

    def __call__(self, x):
        return self.a * x

    @staticmethod
    def half(x):
        return x / 2


class Base:
    def forward(self, x):
        return x


class Child(Base):
    def forward(self, x):
        return super().forward(x) + 1


def _private(x):
    return x
'''

STUDENT = """
import functools
def helper(x, k=2):
    return -k * x
class Helper:
    extra = 1
    def __init__(self, a): self.a = a
    def __call__(self, x): return -self.a * x
class Base:
    def forward(self, x): return -x
def plain(x): return helper(x)
def default(x, h=helper): return h(x)
def maker():
    h = helper
    def inner(x): return h(x)
    return inner
closure = maker()
part = functools.partial(helper, k=2)
table = {"h": helper}
def in_table(x): return table["h"](x)
alias = helper
def by_alias(x): return alias(x)
lam = lambda x: helper(x)
def other_cell(x): return plain(x)
class Uses:
    def __init__(self): self.h = helper
    def __call__(self, x): return self.h(x)
uses = Uses()
made = Helper(2)
def by_class(x): return Helper(2)(x)
def by_instance(x): return made(x)
class Own(Base):
    def forward(self, x): return 2 * super().forward(x)
own = Own()
def by_child(x): return own.forward(x)
def keyword(x): return helper(x, k=2)
@functools.lru_cache
def cached(x): return -2 * x
def by_cache(x): return cached(x)
"""
HOLDERS = [
    "plain",
    "default",
    "closure",
    "part",
    "in_table",
    "by_alias",
    "lam",
    "other_cell",
    "uses",
    "by_class",
    "by_instance",
    "by_child",
    "keyword",
    "by_cache",
]


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "first_reference.py"
    file.write_text(REFERENCE)
    return file


def student():
    space = {"__name__": "__main__"}
    exec(STUDENT, space)
    return space


def test_public_functions_and_classes_are_the_references(file):
    assert names_in(REFERENCE) == ("helper", "Helper", "Base", "Child")
    assert helpers({"toy.first": file})["helper"] == "toy.first"
    assert load(file)["helper"](3) == 6


def test_a_stand_in_reaches_every_holder_and_is_given_back(file):
    space, found = student(), load(file)
    found["cached"] = found["helper"]
    before = {name: space[name](3) for name in HOLDERS}
    names, parts = set(space), {key: part for key, part in vars(space["Helper"]).items() if "dict" not in key}
    with standing_in(found, [space]):
        assert {name: space[name](3) for name in HOLDERS} == dict.fromkeys(HOLDERS, 6)
        assert space["Child"]().forward(1) == 2
        assert not hasattr(space["made"], "extra")
    assert {name: space[name](3) for name in HOLDERS} == before == dict.fromkeys(HOLDERS, -6)
    assert set(space) == names
    assert {key: vars(space["Helper"])[key] for key in parts} == parts


def test_super_in_a_method_that_stands_in_finds_the_students_class(file):
    space = {"__name__": "__main__"}
    exec(
        "class Base:\n    def forward(self, x): return x\nclass Child(Base):\n    def forward(self, x): return 0\nc = Child()",
        space,
    )
    with standing_in({"Child": load(file)["Child"]}, [space]):
        assert space["c"].forward(1) == 2
    assert space["c"].forward(1) == 0


def test_what_comes_from_a_module_is_replaced_by_name_only(file):
    def of_the_library(x):
        return 5

    of_the_library.__module__ = "library"
    space = {"__name__": "__main__", "helper": of_the_library, "number": 3}
    with standing_in({**load(file), "number": load(file)["helper"]}, [space]):
        assert space["helper"](1) == 2
        assert space["number"](1) == 2
        assert of_the_library(1) == 5
    assert space == {"__name__": "__main__", "helper": of_the_library, "number": 3}


@pytest.mark.parametrize(
    ("place", "reached"),
    [
        ("helpers_of_mine.py", True),
        ("work/helpers_of_mine.py", True),
        (".venv/lib/python3/site-packages/helpers_of_mine.py", False),
        ("snnkit/helpers_of_mine.py", False),
    ],
)
def test_a_module_of_the_students_own_is_replaced_in_place(file, tmp_path, monkeypatch, place, reached):
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("def helper(x):\n    return 5\ndef twice(x):\n    return helper(helper(x))\n")
    name = "snnkit.helpers_of_mine" if "snnkit" in place else "helpers_of_mine"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    space = {"__name__": "__main__", "helper": module.helper, "twice": module.twice}
    with standing_in({"helper": load(file)["helper"]}, [space]):
        assert space["helper"](3) == 6
        assert space["twice"](3) == (12 if reached else 5)
    assert space["twice"](3) == 5


def test_what_claims_an_odd_module_is_replaced_by_name_only(file):
    for odd in (None, 3, [], "functools", "no.such.module"):

        def helper(x):
            return 5

        helper.__module__ = odd
        space = {"__name__": "__main__", "helper": helper}
        with standing_in({"helper": load(file)["helper"]}, [space]):
            assert (space["helper"](1), helper(1)) == (2, 5)


def test_installed_for_good(file):
    space = student()
    install(file.read_text(), ["helper"], space)
    assert space["default"](3) == 6
    assert space["by_class"](3) == -6


def test_an_error_inside_gives_everything_back(file):
    space = student()
    with pytest.raises(ZeroDivisionError), standing_in(load(file), [space]):
        raise ZeroDivisionError
    assert space["plain"](3) == -6
    assert isinstance(space["helper"], types.FunctionType)


def test_what_is_given_out_works_everywhere_but_in_its_own_question(file):
    files = {"toy.first": file}
    helper, made = taken("helper", files), taken("toy.first.Helper", files)(3)

    @functools.cache
    def wrapped(x):
        return helper(x)

    with asking("toy.second"):
        assert helper(3) == 6
        assert made(2) == 6
    with asking("toy.first"):
        for call in (lambda: helper(1), lambda: wrapped(1), lambda: made(2), lambda: type(made).half(2)):
            with pytest.raises(NotYourOwnError, match=r"as the answer to toy\.first it gets 0 points"):
                call()
    assert made(2) == 6


def test_what_is_given_out_holds_no_unguarded_function(file):
    """Neither under a name that wrappers have, nor in a closure, nor as source to be run again."""
    helper, made = (taken(name, {"toy.first": file}) for name in ("helper", "Helper"))
    assert str(inspect.signature(helper)) == "(x, k=2)"
    assert helper.__name__ == "helper"
    for function in (helper, made.__call__, made.half):
        assert not hasattr(function, "__wrapped__")
        assert function.__closure__ is None
        with pytest.raises(OSError, match="source"):
            inspect.getsource(function)


def test_a_reduced_module_has_what_was_asked_for_and_what_that_uses():
    assert names_in(reduced(REFERENCE, ["helper"])) == ("helper",)
    assert names_in(reduced(REFERENCE, ["Child"])) == ("Base", "Child")
    assert "_FACTOR = 2" in reduced(REFERENCE, ["helper"])
    assert "_private" not in reduced(REFERENCE, ["helper"])


def test_one_that_is_elsewhere_is_to_be_asked_for_as_plain_text(file):
    files = {"toy.first": file}
    for name in ("other", "toy.second.other"):
        with pytest.raises(
            ValueError, match=rf'write use_reference\("{name}"\) in a cell, with its name as plain'
        ):
            taken(name, files, ["toy.second.other"])
    with pytest.raises(
        ValueError, match="no reference 'nothing'; there are: helper, Helper, Base, Child, other"
    ):
        taken("nothing", files, ["toy.second.other"])


def test_a_name_that_is_not_there_or_there_twice_is_told(file, tmp_path):
    other = tmp_path / "other_reference.py"
    other.write_text("def helper(x):\n    return x\n")
    files = {"one.first": file, "two.other": other}
    with pytest.raises(
        ValueError, match=r"no reference 'help'; there are: one.first.helper, Helper, Base, Child, two"
    ):
        taken("help", files)
    with pytest.raises(
        ValueError,
        match=r'use_reference\("one.first.helper"\) or use_reference\("two.other.helper"\)',
    ):
        taken("helper", files)
    assert taken("two.other.helper", files)(1) == 1
    with pytest.raises(ValueError, match="there are: none"):
        taken("helper", {})
