"""What grading leaves in its folder: results.json, grades.csv, feedback pages, the instructor's page.

Points and comments that a person gave in nbgrader's form grader are read from the gradebook each time: the points take
the place of the check's, or of "pending".
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from autograder.course import CourseError, default_gradebook
from autograder.files import write_if_changed
from autograder.gradebook import given_by_people
from autograder.graded import Graded, decode_results, encode_results, with_given
from autograder.question import Question
from autograder.report.export import own_csv
from autograder.report.feedback import feedback

#: What nbgrader's exchange keeps beside a submission and wants beside its feedback.
_EXCHANGE = ("timestamp.txt", "submission_secret.txt")


def gradebook_url(out: Path) -> str:
    """Address of the gradebook that grading into ``out`` writes by default; empty when there is none."""
    course = out / "course"
    return default_gradebook(course) if (course / "gradebook.db").is_file() else ""


def add_manual(grades: Sequence[Graded], out: Path, problem_set: str, db_url: str = "") -> list[Graded]:
    """The grades with the points and comments that people gave.

    Args:
        grades: as they were.
        out: folder of the results.
        problem_set: its name.
        db_url: of the gradebook; by default the one in ``out``, if there is one.
    """
    url = db_url or gradebook_url(out)
    given = given_by_people(url, problem_set) if url else {}
    return [with_given(one, given[one.student]) if one.student in given else one for one in grades]


def _file_name(student: str) -> str:
    return student.replace("/", "_").replace("\\", "_")


def _write_feedback(problem_set: str, grades: Sequence[Graded], out: Path, templates: Path | None) -> None:
    """``feedback/<student>.html``, and the same page where nbgrader looks for it: ``course/feedback/...``."""
    pages = set()
    for grade in grades:
        content = feedback(problem_set, grade, templates)
        place = out / "feedback" / f"{_file_name(grade.student)}.html"
        write_if_changed(place, content)
        pages.add(place)
        submitted = out / "course" / "submitted" / grade.student / problem_set
        if not grade.problem and submitted.is_dir():
            folder = out / "course" / "feedback" / grade.student / problem_set
            write_if_changed(folder / f"{problem_set}.html", content)
            for name in _EXCHANGE:
                if (submitted / name).is_file() and not (submitted / name).is_symlink():
                    shutil.copyfile(submitted / name, folder / name)
    for old in (out / "feedback").glob("*.html"):
        if old not in pages:
            old.unlink()


def _submissions(grades: Sequence[Graded], problem_set: str, out: Path) -> dict[str, bytes]:
    """The notebooks that were graded, as far as they are still there."""
    places = {
        grade.student: out / "course" / "submitted" / grade.student / problem_set / f"{problem_set}.ipynb"
        for grade in grades
        if not grade.problem
    }
    return {student: place.read_bytes() for student, place in places.items() if place.is_file()}


def write(
    problem_set: str,
    grades: Sequence[Graded],
    out: Path,
    templates: Path | None = None,
    asked: Mapping[str, Question] = MappingProxyType({}),
) -> None:
    """Write results.json, grades.csv, instructor.html and a feedback page for each student.

    Feedback of students no longer there is removed; a file that would not change is not touched.

    Args:
        problem_set: its name.
        grades: with the points that a person gave, see :func:`add_manual`.
        out: folder of the results.
        templates: folder of the course's own templates.
        asked: the questions of the set, whose slips the instructor's page counts.
    """
    from autograder.report.instructor import instructor_page

    write_if_changed(out / "results.json", encode_results(problem_set, grades))
    write_if_changed(out / "grades.csv", own_csv(grades))
    _write_feedback(problem_set, grades, out, templates)
    released = out / "course" / "release" / problem_set / f"{problem_set}.ipynb"
    notebooks = _submissions(grades, problem_set, out) if released.is_file() else {}
    write_if_changed(
        out / "instructor.html",
        instructor_page(
            problem_set, grades, notebooks, released.read_bytes() if notebooks else b"", templates, asked
        ),
    )


def read(problem_set: str, out: Path) -> list[Graded]:
    """The grades written before.

    Raises:
        CourseError: nothing was graded there, or by another version of the grader.
    """
    again = f"run: snngrade grade {problem_set} SUBMISSIONS"
    try:
        return decode_results((out / "results.json").read_bytes())
    except OSError:
        raise CourseError(f"{out} holds no results of {problem_set}; {again}") from None
    except ValueError as error:
        raise CourseError(f"{out / 'results.json'} cannot be read ({error}); {again}") from None
