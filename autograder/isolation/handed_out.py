"""The references that a submission has: those that its cells ask for as plain text, and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from autograder.follow_on import taken_remark
from autograder.notebook import Cell
from autograder.question import Question
from autograder.reference import names_in, reduced
from autograder.result import Result
from autograder.word_for_word import copied, copied_remark, references_asked

from .outputs import CellOutcome

__all__ = ["absent", "asked_for", "copies", "handed_out", "noted"]

Questions = Mapping[str, Question]


def _texts(questions: Questions) -> dict[str, str]:
    """Whole modules of references, by the id of their question."""
    return {
        one.id: one.reference.read_text(encoding="utf-8")
        for one in questions.values()
        if one.reference is not None
    }


def asked_for(cells: Sequence[Cell], questions: Questions) -> dict[str, str]:
    """Modules of the references that cells ask for, by question: of each only what was asked for."""
    sources = [cell.source for cell in cells if cell.code and not cell.question]
    asked = {name for source in sources for name in references_asked(source)}
    found = {}
    for id, text in _texts(questions).items():
        names = [name for name in names_in(text) if {name, f"{id}.{name}"} & asked]
        if names:
            found[id] = reduced(text, names)
    return found


def handed_out(given: Mapping[str, str]) -> dict[str, str]:
    """The references that are there, each with its question, whatever is done with them."""
    return {name: id for id, text in given.items() for name in names_in(text)}


def absent(questions: Questions, given: Mapping[str, str]) -> list[str]:
    """The references that exist and are not there, with their questions before them."""
    there = handed_out(given)
    return [
        f"{id}.{name}"
        for id, text in _texts(questions).items()
        for name in names_in(text)
        if there.get(name) != id
    ]


def copies(cells: Sequence[Cell], questions: Questions) -> list[str]:
    """Remarks on the references that cells above the check of their question hold word for word."""
    texts, found, above = _texts(questions), list[str](), list[str]()
    for cell in cells:
        if cell.question and cell.grade_id in questions:
            found += copied(above, texts.get(questions[cell.grade_id].id, ""))
        elif cell.code:
            above.append(cell.source)
    return [copied_remark(name) for name in dict.fromkeys(found)]


def noted(outcomes: Sequence[CellOutcome], used: Mapping[str, str]) -> list[CellOutcome]:
    """Outcomes in which the questions whose references were there say so."""

    def with_remarks(result: Result) -> Result:
        more = [taken_remark(name) for name, id in used.items() if id == result.question]
        return replace(result, remarks=(*result.remarks, *more))

    return [one if one.result is None else replace(one, result=with_remarks(one.result)) for one in outcomes]
