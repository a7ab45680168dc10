"""Mutation test of the checks: ``python -m autograder.mutants [SET ...]``; a mutant is a reference answer with one small fault.

Each mutant stands in for a student's slip. The question's check must refuse it, or ``corpus/<set>/survivors.json``
must name it and say why it is as right as the reference (or why no check should see the difference). The list must be
exact: a survivor that is not listed, and a listed mutant that is killed or no longer exists, both fail. Only where an
accuracy lies so close to a check's bar that rounding decides, the reason begins with "either way:".

Faults are put between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` only, one at a time: operators, numbers, words,
conditions, arguments, calls, statements and results (see :data:`MUTATORS`). Left alone are messages (f-strings, what is
raised or printed) and ``strict=`` of ``zip``, which differs for arguments of unequal length only.

A question's mutants run on one fixed seed, each in a forked child with limits on time and memory, after the cells before
the answer have been run once (shortened as ``brief.json`` says, and with the stand-ins of :data:`STAND_INS`). The first
failing case ends a mutant. All mutants run, none is left out.

A mutant is named by its question, the kind of fault, the function it is in, and the piece of code before and after; so
the name does not change when code is moved or formatted anew.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from autograder.checks import UnknownQuestionError, checks_of
from autograder.checks import problem_sets as sets_with_checks
from autograder.corpus import CORPUS, shorten
from autograder.course import CourseError, checkout
from autograder.judging import PUBLIC_SEED, judge, right_values
from autograder.notebook import dump
from autograder.perform import Seen, attempt, quiet
from autograder.question import Case, Group
from autograder.question import Question as AskedQuestion
from autograder.source import solution_notebook

SEED = PUBLIC_SEED
SECONDS = 10.0
"""Time of a mutant; more where the reference itself needs more than a tenth of it."""
MEMORY = 2 << 30
"""What a mutant may take on top of what is there when it starts."""
CONTEXT = 16
"""Characters of unchanged code that a name shows on either side of the fault, up to the next blank."""
EITHER_WAY = "either way:"
"""So begins the reason of a listed mutant that may be killed as well."""
STAND_INS = {
    "ps2.sweep": """
def accuracy_of(family, *, seed):
    return 1 / (2 + seed + slope_of(family, torch.tensor([0.1])).item())
"""
}
"""Code that runs before a question's answer, in the place of a given function that takes long."""

# ------------------------------------------------------------------------------------------------ the faults

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
        if not isinstance(node.value, ast.Tuple):  # whose parts are exchanged above
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

# ----------------------------------------------------------------------------------------------- the mutants


@dataclass(frozen=True)
class Mutant:
    """The source of an answer cell with one fault. ``name`` is unique; ``kind`` is the name of its mutator."""

    name: str
    kind: str
    cell: str
    source: str


@dataclass
class Place:
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


def places(node: ast.AST, where: str = "", within: ast.stmt | None = None) -> Iterator[Place]:
    """Every node below a node, in the order of the source."""
    for name, value in ast.iter_fields(node):
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _left_alone(child):
                continue
            inner = child if isinstance(child, ast.stmt) else within
            if inner is None:
                continue
            yield Place(child, node, name, index, where, inner)
            below = where
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                below = f"{where}.{child.name}".lstrip(".")
            if not isinstance(child, ast.Raise):
                yield from places(child, below, inner)


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


def mutants(source: str, question: str = "", cell: str = "") -> list[Mutant]:
    """All mutants of an answer cell, in a fixed order: place by place, and at each place fault by fault.

    Args:
        source: the cell, with the marks around its solution.
        question: the question's id, which the names begin with.
        cell: the cell's grade_id.
    """
    tree = ast.parse(source)
    chosen = solution_lines(source)
    seen = {ast.unparse(tree)}
    names: Counter[str] = Counter()
    found = []
    for place in list(places(tree)):
        if _line(place.node) not in chosen:
            continue
        for mutator in MUTATORS:
            for new in mutator(place.node):
                whole = isinstance(place.node, ast.stmt) and isinstance(new, ast.Pass)
                before = _first_line(place.node) if whole else ast.unparse(place.within)
                place.put(new)
                within = new if place.node is place.within else place.within
                text, after = ast.unparse(tree), ast.unparse(within)
                place.put(place.node)
                if text in seen:
                    continue
                seen.add(text)
                shown = (before, "pass") if whole else _changed(before, after)
                name = f"{question}:{mutator.__name__}:{place.where or cell}:{shown[0]}->{shown[1]}"
                names[name] += 1
                if names[name] > 1:
                    name = f"{name} #{names[name]}"
                found.append(Mutant(name, mutator.__name__, cell, text))
    return found


# ------------------------------------------------------------------------------------------- running mutants


@dataclass(frozen=True)
class Cell:
    """A code cell of the solution: what it is to its question, and its source."""

    name: str
    answer: bool
    source: str


@dataclass(frozen=True)
class Question:
    """A check, the cells to run before its answer, and those from its first answer cell on."""

    check: AskedQuestion
    before: tuple[Cell, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: ``killed`` says by what, and is empty where it survived."""

    mutant: Mutant
    killed: str
    seconds: float


@dataclass
class Report:
    """The outcome of a problem set, or of a question of it."""

    name: str
    questions: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    not_listed: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def survivors(self) -> list[str]:
        """Names of the mutants that were not killed, in order."""
        return [outcome.mutant.name for outcome in self.outcomes if not outcome.killed]

    def hold_against(self, reasons: Mapping[str, str]) -> None:
        """Sort the survivors into listed and not listed ones, and find the listed names that are out of date."""
        survivors = self.survivors
        self.listed = [name for name in survivors if name in reasons]
        self.not_listed = [name for name in survivors if name not in reasons]
        killed = {outcome.mutant.name for outcome in self.outcomes if outcome.killed}
        self.stale = [
            name
            for name, reason in reasons.items()
            if name not in survivors and not (reason.startswith(EITHER_WAY) and name in killed)
        ]


def questions(root: Path, problem_set: str) -> list[Question]:
    """The questions of a problem set, from its solution with the given cells shortened."""
    checks = {check.id.split(".", 1)[1]: check for check in checks_of(problem_set)}
    notebook = dump(solution_notebook(root, problem_set, instructor=False))
    found: list[Question] = []
    before: list[Cell] = []
    cells: list[Cell] = []
    for cell in json.loads(shorten(notebook, problem_set))["cells"]:
        marked = cell["metadata"].get("nbgrader", {})
        name = marked.get("grade_id", "")
        if cell["cell_type"] != "code":
            continue
        if name in checks and marked.get("grade"):
            found.append(Question(checks[name], tuple(before), tuple(cells)))
            before, cells = [], []
            continue
        answer = bool(marked.get("solution"))
        (cells if answer or cells else before).append(Cell(name, answer, "".join(cell["source"])))
    return found


def mutants_of(question: Question) -> list[Mutant]:
    """All mutants of a question's answer cells."""
    return [
        one
        for cell in question.cells
        if cell.answer
        for one in mutants(cell.source, question=question.check.id, cell=cell.name)
    ]


def execute(cells: Iterable[Cell], namespace: dict[str, Any], instead: Mutant | None = None) -> None:
    """Run cells in a namespace, one of them as the mutant has it."""
    for cell in cells:
        source = instead.source if instead is not None and cell.name == instead.cell else cell.source
        exec(compile(source, f"<{cell.name or 'cell'}>", "exec"), namespace)


class Fixed:
    """A question on the cases of one seed, whose right answers are worked out once."""

    def __init__(self, question: AskedQuestion, seed: int = SEED) -> None:
        self.question, self.seed, self.cases = replace(question, slips=()), seed, question.draw(seed)
        judged = {group.id for group in question.groups if group.judge is not None or group.unchanged}
        with quiet():
            self.right = {
                at: right_values(question, case.call)
                for at, case in enumerate(self.cases)
                if case.group not in judged
            }

    def graded(self, question: Question, namespace: dict[str, Any], instead: Mutant | None = None) -> str:
        """Run a question's cells, and grade: group and label of the first case that fails, or an empty string."""
        asked = self.question

        def see(at: int, case: Case) -> Seen:
            return attempt(namespace, case.call, asked.results(case.call), tensors=asked.tensors)

        with quiet():
            execute(question.cells, namespace, instead)
            for at, group, case in self._in_order():
                alone = replace(asked, groups=(group,))
                right = {0: self.right[at]} if at in self.right else {}
                outcome = judge(alone, [case], see, seed=self.seed, right=right)
                if outcome.score < outcome.points:
                    return f"{group.id}: {case.label}"
        return ""

    def _in_order(self) -> Iterator[tuple[int, Group, Case]]:
        """Places and cases, group after group."""
        for group in self.question.groups:
            for at, case in enumerate(self.cases):
                if case.group == group.id:
                    yield at, group, case


def apart(work: Callable[[], str], seconds: float = SECONDS, memory: int = MEMORY) -> str:
    """What ``work`` returns in a forked child; otherwise that it raised, or what ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with suppress(BaseException), os.fdopen(writing, "w") as answer:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, seconds)
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory,) * 2)
            try:
                said = work()
            except BaseException as error:
                said = f"raises {type(error).__name__}"
            json.dump(said, answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    if text:
        return str(json.loads(text))
    return "time" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM else "ended early"


def run_question(question: Question, namespace: dict[str, Any], fixed: Fixed | None = None) -> Report:
    """Grade every mutant of a question, in a namespace in which the cells before the answer have been run.

    Afterwards the reference answer has been run in it as well.

    Raises:
        CourseError: the reference answer does not get all points, here and in a child.
    """
    check, begun = question.check, time.perf_counter()
    fixed = Fixed(check) if fixed is None else fixed
    report = Report(check.id, questions=1)
    failure = fixed.graded(question, dict(namespace))  # here, so that the children find every import made
    failure = failure or apart(partial(fixed.graded, question, namespace), seconds=600)
    if failure:
        raise CourseError(f"the reference answer of {check.id} does not get all points: {failure}")
    limit = max(SECONDS, 10 * (time.perf_counter() - begun))
    for one in mutants_of(question):
        started = time.perf_counter()
        killed = apart(partial(fixed.graded, question, namespace, one), seconds=limit)
        report.outcomes.append(Outcome(one, killed, time.perf_counter() - started))
    with quiet():
        execute(question.cells, namespace)
    report.seconds = time.perf_counter() - begun
    return report


def run_set(root: Path, problem_set: str, told: Callable[[Report], None] = lambda report: None) -> Report:
    """Grade every mutant of a problem set; ``told`` hears of each question when it is done."""
    import matplotlib.pyplot as plt
    import torch

    plt.switch_backend("Agg")
    torch.set_num_threads(1)  # a forked child has none of its parent's threads
    begun = time.perf_counter()
    whole = Report(problem_set)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for question in questions(root, problem_set):
        with quiet():
            execute(question.before, namespace)
            exec(STAND_INS.get(question.check.id, ""), namespace)
        one = run_question(question, namespace)
        told(one)
        plt.close("all")
        whole.questions += 1
        whole.outcomes += one.outcomes
    whole.hold_against(reasons(problem_set))
    whole.seconds = time.perf_counter() - begun
    return whole


# ------------------------------------------------------------------------------------------ list and command


def reasons(problem_set: str) -> dict[str, str]:
    """The listed survivors of a problem set and why each is right; empty where there is no list."""
    place = CORPUS / problem_set / "survivors.json"
    listed: dict[str, str] = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
    return listed


def _table(reports: Sequence[Report]) -> Any:
    from rich.table import Table

    table = Table(title="Mutants of the reference answers")
    for name in (
        "problem set",
        "questions",
        "mutants",
        "killed",
        "survivors listed",
        "not listed",
        "stale",
        "seconds",
    ):
        table.add_column(name, justify="left" if name == "problem set" else "right")
    for one in reports:
        numbers = (
            one.questions,
            len(one.outcomes),
            len(one.outcomes) - len(one.survivors),
            len(one.listed),
            len(one.not_listed),
            len(one.stale),
        )
        table.add_row(one.name, *map(str, numbers), f"{one.seconds:.0f}")
    return table


def main(arguments: list[str] | None = None) -> int:
    """Command line; the exit status is 1 when a list is not exact, 2 for a wrong call."""
    parser = argparse.ArgumentParser(
        prog="python -m autograder.mutants", description="Grade reference answers with one fault each."
    )
    parser.add_argument(
        "problem_sets", nargs="*", metavar="SET", help="problem sets; all with checks by default"
    )
    parser.add_argument("--verbose", action="store_true", help="say what became of each mutant")
    chosen = parser.parse_args(arguments)
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 150)

    def told(report: Report) -> None:
        killed = len(report.outcomes) - len(report.survivors)
        print(
            f"{report.name}: {killed} of {len(report.outcomes)} killed, {report.seconds:.1f} s",
            flush=True,
        )
        if chosen.verbose:
            for outcome in report.outcomes:
                print(f"  {outcome.seconds:.2f} s  {outcome.mutant.name}  [{outcome.killed or 'SURVIVED'}]")

    try:
        root = checkout()
        reports = [
            run_set(root, problem_set, told) for problem_set in chosen.problem_sets or sets_with_checks()
        ]
    except (CourseError, UnknownQuestionError) as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    console.print(_table(reports))
    for one in reports:
        for name in one.not_listed:
            print(f"{one.name}: survives and is not listed: {name}")
        for name in one.stale:
            print(f"{one.name}: listed, and killed or gone: {name}")
    return int(any(one.not_listed or one.stale for one in reports))


if __name__ == "__main__":
    sys.exit(main())
