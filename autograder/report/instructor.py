"""The instructor's page of a problem set: one file with plots, and beside each plot the numbers it shows.

Here are the numbers; the words and their order are the template ``instructor.html.j2``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from markupsafe import Markup

from autograder.graded import Graded
from autograder.question import Question
from autograder.rendering import code, duration, percent, render, words
from autograder.report import charts, similar, statistics
from autograder.report.export import note
from autograder.result import number

#: Bars that a plot holds; the table beside it has them all.
_SHOWN = 15
_DASH = "–"
Fields = dict[str, Any]


def _edges(most: float, bins: int = 10) -> list[float]:
    return [float(edge) for edge in np.linspace(0.0, most, bins + 1)]


def _brief(text: str, most: int = 34) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _bars(
    name: str,
    said: str,
    values: Sequence[tuple[str, float]],
    axis: str,
    limits: tuple[float, float] | None = None,
) -> Markup:
    """The first bars of a list, none where it is empty; see :func:`charts.bars`."""
    if not values:
        return Markup()
    labels, lengths = zip(*values[:_SHOWN], strict=True)
    return Markup(charts.bars(name, said, labels, lengths, axis, limits))


def _scores(grades: Sequence[Graded]) -> Fields | None:
    points = statistics.scores(grades)
    most = sum(statistics.questions(grades).values())
    if not len(points) or most <= 0:
        return None
    edges = _edges(max(most, float(points.max())))
    counts = np.histogram(points, edges)[0].tolist()
    summary = (
        f"{len(points)} graded submissions: mean {points.mean():.1f}, median {np.median(points):.1f} of "
        f"{number(most)} points, standard deviation {points.std(ddof=1) if len(points) > 1 else 0:.1f}."
    )
    plot = charts.histogram("scores", f"Histogram of the scores. {summary}", edges, counts, "points")
    rows = [
        [f"{number(low)} to {number(high)}", count, percent(count / len(points))]
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    waiting = sum(grade.pending > 0 for grade in statistics.graded(grades))
    return {"summary": summary, "waiting": waiting, "plot": Markup(plot), "rows": rows}


def _questions(grades: Sequence[Graded]) -> Fields | None:
    found = statistics.items(grades)
    if not found:
        return None
    labels = [words(item.name) for item in found]
    difficulty = charts.bars(
        "difficulty",
        "Mean share of the points of each question; the numbers are in the table.",
        labels,
        [None if item.share is None else 100 * item.share for item in found],
        "mean share of the points (%)",
        (0.0, 100.0),
    )
    values = [item.discrimination for item in found]
    discrimination = charts.bars(
        "discrimination",
        "Corrected item-total correlation of each question; the numbers are in the table.",
        labels,
        values,
        "correlation with the other questions",
        (min([0.0, *(value - 0.05 for value in values if value is not None and value < 0)]), 1.0),
    )
    shares = [
        [words(item.name), number(item.points), item.graded]
        + [percent(share) for share in (item.share, item.full, item.none)]
        for item in found
    ]
    correlations = [
        [label, _DASH if value is None else f"{value:.2f}"]
        for label, value in zip(labels, values, strict=True)
    ]
    return {
        "difficulty": Markup(difficulty),
        "shares": shares,
        "discrimination": Markup(discrimination),
        "correlations": correlations,
    }


def _mistakes(asked: Mapping[str, Question], grades: Sequence[Graded]) -> Fields:
    found = statistics.mistakes(asked, grades)
    made = [one for one in found if one.students]
    never = [one for one in found if not one.students]
    plot = _bars(
        "misconceptions",
        "How many students each misconception was recognised in; the numbers are in the table.",
        [(f"{words(one.id)}\n({words(one.question)})", one.students) for one in made],
        "students",
    )
    return {"known": bool(found), "made": made, "never": never, "plot": plot}


def _stops(grades: Sequence[Graded]) -> Fields:
    found = statistics.stops(grades)
    plot = _bars(
        "stops",
        "How many students each of these happened to; the numbers are in the table.",
        [(f"{words(one.place)}\n{_brief(one.what)}", len(one.students)) for one in found],
        "students",
    )
    return {"found": found, "plot": plot}


def _cost(grades: Sequence[Graded]) -> Fields | None:
    seconds = np.array([grade.seconds for grade in statistics.graded(grades) if grade.seconds > 0])
    if not len(seconds):
        return None
    memory = max(grade.peak_mb for grade in grades)
    edges = _edges(float(seconds.max()))
    plot = charts.histogram(
        "seconds",
        "Histogram of the time that each submission took to grade.",
        edges,
        np.histogram(seconds, edges)[0].tolist(),
        "seconds to grade",
    )
    rows = [
        ["median", f"{np.median(seconds):.2f} s"],
        ["95 % are done in", f"{np.quantile(seconds, 0.95):.2f} s"],
        ["longest", f"{seconds.max():.2f} s"],
        ["together", f"{seconds.sum():.0f} s"],
        ["most memory of one", f"{memory:.0f} MB" if memory else _DASH],
        ["processes replaced", sum(grade.restarts for grade in grades)],
    ]
    return {"plot": Markup(plot), "rows": rows}


def _groups(grades: Sequence[Graded]) -> list[frozenset[str]]:
    members: dict[str, set[str]] = {}
    for grade in grades:
        if grade.group:
            members.setdefault(grade.group, set()).add(grade.student)
    return [frozenset(names) for names in members.values()]


def _alike(grades: Sequence[Graded], notebooks: Mapping[str, bytes], released: bytes) -> Fields:
    pairs = similar.similar(notebooks, released, together=_groups(grades)) if notebooks else []
    plot = _bars(
        "similar",
        "The pairs with the largest share in common; the numbers are in the table.",
        [(f"{_brief(pair.first, 18)}\n{_brief(pair.second, 18)}", 100 * pair.share) for pair in pairs],
        "share in common (%)",
        (0.0, 100.0),
    )
    return {"compared": len(notebooks), "pairs": pairs, "plot": plot, "share": similar.SHARE}


def _remarks(grades: Sequence[Graded]) -> Fields:
    graded = statistics.graded(grades)
    return {
        "absent": [[grade.student, grade.problem] for grade in grades if grade.problem],
        "late": [
            [grade.student, duration(grade.late_s), number(grade.penalty)]
            for grade in grades
            if grade.late_s > 0
        ],
        "put_right": [[grade.student, code(note(grade))] for grade in graded if grade.remarks],
        "faults": [
            [grade.student, words(name), mark.fault]
            for grade in graded
            for name, mark in grade.questions.items()
            if mark.fault
        ],
    }


def instructor_page(
    problem_set: str,
    grades: Sequence[Graded],
    notebooks: Mapping[str, bytes],
    released: bytes,
    templates: Path | None = None,
    asked: Mapping[str, Question] = MappingProxyType({}),
) -> bytes:
    """The page.

    Args:
        problem_set: its name.
        grades: all submissions.
        notebooks: what was handed in, by student; without it nothing is compared.
        released: the notebook that was handed out.
        templates: folder of the course's own templates.
        asked: the questions of the set, whose slips are counted.

    Returns:
        The HTML file. It names students: it is for those who grade.
    """
    return render(
        "instructor.html.j2",
        templates,
        title=f"{problem_set}: the class",
        submissions=len(grades),
        scores=_scores(grades),
        questions=_questions(grades),
        mistakes=_mistakes(asked, grades),
        stops=_stops(grades),
        alike=_alike(grades, notebooks, released),
        cost=_cost(grades),
        **_remarks(grades),
    ).encode()
