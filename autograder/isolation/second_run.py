"""A submission's cells run once more with references for wrong helpers, so that no question pays for an earlier one.

Only where a question lost points and rests on one that did, see :mod:`autograder.follow_on`; what is printed and shown
there is dropped, and its time is nobody's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from autograder.asking import ask
from autograder.follow_on import better, names_of, planned
from autograder.question import Question
from autograder.reference import helpers
from autograder.result import Result

from .outputs import CellOutcome
from .session import Session

__all__ = ["with_references"]

Questions = Mapping[str, Question]


def _helpers(questions: Questions) -> dict[str, str]:
    return helpers({one.id: one.reference for one in questions.values() if one.reference is not None})


def with_references(
    outcomes: Sequence[CellOutcome], questions: Questions, seed: int, session: Callable[[], Session]
) -> list[CellOutcome]:
    """Outcomes in which each question has the better of what it got and what it gets with references for wrong helpers.

    Args:
        outcomes: of all cells, in order.
        questions: of the set, by name.
        seed: the same as before.
        session: makes a session at its beginning.

    Raises:
        IsolationError: a worker could not be started.
    """
    results = {one.cell.grade_id: one.result for one in outcomes if one.result is not None}
    cells = [
        (one.cell.grade_id, "") if one.result is not None else ("", one.cell.source if one.run else "")
        for one in outcomes
    ]
    plan = planned(cells, questions, results)
    if plan:
        with session() as again:
            results = _SecondRun(questions, seed, plan, again).of(outcomes, results)
    return [
        one if one.result is None else replace(one, result=results[one.cell.grade_id]) for one in outcomes
    ]


class _SecondRun:
    """The cells once more; a reference takes its place behind its question, and behind each later cell that binds it.

    It comes there with its place, so that it is nowhere to be found while its own question is asked.
    """

    def __init__(
        self, questions: Questions, seed: int, plan: Mapping[str, frozenset[str]], session: Session
    ) -> None:
        self.questions, self.seed, self.plan, self.session = questions, seed, plan, session
        self._known = _helpers(questions)
        self._texts = {
            one.id: one.reference.read_text(encoding="utf-8")
            for one in questions.values()
            if one.reference is not None
        }
        self._standing: dict[str, str] = {}

    def of(self, outcomes: Sequence[CellOutcome], results: Mapping[str, Result]) -> dict[str, Result]:
        """What each question has then; no cell is run behind the last question that is asked again."""
        found, waiting = dict(results), set(self.plan)
        for one in outcomes:
            name = one.cell.grade_id
            if one.result is not None:
                if name in waiting:
                    waiting.remove(name)
                    found[name] = self._asked_again(name, found[name])
                if not waiting:
                    break
                if found[name].score < found[name].points:
                    self._stand_in(self._wanted(found[name].question))
            elif one.run is not None:
                self.session.run_cell(one.cell.source, given=one.cell.given)
                bound, _ = names_of(one.cell.source)
                self._stand_in({helper: id for helper, id in self._standing.items() if helper in bound})
        return found

    def _asked_again(self, name: str, first: Result) -> Result:
        again, _ = ask(self.session, self.questions[name], self.seed)
        return better(first, again, self.plan[name] & self._standing.keys())

    def _wanted(self, question: str) -> dict[str, str]:
        """The references of a question that a planned one needs."""
        needed = frozenset().union(*self.plan.values())
        return {helper: id for helper, id in self._known.items() if id == question and helper in needed}

    def _stand_in(self, helpers: Mapping[str, str]) -> None:
        """Put references, given with their questions, into the place of the student's, from now on."""
        self._standing |= helpers
        for question in sorted(set(helpers.values())):
            names = [name for name, id in helpers.items() if id == question]
            self.session.run_cell(
                "__import__('autograder.reference').reference.install("
                f"{self._texts[question]!r}, {names!r}, globals())"
            )
