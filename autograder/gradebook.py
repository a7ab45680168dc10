"""nbgrader's gradebook, read and written by the table: one writer, one transaction, after the grading.

nbgrader itself opens the database several times for each submission and asks for each cell on its own; here the rows of a
problem set are read with a few queries, compared, and only what is missing or different is written. Points and comments
that a person gave are never touched. The tables are taken from the database as nbgrader made them; nbgrader itself,
which takes seconds to import, is not needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from autograder.course import CourseError
from autograder.graded import Given, Graded

__all__ = ["Comments", "extensions", "given_by_people", "write_gradebook"]

TABLES = (
    "student", "assignment", "notebook", "submitted_assignment", "submitted_notebook", "base_cell", "grade", "comment",
)  # fmt: skip
Row = dict[str, Any]


#: What the checks say to each answer cell of a submission, by grade_id.
Comments = Callable[[Graded], Mapping[str, str]]


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


def given_by_people(db_url: str, problem_set: str) -> dict[str, dict[str, Given]]:
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
        given: dict[str, dict[str, Given]] = {student: {} for student in owners.values()}
        for one in book.within("grade", notebook.id):
            base = one.auto_score if one.manual_score is None and one.extra_credit else one.manual_score
            score = None if base is None else float(base) + float(one.extra_credit or 0.0)
            given[owners[one.notebook_id]][cells[one.cell_id]] = Given(score)
        for one in book.within("comment", notebook.id):
            if one.manual_comment:
                mine, cell = given[owners[one.notebook_id]], cells[one.cell_id]
                mine[cell] = replace(mine.get(cell, Given()), comment=str(one.manual_comment))
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
    db_url: str,
    problem_set: str,
    grades: Sequence[Graded],
    comments: Comments,
    *,
    fresh: Container[str] = (),
    due: datetime | None = None,
) -> int:
    """Write the grades of a problem set, in one transaction.

    Args:
        db_url: of the database; the assignment is in it already (made by ``generate_assignment``).
        problem_set: its name.
        grades: of the students that could be graded.
        comments: what the checks say to each answer cell.
        fresh: students who were graded just now, so that what a person gave them before needs another look.
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
        return _plan(book, *found, grades, comments, fresh, due).write(book)


def _plan(
    book: _Book, assignment: Any, notebook: Any, graded: Sequence[Graded], said: Comments, fresh: Container[str],
    due: datetime | None,
) -> _Plan:  # fmt: skip
    plan = _Plan()
    if due is not None:
        plan.put("assignment", assignment, {"duedate": _naive(due)}, {})
    known = {one.id for one in book.rows("student")}
    handed = {one.student_id: one for one in book.rows("submitted_assignment", assignment_id=assignment.id)}
    books = {one.assignment_id: one for one in book.rows("submitted_notebook", notebook_id=notebook.id)}
    grades = {(one.notebook_id, one.cell_id): one for one in book.within("grade", notebook.id)}
    comments = {(one.notebook_id, one.cell_id): one for one in book.within("comment", notebook.id)}
    cells = book.rows("base_cell", notebook_id=notebook.id)
    points = {cell.name: cell.id for cell in cells if cell.type == "GradeCell"}
    answers = {cell.name: cell.id for cell in cells if cell.type == "SolutionCell"}
    for one in graded:
        moment = _naive(one.handed_in)
        if one.student not in known:
            known.add(one.student)
            plan.new.setdefault("student", []).append({"id": one.student})
        submission = plan.put(
            "submitted_assignment", handed.get(one.student), {} if moment is None else {"timestamp": moment},
            {"assignment_id": assignment.id, "student_id": one.student, "timestamp": moment},
        )  # fmt: skip
        mine = plan.put(
            "submitted_notebook", books.get(submission), {"late_submission_penalty": one.penalty},
            {"notebook_id": notebook.id, "assignment_id": submission, "flagged": False},
        )  # fmt: skip
        for name, cell in points.items():
            auto = one.questions[name].auto if name in one.questions else 0.0
            values = _grade(auto, grades.get((mine, cell)), one.student in fresh)
            plan.put("grade", grades.get((mine, cell)), values, {"cell_id": cell, "notebook_id": mine})
        comment = said(one)
        for name, cell in answers.items():
            plan.put(
                "comment", comments.get((mine, cell)), {"auto_comment": comment.get(name)},
                {"cell_id": cell, "notebook_id": mine},
            )  # fmt: skip
    return plan


def _grade(auto: float | None, before: Any, fresh: bool) -> Row:
    """The values of a grade's row, as nbgrader sets them; ``before`` is the row that is there."""
    if before is None:
        return {"auto_score": auto, "needs_manual_grade": auto is None}
    if fresh or before.auto_score != auto:
        return {"auto_score": auto, "needs_manual_grade": auto is None or before.manual_score is not None}
    return {"auto_score": auto}
