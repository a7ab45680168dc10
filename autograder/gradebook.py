"""nbgrader's gradebook, read and written by the table: one writer, one transaction, after the grading.

nbgrader itself opens the database several times for each submission and asks for each cell on its own; here the rows of a
problem set are read with a few queries, compared, and only what is missing or different is written. Points and comments
that a person gave are never touched. The tables are taken from the database as nbgrader made them; nbgrader itself,
which takes seconds to import, is not needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from autograder.course import CourseError
from autograder.results import StudentGrade

__all__ = ["Entry", "Manual", "extensions", "given_by_people", "write_gradebook"]

TABLES = (
    "student", "assignment", "notebook", "submitted_assignment", "submitted_notebook", "base_cell", "grade", "comment",
)  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class Manual:
    """What a person gave to one cell: ``score`` (None: nothing yet, or only a comment), and a comment.

    ``auto`` is what the cell got without a person: 0 for an answer in which nothing was written, None for one to be read.
    """

    score: float | None = None
    comment: str = ""
    auto: float | None = None


@dataclass(frozen=True)
class Entry:
    """One student's row.

    Args:
        grade: what the grader gave.
        comments: what it says to each answer cell, by grade_id.
        handed_in: when, if that is known.
        fresh: whether it was graded just now, so that what a person gave before needs another look.
    """

    grade: StudentGrade
    comments: Mapping[str, str]
    handed_in: datetime | None = None
    fresh: bool = True


class _Book:
    """A connection to the gradebook and its tables."""

    def __init__(self, connection: sql.Connection) -> None:
        self.connection = connection
        metadata = sql.MetaData()
        metadata.reflect(connection, only=lambda name, _: name in TABLES)
        self.tables = metadata.tables

    def rows(self, table: str, *conditions: Any, **equal: Any) -> list[Any]:
        """Rows of a table in which these columns have these values."""
        chosen = self.tables[table]
        wanted = [chosen.c[name] == value for name, value in equal.items()]
        return list(self.connection.execute(sql.select(chosen).where(*wanted, *conditions)))

    def within(self, table: str, notebook: str) -> list[Any]:
        """Rows of ``grade`` or ``comment`` that belong to submissions of a notebook."""
        chosen, books = self.tables[table], self.tables["submitted_notebook"]
        joined = chosen.join(books, chosen.c.notebook_id == books.c.id)
        wanted = sql.select(chosen).select_from(joined).where(books.c.notebook_id == notebook)
        return list(self.connection.execute(wanted))

    def find(self, problem_set: str) -> tuple[Any, Any] | None:
        """The assignment and its notebook, None when they are not there."""
        if "assignment" not in self.tables:
            return None
        for assignment in self.rows("assignment", name=problem_set):
            for notebook in self.rows("notebook", name=problem_set, assignment_id=assignment.id):
                return assignment, notebook
        return None


@contextlib.contextmanager
def _open(db_url: str, what: str) -> Iterator[_Book]:
    """The gradebook in one transaction, written when the block ends without an error.

    Raises:
        CourseError: the database cannot be reached or does not do what it is asked.
    """
    try:
        engine = sql.create_engine(db_url)
        try:
            with engine.begin() as connection:
                yield _Book(connection)
        finally:
            engine.dispose()
    except (SQLAlchemyError, ArgumentError, ModuleNotFoundError) as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()
        raise CourseError(
            f"the gradebook could not be {what}: {said[0] if said else type(error).__name__}; the results are kept"
        ) from None


def extensions(db_url: str, problem_set: str) -> dict[str, timedelta]:
    """The extra time that students were granted (nbgrader's ``Gradebook.grant_extension``).

    Raises:
        CourseError: the gradebook cannot be read.
    """
    with _open(db_url, "read") as book:
        found = book.find(problem_set)
        rows = book.rows("submitted_assignment", assignment_id=found[0].id) if found else []
        return {str(one.student_id): _interval(one.extension) for one in rows if one.extension is not None}


def _interval(value: timedelta | datetime) -> timedelta:
    """A duration; SQLite has none, and nbgrader's is kept there as that time after 1970."""
    return value if isinstance(value, timedelta) else value - datetime(1970, 1, 1)


def given_by_people(db_url: str, problem_set: str) -> dict[tuple[str, str], Manual]:
    """What people gave, by student and cell: points, extra credit on top of them or of the check's, comments.

    Every graded cell that the gradebook knows is there, so that points which were taken back are seen to be gone.

    Raises:
        CourseError: the gradebook cannot be read.
    """
    with _open(db_url, "read") as book:
        found = book.find(problem_set)
        if found is None:
            return {}
        assignment, notebook = found
        cells = {cell.id: str(cell.name) for cell in book.rows("base_cell", notebook_id=notebook.id)}
        students = {
            one.id: one.student_id for one in book.rows("submitted_assignment", assignment_id=assignment.id)
        }
        owners = {
            one.id: str(students[one.assignment_id])
            for one in book.rows("submitted_notebook", notebook_id=notebook.id)
            if one.assignment_id in students
        }
        given: dict[tuple[str, str], Manual] = {}
        for one in book.within("grade", notebook.id):
            base = one.auto_score if one.manual_score is None and one.extra_credit else one.manual_score
            score = None if base is None else float(base) + float(one.extra_credit or 0.0)
            given[owners[one.notebook_id], cells[one.cell_id]] = Manual(score, auto=one.auto_score)
        for one in book.within("comment", notebook.id):
            if one.manual_comment:
                key = owners[one.notebook_id], cells[one.cell_id]
                given[key] = replace(given.get(key, Manual()), comment=str(one.manual_comment))
    return given


class _Plan:
    """Rows to insert and to change; nothing is written before all is known."""

    def __init__(self) -> None:
        self.new: dict[str, list[Row]] = {}
        self.changed: list[tuple[str, str, Row]] = []

    def put(self, table: str, old: Any, values: Row, keys: Row) -> str:
        """Want ``values`` in the row ``old`` (None: not there yet, then with ``keys``); the row's id."""
        if old is None:
            row = {"id": uuid4().hex, **keys, **values}
            self.new.setdefault(table, []).append(row)
            return str(row["id"])
        if any(getattr(old, name) != value for name, value in values.items()):
            self.changed.append((table, str(old.id), values))
        return str(old.id)

    def write(self, book: _Book) -> int:
        """Write it all; how many rows that were."""
        for name in TABLES:
            if name in self.new:
                book.connection.execute(sql.insert(book.tables[name]), self.new[name])
        for name, key, values in self.changed:
            table = book.tables[name]
            book.connection.execute(sql.update(table).where(table.c.id == key).values(values))
        return sum(map(len, self.new.values())) + len(self.changed)


def _naive(moment: datetime | None) -> datetime | None:
    """As nbgrader keeps it: in UTC, without saying so."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def write_gradebook(
    db_url: str, problem_set: str, entries: Sequence[Entry], *, due: datetime | None = None
) -> int:
    """Write the grades of a problem set, in one transaction.

    Args:
        db_url: of the database; the assignment is in it already (made by ``generate_assignment``).
        problem_set: its name.
        entries: the students that could be graded.
        due: when the set is due.

    Returns:
        How many rows were new or changed; 0 leaves the database as it is.

    Raises:
        CourseError: the database cannot be reached or written, or does not hold the assignment.
    """
    with _open(db_url, "written") as book:
        found = book.find(problem_set)
        if found is None:
            raise CourseError(
                f"the gradebook does not hold {problem_set}; its students' notebook was not made"
            )
        return _plan(book, *found, entries, due).write(book)


def _plan(
    book: _Book, assignment: Any, notebook: Any, entries: Sequence[Entry], due: datetime | None
) -> _Plan:
    plan = _Plan()
    if due is not None:
        plan.put("assignment", assignment, {"duedate": _naive(due)}, {})
    known = {one.id for one in book.rows("student")}
    handed = {one.student_id: one for one in book.rows("submitted_assignment", assignment_id=assignment.id)}
    books = {one.assignment_id: one for one in book.rows("submitted_notebook", notebook_id=notebook.id)}
    grades = {(one.notebook_id, one.cell_id): one for one in book.within("grade", notebook.id)}
    comments = {(one.notebook_id, one.cell_id): one for one in book.within("comment", notebook.id)}
    cells = book.rows("base_cell", notebook_id=notebook.id)
    graded = {cell.name: cell.id for cell in cells if cell.type == "GradeCell"}
    answered = {cell.name: cell.id for cell in cells if cell.type == "SolutionCell"}
    for entry in entries:
        student, moment = entry.grade.student, _naive(entry.handed_in)
        if student not in known:
            known.add(student)
            plan.new.setdefault("student", []).append({"id": student})
        submission = plan.put(
            "submitted_assignment", handed.get(student), {} if moment is None else {"timestamp": moment},
            {"assignment_id": assignment.id, "student_id": student, "timestamp": moment},
        )  # fmt: skip
        mine = plan.put(
            "submitted_notebook", books.get(submission), {"late_submission_penalty": entry.grade.penalty},
            {"notebook_id": notebook.id, "assignment_id": submission, "flagged": False},
        )  # fmt: skip
        for name, cell in graded.items():
            auto = entry.grade.questions[name].score if name in entry.grade.questions else 0.0
            before = grades.get((mine, cell))
            values: Row = {"auto_score": auto}
            if before is None:
                values["needs_manual_grade"] = auto is None
            elif entry.fresh or before.auto_score != auto:  # as nbgrader does it
                values["needs_manual_grade"] = auto is None or before.manual_score is not None
            plan.put("grade", before, values, {"cell_id": cell, "notebook_id": mine})
        for name, cell in answered.items():
            said = {"auto_comment": entry.comments.get(name)}
            plan.put("comment", comments.get((mine, cell)), said, {"cell_id": cell, "notebook_id": mine})
    return plan
