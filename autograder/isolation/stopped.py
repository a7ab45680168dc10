"""Cells that did not come to their end while grading: which, why, and which question missed what they define."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from autograder.follow_on import LONGEST_CELL, names_of
from autograder.graded import Trouble
from autograder.question import Question
from autograder.result import Result

from .outputs import CellOutcome
from .session import CellResult

__all__ = ["told", "troubles"]

_LONGEST = 300
_NAMES = 300  # that are followed from one question
_NEEDS_A_NAME = frozenset({"missing", "unanswered", "error"})


def _why(run: CellResult) -> str:
    """Why a cell did not come to its end, in words; empty where it did."""
    if run.status == "ok":
        return ""
    if run.status != "error":
        return run.reason
    errors = [one for one in run.outputs if one["output_type"] == "error"]
    if not errors:
        return "an error without a text"
    error = errors[-1]
    text = " ".join(f"{error['ename']}: {error['evalue']}".split()).removesuffix(":")
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
    return f"{text}, in the line `{error['line'].strip()}`" if error.get("line", "").strip() else text


def _unanswered(run: CellResult) -> bool:
    return run.status == "error" and any(one.get("ename") == "NotImplementedError" for one in run.outputs)


def troubles(outcomes: Sequence[CellOutcome]) -> tuple[Trouble, ...]:
    """The cells that did not come to their end, but those that only met what is not answered yet."""
    return tuple(
        Trouble(one.cell.grade_id or f"cell {number}", one.run.status, _why(one.run))
        for number, one in enumerate(outcomes, start=1)
        if one.run is not None and one.run.status != "ok" and not _unanswered(one.run)
    )


_DEFINITION = re.compile(r"^[ \t]*(?:(?:def|class)[ \t]+(\w+)|(\w+)[ \t]*=[^=])", re.MULTILINE)


@lru_cache(maxsize=256)
def _written(source: str) -> frozenset[str]:
    """Names that lines of a cell define, whether they are reached or not."""
    return frozenset(one or other for one, other in _DEFINITION.findall(source))


def _defines(source: str, name: str) -> bool:
    """Whether a cell binds a name, or would: it cannot be compiled, or stops before; no for one that is too long."""
    if len(source) > LONGEST_CELL:
        return False
    bound, read = names_of(source)
    return (name in bound and bound is not read) or name in _written(source)


class _Above:
    """The cells above a question."""

    def __init__(self) -> None:
        self.runs: list[CellOutcome] = []

    def _last(self, name: str) -> CellOutcome | None:
        return next((one for one in reversed(self.runs) if _defines(one.cell.source, name)), None)

    def stopped(self, names: Sequence[str]) -> Iterator[tuple[str, CellResult]]:
        """Names that are needed, directly or by what defines them, whose cell did not come to its end, with how."""
        waiting, seen = list(names), set[str]()
        while waiting and len(seen) < _NAMES:
            name = waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            last = self._last(name)
            if last is not None and last.run is not None:
                if last.run.status != "ok":
                    yield name, last.run
                waiting += sorted(names_of(last.cell.source)[1])[:_NAMES]


def _told(question: Question, result: Result, above: _Above) -> Result:
    """The result, with a remark for each cell whose end it missed."""
    if not any(failure.kind in _NEEDS_A_NAME for failure in result.failed.values()):
        return result
    first: dict[int, tuple[str, CellResult]] = {}
    for name, run in above.stopped(question.names):
        first.setdefault(id(run), (name, run))
    remarks = tuple(
        f"The cell that should define `{name}` stopped while it was graded: {_why(run)}."
        for name, run in first.values()
        if not _unanswered(run)
    )
    return replace(result, remarks=(*result.remarks, *remarks))


def told(outcomes: Sequence[CellOutcome], questions: Mapping[str, Question]) -> list[CellOutcome]:
    """Outcomes in which a question says why a cell stopped that should define what it needs."""
    above, found = _Above(), []
    for one in outcomes:
        if one.result is not None:
            one = replace(one, result=_told(questions[one.cell.grade_id], one.result, above))
        elif one.run is not None:
            above.runs.append(one)
        found.append(one)
    return found
