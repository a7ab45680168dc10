"""Nothing is charged twice: a question that lost points through an earlier helper is asked again with the reference's.

What a question rests on is read from the cells: a name carries the helpers that the cell read which bound it. Where the
reference stands in, a group gets the better of both outcomes; a stand-in never costs.
"""

from __future__ import annotations

import dis
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import CodeType

from autograder.question import Question
from autograder.reference import helpers
from autograder.result import GroupResult, Result, number

LONGEST_CELL = 100_000
_NO_FAULT_OF_THE_CODE = ("missing", "unanswered", "time", "died", "unrun")


# ------------------------------------------------------------------------------------------- what rests on what


def _codes(code: CodeType) -> Iterable[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def without_magics(source: str) -> str:
    """A cell with empty lines in the place of magics and commands."""
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n"))


def _compiled(source: str) -> CodeType | None:
    """A cell without its magics; None where it is not plain Python, or so long that reading its code takes seconds."""
    if len(source) > LONGEST_CELL:
        return None
    text = without_magics(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of the student's text, and not for the page that is written here
            return compile(text, "<cell>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@lru_cache(maxsize=4096)
def names_of(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a cell binds and the global ones that it reads; all its words where it is not plain Python."""
    code = _compiled(source)
    if code is None:
        words = frozenset(re.findall(r"[^\W\d]\w*", source))
        return words, words
    steps = [step for one in _codes(code) for step in dis.get_instructions(one)]
    of_the_cell = dis.get_instructions(code)
    bound = {step.argval for step in of_the_cell if step.opname == "STORE_NAME"}
    bound |= {step.argval for step in steps if step.opname == "STORE_GLOBAL"}
    read = {step.argval for step in steps if step.opname in ("LOAD_NAME", "LOAD_GLOBAL")}
    return frozenset(bound), frozenset(read)


class Carried:
    """Which helpers each name carries, as cells are run in order.

    Args:
        helpers: the question of each helper.
        uses: what questions use, by id (see :class:`autograder.question.Question`).
    """

    def __init__(self, helpers: Mapping[str, str], uses: Mapping[str, Mapping[str, str]]) -> None:
        self.helpers, self.uses = helpers, uses
        self._carried: dict[str, frozenset[str]] = {}

    def ran(self, source: str) -> None:
        """A cell was run."""
        bound, read = names_of(source)
        found = frozenset().union(*(self._carried.get(name, frozenset()) for name in read))
        for name in bound:
            self._carried[name] = found | ({name} if name in self.helpers else frozenset())

    def rests(self, question: Question) -> frozenset[str]:
        """The helpers of other questions that a question rests on, directly or through others."""
        found = frozenset().union(*(self._carried.get(name, frozenset()) for name in question.names))
        waiting, seen = [question.id], set[str]()
        while waiting:
            id = waiting.pop()
            if id not in seen:
                seen.add(id)
                found |= set(self.uses.get(id, {})) & set(self.helpers)
                waiting += self.uses.get(id, {}).values()
        return frozenset(name for name in found if self.helpers[name] != question.id)


def taken_remark(name: str) -> str:
    """What is said where a reference was taken."""
    return f"used the reference for `{name.rpartition('.')[2]}`"


# ---------------------------------------------------------------------------------------------- the better of both


def _better(first: GroupResult, again: GroupResult) -> GroupResult:
    if again.score > first.score:
        return again
    blamed = again.failure is not None and again.failure.kind not in _NO_FAULT_OF_THE_CODE
    return again if blamed and first.failure is not None and again.score == first.score else first


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    quoted = [f"`{name}`" for name in sorted(names)]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)


def better(first: Result, again: Result, wrong: Iterable[str]) -> Result:
    """The better of both outcomes by group, with a remark where that gives points.

    Args:
        first: with the student's own helpers.
        again: with the reference's in the place of those that are wrong.
        wrong: their names.
    """
    groups = tuple(map(_better, first.groups, again.groups))
    score = float(sum(group.score for group in groups))
    if score <= first.score:
        return first
    names = sorted(wrong)
    verb, them = ("are", "them") if names[1:] else ("is", "that")
    whole = f"right; but your {listed(names)} {verb} not: mend {them} first"
    part = (
        f"{number(score)} of {number(first.points)} points with a right {listed(names)}; yours {verb} not: "
        f"mend {them} first"
    )
    remark = whole if score >= first.points else part
    return replace(first, groups=groups, score=score, remarks=(*first.remarks, remark))


def own_names(question: Question) -> set[str]:
    """The names of a question that are no helper of another."""
    return set(question.names) - set(question.uses)


def loses(result: Result) -> bool:
    """Whether it has fewer points than can be had."""
    return result.score < result.points


# ------------------------------------------------------------------------------------------------- in grading


def planned(
    cells: Sequence[tuple[str, str]], questions: Mapping[str, Question], results: Mapping[str, Result]
) -> dict[str, frozenset[str]]:
    """Which questions of a notebook to ask again, and which helpers stand in for each.

    Args:
        cells: in order, the name of a question with no source, or no name and the source of a cell.
        questions: of the set, by name.
        results: what each question got, by name.
    """
    known = helpers({one.id: one.reference for one in questions.values() if one.reference is not None})
    carried = Carried(known, {one.id: one.uses for one in questions.values()})
    wrong: set[str] = set()
    plan: dict[str, frozenset[str]] = {}
    for name, source in cells:
        if name not in results:
            carried.ran(source)
        elif loses(results[name]):
            question = questions[name]
            needed = (carried.rests(question) & wrong) - own_names(question)
            if needed:
                plan[name] = needed
            wrong |= {helper for helper, id in known.items() if id == question.id}
    return plan
