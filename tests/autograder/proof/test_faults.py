"""The faults that are put into reference answers: every kind, one at a time, each with a name that lasts."""

from __future__ import annotations

import ast
import textwrap

import pytest

from autograder.proof.faults import MUTATORS, mutants


def source(body):
    """An answer cell with the body of a function as its solution."""
    lines = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    return f'def answer(x, y=2):\n    """Do not touch 1 > 0."""\n    ### BEGIN SOLUTION\n{lines}\n    ### END SOLUTION\n'


def bodies(text, kind=None):
    """The solutions of all mutants, of one kind or of all, each as one line."""
    found = [one for one in mutants(source(text)) if kind in (None, one.kind)]
    return {"; ".join(one.source.split("\n")[2:]).replace("    ", "") for one in found}


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        ("comparison", "return x > y", {"return x >= y", "return x < y"}),
        ("comparison", "return x != y", {"return x == y"}),
        ("operator", "return x + y", {"return x - y"}),
        ("operator", "return x * y", {"return x / y"}),
        ("operator", "x += y", {"x -= y"}),
        ("operator", "return x and y", {"return x or y"}),
        ("part", "return x & y", {"return x", "return y"}),
        ("part", "return -x", {"return x"}),
        ("part", "return not x", {"return x"}),
        ("condition", "return 1 if x else 2", {"return 1 if not x else 2"}),
        ("condition", "return [i for i in x if i]", {"return [i for i in x]"}),
        ("number", "return 0", {"return 1"}),
        ("number", "return 3", {"return 4", "return 2"}),
        ("number", "return 0.5", {"return 1.0"}),
        ("number", "return 0.0", {"return 1.0"}),
        ("number", "return True", {"return False"}),
        ("number", "return x.sum(dim=1)", {"return x.sum(dim=2)", "return x.sum(dim=0)"}),
        ("word", "return x == 'soft'", {"return x == 'soft?'"}),
        ("order", "return x - y", {"return y - x"}),
        ("order", "return f(x, y)", {"return f(y, x)"}),
        ("order", "return max(x, y)", set()),
        ("order", "return (x, y)", {"return (y, x)"}),
        ("order", "a, b = x", {"b, a = x"}),
        ("order", "a, b = [], []", set()),
        ("argument", "return f(x, axis=1)", {"return f(x)"}),
        ("argument", "return x.clamp(0, 1)", {"return x.clamp(min=0)", "return x.clamp(max=1)"}),
        ("argument", "return zip(x, y, strict=True)", set()),
        ("call", "return x.detach()", {"return x"}),
        ("call", "return torch.floor(x)", {"return x"}),
        ("statement", "x = f(x); y = 1", {"pass; y = 1", "x = f(x); pass"}),
        ("result", "return x", {"return None"}),
    ],
)
def test_every_kind_of_fault(kind, text, wanted):
    assert bodies(text, kind) == wanted


EVERYTHING = """
    total = 0.0
    for one, other in zip(x, y, strict=True):
        if one > 0 and not other:
            total += one * f(other, "word", axis=1).clamp(0, 3)
        elif one < -1:
            raise ValueError(f"{one + 1} is too small")
    print("done", 1 + 1)
    return [v - 1 for v in (total, total) if v != 2][:-1]
"""


def test_every_mutant_compiles_and_differs_and_has_a_name_of_its_own():
    found = list(mutants(source(EVERYTHING), "q", "cell"))
    assert len(found) > 30
    unchanged = ast.unparse(ast.parse(source(EVERYTHING)))
    for one in found:
        assert one.source != unchanged
        compile(one.source, one.name, "exec")
    assert len({one.name for one in found}) == len({one.source for one in found}) == len(found)
    assert {one.kind for one in found} == {mutator.__name__ for mutator in MUTATORS}
    assert found == list(mutants(source(EVERYTHING), "q", "cell"))


def test_one_fault_at_a_time_leaves_the_tree_as_it_was():
    last = list(mutants(source("x = 1\nreturn x + y")))[-1]
    assert "x = 1\n" in last.source
    assert last.source.endswith("return x - y")


def test_given_code_messages_and_docstrings_are_left_alone():
    for one in mutants(source(EVERYTHING)):
        assert "y=2" in one.source
        assert '"""Do not touch 1 > 0."""' in one.source
        assert "raise" not in one.source or "{one + 1} is too small" in one.source
        assert "print('done', 1 + 1)" in one.source
        assert "strict=True" in one.source or "for one" not in one.source


def test_names_say_where_and_what_and_survive_formatting():
    text = "return f(x,\n         axis=1) + 0.5  # a remark"
    names = [one.name for one in mutants(source(text), "ps9.q", "q_answer")]
    assert "ps9.q:number:answer:return f(x, axis=1) + 0.5->return f(x, axis=1) + 1.0" in names
    again = list(mutants("\n\n" + source("return (f(x, axis=1)\n        + 0.5)"), "ps9.q", "q_answer"))
    assert [one.name for one in again] == names
    twice = [one.name for one in mutants(source("f(0)\nf(0)"), "ps9.q") if one.kind == "number"]
    assert twice == ["ps9.q:number:answer:f(0)->f(1)", "ps9.q:number:answer:f(0)->f(1) #2"]


def test_cells_without_marks_and_outside_functions():
    found = list(mutants("values = [1]", "ps9.q", "q_answer"))
    assert [one.name for one in found if one.kind == "number"] == [
        "ps9.q:number:q_answer:values = [1]->values = [2]",
        "ps9.q:number:q_answer:values = [1]->values = [0]",
    ]
