"""Small faults put into a reference answer, one at a time; each stands in for a student's slip.

Between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` only: operators, numbers, words, conditions, arguments, calls,
statements and results (see :data:`MUTATORS`). Left alone are messages (f-strings, what is raised or printed) and
``strict=`` of ``zip``, which differs for arguments of unequal length only.

A mutant is named by its question, the kind of fault, the function it is in, and the piece of code before and after; so
the name does not change when code is moved or formatted anew.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_LITERAL = 20
"""Parts of the longest list, tuple, set or dictionary whose plain parts are changed: a longer one is a table of data."""
CONTEXT = 16
"""Characters of unchanged code that a name shows on either side of the fault, up to the next blank."""

Mutator = Callable[[ast.AST], Iterator[ast.AST]]

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
ORDERED = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)
SYMMETRIC = frozenset({"max", "min", "maximum", "minimum"})
"""Functions whose first two arguments may change places."""
DROPPED = frozenset(
    {
        "abs",
        "any",
        "argmax",
        "argmin",
        "ceil",
        "clamp",
        "clone",
        "copy",
        "cos",
        "cumsum",
        "detach",
        "double",
        "exp",
        "flatten",
        "float",
        "floor",
        "int",
        "item",
        "log",
        "max",
        "maximum",
        "mean",
        "min",
        "round",
        "sign",
        "sqrt",
        "square",
        "sum",
        "tanh",
        "to",
        "transpose",
        "unsqueeze",
    }
)
"""Functions and methods of which only the argument, or the object, is left."""


def _with(node: ast.AST, **fields: Any) -> ast.AST:
    """A copy of a node with other fields."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _called(node: ast.Call) -> str:
    """The name of a called function or method, without what stands before its dot."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _turned(parts: list[ast.expr]) -> list[ast.expr]:
    """The first two parts exchanged."""
    return [parts[1], parts[0], *parts[2:]]


def comparison(node: ast.AST) -> Iterator[ast.AST]:
    """``>`` for ``>=`` and the like, and turned round."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in COMPARISONS[type(operator)]:
                yield _with(node, ops=[*node.ops[:place], other(), *node.ops[place + 1 :]])


def operator(node: ast.AST) -> Iterator[ast.AST]:
    """``-`` for ``+``, ``/`` for ``*`` and the like, ``or`` for ``and``."""
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        yield _with(node, op=OPERATORS[type(node.op)]())
    if isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())


def part(node: ast.AST) -> Iterator[ast.AST]:
    """One part of a condition alone; a sign or a ``not`` dropped."""
    if isinstance(node, ast.BoolOp):
        yield from node.values
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
        yield from (node.left, node.right)
    if isinstance(node, ast.UnaryOp):
        yield node.operand


def condition(node: ast.AST) -> Iterator[ast.AST]:
    """The condition of an ``if`` turned round; that of a comprehension dropped."""
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.comprehension):
        for place in range(len(node.ifs)):
            yield _with(node, ifs=node.ifs[:place] + node.ifs[place + 1 :])


def number(node: ast.AST) -> Iterator[ast.AST]:
    """Whole numbers one up and, above 0, one down; others doubled, 0.0 to 1.0; True and False exchanged."""
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            yield _with(node, value=not value)
        elif isinstance(value, int):
            yield _with(node, value=value + 1)
            if value > 0:
                yield _with(node, value=value - 1)
        elif isinstance(value, float):
            yield _with(node, value=2 * value if value else 1.0)


def word(node: ast.AST) -> Iterator[ast.AST]:
    """Another text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield _with(node, value=f"{node.value}?")


def order(node: ast.AST) -> Iterator[ast.AST]:
    """The first two of an operation's, a call's or a tuple's parts exchanged, where their order matters."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ORDERED):
        yield _with(node, left=node.right, right=node.left)
    if isinstance(node, ast.Call) and len(node.args) > 1 and _called(node) not in SYMMETRIC:
        yield _with(node, args=_turned(node.args))
    if isinstance(node, ast.Tuple) and len(node.elts) > 1 and isinstance(node.ctx, ast.Load):
        yield _with(node, elts=_turned(node.elts))
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        target = node.targets[0]
        if len(target.elts) > 1 and not isinstance(node.value, ast.Tuple):  # whose parts are exchanged above
            yield _with(node, targets=[_with(target, elts=_turned(target.elts))])


def argument(node: ast.AST) -> Iterator[ast.AST]:
    """A named argument left out, and either bound of ``clamp``."""
    if not isinstance(node, ast.Call):
        return
    for place, keyword in enumerate(node.keywords):
        if keyword.arg not in (None, "strict"):
            yield _with(node, keywords=node.keywords[:place] + node.keywords[place + 1 :])
    if _called(node) == "clamp" and len(node.args) == 2:
        for name, bound in zip(("min", "max"), node.args, strict=True):
            yield _with(node, args=[], keywords=[ast.keyword(name, bound)])


def call(node: ast.AST) -> Iterator[ast.AST]:
    """A call dropped: the object of a method, or the first argument of a function, is left."""
    if isinstance(node, ast.Call) and _called(node) in DROPPED:
        if isinstance(node.func, ast.Attribute) and not _is_module(node.func.value):
            yield node.func.value
        elif node.args:
            yield node.args[0]


def _is_module(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("F", "math", "nn", "np", "torch")


def statement(node: ast.AST) -> Iterator[ast.AST]:
    """A statement left out."""
    if isinstance(node, ast.stmt) and not isinstance(
        node, ast.FunctionDef | ast.ClassDef | ast.Return | ast.Pass
    ):
        yield ast.Pass()


def result(node: ast.AST) -> Iterator[ast.AST]:
    """None for the result."""
    if isinstance(node, ast.Return) and node.value is not None:
        yield _with(node, value=ast.Constant(None))


MUTATORS: tuple[Mutator, ...] = (
    comparison,
    operator,
    part,
    condition,
    number,
    word,
    order,
    argument,
    call,
    statement,
    result,
)


@dataclass(frozen=True)
class Mutant:
    """The source of an answer cell with one fault. ``name`` is unique; ``kind`` is the name of its mutator.

    ``line`` is where the fault is, and ``was`` and ``now`` are the piece of code that was changed.
    """

    name: str
    kind: str
    cell: str
    source: str
    line: int = 0
    was: str = ""
    now: str = ""


@dataclass
class Spot:
    """Where a node hangs in the tree: ``where`` is its function or class, ``within`` its innermost statement."""

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    where: str
    within: ast.stmt

    def put(self, node: ast.AST) -> None:
        """Hang another node in this place."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def _left_alone(node: ast.AST) -> bool:
    """Messages, docstrings and ``strict=``."""
    if isinstance(node, ast.Expr):
        inner = node.value
        return isinstance(inner, ast.Constant) or (isinstance(inner, ast.Call) and _called(inner) == "print")
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.keyword) and node.arg == "strict")


_PLAIN = ast.Constant | ast.UnaryOp | ast.List | ast.Tuple | ast.Set | ast.Dict


def _is_table(node: ast.AST) -> bool:
    """Whether a node is a long literal."""
    parts = node.values if isinstance(node, ast.Dict) else getattr(node, "elts", ())
    return len(parts) > LONGEST_LITERAL


def spots(node: ast.AST, where: str = "", within: ast.stmt | None = None) -> Iterator[Spot]:
    """Every node below a node, in the order of the source; the plain parts of long literals aside."""
    table = _is_table(node)
    for name, value in ast.iter_fields(node):
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _left_alone(child) or (table and isinstance(child, _PLAIN)):
                continue
            inner = child if isinstance(child, ast.stmt) else within
            if inner is None:
                continue
            yield Spot(child, node, name, index, where, inner)
            below = where
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                below = f"{where}.{child.name}".lstrip(".")
            if not isinstance(child, ast.Raise):
                yield from spots(child, below, inner)


def solution_lines(source: str) -> set[int]:
    """Numbers of the lines that are part of the solution; all of them where nothing is marked."""
    lines = source.split("\n")
    if not any("### BEGIN SOLUTION" in line for line in lines):
        return set(range(1, len(lines) + 1))
    chosen, inside = set(), False
    for at, line in enumerate(lines, start=1):
        inside = (inside or "### BEGIN SOLUTION" in line) and "### END SOLUTION" not in line
        if inside:
            chosen.add(at)
    return chosen


def _line(node: ast.AST) -> int:
    """The line a node is in, or for a node without one the line of its first part that has one."""
    return int(next((part.lineno for part in ast.walk(node) if hasattr(part, "lineno")), 0))


def _common(one: str, other: str) -> int:
    """Length of the beginning that two texts share."""
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _changed(before: str, after: str) -> tuple[str, str]:
    """What differs between two pieces of code, with a little of what stands around it, in whole words."""
    before, after = (" ".join(text.split()) for text in (before, after))
    same = _common(before, after)
    tail = before[len(before) - _common(before[same:][::-1], after[same:][::-1]) :]
    start = before.rfind(" ", 0, max(same - CONTEXT, 0)) + 1
    blank = tail.find(" ", CONTEXT)
    rest = len(tail) - (blank if blank >= 0 else len(tail))
    return before[start : len(before) - rest], after[start : len(after) - rest]


def _first_line(node: ast.AST) -> str:
    return ast.unparse(node).split("\n")[0]


def mutants(
    source: str,
    question: str = "",
    cell: str = "",
    mutators: Sequence[Mutator] = MUTATORS,
    over: Callable[[], bool] = lambda: False,
) -> Iterator[Mutant]:
    """All mutants of an answer cell, in a fixed order: place by place, and at each place fault by fault.

    Args:
        source: the cell, with the marks around its solution.
        question: the question's id, which the names begin with.
        cell: the cell's grade_id.
        mutators: the faults that are made.
        over: whether no more is made; asked before each.
    """
    tree = ast.parse(source)
    chosen = solution_lines(source)
    seen = {ast.unparse(tree)}
    names: Counter[str] = Counter()
    for spot in list(spots(tree)):
        if _line(spot.node) not in chosen:
            continue
        for mutator in mutators:
            for new in mutator(spot.node):
                if over():
                    return
                whole = isinstance(spot.node, ast.stmt) and isinstance(new, ast.Pass)
                before = _first_line(spot.node) if whole else ast.unparse(spot.within)
                spot.put(new)
                within = new if spot.node is spot.within else spot.within
                text, after = ast.unparse(tree), ast.unparse(within)
                spot.put(spot.node)
                if text in seen:
                    continue
                seen.add(text)
                shown = (before, "pass") if whole else _changed(before, after)
                name = f"{question}:{mutator.__name__}:{spot.where or cell}:{shown[0]}->{shown[1]}"
                names[name] += 1
                if names[name] > 1:
                    name = f"{name} #{names[name]}"
                pieces = ast.unparse(spot.node), ast.unparse(new)
                yield Mutant(name, mutator.__name__, cell, text, _line(spot.node), *pieces)
