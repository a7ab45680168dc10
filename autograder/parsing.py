"""A student's cell as a syntax tree, within bounds: what is too long or too deep to walk is not read."""

from __future__ import annotations

import ast
import re
import warnings
from functools import lru_cache

LONGEST = 100_000
"""Characters of the longest cell that is read."""
DEEPEST = 100
"""Levels of the deepest tree that is read: written code has about 30, and to write one out takes several calls a level."""


class BeyondBounds(ValueError):
    """A cell is too long or nested too deeply to be read."""


def shallow(tree: ast.AST) -> bool:
    """Whether no node of a tree is deeper than the bound; looked at level by level, without recursion."""
    level = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return True
    return False


def without_magics(cell: str) -> str:
    """A cell in which lines of the shell do nothing; line numbers stay."""
    return "\n".join(re.sub(r"^([ \t]*)[%!].*", r"\1pass", line) for line in cell.split("\n"))


def _tree(text: str) -> ast.Module:
    if len(text) > LONGEST:
        raise BeyondBounds(f"longer than {LONGEST:,} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the student's text
            tree = ast.parse(text)
    except (RecursionError, MemoryError):
        raise BeyondBounds("nested too deeply") from None
    if not shallow(tree):
        raise BeyondBounds(f"nested more than {DEEPEST} levels deep")
    return tree


def python_of(cell: str) -> tuple[str, ast.Module]:
    """A cell as plain Python and its tree; lines that begin with ``%`` may go on with the one above.

    Raises:
        BeyondBounds: it is too long or too deep.
        SyntaxError, ValueError: it is not Python.
    """
    try:
        return cell, _tree(cell)
    except SyntaxError:
        plain = without_magics(cell)
        return plain, _tree(plain)


def parsed(cell: str) -> ast.Module:
    """The tree of a cell; an empty one where it is not Python or beyond the bounds."""
    try:
        return python_of(cell)[1]
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def bound(tree: ast.Module) -> frozenset[str]:
    """Names that the cell's own statements bind."""
    names: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign):
            names |= {part.id for part in ast.walk(statement) if isinstance(part, ast.Name)}
    return frozenset(names)


@lru_cache(maxsize=256)
def names_bound(cell: str) -> frozenset[str] | None:
    """Names that a cell's own statements bind, none where it is not Python; None where it is beyond the bounds."""
    try:
        return bound(python_of(cell)[1])
    except BeyondBounds:
        return None
    except (SyntaxError, ValueError):
        return frozenset()
