"""The instructor's page of a problem set: one file with plots, and beside each plot the numbers it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from autograder.checks.core import number
from autograder.report import charts, similar, statistics
from autograder.report.export import note
from autograder.report.feedback import duration
from autograder.report.page import code, page, table
from autograder.results import StudentGrade

#: Rows that a plot holds; the table beside it has them all.
_SHOWN = 15
_DASH = "–"


def _percent(share: float | None) -> str:
    return _DASH if share is None else f"{100 * share:.0f} %"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _beside(plot: str, numbers: str) -> str:
    return f'<div class="pair"><figure>{plot}</figure><div>{numbers}</div></div>'


def _edges(most: float, bins: int = 10) -> list[float]:
    return [float(edge) for edge in np.linspace(0.0, most, bins + 1)]


def _scores(grades: Sequence[StudentGrade]) -> str:
    points = statistics.scores(grades)
    most = sum(statistics.questions(grades).values())
    if not len(points) or most <= 0:
        return "<h2>Scores</h2><p>No submission has been graded.</p>"
    edges = _edges(max(most, float(points.max())))
    counts = np.histogram(points, edges)[0].tolist()
    rows = [
        [f"{number(low)} to {number(high)}", str(count), _percent(count / len(points))]
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    said = (
        f"{len(points)} graded submissions: mean {points.mean():.1f}, median {np.median(points):.1f} of "
        f"{number(most)} points, standard deviation {points.std(ddof=1) if len(points) > 1 else 0:.1f}."
    )
    pending = sum(grade.pending > 0 for grade in statistics.graded(grades))
    wait = f" {pending} of them have answers that a person has yet to read." if pending else ""
    plot = charts.histogram("scores", f"Histogram of the scores. {said}", edges, counts, "points")
    numbers = table("Scores", ["points", "students", "share"], rows, numbers=(1, 2))
    return (
        f"<h2>Scores</h2><p>{said}{wait} Penalties for handing in late are not taken off here.</p>"
        + _beside(plot, numbers)
    )


def _questions(grades: Sequence[StudentGrade]) -> str:
    found = statistics.items(grades)
    if not found:
        return ""
    labels = [_words(item.name) for item in found]
    rows = [
        [
            escape(_words(item.name)),
            number(item.points),
            str(item.graded),
            _percent(item.share),
            _percent(item.full),
            _percent(item.none),
        ]
        for item in found
    ]
    difficulty = _beside(
        charts.bars(
            "difficulty",
            "Mean share of the points of each question; the numbers are in the table.",
            labels,
            [None if item.share is None else 100 * item.share for item in found],
            "mean share of the points (%)",
            (0.0, 100.0),
        ),
        table(
            "Difficulty",
            ["question", "points", "graded", "mean", "full points", "no points"],
            rows,
            numbers=range(1, 6),
        ),
    )
    values = [item.discrimination for item in found]
    discrimination = _beside(
        charts.bars(
            "discrimination",
            "Corrected item-total correlation of each question; the numbers are in the table.",
            labels,
            values,
            "correlation with the other questions",
            (min([0.0, *(value - 0.05 for value in values if value is not None and value < 0)]), 1.0),
        ),
        table(
            "Discrimination",
            ["question", "r"],
            [
                [escape(label), _DASH if value is None else f"{value:.2f}"]
                for label, value in zip(labels, values, strict=True)
            ],
            numbers=(1,),
        ),
    )
    return (
        "<h2>Difficulty</h2><p>The mean share of a question's points: the higher, the easier.</p>"
        f"{difficulty}<h2>Discrimination</h2><p>The correlation between a student's points for one question and for "
        "all the others together, r = cov(x, t − x) / (sd(x) sd(t − x)) with x the points of the question and t the "
        "total. Near 0 or below it, the question measures something else than the rest, or its text or check deserves "
        "a look. A dash: fewer than three students, no spread, or answers that a person has yet to read.</p>"
        f"{discrimination}"
    )


def _mistakes(problem_set: str, grades: Sequence[StudentGrade]) -> str:
    found = statistics.mistakes(problem_set, grades)
    made = [one for one in found if one.students]
    never = [one for one in found if not one.students]
    title = "<h2>Misconceptions</h2>"
    if not found:
        return f"{title}<p>No check of this problem set names misconceptions.</p>"
    listed = (
        "<details><summary>Never recognised in this class "
        f"({len(never)})</summary><p>{', '.join(f'<code>{escape(one.id)}</code> ({escape(_words(one.question))})' for one in never)}</p>"
        "</details>"
        if never
        else ""
    )
    if not made:
        return f"{title}<p>None was recognised.</p>{listed}"
    plot = charts.bars(
        "misconceptions",
        "How many students each misconception was recognised in; the numbers are in the table.",
        [f"{_words(one.id)}\n({_words(one.question)})" for one in made[:_SHOWN]],
        [one.students for one in made[:_SHOWN]],
        "students",
    )
    rows = [
        [
            f"{escape(_words(one.id))}<br><span class='quiet'>{escape(_words(one.question))}</span>",
            str(one.students),
            code(one.message),
        ]
        for one in made
    ]
    numbers = table("Misconceptions", ["recognised", "students", "what the student read"], rows, numbers=(1,))
    return f"{title}{_beside(plot, numbers)}{listed}"


def _stops(grades: Sequence[StudentGrade]) -> str:
    found = statistics.stops(grades)
    title = "<h2>Time-outs, crashes and errors</h2>"
    if not found:
        return f"{title}<p>None: every answer ran to its end.</p>"
    plot = charts.bars(
        "stops",
        "How many students each of these happened to; the numbers are in the table.",
        [f"{_words(one.place)}\n{_brief(one.what)}" for one in found[:_SHOWN]],
        [len(one.students) for one in found[:_SHOWN]],
        "students",
    )
    rows = [
        [escape(_words(one.place)), escape(one.what), str(len(one.students)), escape(_names(one.students))]
        for one in found
    ]
    numbers = table("What happened", ["where", "what", "students", "who"], rows, numbers=(2,))
    return f"{title}{_beside(plot, numbers)}"


def _brief(text: str, most: int = 34) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _names(students: Sequence[str], most: int = 6) -> str:
    more = f" and {len(students) - most} more" if len(students) > most else ""
    return ", ".join(students[:most]) + more


def _cost(grades: Sequence[StudentGrade]) -> str:
    seconds = np.array([grade.seconds for grade in statistics.graded(grades) if grade.seconds > 0])
    if not len(seconds):
        return ""
    memory = max(grade.peak_mb for grade in grades)
    again = sum(grade.restarts for grade in grades)
    edges = _edges(float(seconds.max()))
    counts = np.histogram(seconds, edges)[0].tolist()
    rows = [
        ["median", f"{np.median(seconds):.2f} s"],
        ["95 % are done in", f"{np.quantile(seconds, 0.95):.2f} s"],
        ["longest", f"{seconds.max():.2f} s"],
        ["together", f"{seconds.sum():.0f} s"],
        ["most memory of one", f"{memory:.0f} MB" if memory else _DASH],
        ["processes replaced", str(again)],
    ]
    plot = charts.histogram(
        "seconds",
        "Histogram of the time that each submission took to grade.",
        edges,
        counts,
        "seconds to grade",
    )
    return f"<h2>Cost of grading</h2>{_beside(plot, table('Time and memory', ['what', 'value'], rows, numbers=(1,)))}"


def _groups(grades: Sequence[StudentGrade]) -> list[frozenset[str]]:
    members: dict[str, set[str]] = {}
    for grade in grades:
        if grade.group:
            members.setdefault(grade.group, set()).add(grade.student)
    return [frozenset(names) for names in members.values()]


def _similar(grades: Sequence[StudentGrade], notebooks: Mapping[str, bytes], released: bytes) -> str:
    title = "<h2>Worth a look: answers that are nearly the same</h2>"
    how = (
        "<p>Compared are the runs of tokens in what students added to the released notebook, with names, strings, "
        "comments and layout made equal; passages that many share are left out. Pairs are shown from "
        f"{_percent(similar.SHARE)} of the shorter one on. <strong>This is a reason to read both, and no proof of "
        "anything</strong>: short answers have few forms, and two students may have used one permitted source.</p>"
    )
    if not notebooks:
        return f"{title}<p>The submitted notebooks are not in the folder of the results, so nothing was compared.</p>"
    pairs = similar.similar(notebooks, released, together=_groups(grades))
    if not pairs:
        return (
            f"{title}{how}<p>{len(notebooks)} submissions were compared; no pair has that much in common.</p>"
        )
    plot = charts.bars(
        "similar",
        "The pairs with the largest share in common; the numbers are in the table.",
        [f"{_brief(pair.first, 18)}\n{_brief(pair.second, 18)}" for pair in pairs[:_SHOWN]],
        [100 * pair.share for pair in pairs[:_SHOWN]],
        "share in common (%)",
        (0.0, 100.0),
    )
    rows = [
        [
            f"{escape(pair.first)}<br>{escape(pair.second)}",
            _percent(pair.share),
            str(pair.shared),
            ", ".join(
                f"{escape(_words(name.removesuffix('_answer')))} {_percent(share)}"
                for name, share in pair.cells
            ),
        ]
        for pair in pairs[:200]
    ]
    more = f"<p>{len(pairs) - 200} further pairs are not listed.</p>" if len(pairs) > 200 else ""
    numbers = table(
        "Pairs", ["students", "in common", "passages", "cells of the first"], rows, numbers=(1, 2)
    )
    return f"{title}{how}{_beside(plot, numbers)}{more}"


def _remarks(grades: Sequence[StudentGrade]) -> str:
    absent = [[escape(grade.student), escape(grade.problem)] for grade in grades if grade.problem]
    late = [
        [escape(grade.student), duration(grade.late_s), number(grade.penalty)]
        for grade in grades
        if grade.late_s > 0
    ]
    put_right = [
        [escape(grade.student), escape(note(grade))]
        for grade in grades
        if grade.remarks and not grade.problem
    ]
    parts = []
    if absent:
        parts.append("<h2>Not graded</h2>" + table("Not graded", ["student", "why"], absent))
    if late:
        parts.append(
            "<h2>Handed in late</h2>"
            + table("Late", ["student", "late by", "points taken off"], late, numbers=(2,))
        )
    if put_right:
        parts.append("<h2>Put right before grading</h2>" + table("Put right", ["student", "what"], put_right))
    return "".join(parts)


def instructor_page(
    problem_set: str,
    grades: Sequence[StudentGrade],
    notebooks: Mapping[str, bytes],
    released: bytes,
) -> bytes:
    """The page.

    Args:
        problem_set: its name.
        grades: all submissions.
        notebooks: what was handed in, by student; without it nothing is compared.
        released: the notebook that was handed out.

    Returns:
        The HTML file. It names students: it is for those who grade.
    """
    title = f"{problem_set}: the class"
    absent = sum(bool(grade.problem) for grade in grades)
    head = (
        f"<h1>{escape(title)}</h1><p>{len(grades)} submissions, {len(grades) - absent} of them graded. "
        "This page names students.</p>"
    )
    body = [
        head,
        _scores(grades),
        _questions(grades),
        _mistakes(problem_set, grades),
        _stops(grades),
        _similar(grades, notebooks, released),
        _cost(grades),
        _remarks(grades),
    ]
    return page(title, "".join(body))
