"""What the slips of the language are looked for in: cases as they came out, and the source of the answer."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from autograder.parsing import names_bound, parsed
from autograder.question import Array, Arrays, Asked, Tolerance

_SHAPES = re.compile(
    r"0-dim|[Dd]imension|slice|shape|size|Mismatch|index|differ|zero-dimensional|empty|scalar|broadcast"
)


@dataclass(frozen=True, eq=False)
class Shown:
    """A case: ``kind`` and ``text`` of its failure (empty where it is right), what came back, and what is right.

    ``of`` is the name of what was called; ``wanted`` is empty where a bar is the rule.
    """

    group: str
    of: str
    gradient: bool
    kind: str
    text: str
    asked: Asked
    got: Arrays
    wanted: Arrays
    wrong: tuple[str, ...]
    within: Tolerance


@dataclass(frozen=True, eq=False)
class Pair:
    """An array that differs, with the one that is right and the case it is from."""

    case: Shown
    key: str
    got: Array
    wanted: Array


def _maker(cells: Sequence[str], name: str) -> int | None:
    """The place of the last cell that binds a name; None where there is none, or one behind it may and cannot be read."""
    for at in reversed(range(len(cells))):
        if name in cells[at]:
            names = names_bound(cells[at])
            if names is None or name in names:
                return None if names is None else at
    return None


def answer_cells(cells: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The cells that an answer is made in: of those that bind one of its names the last."""
    last = {_maker(cells, name) for name in names} - {None}
    return tuple(cell for at, cell in enumerate(cells) if at in last)


@dataclass(frozen=True, eq=False)
class Evidence:
    """All cases of a question, its names, and the cells that the answer is made in."""

    cases: tuple[Shown, ...]
    names: tuple[str, ...]
    cells: tuple[str, ...]

    @cached_property
    def tree(self) -> ast.Module:
        """The answer's cells as one tree; line numbers are those of each cell."""
        return ast.Module([part for cell in self.cells for part in parsed(cell).body], [])

    @cached_property
    def functions(self) -> list[ast.FunctionDef]:
        """All functions of the answer, methods among them."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)]

    @cached_property
    def right(self) -> list[Shown]:
        """The cases that are right."""
        return [case for case in self.cases if not case.kind]

    @cached_property
    def failing(self) -> list[Shown]:
        """The failing cases, without those of a function that calls another one which fails as well."""
        every = [case for case in self.cases if case.kind]
        calls = {
            function.name: {
                part.func.id
                for part in ast.walk(function)
                if isinstance(part, ast.Call) and isinstance(part.func, ast.Name)
            }
            for function in self.tree.body
            if isinstance(function, ast.FunctionDef | ast.ClassDef)
        }
        bad = {case.of for case in every}
        first = [case for case in every if not (calls.get(case.of, set()) & bad) - {case.of}]
        return first or every

    def all_say(self, pattern: str) -> re.Match[str] | None:
        """The first match where each failing case raised an error that the pattern matches."""
        found = [re.search(pattern, case.text) if case.kind == "error" else None for case in self.failing]
        return found[0] if found and all(found) else None

    def any_says(self, pattern: str) -> re.Match[str] | None:
        """The first match in an error of a failing case."""
        found = (re.search(pattern, case.text) for case in self.failing if case.kind == "error")
        return next((one for one in found if one), None)

    @cached_property
    def pairs(self) -> list[Pair]:
        """Everything that differs; empty where a failing case differs otherwise than in its numbers or shapes.

        The gradient of a function follows from its values, and is looked at only where those are right. An error about shapes may follow
        from a slip that changes shapes, and is passed over where two other cases speak.
        """
        functions = {case.of for case in self.failing if not case.gradient}
        values = [case for case in self.failing if not (case.gradient and case.of in functions)]
        over = [case for case in values if case.kind == "error" and _SHAPES.search(case.text)]
        speaking = [case for case in values if case not in over]
        if (over and len(speaking) < 2) or any(not _comparable(case) for case in speaking):
            return []
        return [pair for case in speaking for pair in _differing(case)]


def _comparable(case: Shown) -> bool:
    return case.kind in ("value", "form") and bool(case.got) and bool(case.wanted) and bool(case.wrong)


def _differing(case: Shown) -> Iterator[Pair]:
    for key in case.wrong:
        if key in case.got and key in case.wanted and case.wanted[key].dtype.kind in "biuf":
            got, wanted = case.got[key].astype(float), case.wanted[key].astype(float)
            yield Pair(case, key, got, wanted)


def near(got: Array, wanted: Array, within: Tolerance) -> bool:
    """Whether two arrays agree; ``wanted`` may be infinite or no number."""
    return got.shape == wanted.shape and bool(
        np.isclose(
            got, wanted, rtol=max(within.rtol, 1e-6), atol=max(within.atol, 1e-9), equal_nan=False
        ).all()
    )


def calls_of(node: ast.AST, name: str) -> Iterator[ast.Call]:
    """Calls below a node of what ends in a name."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and ast.unparse(part.func).split(".")[-1] == name:
            yield part


def every_says(evidence: Evidence, pattern: str) -> bool:
    """Whether each failing case's sentence, of whatever kind, matches."""
    return bool(evidence.failing) and all(re.search(pattern, case.text) for case in evidence.failing)
