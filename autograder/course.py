"""Where a course's files are, how nbgrader is set, and what every command says when something is amiss.

Convention: a course is a folder, called ``root``, that holds ``solutions/`` and, unless its questions are those that come
with this package, ``checks/``.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import snnkit
from autograder.catalogue import OWN, BrokenQuestionError, Catalogue
from autograder.files import digest
from autograder.isolation.limits import Limits
from autograder.question import Question

COURSE_ID = "snn"
CELL_TIMEOUT = int(Limits().cell_seconds)
TEXT_STUB = "Write your answer here."
CODE_STUB = "# your code here\nraise NotImplementedError"


class CourseError(Exception):
    """Something that the person at the keyboard can put right; the message says what and how, in one line."""


def is_course(folder: Path) -> bool:
    """Whether a folder holds a course."""
    return (folder / "solutions").is_dir() and any(
        place.exists() for place in (folder / "checks", folder / "nbgrader_config.py")
    )


def checkout(course: Path | None = None) -> Path:
    """A course's folder: the given one, otherwise the working folder, one above it, or the one of this package.

    Raises:
        CourseError: it is none.
    """
    if course is not None:
        if not is_course(course):
            raise CourseError(f"{course} is not a course: it holds no checks/ and solutions/")
        return course.resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[1]):
        if is_course(folder):
            return folder
    raise CourseError(f"{here} is not inside a course; change to one, or name it with --course FOLDER")


def catalogue_of(root: Path) -> Catalogue:
    """The questions of a course."""
    own = root / "checks"
    return Catalogue(own if own.is_dir() else OWN)


def questions_of(root: Path, problem_set: str) -> dict[str, Question]:
    """The questions of a set by name; none where a person reads all answers.

    Raises:
        CourseError: one of them cannot be used; the message begins with its file.
    """
    catalogue = catalogue_of(root)
    try:
        return dict(catalogue.questions(problem_set)) if problem_set in catalogue.sets() else {}
    except BrokenQuestionError as error:
        raise CourseError(str(error)) from error


def problem_sets(root: Path) -> list[str]:
    """Names of the problem sets: folders of ``solutions/`` that hold a ``notebook.py``."""
    return sorted(path.parent.name for path in (root / "solutions").glob("*/notebook.py"))


def source_of(root: Path, problem_set: str) -> Path:
    """The source of a problem set.

    Raises:
        CourseError: there is no such problem set; the message lists those that exist.
    """
    if problem_set not in problem_sets(root):
        raise CourseError(
            f"no problem set is called {problem_set!r}; there are: {', '.join(problem_sets(root)) or 'none'}"
        )
    return home_of(root, problem_set) / "notebook.py"


def home_of(root: Path, problem_set: str) -> Path:
    """The instructor's home of a problem set: its source, its samples, and what else no student gets."""
    return root / "solutions" / problem_set


def exercise_of(root: Path, problem_set: str) -> Path:
    """Where the student's notebook of a problem set is."""
    return root / "exercises" / problem_set / f"{problem_set}.ipynb"


def default_gradebook(course: Path) -> str:
    """Address of the gradebook in nbgrader's folder: an SQLite file whose writers wait for each other."""
    return f"sqlite:///{course.resolve() / 'gradebook.db'}?timeout=60"


def configure(config: Any, course: Path, *, cell_timeout: int = CELL_TIMEOUT) -> Any:
    """Set nbgrader for a course folder.

    Args:
        config: a traitlets ``Config``.
        course: folder that holds source, release, submitted, autograded and the gradebook.
        cell_timeout: seconds of processor time that one cell may use while grading; nbgrader, which knows only the clock
            on the wall, is given several times as many.

    Returns:
        ``config``.
    """
    # nbgrader calls alembic by name, which lies beside the interpreter, activated or not.
    scripts = str(Path(sys.executable).parent)
    if scripts not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    config.CourseDirectory.course_id = COURSE_ID
    config.CourseDirectory.root = str(course.resolve())
    config.CourseDirectory.db_url = default_gradebook(course)
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    config.ClearSolutions.begin_solution_delimeter = "### BEGIN SOLUTION"
    config.ClearSolutions.end_solution_delimeter = "### END SOLUTION"
    config.OverwriteCells.add_missing_cells = True
    config.Execute.timeout = int(Limits().wall_factor * cell_timeout)
    # Errors only: a kernel warns on standard error that it listens on a port of this machine.
    config.Execute.extra_arguments = ["--HistoryManager.hist_file=:memory:", "--log-level=40"]
    return config


def last_error(log: str) -> str:
    """The last line of a log that names an exception other than nbgrader's own closing one, or an empty string."""
    named = [line for line in log.splitlines() if re.match(r"[\w.]*(Error|Exception|Entry)\b", line.strip())]
    kept = [line.strip() for line in named if "NbGraderException: Please see" not in line]
    return kept[-1] if kept else ""


def code_version(checks: Path = OWN) -> str:
    """A hash of all code that decides a grade: the library, the grader and a course's questions."""
    folders = (Path(snnkit.__file__).parent, Path(__file__).parent, checks)
    files = sorted({path for folder in folders for path in folder.rglob("*.py")})
    return digest(part for path in files for part in (path.name.encode(), path.read_bytes()))
