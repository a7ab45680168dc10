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
from pathlib import Path
from typing import Any

import msgspec

from autograder.course import configure, last_error
from autograder.graded import Graded, Mark
from autograder.result import Result

__all__ = ["autograde_with_nbgrader"]

PROCESSES = 2


def _result(outputs: Iterable[Any]) -> tuple[Result | None, str]:
    """The result that a check showed below its cell, and, if it did not finish, why."""
    found, fault = None, ""
    for output in outputs:
        fault = output.get("metadata", {}).get("autograder_fault", fault)
        if output.output_type == "display_data" and "autograder" in output.get("metadata", {}):
            try:
                found = msgspec.convert(output.metadata["autograder"], Result)
                fault = found.fault or fault
            except msgspec.ValidationError as error:
                fault = f"The check's result cannot be read: {error}"
        elif output.output_type == "error":
            fault = f"The check did not finish: {output.ename}: {output.evalue}".strip().rstrip(":")
    return found, fault


def _marks(notebook: Any) -> dict[str, Mark]:
    """What the cells of an autograded notebook got, read as nbgrader reads them, with the checks' results."""
    from nbgrader.utils import determine_grade, is_grade, is_solution

    marks = {}
    for cell in filter(is_grade, notebook.cells):
        score, points = determine_grade(cell)
        result, fault = _result(cell.get("outputs", []))
        auto = None if score is None else float(score)
        marks[cell.metadata.nbgrader.grade_id] = Mark(
            float(points), auto, manual=is_solution(cell), result=result, fault=fault
        )
    return marks


def _autograde(course: str, problem_set: str, student: str, cell_timeout: int) -> Graded:
    """Autograde one staged submission (runs in a worker process)."""
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
        return Graded(student, _marks(notebook))
    except (Exception, SystemExit) as error:
        if "kernel became unresponsive" in " ".join(said.getvalue().split()):
            why = (
                "the kernel did not answer and could not be interrupted (an endless loop, or no memory left)"
            )
        else:
            why = last_error(said.getvalue()) or f"{type(error).__name__}: {error}"
        return Graded(student, problem=f"nbgrader could not grade it: {why}")


def _prepare_worker() -> None:
    """One thread for each kernel, and the simulated recordings for everyone, so that grades do not depend on the machine."""
    from sqlalchemy.exc import SAWarning

    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.pop("SNNKIT_DATA", None)
    # nbgrader's own database code makes SQLAlchemy warn about its autoflush at each first submission.
    warnings.filterwarnings("ignore", message="Object of type <Submitted", category=SAWarning)


def autograde_with_nbgrader(
    course: Path, problem_set: str, students: list[str], cell_timeout: int
) -> Iterable[Graded]:
    """Autograde staged submissions, two at a time, as they finish; one that met a locked gradebook is tried again.

    Args:
        course: nbgrader's folder, with the submissions in ``submitted/``.
        problem_set: its name.
        students: whose.
        cell_timeout: see :func:`autograder.course.configure`.
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
                result = job.result()
                if "database" in result.problem:
                    again.append(result.student)
                else:
                    yield result
            for student in again:
                yield pool.submit(_autograde, str(course), problem_set, student, cell_timeout).result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
