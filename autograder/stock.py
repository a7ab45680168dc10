"""The grades that unmodified nbgrader gives: each submission in a kernel, with the rights of this account.

For instructors who want nbgrader's own way, and to see that both ways agree. No isolation: student code can read and
write what this account can.
"""

from __future__ import annotations

import io
import logging
import multiprocessing
import os
import warnings
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autograder.course import configure, last_error
from autograder.results import QuestionGrade, StudentGrade

__all__ = ["autograde_with_nbgrader"]

PROCESSES = 2


def _read_grades(notebook: Any) -> dict[str, QuestionGrade]:
    """The grades of an autograded notebook, read as nbgrader reads them, with the checks' messages."""
    from nbgrader.utils import determine_grade, is_grade, is_solution

    grades = {}
    for cell in notebook.cells:
        if not is_grade(cell):
            continue
        score, points = determine_grade(cell)
        message, found = "", []
        for output in cell.get("outputs", []):
            if output.output_type == "display_data" and "autograder" in output.get("metadata", {}):
                message = output.data.get("text/plain", "")
                found = list(output.metadata["autograder"].get("misconceptions", []))
            elif output.output_type == "error":
                message = f"The check did not finish: {output.ename}: {output.evalue}".strip().rstrip(":")
        grades[cell.metadata.nbgrader.grade_id] = QuestionGrade(
            score, points, is_solution(cell), message, found
        )
    return grades


def _autograde(course: str, problem_set: str, student: str, cell_timeout: int) -> dict[str, Any]:
    """Autograde one staged submission (runs in a worker process); a ``StudentGrade`` as a dictionary."""
    import nbformat
    from nbgrader.converters import Autograde
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    config = configure(Config(), Path(course), cell_timeout=cell_timeout)
    folder = CourseDirectory(config=config)
    folder.assignment_id, folder.student_id = problem_set, student
    said = io.StringIO()
    log = logging.getLogger("traitlets")
    log.handlers, log.propagate = [logging.StreamHandler(said)], False
    try:
        converter = Autograde(coursedir=folder, config=config)
        converter.force = True
        converter.start()
        path = Path(course) / "autograded" / student / problem_set / f"{problem_set}.ipynb"
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        return asdict(StudentGrade(student, _read_grades(notebook)))
    except (Exception, SystemExit) as error:
        if "kernel became unresponsive" in " ".join(said.getvalue().split()):
            why = (
                "the kernel did not answer and could not be interrupted (an endless loop, or no memory left)"
            )
        else:
            why = last_error(said.getvalue()) or f"{type(error).__name__}: {error}"
        return asdict(StudentGrade(student, problem=f"nbgrader could not grade it: {why}"))


def _prepare_worker() -> None:
    """One thread for each kernel, and the simulated recordings for everyone, so that grades do not depend on the machine."""
    from sqlalchemy.exc import SAWarning

    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.pop("SNNKIT_DATA", None)
    # nbgrader's own database code makes SQLAlchemy warn about its autoflush at each first submission.
    warnings.filterwarnings("ignore", message="Object of type <Submitted", category=SAWarning)


def autograde_with_nbgrader(
    course: Path, problem_set: str, students: list[str], cell_timeout: int
) -> Iterable[StudentGrade]:
    """Autograde staged submissions, two at a time, as they finish; one that met a locked gradebook is tried again.

    Args:
        course: nbgrader's folder, with the submissions in ``submitted/``.
        problem_set: its name.
        students: whose.
        cell_timeout: seconds that one cell may run.
    """
    if not students:
        return
    context = multiprocessing.get_context("spawn")
    again = []
    with ProcessPoolExecutor(
        min(PROCESSES, len(students)), mp_context=context, initializer=_prepare_worker
    ) as pool:
        jobs = [
            pool.submit(_autograde, str(course), problem_set, student, cell_timeout) for student in students
        ]
        try:
            for job in as_completed(jobs):
                result = StudentGrade.from_json(job.result())
                if "database" in result.problem:
                    again.append(result.student)
                else:
                    yield result
            for student in again:
                entry = pool.submit(_autograde, str(course), problem_set, student, cell_timeout).result()
                yield StudentGrade.from_json(entry)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
