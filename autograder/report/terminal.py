"""The grades as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autograder.graded import Graded
from autograder.rendering import shown
from autograder.report.statistics import questions
from autograder.result import number

if TYPE_CHECKING:
    from rich.table import Table


def table(problem_set: str, grades: Sequence[Graded]) -> Table:
    """The grades as a table; questions are columns."""
    from rich.table import Table

    points = questions(grades)
    drawn = Table(title=f"Grades of {problem_set}", header_style="bold", title_justify="left")
    longest = max((len(grade.student) for grade in grades), default=0)
    drawn.add_column("student", overflow="fold", min_width=min(longest, 24))
    for name, most in points.items():
        drawn.add_column(f"{name.replace('_', ' ')}\n(of {number(most)})", justify="right", overflow="fold")
    drawn.add_column(f"score\n(of {number(sum(points.values()))})", justify="right", style="bold")
    drawn.add_column("pending", justify="right")
    for grade in grades:
        if grade.problem:
            drawn.add_row(grade.student, *["–"] * len(points), "not graded", "–")
        else:
            scores = [shown(grade.questions[name].score) for name in points]
            drawn.add_row(grade.student, *scores, number(grade.score), number(grade.pending))
    return drawn


def notes(grades: Sequence[Graded]) -> list[str]:
    """One line for each submission that could not be graded, and for each that was put right first."""
    return [f"{grade.student}: not graded: {grade.problem}" for grade in grades if grade.problem] + [
        f"{grade.student}: {'; '.join(grade.remarks)}" for grade in grades if grade.remarks
    ]
