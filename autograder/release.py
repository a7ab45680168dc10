"""Student notebooks from the sources: ``snngrade release`` (``make exercises``).

``solutions/<set>/notebook.py`` is read (:mod:`autograder.source`), cells tagged ``instructor`` are dropped, and
nbgrader's own ``generate_assignment`` removes the solutions and locks the rest. The result is the same, byte for byte,
each time: a cell's id is its grade_id, or a hash of its text.
"""

from __future__ import annotations

import io
import logging
import shutil
import tempfile
from pathlib import Path

from autograder.course import (
    CourseError,
    catalogue_of,
    configure,
    exercise_of,
    last_error,
    source_of,
)
from autograder.files import digest, write_if_changed
from autograder.given_in_notebook import GIVEN, table
from autograder.notebook import dump, read
from autograder.source import KERNEL, identify, solution_notebook


def generate(root: Path, problem_set: str, course: Path, db_url: str = "") -> Path:
    """Run nbgrader's ``generate_assignment`` in a course folder (source, release and gradebook are made there).

    Args:
        root: the checkout.
        problem_set: its name.
        course: the folder.
        db_url: of the gradebook; by default an SQLite file in the folder.

    Returns:
        The release notebook in ``course``.

    Raises:
        CourseError: nbgrader refuses; the message holds its last words.
    """
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    course.mkdir(parents=True, exist_ok=True)
    notebook = solution_notebook(root, problem_set, instructor=False)
    write_if_changed(course / "source" / problem_set / f"{problem_set}.ipynb", dump(notebook))
    config = configure(Config(), course)
    if db_url:
        config.CourseDirectory.db_url = db_url
    folder = CourseDirectory(config=config)
    folder.assignment_id = problem_set
    said = io.StringIO()
    log = logging.getLogger("traitlets")
    handler = logging.StreamHandler(said)
    log.addHandler(handler)
    propagated, log.propagate = log.propagate, False
    try:
        converter = GenerateAssignment(coursedir=folder, config=config)
        converter.force, converter.create_assignment = True, True
        converter.start()
    except (Exception, SystemExit) as error:
        why = last_error(said.getvalue()) or str(error)
        raise CourseError(
            f"nbgrader could not make the student's notebook of {problem_set}: {why}"
        ) from error
    finally:
        log.removeHandler(handler)
        log.propagate = propagated
    return course / "release" / problem_set / f"{problem_set}.ipynb"


def student_notebook(root: Path, problem_set: str) -> bytes:
    """The student's notebook of a problem set, as the bytes of its file."""
    import nbformat

    with tempfile.TemporaryDirectory() as scratch:
        released = generate(root, problem_set, Path(scratch))
        notebook = nbformat.read(released, as_version=4)  # type: ignore[no-untyped-call]
    notebook.metadata = type(notebook.metadata)(kernelspec=type(notebook.metadata)(KERNEL))
    identify(notebook)
    return dump(notebook)


def _key(root: Path, problem_set: str) -> str:
    """What the notebook is made from: the source, the questions, and the modules that make it."""
    makers = [
        Path(__file__).with_name(name)
        for name in ("release.py", "source.py", "course.py", "given_in_notebook.py")
    ]
    questions = sorted((catalogue_of(root).checks / problem_set).glob("*.py"))
    files = [source_of(root, problem_set), *questions, *makers]
    return digest(one.read_bytes() for one in files)


def _files(root: Path, problem_set: str) -> list[Path]:
    """What is made for a set: the notebook, and in a course with questions of its own the table of given cells."""
    checks = catalogue_of(root).checks.resolve()
    own = checks.is_relative_to(root.resolve()) and (checks / problem_set).is_dir()
    return [exercise_of(root, problem_set), *([checks / problem_set / GIVEN] if own else [])]


def _contents(root: Path, problem_set: str) -> list[bytes]:
    """What :func:`_files` hold; a table that nobody needs is left over."""
    student = student_notebook(root, problem_set)
    return [student, table(read(student))]


def stale(root: Path, problem_set: str) -> bool:
    """Whether what is committed differs from what the source gives now."""
    made_now = zip(_files(root, problem_set), _contents(root, problem_set), strict=False)
    return any(not path.is_file() or path.read_bytes() != content for path, content in made_now)


def _stamp(root: Path, problem_set: str) -> Path:
    return root / "build" / "nbgrader" / f"{problem_set}.stamp"


def _stamped(root: Path, problem_set: str) -> bytes:
    files = digest(path.read_bytes() for path in _files(root, problem_set))
    return f"{_key(root, problem_set)} {files}\n".encode()


def made(root: Path, problem_set: str) -> bool:
    """Whether all is known to be what its source and questions give: a stamp under build/ remembers it."""
    stamp = _stamp(root, problem_set)
    if not all(path.is_file() for path in (stamp, *_files(root, problem_set))):
        return False
    return stamp.read_bytes() == _stamped(root, problem_set)


def release(root: Path, problem_set: str) -> bool:
    """Write the student's notebook and its table of given cells where they changed; True when one was written.

    What is :func:`made` is not made again.
    """
    if made(root, problem_set):
        return False
    contents = zip(_files(root, problem_set), _contents(root, problem_set), strict=False)
    written = [write_if_changed(path, content) for path, content in contents]
    write_if_changed(_stamp(root, problem_set), _stamped(root, problem_set))
    shutil.copymode(source_of(root, problem_set), exercise_of(root, problem_set))
    return any(written)
