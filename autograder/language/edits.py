"""Small edits of a student's cell that may mend it, and how each is told: its kind and its line, not the mended text.

The mutation engine turned round: what makes a right answer wrong by one small fault makes a wrong one right.
"""

from __future__ import annotations

import ast
import difflib
import io
import tokenize
from collections.abc import Callable, Iterator

from autograder.parsing import parsed, python_of
from autograder.proof import faults
from autograder.proof.faults import Mutant, Mutator, mutants

TWINS = {
    one: other
    for pair in (
        "sum mean", "std var", "sqrt square", "max min", "argmax argmin", "maximum minimum", "amax amin", "floor round",
        "ceil floor", "zeros ones", "zeros_like ones_like", "cumsum cumprod", "exp log", "any all", "floor ceil",
    )
    for one, other in (pair.split(), pair.split()[::-1])
}  # fmt: skip
"""Names that are taken for one another."""


def twin(node: ast.AST) -> Iterator[ast.AST]:
    """``sum`` for ``mean``, ``std`` for ``var`` and the like."""
    if isinstance(node, ast.Attribute) and node.attr in TWINS:
        yield ast.Attribute(node.value, TWINS[node.attr], node.ctx)
    if isinstance(node, ast.Name) and node.id in ("max", "min"):
        yield ast.Name(TWINS[node.id], node.ctx)


def _axis(node: ast.expr) -> int | None:
    value: object = None
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return None
    return value if type(value) is int and -3 <= value <= 3 else None


def axis(node: ast.AST) -> Iterator[ast.AST]:
    """Another axis in a call."""
    if not isinstance(node, ast.Call):
        return
    for other in (0, 1, 2, -1):
        new = ast.Constant(other)
        if isinstance(node.func, ast.Attribute):
            for at, given in enumerate(node.args):
                if _axis(given) not in (None, other):
                    yield ast.Call(node.func, [*node.args[:at], new, *node.args[at + 1 :]], node.keywords)
        for at, named in enumerate(node.keywords):
            if named.arg in ("dim", "axis") and _axis(named.value) not in (None, other):
                changed = [*node.keywords[:at], ast.keyword(named.arg, new), *node.keywords[at + 1 :]]
                yield ast.Call(node.func, node.args, changed)


def factor(node: ast.AST) -> Iterator[ast.AST]:
    """A constant factor, divisor, exponent or summand left out; a result twice, half, or a power."""
    if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant):
        yield node.left
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant):
        yield node.right
    if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Tuple):
        for made in (
            "2 * ({})",
            "({}) / 2",
            "1 / ({})",
            "({}) ** 2",
            "({}) ** 0.5",
            "({}) + 1",
            "({}) - 1",
            "1 - ({})",
        ):
            yield ast.Return(ast.parse(made.format(ast.unparse(node.value)), mode="eval").body)


def sign(node: ast.AST) -> Iterator[ast.AST]:
    """The other sign of a part."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    elif isinstance(node, ast.Name | ast.Call | ast.BinOp | ast.Subscript) and isinstance(
        getattr(node, "ctx", ast.Load()), ast.Load
    ):
        yield ast.UnaryOp(ast.USub(), node)


def cut(node: ast.AST) -> Iterator[ast.AST]:
    """A slice or an index left out, or with its bounds one up or down; ``.T`` left out."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        if isinstance(node.slice, ast.Slice):
            yield node.value
        for new in (ast.Slice(ast.Constant(1)), ast.Slice(None, ast.UnaryOp(ast.USub(), ast.Constant(1)))):
            yield ast.Subscript(node.value, new, node.ctx)
        every = ast.Slice()
        if not isinstance(node.slice, ast.Tuple | ast.Slice):
            yield ast.Subscript(node.value, ast.Tuple([every, node.slice], ast.Load()), node.ctx)
        elif isinstance(node.slice, ast.Tuple):
            yield ast.Subscript(node.value, ast.Tuple(node.slice.elts[::-1], ast.Load()), node.ctx)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value


def bound(node: ast.AST) -> Iterator[ast.AST]:
    """A range one longer or shorter, or begun one off."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "range"
        and node.args
    ):
        for step in (ast.Add(), ast.Sub()):
            longer = ast.BinOp(node.args[-1], step, ast.Constant(1))
            yield ast.Call(node.func, [*node.args[:-1], longer], [])
        if len(node.args) == 1:
            yield ast.Call(node.func, [ast.Constant(1), *node.args], [])
        elif len(node.args) == 2:
            yield ast.Call(node.func, [node.args[1]], [])


#: Calls between a value and what is asked for.
_BETWEEN = frozenset(
    [
        "detach",
        "clone",
        "item",
        "tolist",
        "numpy",
        "double",
        "float",
        "int",
        "long",
        "bool",
        "T",
        "transpose",
        "squeeze",
        "unsqueeze",
        "flip",
        "roll",
        "abs",
        "round",
        "floor",
        "ceil",
        "cumsum",
        "contiguous",
        "argmax",
        "mean",
        "sum",
        "sqrt",
        "square",
        "exp",
        "log",
        "mean",
        "std",
        "var",
    ]
)


def between(node: ast.AST) -> Iterator[ast.AST]:
    """A method call left out: what it is a method of stays."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _BETWEEN:
        yield node.func.value


def _names(source: str) -> Mutator:
    """Another argument of the functions for a name."""
    given = sorted(
        {
            one.arg
            for node in ast.walk(parsed(source))
            if isinstance(node, ast.FunctionDef)
            for one in (*node.args.args, *node.args.kwonlyargs)
        }
        - {"self", "ctx"}
    )

    def name(node: ast.AST) -> Iterator[ast.AST]:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            for other in given:
                if other != node.id:
                    yield ast.Name(other, node.ctx)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            for other in given:
                yield ast.Name(other, ast.Load())

    return name


LIKELY: tuple[Mutator, ...] = (
    faults.comparison, between, faults.part, twin, faults.operator, cut, bound, axis, factor, sign, faults.condition,
    faults.number, faults.order, faults.argument, faults.call, faults.statement,
)  # fmt: skip


def edits(source: str, over: Callable[[], bool] = lambda: False) -> Iterator[Mutant]:
    """Edits of a cell, the likelier kinds first, each text once, until it is ``over``; none of what cannot be read."""
    try:
        plain, _ = python_of(source)
    except (SyntaxError, ValueError):
        return
    seen: set[str] = set()
    for mutator in (*LIKELY, _names(plain)):
        for one in mutants(plain, mutators=(mutator,), over=over):
            if one.source not in seen:
                seen.add(one.source)
                yield one


# ------------------------------------------------------------------------------------------------- how it is told


def _tokens(code: str) -> list[str]:
    try:
        every = tokenize.generate_tokens(io.StringIO(code).readline)
        return [one.string for one in every if one.string.strip()]
    except (tokenize.TokenError, SyntaxError):
        return code.split()


def _one_token(was: str, now: str) -> tuple[str, str] | None:
    """The only token that differs."""
    before, after = _tokens(was), _tokens(now)
    changes = [
        (before[a:b], after[c:d])
        for what, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        if what != "equal"
    ]
    if len(changes) == 1 and len(changes[0][0]) == len(changes[0][1]) == 1:
        return changes[0][0][0], changes[0][1][0]
    return None


_HOW = {
    "axis": "With another axis",
    "factor": "With a constant factor, exponent or term left out or put in",
    "sign": "With another sign",
    "cut": "With another slice or index",
    "bound": "With another range",
    "part": "With one part of it left out",
    "condition": "With the condition turned round",
    "number": "With another number",
    "order": "With two parts exchanged",
    "argument": "With an argument more or less",
    "name": "With another name",
}


def told(edit: Mutant, cell: str) -> str:
    """The sentence for an edit after which every case is right."""
    lines = cell.split("\n")
    line = lines[edit.line - 1].strip() if 0 < edit.line <= len(lines) else ""
    where = f"in line {edit.line}{f', `{line}`,' if line and '`' not in line else ''}"
    token = _one_token(edit.was, edit.now)
    if edit.kind in ("comparison", "operator", "twin") and token is not None:
        return f"With `{token[1]}` for `{token[0]}` {where} all is right."
    if edit.kind in ("between", "call"):
        called = ast.parse(edit.was, mode="eval").body
        name = ast.unparse(called.func).split(".")[-1] if isinstance(called, ast.Call) else edit.was
        return f"Without `{name}` {where} all is right."
    if edit.kind == "statement":
        return f"Without what stands {where} all is right."
    if edit.kind in ("number", "name") and token is not None:
        return f"{_HOW[edit.kind]} for `{token[0]}` {where} all is right."
    return f"{_HOW.get(edit.kind, 'With another operation')} {where} all is right."
