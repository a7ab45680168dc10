"""Mending in the sandbox: when a notebook is done, edits of its answers run in its worker, and are judged on this side.

Each edit is a cell that defines the answer anew and a probe; nothing that is right crosses. Whatever an edit does can only
cost the sentence.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from autograder.asking import as_data, seen_of
from autograder.diagnosis import failing_first, mended, worth_mending
from autograder.judging import is_right
from autograder.language import answer_cells
from autograder.language.mending import EACH, SECONDS, See, definitions, mend
from autograder.perform import Seen
from autograder.question import Case, Question
from autograder.result import Result

from .outputs import CellOutcome
from .session import Session

__all__ = ["with_edits"]

_LOG = logging.getLogger(__name__)

WHOLE = 8.0
"""Processor time for the edits of all answers of a notebook; half of it for one question."""


@dataclass
class _Bench:
    """Runs the cells of one answer in a session, and puts cases to what they define.

    Processor time is counted in the worker and on this side, which makes the edits; either may use ``seconds``.
    """

    session: Session
    question: Question
    cases: Sequence[Case]
    seconds: float
    there: float = 0.0
    restarts: int = 0
    begun: float = field(default_factory=time.thread_time)

    def __post_init__(self) -> None:
        self.restarts = self.session.restarts

    @property
    def used(self) -> float:
        """Processor time of the side that used more."""
        return max(self.there, time.thread_time() - self.begun)

    @property
    def over(self) -> bool:
        """Whether the time is used up, or the worker that had the notebook's names is gone."""
        return self.used > self.seconds or self.session.restarts > self.restarts

    def put(self, sources: Sequence[str]) -> See | None:
        """See :data:`autograder.language.mending.Put`."""
        for source in sources:
            done = self.session.run_cell(source)
            self.there += max(done.seconds, 1e-3)  # so that one that is not run counts as well
            if done.status != "ok":
                return None
        return self._see

    def _see(self, place: int) -> Seen:
        modules: list[str] = []
        sent = as_data(self.question, self.cases[place].call, modules)
        answers = self.session.probe(self.question.reached, [sent], modules, self.question.id)
        self.there += max(answers.seconds, 1e-3)
        return seen_of(answers.replies[0])


def _mended(
    result: Result, question: Question, seed: int, session: Session, ran: Sequence[str], seconds: float
) -> tuple[Result, float]:
    """The result, with the sentence of an edit if one is found in time, and what that took."""
    if not worth_mending(question, result):
        return result, 0.0
    cases = question.draw(seed)
    bench, sentence = _Bench(session, question, cases, seconds), ""
    try:
        if cells := answer_cells(ran, question.names):
            own, places = [definitions(cell) for cell in cells], failing_first(result, cases)
            try:
                sentence = mend(cells, places, bench.put, is_right(question, cases), lambda: bench.over)
            finally:
                bench.put(own)  # the student's again, for the next question
    except Exception:  # of a text that cannot be edited: what costs the sentence costs nothing else
        _LOG.info("%s: no edits were tried to their end", question.id, exc_info=True)
    return mended(result, sentence), bench.used


def with_edits(
    outcomes: Sequence[CellOutcome], questions: Mapping[str, Question], seed: int, session: Session
) -> list[CellOutcome]:
    """The outcomes, with the edit that mends an answer where no sentence is sure; afterwards the session is of no use."""
    ran = [one.cell.source for one in outcomes if one.run is not None and one.run.status in ("ok", "error")]
    session.limits = replace(session.limits, cell_seconds=min(EACH, session.limits.cell_seconds))
    found, left = [], WHOLE
    for one in outcomes:
        if one.result is not None and not one.problem and one.result.score < one.result.points and left > 0:
            question = questions[one.cell.grade_id]
            seconds = min(SECONDS / 2, left)
            result, used = _mended(one.result, question, seed, session, ran, seconds)
            one, left = replace(one, result=result), left - used
        found.append(one)
    return found
