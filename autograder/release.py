"""Student notebooks from the sources: ``python -m autograder.release`` (``make exercises``).

``solutions/<set>/<set>.py`` (jupytext, py:percent) is read, cells tagged ``instructor`` are dropped, and nbgrader's
own ``generate_assignment`` removes the solutions and locks the rest. The result is the same, byte for byte, each
time: a cell's id is its grade_id, or a hash of its text.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import logging
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from autograder.course import (
    CourseError,
    checkout,
    configure,
    exercise_of,
    last_error,
    problem_sets,
    source_of,
)
from autograder.files import digest, write_if_changed

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def _identify(notebook: Any) -> None:
    """Give each cell an id that depends on the notebook's content only."""
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if not name:
            name = "text-" + hashlib.sha256(cell.source.encode()).hexdigest()[:10]
        seen[name] += 1
        cell["id"] = name if seen[name] == 1 else f"{name}-{seen[name]}"


def solution_notebook(source: Path, *, instructor: bool = True) -> Any:
    """The instructor's notebook, not run.

    Args:
        source: the py:percent file.
        instructor: keep the cells tagged ``instructor``.

    Returns:
        A notebook node.

    Raises:
        CourseError: two cells have the same grade_id.
    """
    import jupytext

    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = type(notebook.metadata)(kernelspec=type(notebook.metadata)(KERNEL))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    if not instructor:
        notebook.cells = [
            cell for cell in notebook.cells if "instructor" not in cell.metadata.get("tags", [])
        ]
    names = Counter(cell.metadata.nbgrader.grade_id for cell in notebook.cells if "nbgrader" in cell.metadata)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise CourseError(f"{source}: the grade_id {twice[0]!r} is used twice; each cell needs its own")
    for cell in notebook.cells:
        cell.source = cell.source.strip("\n")
    _identify(notebook)
    return notebook


def to_bytes(notebook: Any) -> bytes:
    """A notebook as a file: sorted keys, one final newline."""
    return (json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


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
    notebook = solution_notebook(source_of(root, problem_set), instructor=False)
    write_if_changed(course / "source" / problem_set / f"{problem_set}.ipynb", to_bytes(notebook))
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
    _identify(notebook)
    return to_bytes(notebook)


def _key(root: Path, problem_set: str) -> str:
    """What the notebook is made from: the source and the two modules that make it."""
    makers = [Path(__file__), Path(__file__).with_name("course.py")]
    return digest([source_of(root, problem_set).read_bytes(), *(maker.read_bytes() for maker in makers)])


def stale(root: Path, problem_set: str) -> bool:
    """Whether the committed notebook differs from what its source gives now."""
    committed = exercise_of(root, problem_set)
    return not committed.is_file() or committed.read_bytes() != student_notebook(root, problem_set)


def release(root: Path, problem_set: str) -> bool:
    """Write the student's notebook where it changed; True when it was written.

    A stamp under build/ remembers what it was made from, so that an unchanged set is not made again.
    """
    target = exercise_of(root, problem_set)
    stamp = root / "build" / "nbgrader" / f"{problem_set}.stamp"
    if target.is_file() and stamp.is_file():
        made = f"{_key(root, problem_set)} {digest([target.read_bytes()])}\n"
        if stamp.read_text() == made:
            return False
    written = write_if_changed(target, student_notebook(root, problem_set))
    write_if_changed(stamp, f"{_key(root, problem_set)} {digest([target.read_bytes()])}\n".encode())
    shutil.copymode(root / "nbgrader_config.py", target)
    return written


def main(arguments: list[str] | None = None) -> int:
    """Command line; the exit status is 1 when ``--check`` finds a stale notebook, 2 for a wrong call."""
    parser = argparse.ArgumentParser(
        prog="python -m autograder.release", description="Make the student notebooks."
    )
    parser.add_argument("problem_sets", nargs="*", metavar="PS", help="problem sets; all of them by default")
    parser.add_argument("--check", action="store_true", help="write nothing; say which notebooks are stale")
    chosen = parser.parse_args(arguments)
    try:
        root = checkout()
        status = 0
        for problem_set in chosen.problem_sets or problem_sets(root):
            source_of(root, problem_set)
            place = exercise_of(root, problem_set).relative_to(root)
            if not chosen.check:
                print(f"{place}: {'written' if release(root, problem_set) else 'up to date'}")
            elif stale(root, problem_set):
                print(f"{place} is stale; run: make exercises")
                status = 1
            else:
                print(f"{place}: up to date")
    except CourseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
