"""Numbers about a graded problem set: scores, difficulty, discrimination, misconceptions, what was stopped.

Convention: a submission that could not be graded takes part in nothing but the count of such submissions; members of
one group count once for each member, as each has a grade.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autograder.graded import Graded
from autograder.question import Question


@dataclass(frozen=True)
class Item:
    """One question over the class.

    Args:
        name: its grade_id.
        points: what it gives at most.
        manual: whether a person reads it.
        graded: how many students have a score.
        share: mean of score / points (the difficulty; 1 is easiest), None when nobody has a score.
        full, none: shares of the students with full points, and with none.
        discrimination: see :func:`corrected_item_total`.
    """

    name: str
    points: float
    manual: bool
    graded: int
    share: float | None
    full: float | None
    none: float | None
    discrimination: float | None


@dataclass(frozen=True)
class Mistake:
    """How often a misconception was recognised."""

    question: str
    id: str
    message: str
    students: int


@dataclass(frozen=True)
class Stop:
    """How often something other than a wrong value ended an answer or a cell."""

    place: str
    what: str
    students: tuple[str, ...]


def graded(grades: Sequence[Graded]) -> list[Graded]:
    """The submissions that have grades."""
    return [grade for grade in grades if not grade.problem]


def questions(grades: Sequence[Graded]) -> dict[str, float]:
    """Points of each question, in order."""
    first = next((grade for grade in grades if grade.questions), None)
    return {name: one.points for name, one in first.questions.items()} if first else {}


def corrected_item_total(scores: NDArray[np.float64], item: int) -> float | None:
    """Correlation between the scores of one question and the sum of the scores of all others.

    r = cov(x, t - x) / (sd(x) sd(t - x)), where x is the score of the question and t the total. "Corrected" means that
    the question is not part of what it is compared with.

    Args:
        scores: students by questions.
        item: the column.

    Returns:
        r, or None where it is not defined: fewer than three students, no other question, or no variance.

    Source: Nunnally & Bernstein, Psychometric Theory, 3rd ed. 1994, chapter 8 (corrected item-total correlation).
    """
    if scores.shape[0] < 3 or scores.shape[1] < 2:
        return None
    x, rest = scores[:, item], scores.sum(axis=1) - scores[:, item]
    x, rest = x - x.mean(), rest - rest.mean()
    scale = float(np.sqrt((x @ x) * (rest @ rest)))
    # Rounding leaves a trace of variance in a column of equal numbers.
    return None if scale < 1e-12 * max(1.0, float(np.abs(scores).max()) ** 2) else float(x @ rest) / scale


def items(grades: Sequence[Graded]) -> list[Item]:
    """Every question, in order. Only questions that all students have a score for enter discriminations."""
    students, points = graded(grades), questions(grades)
    table = np.array(
        [
            [np.nan if (score := grade.questions[name].score) is None else score for name in points]
            for grade in students
        ],
        dtype=np.float64,
    ).reshape(len(students), len(points))
    complete = [column for column in range(len(points)) if not np.isnan(table[:, column]).any()]
    found = []
    for column, (name, most) in enumerate(points.items()):
        scored = table[~np.isnan(table[:, column]), column]
        known = len(scored) > 0 and most > 0
        found.append(
            Item(
                name=name,
                points=most,
                manual=bool(students) and students[0].questions[name].manual,
                graded=len(scored),
                share=float(scored.mean()) / most if known else None,
                full=float((scored >= most).mean()) if known else None,
                none=float((scored <= 0).mean()) if known else None,
                discrimination=(
                    corrected_item_total(table[:, complete], complete.index(column))
                    if column in complete
                    else None
                ),
            )
        )
    return found


def scores(grades: Sequence[Graded]) -> NDArray[np.float64]:
    """The points of the graded submissions so far, before any penalty for being late."""
    return np.array([grade.raw for grade in graded(grades)], dtype=np.float64)


def mistakes(asked: Mapping[str, Question], grades: Sequence[Graded]) -> list[Mistake]:
    """Every slip of a set's questions, given by name, with the number of students it was recognised in, the most frequent first.

    Those that were never recognised are there too, with 0: a check for a mistake that nobody makes is worth knowing.
    """
    known = {(name, slip.id): slip.sentence for name, question in asked.items() for slip in question.slips}
    read: dict[tuple[str, str], str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for grade in graded(grades):
        for name, one in grade.questions.items():
            groups = one.result.groups if one.result is not None else ()
            said = {(name, group.slip.id): group.slip.sentence for group in groups if group.slip is not None}
            counts.update(said.keys())
            read.update(said)
    places = {name: place for place, name in enumerate(questions(grades))}
    found = [Mistake(*key, sentence, counts[key]) for key, sentence in {**known, **read}.items()]
    return sorted(found, key=lambda one: (-one.students, places.get(one.question, len(places))))


_WORDS = {
    "time": "ran out of time",
    "died": "ended the process",
    "not run": "not run",
    "unrun": "not run",
    "error": "raised an error",
    "missing": "a name was missing",
    "unanswered": "not answered",
    "form": "wrong form (type, shape, not finite)",
}


def stops(grades: Sequence[Graded]) -> list[Stop]:
    """Time-outs, crashes and errors, by cell and question; wrong values are not among them."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for grade in graded(grades):
        for entry in grade.trouble:
            what = _WORDS.get(entry.status, entry.status)
            if entry.reason and entry.status != "time":  # which says how long, for each another number
                what = f"{what}: {entry.reason}"
            found.setdefault((entry.cell, what), {})[grade.student] = None
        for name, one in grade.questions.items():
            failed = one.result.failed.values() if one.result is not None else ()
            for kind in dict.fromkeys(failure.kind for failure in failed):
                if kind in _WORDS:
                    found.setdefault((name, _WORDS[kind]), {})[grade.student] = None
    rows = [Stop(place, what, tuple(students)) for (place, what), students in found.items()]
    return sorted(rows, key=lambda row: -len(row.students))
