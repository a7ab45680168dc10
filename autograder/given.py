"""A given cell that was changed: the course's statements are put back, what the student added is kept, both are said.

Cells are compared statement by statement of the syntax tree, so spaces, comments, quotes and the order of imports change
nothing. What is kept runs as cells of its own before or behind the course's cell: one that fails takes nothing along.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

#: Characters of the longest cell that is looked into.
LONGEST = 200_000
_SHOWN, _WIDTH = 4, 70
_MAGIC = re.compile(r"(\s*)([%!].*|\w+\s*=\s*[%!]\s*\w.*)")
_HELP = re.compile(r"\s*(\?{1,2}[\w.]+|[\w.]+\?{1,2})\s*")
_CELL_MAGIC = re.compile(r"\s*%%\w.*\n?")
_STAND_IN = "__line_of_the_shell__"
_BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


@dataclass(frozen=True)
class Merge:
    """What becomes of a given cell.

    Args:
        before, behind: statements that the student added, run before and behind the course's cell.
        back: statements of the course that were changed or deleted.
        left: statements of the student that stand for something of the course's and are not run.
        note: what else there is to say.
    """

    before: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    note: str = ""

    @property
    def restores(self) -> bool:
        """Whether something of the course's was not as it was handed out."""
        return bool(self.back or self.left or self.note)

    def said(self, name: str) -> str:
        """One sentence about the cell of this name; empty where there is nothing to say."""
        kept = self.before + self.behind
        parts = [
            *([f"your {_listed(kept)} kept"] if kept else []),
            *([f"our {_listed(self.back)} put back"] if self.back else []),
            *([f"your {_listed(self.left)} not run: {_stands(self.left)}"] if self.left else []),
            *([self.note] if self.note else []),
        ]
        return f"the given cell `{name}` was changed: {'; '.join(parts)}" if parts else ""


def _listed(lines: Sequence[str]) -> str:
    shown = ", ".join(f"`{_brief(line)}`" for line in lines[:_SHOWN])
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return f"line {shown} was" if len(lines) == 1 else f"lines {shown}{more} were"


def _stands(lines: Sequence[str]) -> str:
    return f"{'it stands' if len(lines) == 1 else 'they stand'} for something of the course's"


def _brief(text: str) -> str:
    """The first line that is no decorator, shortened."""
    lines = text.split("\n")
    line = next((line for line in lines if not line.startswith("@")), lines[0]).replace("`", "'").strip()
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


@dataclass(frozen=True)
class _Statement:
    node: ast.stmt
    text: str
    key: str


def _masked(line: str) -> str:
    """A line of the shell (``%magic``, ``!command``) as a call that can be parsed; a question mark as nothing."""
    if _HELP.fullmatch(line):
        return ""
    found = _MAGIC.fullmatch(line)
    return f"{found[1]}{_STAND_IN}({found[2].strip()!r})" if found else line


def tree(source: str) -> ast.Module:
    """The syntax tree of a cell, as IPython takes it.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it has none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        try:
            parsed = compile(source, "<cell>", "exec", flags, dont_inherit=True)
        except SyntaxError:  # perhaps lines of the shell; masked only then, for they may stand in a text
            parsed = compile("\n".join(map(_masked, source.split("\n"))), "<cell>", "exec", flags, True)
    assert isinstance(parsed, ast.Module)
    return parsed


def _clean(source: str) -> str:
    lines = source.replace("\r\n", "\n").replace("\r", "\n")
    found = _CELL_MAGIC.match(lines)
    return lines[found.end() :] if found else lines


def _statements(source: str) -> list[_Statement]:
    """The statements of a cell; an import of several names is one for each."""
    text = _clean(source)
    lines, found = text.split("\n"), []
    parsed = tree(text).body
    starts = [
        min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))]) for node in parsed
    ]
    for at, (node, start) in enumerate(zip(parsed, starts, strict=True)):
        end = node.end_lineno or start
        shared = (at and parsed[at - 1].end_lineno == start) or (
            at + 1 < len(parsed) and starts[at + 1] == end
        )
        for one in _each_name(node):
            alone = one is node and not shared
            words = "\n".join(lines[start - 1 : end]).strip() if alone else ast.unparse(one)
            found.append(_Statement(one, words, ast.dump(one, annotate_fields=False)))
    return [one for one in found if not isinstance(one.node, ast.Pass)]


def _each_name(node: ast.stmt) -> Iterator[ast.stmt]:
    if isinstance(node, ast.Import) and len(node.names) > 1:
        yield from (ast.Import(names=[name]) for name in node.names)
    elif isinstance(node, ast.ImportFrom) and len(node.names) > 1:
        yield from (ast.ImportFrom(module=node.module, names=[name], level=node.level) for name in node.names)
    else:
        yield node


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {(name.asname or name.name).split(".")[0] for name in node.names}


def binds(node: ast.AST) -> set[str]:
    """Names that a statement binds or deletes where it stands; an assignment within an expression is passed over."""
    found: set[str] = set()
    left = [node]
    while left:
        one = left.pop()
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(one.name)
        elif isinstance(one, ast.Import | ast.ImportFrom):
            found |= _imported(one)
        elif isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load):
            found.add(one.id)
        elif not isinstance(one, ast.expr) or isinstance(getattr(one, "ctx", None), ast.Store | ast.Del):
            left += ast.iter_child_nodes(one)
    return found


@lru_cache(maxsize=256)
def _names(source: str, passed_over: tuple[type[ast.stmt], ...]) -> frozenset[str]:
    if len(source) > LONGEST:
        return frozenset()
    try:
        found = [binds(node) for node in tree(_clean(source)).body if not isinstance(node, passed_over)]
    except _BROKEN:
        return frozenset()
    return frozenset().union(*found)


def bound(source: str) -> frozenset[str]:
    """Names that a cell binds; none where it cannot be read."""
    return _names(source, ())


def names_of(source: str) -> frozenset[str]:
    """Names that a cell binds, imported ones aside; see :func:`bound`."""
    return _names(source, (ast.Import, ast.ImportFrom))


def _called(node: ast.stmt) -> str:
    """What a statement that is nothing but a call calls; empty for any other."""
    plain = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    return ast.unparse(node.value.func) if plain else ""  # type: ignore[attr-defined]


def merge(released: str, submitted: str) -> Merge:
    """Compare a given cell with what became of it; never raises for what a student wrote.

    Args:
        released: its source as handed out.
        submitted: its source as handed in.
    """
    if submitted.strip() == released.strip():
        return Merge()
    if len(submitted) > LONGEST:
        return Merge(note=f"it is longer than {LONGEST:,} characters and was put back as a whole")
    try:
        return _merged(_statements(released), _statements(submitted))
    except _BROKEN as error:
        why = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        return Merge(note=f"it cannot be read ({why}) and was put back as a whole")


def _merged(ours: Sequence[_Statement], theirs: Sequence[_Statement]) -> Merge:
    """Statements that only one side has, sorted; a check that is called in another way is nothing to speak of."""
    have, want = {one.key for one in theirs}, {one.key for one in ours}
    back = [one for one in ours if one.key not in have and _called(one.node) != "check"]
    calls = {_called(one.node) for one in ours if one.key not in have} - {""}
    protected: set[str] = set().union(*(binds(one.node) for one in ours))
    first = next((at for at, one in enumerate(theirs) if one.key in want), len(theirs))
    before: list[str] = []
    behind: list[str] = []
    left: list[str] = []
    for at, one in enumerate(theirs):
        if one.key in want or _called(one.node) == "check":
            continue
        ours_too = binds(one.node) & protected or _called(one.node) in calls
        (left if ours_too else before if at < first else behind).append(one.text)
    return Merge(_once(before), _once(behind), _once([one.text for one in back]), _once(left))


def _once(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
