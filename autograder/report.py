"""What grading leaves behind: a table in the terminal, results.json, grades.csv, a feedback page for each student.

Points that a person gave in nbgrader's form grader are read from the gradebook and take the place of "pending".
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.checks.core import number
from autograder.course import CourseError, configure, write_if_changed
from autograder.grade import StudentGrade

if TYPE_CHECKING:
    from rich.table import Table


def _manual_scores(course: Path, problem_set: str) -> dict[tuple[str, str], float]:
    """Points given by a person, by student and question."""
    from nbgrader.api import Gradebook
    from traitlets.config import Config

    config = configure(Config(), course)
    scores = {}
    with Gradebook(config.CourseDirectory.db_url, config.CourseDirectory.course_id) as gradebook:
        for submission in gradebook.assignment_submissions(problem_set):
            for notebook in submission.notebooks:
                for cell in notebook.grades:
                    if cell.manual_score is not None:
                        scores[submission.student.id, cell.name] = float(cell.manual_score)
    return scores


def add_manual(grades: Sequence[StudentGrade], out: Path, problem_set: str) -> None:
    """Put the points that a person gave into the grades."""
    if not (out / "course" / "gradebook.db").is_file():
        return
    scores = _manual_scores((out / "course").resolve(), problem_set)
    for grade in grades:
        for name, question in grade.questions.items():
            if (grade.student, name) in scores:
                question.score = scores[grade.student, name]


def _cell(score: float | None) -> str:
    return "pending" if score is None else number(score)


def _questions(grades: Sequence[StudentGrade]) -> dict[str, float]:
    return next(
        ({name: one.points for name, one in grade.questions.items()} for grade in grades if grade.questions),
        {},
    )


def _note(grade: StudentGrade) -> str:
    pending = f"{number(grade.pending)} points pending (read by a person)" if grade.pending else ""
    return grade.problem or "; ".join(filter(None, [*grade.remarks, pending]))


def table(problem_set: str, grades: Sequence[StudentGrade]) -> Table:
    """The grades as a table for the terminal; questions are columns."""
    from rich.table import Table

    questions = _questions(grades)
    shown = Table(title=f"Grades of {problem_set}", header_style="bold", title_justify="left")
    shown.add_column("student", overflow="fold")
    for name, points in questions.items():
        shown.add_column(f"{name.replace('_', ' ')}\n(of {number(points)})", justify="right", overflow="fold")
    shown.add_column(f"score\n(of {number(sum(questions.values()))})", justify="right", style="bold")
    shown.add_column("pending", justify="right")
    for grade in grades:
        if grade.problem:
            shown.add_row(grade.student, *["–"] * len(questions), "not graded", "–")
        else:
            scores = [_cell(grade.questions[name].score) for name in questions]
            shown.add_row(grade.student, *scores, number(grade.score), number(grade.pending))
    return shown


def notes(grades: Sequence[StudentGrade]) -> list[str]:
    """One line for each submission that could not be graded, and for each that was put right first."""
    return [f"{grade.student}: not graded: {grade.problem}" for grade in grades if grade.problem] + [
        f"{grade.student}: {'; '.join(grade.remarks)}" for grade in grades if grade.remarks
    ]


def _csv(grades: Sequence[StudentGrade]) -> bytes:
    questions = _questions(grades)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["student", *questions, "score", "points", "pending", "note"])
    for grade in grades:
        scores = [_cell(grade.questions[name].score) if grade.questions else "" for name in questions]
        total = "" if grade.problem else number(grade.score)
        points = number(sum(questions.values()))
        rows.writerow([grade.student, *scores, total, points, number(grade.pending), _note(grade)])
    return text.getvalue().encode()


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;"
    "color:#1c1c1c;background:#fff}pre{white-space:pre-wrap;background:#f4f4f4;padding:.8rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #ccc}"
    "@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}pre{background:#262626}}"
)


def feedback(problem_set: str, grade: StudentGrade) -> bytes:
    """A student's page: the score of each question and the check's message. No request leaves it."""
    title = f"{problem_set}: feedback for {grade.student}"
    rows, messages = [], []
    for name, one in grade.questions.items():
        rows.append(
            f"<tr><td>{escape(name)}</td><td>{_cell(one.score)}</td><td>{number(one.points)}</td></tr>"
        )
        if one.message:
            messages.append(f"<h2>{escape(name)}</h2><pre>{escape(one.message)}</pre>")
    body = (
        f"<p>Not graded: {escape(grade.problem)}.</p>"
        if grade.problem
        else f"<p>Score: {number(grade.score)} of {number(sum(q.points for q in grade.questions.values()))}. "
        f"{escape(_note(grade))}</p><table><thead><tr><th scope='col'>question</th><th scope='col'>score</th>"
        f"<th scope='col'>of</th></tr></thead><tbody>{''.join(rows)}</tbody></table>{''.join(messages)}"
    )
    page = (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        "<meta name='viewport' content='width=device-width'>"
        f"<style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )
    return page.encode()


def write(problem_set: str, grades: Sequence[StudentGrade], out: Path) -> None:
    """Write results.json, grades.csv and feedback/<student>.html; feedback of students no longer there is removed."""
    entry: dict[str, Any] = {"problem_set": problem_set, "grades": [asdict(grade) for grade in grades]}
    write_if_changed(out / "results.json", (json.dumps(entry, indent=1) + "\n").encode())
    write_if_changed(out / "grades.csv", _csv(grades))
    pages = set()
    for grade in grades:
        page = out / "feedback" / f"{grade.student.replace('/', '_')}.html"
        write_if_changed(page, feedback(problem_set, grade))
        pages.add(page)
    for old in (out / "feedback").glob("*.html"):
        if old not in pages:
            old.unlink()


def read(problem_set: str, out: Path) -> list[StudentGrade]:
    """The grades written before.

    Raises:
        CourseError: nothing was graded there.
    """
    try:
        entry = json.loads((out / "results.json").read_text())
        return [StudentGrade.from_json(grade) for grade in entry["grades"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CourseError(
            f"{out} holds no results of {problem_set}; run: snngrade grade {problem_set} SUBMISSIONS"
        ) from error
