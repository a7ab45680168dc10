"""What grading leaves in its folder: results.json, grades.csv, feedback pages, the instructor's page.

Points and comments that a person gave in nbgrader's form grader are read from the gradebook each time: the points take
the place of the check's, or of "pending".
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autograder.course import CourseError, default_gradebook
from autograder.files import write_if_changed
from autograder.gradebook import Manual, given_by_people
from autograder.report.export import own_csv
from autograder.report.feedback import feedback
from autograder.results import StudentGrade

#: What nbgrader's exchange keeps beside a submission and wants beside its feedback.
_EXCHANGE = ("timestamp.txt", "submission_secret.txt")


def gradebook_url(out: Path) -> str:
    """Address of the gradebook that grading into ``out`` writes by default; empty when there is none."""
    course = out / "course"
    return default_gradebook(course) if (course / "gradebook.db").is_file() else ""


def _put(grades: Sequence[StudentGrade], given: Mapping[tuple[str, str], Manual]) -> None:
    for grade in grades:
        for name, question in grade.questions.items():
            one = given.get((grade.student, name))
            if one is not None and one.score is not None:
                question.score = one.score
            elif one is not None and question.manual:  # not given yet, or taken back
                question.score = one.auto


def add_manual(grades: Sequence[StudentGrade], out: Path, problem_set: str, db_url: str = "") -> None:
    """Put the points that a person gave into the grades.

    Args:
        grades: changed in place.
        out: folder of the results.
        problem_set: its name.
        db_url: of the gradebook; by default the one in ``out``, if there is one.
    """
    url = db_url or gradebook_url(out)
    if url:
        _put(grades, given_by_people(url, problem_set))


def _file_name(student: str) -> str:
    return student.replace("/", "_").replace("\\", "_")


def _write_feedback(
    problem_set: str, grades: Sequence[StudentGrade], out: Path, given: Mapping[tuple[str, str], Manual]
) -> None:
    """``feedback/<student>.html``, and the same page where nbgrader looks for it: ``course/feedback/...``."""
    comments: dict[str, dict[str, str]] = {}
    for (student, cell), one in given.items():
        if one.comment:
            comments.setdefault(student, {})[cell] = one.comment
    pages = set()
    for grade in grades:
        content = feedback(problem_set, grade, comments.get(grade.student))
        place = out / "feedback" / f"{_file_name(grade.student)}.html"
        write_if_changed(place, content)
        pages.add(place)
        submitted = out / "course" / "submitted" / grade.student / problem_set
        if not grade.problem and submitted.is_dir():
            folder = out / "course" / "feedback" / grade.student / problem_set
            write_if_changed(folder / f"{problem_set}.html", content)
            for name in _EXCHANGE:
                if (submitted / name).is_file():
                    shutil.copyfile(submitted / name, folder / name)
    for old in (out / "feedback").glob("*.html"):
        if old not in pages:
            old.unlink()


def _submissions(grades: Sequence[StudentGrade], problem_set: str, out: Path) -> dict[str, bytes]:
    """The notebooks that were graded, as far as they are still there."""
    places = {
        grade.student: out / "course" / "submitted" / grade.student / problem_set / f"{problem_set}.ipynb"
        for grade in grades
        if not grade.problem
    }
    return {student: place.read_bytes() for student, place in places.items() if place.is_file()}


def write(problem_set: str, grades: Sequence[StudentGrade], out: Path, db_url: str = "") -> None:
    """Write results.json, grades.csv, instructor.html and a feedback page for each student.

    Feedback of students no longer there is removed; a file that would not change is not touched.

    Args:
        problem_set: its name.
        grades: with the points that a person gave, see :func:`add_manual`.
        out: folder of the results.
        db_url: of the gradebook with the comments; by default the one in ``out``, if there is one.
    """
    from autograder.report.instructor import instructor_page

    url = db_url or gradebook_url(out)
    entry: dict[str, Any] = {"problem_set": problem_set, "grades": [asdict(grade) for grade in grades]}
    write_if_changed(out / "results.json", (json.dumps(entry, indent=1) + "\n").encode())
    write_if_changed(out / "grades.csv", own_csv(grades))
    _write_feedback(problem_set, grades, out, given_by_people(url, problem_set) if url else {})
    released = out / "course" / "release" / problem_set / f"{problem_set}.ipynb"
    notebooks = _submissions(grades, problem_set, out) if released.is_file() else {}
    write_if_changed(
        out / "instructor.html",
        instructor_page(problem_set, grades, notebooks, released.read_bytes() if notebooks else b""),
    )


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
