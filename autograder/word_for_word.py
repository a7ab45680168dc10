"""What the cells of a notebook say of references: which ones they ask for, and which they hold word for word.

Read from the syntax tree, without running anything; a cell that is very long or no plain Python is searched as text for
what it asks for.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice

from autograder.follow_on import LONGEST_CELL, without_magics

#: What is as short as this is written alike by many; counted in nodes of the syntax tree, without docstring and annotations.
SHORTEST_COPY = 30
#: What is longer than this is no reference, and is not compared.
LONGEST_COPY = 2000
_ASKED = re.compile(r"""\buse_reference\(\s*(?:name\s*=\s*)?["']([\w.]{1,200})["']""")

_Definition = ast.FunctionDef | ast.ClassDef


def _tree(source: str) -> ast.Module | None:
    """A cell's syntax tree; None where it is not plain Python, or very long."""
    if len(source) > LONGEST_CELL:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(without_magics(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _name_called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


@lru_cache(maxsize=4096)
def references_asked(source: str) -> tuple[str, ...]:
    """The names in a cell's calls ``use_reference("name")``, with plain text; not what a comment says."""
    tree = _tree(source)
    if tree is None:
        return tuple(dict.fromkeys(_ASKED.findall(source)))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    given = [
        value
        for call in calls
        if _name_called(call) == "use_reference"
        for value in (*call.args[:1], *(one.value for one in call.keywords if one.arg == "name"))
    ]
    return tuple(
        dict.fromkeys(
            one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)
        )
    )


class _Bare(ast.NodeTransformer):
    """Takes docstrings and annotations away."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns, node.body = None, _without_docstring(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.body = _without_docstring(node)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node


def _without_docstring(node: _Definition) -> list[ast.stmt]:
    return node.body if ast.get_docstring(node, clean=False) is None else node.body[1:]


def _bare(tree: ast.Module) -> Iterator[tuple[_Definition, str]]:
    """All functions and classes that are long enough to tell who wrote them, with their bare texts."""
    bare = _Bare().visit(tree)
    for node in ast.walk(bare):
        if isinstance(node, _Definition) and SHORTEST_COPY <= _size(node) <= LONGEST_COPY:
            yield node, ast.dump(node)


def _size(node: ast.AST) -> int:
    """How many nodes there are; counted no further than is compared."""
    return sum(1 for _ in islice(ast.walk(node), LONGEST_COPY + 1))


@lru_cache(maxsize=4096)
def _held(source: str) -> frozenset[str]:
    tree = _tree(source)
    try:
        return frozenset() if tree is None else frozenset(text for _, text in _bare(tree))
    except RecursionError:
        return frozenset()


@lru_cache(maxsize=256)
def _references(text: str) -> dict[str, str]:
    """Bare texts of a module's public functions and classes, with their names; not of what stands inside of them."""
    tree = ast.parse(text)
    return {
        bare: node.name for node, bare in _bare(tree) if node in tree.body and not node.name.startswith("_")
    }


def copied(sources: Iterable[str], text: str) -> list[str]:
    """Which references of a module cells hold word for word, docstrings and annotations apart."""
    held = frozenset().union(*map(_held, sources))
    return [name for bare, name in _references(text).items() if bare in held]


def copied_remark(name: str) -> str:
    """What is said where cells hold a reference."""
    return f"this is the course's reference for `{name}`, word for word"
