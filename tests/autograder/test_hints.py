"""Code in hints can be copied: it is Python, and every name in it exists where the student reads it."""

from __future__ import annotations

import ast
import builtins
import re
from functools import cache

import pytest

from autograder.catalogue import OWN, Catalogue
from autograder.notebook import parse
from autograder.source import solution_notebook

CATALOGUE = Catalogue(OWN)
QUESTIONS = [(name, question) for name in CATALOGUE.sets() for question in CATALOGUE.questions(name).values()]
WRAPPED = ("{}", "{} pass", "def _():\n return {}", "def _():\n {}", "_({})", "_{}")
"""A span may be a statement, a head without its body, a value, a keyword argument, or a method."""


def tree(code):
    """The syntax tree of a span of code, or None."""
    for form in WRAPPED:
        try:
            return ast.parse(form.format(code))
        except SyntaxError:
            continue
    return None


def bound(node):
    """Names that a tree gives a value to, and names of arguments."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            yield one.id
        elif isinstance(one, (ast.FunctionDef, ast.ClassDef)):
            yield one.name
        elif isinstance(one, ast.arg):
            yield one.arg
        elif isinstance(one, (ast.Import, ast.ImportFrom)):
            yield from ((name.asname or name.name).split(".")[0] for name in one.names)


@cache
def notebook(root, problem_set):
    """The reference's code as one tree, and what its imports give."""
    cells = parse(solution_notebook(root, problem_set)).cells
    code = [ast.parse(re.sub(r"^[%!].*$", "", cell.source, flags=re.M)) for cell in cells if cell.code]
    whole = ast.Module([statement for one in code for statement in one.body], [])
    imports = [one for one in ast.walk(whole) if isinstance(one, (ast.Import, ast.ImportFrom))]
    space = {}
    exec(compile(ast.Module(imports, []), "imports", "exec"), space)
    return whole, space


def unknown(hints, whole, space):
    """What the code in hints names and nobody knows, or what is not Python; a single word and a shape are no code."""
    spans = [code for hint in hints for code in re.findall(r"`([^`]+)`", hint)]
    trees = {
        code: tree(code) for code in spans if re.search(r"\w", code) and not re.fullmatch(r"\w+|\[.*\]", code)
    }
    known = {*bound(whole), *dir(builtins), "_"}
    prose = re.sub(r"`[^`]+`", "", " ".join(hints))
    known |= set(re.findall(r"\b(\w+)(?: =|:)", prose))  # "with K = k(X, X)"
    known |= {name for one in trees.values() if one is not None for name in bound(one)}
    for code, one in trees.items():
        if one is None:
            yield f"not Python: {code}"
            continue
        for node in ast.walk(one):
            if isinstance(node, ast.Name) and node.id not in known:
                yield f"{node.id} in: {code}"
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                module = space.get(node.value.id)
                if type(module).__name__ == "module" and not hasattr(module, node.attr):
                    yield f"{node.value.id}.{node.attr} in: {code}"


@pytest.mark.parametrize(("problem_set", "question"), QUESTIONS, ids=[one.id for _, one in QUESTIONS])
def test_code_in_hints_can_be_copied(problem_set, question, root):
    assert list(unknown(question.hints, *notebook(root, problem_set))) == []


def test_code_that_cannot_be_copied_is_found(root):
    hints = ("Use `functional_nn.mse_loss(rates, 0)`.", "Then `F.mean_loss(rates, 1)`; `x = = 1`.")
    assert list(unknown(hints, *notebook(root, "ps2_surrogates"))) == [
        "functional_nn in: functional_nn.mse_loss(rates, 0)",
        "F.mean_loss in: F.mean_loss(rates, 1)",
        "not Python: x = = 1",
    ]
