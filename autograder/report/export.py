"""Grades as CSV: the course's own table, nbgrader's, and what Moodle and Canvas import.

A cell that a spreadsheet would take for a formula gets an apostrophe in front (CWE-1236): ``=``, ``+``, ``-``, ``@``,
a tab or a carriage return at its beginning. Numbers are written as numbers.
A file for a learning-management system holds final grades only: who could not be graded, and whose answers a person
has yet to read, is left out, since an import replaces what is there. :func:`left_out` says who that is.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.course import COURSE_ID, CourseError
from autograder.graded import Graded
from autograder.naming import identifier
from autograder.rendering import duration, shown
from autograder.report.statistics import questions
from autograder.result import number

#: The columns of nbgrader's own CSV export, in its order.
NBGRADER = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Who a student is elsewhere; everything but ``id`` may be empty.

    Args:
        id: the name that the submission goes by.
        first, last: names.
        email: as Moodle knows it.
        username: login name at Moodle.
        canvas_id: Canvas' own number, column ``ID`` of its export.
        sis_user_id, sis_login_id, section: the columns of Canvas' export.
        name: the full name as Canvas writes it, otherwise made of the two names.
    """

    id: str
    first: str = ""
    last: str = ""
    email: str = ""
    username: str = ""
    canvas_id: str = ""
    sis_user_id: str = ""
    sis_login_id: str = ""
    section: str = ""
    name: str = ""

    @property
    def full_name(self) -> str:
        """A name to show."""
        return self.name or f"{self.first} {self.last}".strip() or self.id


def guarded(text: str) -> str:
    """Text that no spreadsheet takes for a formula.

    Source: OWASP, CSV injection; ASVS 5.0, requirement 1.2.10.
    """
    return f"'{text}" if re.match(r"[=+\-@\t\r\0＝＋－＠]", text) else text


def _csv(rows: Iterable[Sequence[str | float]]) -> bytes:
    text = io.StringIO()
    written = csv.writer(text, lineterminator="\n")
    for row in rows:
        written.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in row])
    return text.getvalue().encode()


def note(grade: Graded) -> str:
    """What else there is to say about a submission, in one line."""
    pending = f"{number(grade.pending)} points pending (read by a person)" if grade.pending else ""
    late = f"{duration(grade.late_s)} late" if grade.late_s > 0 else ""
    taken = f"{number(grade.penalty)} points taken off" if grade.penalty else ""
    return grade.problem or "; ".join(filter(None, [*grade.remarks, pending, late, taken]))


def own_csv(grades: Sequence[Graded]) -> bytes:
    """The course's own table: a row for each submission, a column for each question."""
    points = questions(grades)
    rows: list[list[str | float]] = [["student", *points, "score", "points", "pending", "note"]]
    for grade in grades:
        scores: list[str | float] = [
            _value(grade.questions[name].score) if grade.questions else "" for name in points
        ]
        total: str | float = "" if grade.problem else _value(grade.score)
        rows.append(
            [grade.student, *scores, total, _value(sum(points.values())), _value(grade.pending), note(grade)]
        )
    return _csv(rows)


def _value(score: float | None) -> str | float:
    """A score as a cell: a number where it is one, without a trailing ``.0``."""
    if score is None:
        return shown(score)
    return int(score) if float(score).is_integer() else round(score, 6)


# ------------------------------------------------------------------------------------------------ who is who


def people_of_gradebook(db_url: str) -> dict[str, Person]:
    """The students of nbgrader's gradebook, with the names and addresses entered there."""
    from nbgrader.api import Gradebook

    with Gradebook(db_url, COURSE_ID) as gradebook:
        return {
            one.id: Person(
                one.id, one.first_name or "", one.last_name or "", one.email or "",
                canvas_id=one.lms_user_id or "",
            )
            for one in gradebook.students
        }  # fmt: skip


#: Field of a person: names of its column, in lower case. The first column that is there says who it is.
_COLUMNS = {
    "id": ("student_id", "id in submissions", "sis login id", "username", "login", "sis user id"),
    "first": ("first name", "first_name", "firstname"),
    "last": ("last name", "last_name", "surname", "lastname"),
    "email": ("email address", "email"),
    "username": ("username",),
    "canvas_id": ("id",),
    "sis_user_id": ("sis user id",),
    "sis_login_id": ("sis login id",),
    "section": ("section",),
    "name": ("student", "full name", "name"),
}


def read_roster(file: Path) -> dict[str, Person]:
    """Who the students are, from a CSV file with a header.

    A gradebook exported from Canvas will do (submissions are then named by ``SIS Login ID``), and so will a list of
    participants from Moodle with a column ``Username``; or write one with a column ``student_id``.

    Args:
        file: the CSV file, UTF-8.

    Returns:
        The people, by the name that their submissions go by.

    Raises:
        CourseError: the file cannot be read, or no column says who is who, or one name is there twice.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CourseError(f"the roster {file} cannot be read: {error}") from error
    heads = {str(head).strip().lower(): head for head in (rows[0] if rows else {}) if head}
    chosen = {
        field: next((heads[name] for name in names if name in heads), None)
        for field, names in _COLUMNS.items()
    }
    if chosen["id"] is None:
        raise CourseError(
            f"the roster {file} needs a column student_id, Username or SIS Login ID that says who is who"
        )
    found: dict[str, Person] = {}
    for row in rows:
        values = {field: (row.get(head) or "").strip() if head else "" for field, head in chosen.items()}
        if (
            not values["id"] or "Points Possible" in values["name"]
        ):  # Canvas' second row is none of a student's
            continue
        student = identifier(values["id"])
        if student in found:
            raise CourseError(f"the roster {file} has {values['id']!r} twice")
        found[student] = Person(**values)
    if not found:
        raise CourseError(f"the roster {file} names no student")
    return found


# ---------------------------------------------------------------------------------------------------- files


def left_out(grades: Sequence[Graded], provisional: bool = False) -> dict[str, str]:
    """Students that a file for a learning-management system does not hold, and why.

    Args:
        grades: all of them.
        provisional: keep those whose answers a person has yet to read, with the points so far.
    """
    reasons = {}
    for grade in grades:
        if grade.problem:
            reasons[grade.student] = f"not graded: {grade.problem}"
        elif grade.pending and not provisional:
            reasons[grade.student] = f"{number(grade.pending)} points pending"
    return reasons


def _final(grades: Sequence[Graded], provisional: bool) -> list[Graded]:
    absent = left_out(grades, provisional)
    return [grade for grade in grades if grade.student not in absent]


def _person(people: Mapping[str, Person], student: str) -> Person:
    return people.get(student, Person(student))


def nbgrader_csv(problem_set: str, grades: Sequence[Graded], people: Mapping[str, Person]) -> bytes:
    """The columns of ``nbgrader export``, one row for each graded submission.

    Unlike nbgrader's own exporter this one quotes as RFC 4180 asks. ``duedate`` and ``timestamp`` stay empty: how late
    a submission was has been settled in the penalty.

    Source: nbgrader 0.9.6, ``nbgrader.plugins.export.CsvExportPlugin``.
    """
    rows: list[Sequence[str | float]] = [NBGRADER]
    for grade in _final(grades, provisional=True):
        who = _person(people, grade.student)
        rows.append(
            [problem_set, "", "", grade.student, who.last, who.first, who.email, grade.raw, grade.penalty,
             grade.score, grade.points]
        )  # fmt: skip
    return _csv(rows)


def _comments(grade: Graded) -> str:
    """One line that says where points were lost."""
    lost = [
        f"{name.replace('_', ' ')} {shown(one.score)} of {number(one.points)}"
        for name, one in grade.questions.items()
        if one.score is None or one.score < one.points
    ]
    return "; ".join([*lost, *filter(None, [note(grade)])]) or "all right"


def moodle_csv(
    problem_set: str,
    grades: Sequence[Graded],
    people: Mapping[str, Person],
    *,
    provisional: bool = False,
) -> bytes:
    """A file for Moodle: Grades, Import, CSV file.

    Identify the user by mapping ``Username`` to *Username* (or ``Email address`` to *Email address*), then map the
    column of the problem set to the grade item and the feedback column to *Feedback for* the same item. Map both:
    Moodle deletes the grades of an item for which only feedback comes. A name that Moodle does not know cancels the
    whole import. An empty grade would delete one, which is why such students are left out.

    Source: docs.moodle.org/311/en/Grade_import; Moodle's grade/import/csv/classes/load_data.php.
    """
    rows: list[Sequence[str | float]] = [
        ["Username", "Email address", "Full name", problem_set, f"{problem_set} (feedback)"]
    ]
    for grade in _final(grades, provisional):
        who = _person(people, grade.student)
        rows.append(
            [
                who.username or grade.student,
                who.email,
                who.full_name,
                _value(grade.score),
                _comments(grade),
            ]
        )
    return _csv(rows)


def canvas_csv(
    problem_set: str,
    grades: Sequence[Graded],
    people: Mapping[str, Person],
    *,
    assignment: str = "",
    provisional: bool = False,
) -> bytes:
    """A file for Canvas: Grades, Import.

    Canvas looks for a student by ``ID``, then ``SIS User ID``, then ``SIS Login ID``, then by name; for the assignment
    by the number in brackets, then by title; one that it does not find is offered as a new one. The second row holds
    the points.

    Args:
        problem_set: its name.
        grades: all of them.
        people: who the students are.
        assignment: the assignment's column as Canvas exports it, ``Title (number)``; by default the set's name.
        provisional: take in students whose answers a person has yet to read.

    Source: Canvas' lib/gradebook_importer.rb (``process_header``, ``process_student``, ``process_pp``).
    """
    most = sum(questions(grades).values())
    rows: list[Sequence[str | float]] = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", assignment or problem_set],
        ["    Points Possible", "", "", "", "", _value(most)],
    ]
    for grade in _final(grades, provisional):
        who = _person(people, grade.student)
        login = who.sis_login_id or who.username or grade.student
        rows.append([who.full_name, who.canvas_id, who.sis_user_id, login, who.section, _value(grade.score)])
    return _csv(rows)
