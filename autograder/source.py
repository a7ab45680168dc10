"""A set's source, ``solutions/<set>/notebook.py`` (jupytext, py:percent), as the instructor's notebook.

A cell's header says in one word what the cell is; nbgrader's own metadata is made from that:

    # %% given="setup"                        runs as it stands, and the student cannot change it
    # %% answer="rate"                        the student's; its grade_id is ``rate_answer``
    # %% check="rate"                         empty: the call and the points are those of the check
    # %% [markdown] read="discussion" points=4      an answer that a person reads
    # %% [markdown] tags=["instructor"]       not for the student

Any other cell is the course's as well, and not locked. Points in the text follow too: ``{points of rate}`` becomes
"3 points", ``{points by checks}`` and ``{points by readers}`` the sums of the set; ``{seconds of check}`` and
``{seconds of grading}`` the processor time that there is for a question.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from autograder.course import CourseError, questions_of, source_of
from autograder.isolation.limits import Limits

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
WORDS = ("given", "answer", "check", "read")
ANSWER = "_answer"
_NUMBER = re.compile(r"\{(points|seconds) (of|by) (\w+)\}")


class Asked(Protocol):
    """What the notebook takes from a check."""

    @property
    def id(self) -> str: ...
    @property
    def points(self) -> float: ...


def identify(notebook: Any) -> None:
    """Give each cell an id that depends on the notebook's content only."""
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if not name:
            name = "text-" + hashlib.sha256(cell.source.encode()).hexdigest()[:10]
        seen[name] += 1
        cell["id"] = name if seen[name] == 1 else f"{name}-{seen[name]}"


def _marks(grade_id: str, *, solution: bool, points: float | None = None) -> dict[str, Any]:
    marks = {
        "grade": points is not None,
        "grade_id": grade_id,
        "locked": not solution,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    return marks if points is None else {**marks, "points": points}


def _expand(cell: Any, checks: Mapping[str, Asked]) -> None:
    """Replace the word of a cell's header by nbgrader's metadata.

    Raises:
        ValueError: says what is wrong with the header.
    """
    words = {word: cell.metadata.pop(word) for word in WORDS if word in cell.metadata}
    points = cell.metadata.pop("points", None)
    if len(words) > 1:
        raise ValueError(f"says {' and '.join(words)}; a cell is one of them")
    if (points is not None) != ("read" in words):
        raise ValueError('points stand beside read="...", and there only: those of a check are the check\'s')
    if not words:
        return
    ((word, name),) = words.items()
    if word == "check":
        if cell.source.strip():
            raise ValueError("leave it empty: the call comes from the check")
        if name not in checks:
            raise ValueError(f"there is no such check; there are: {', '.join(checks) or 'none'}")
        cell.source = f'check("{checks[name].id}")'
        marks = _marks(name, solution=False, points=float(checks[name].points))
    elif word == "read":
        marks = _marks(name, solution=True, points=float(points))
    elif word == "answer":
        marks = _marks(f"{name}{ANSWER}", solution=True)
    else:
        marks = _marks(name, solution=False)
    cell.metadata["nbgrader"] = type(cell.metadata)(marks)


def _write_numbers(source: Path, cells: Iterable[Any]) -> None:
    """Put the points of the marked cells, and the limits of time, into the text."""
    graded = [cell.metadata.nbgrader for cell in cells if cell.metadata.get("nbgrader", {}).get("grade")]
    sums = {"checks": 0.0, "readers": 0.0}
    for marks in graded:
        sums["readers" if marks.solution else "checks"] += marks.points
    limits = Limits()
    said = {("points", "by", name): f"{points:g}" for name, points in sums.items()}
    said["seconds", "of", "check"] = f"{limits.check_seconds:g} seconds"
    said["seconds", "of", "grading"] = f"{limits.cell_seconds:g} seconds"
    for marks in graded:
        said["points", "of", marks.grade_id] = f"{marks.points:g} point{'' if marks.points == 1 else 's'}"

    def found(match: re.Match[str]) -> str:
        if match.groups() not in said:
            known = ", ".join(f"{{{' '.join(one)}}}" for one in said)
            raise CourseError(f"{source}: {match[0]} means nothing; there are: {known}")
        return said[match[1], match[2], match[3]]

    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = _NUMBER.sub(found, cell.source)


def read_source(source: Path, checks: Iterable[Asked] = (), *, instructor: bool = True) -> Any:
    """A py:percent file as a notebook node, not run.

    Args:
        source: the file.
        checks: of its questions, each of which must have a cell.
        instructor: keep the cells tagged ``instructor``.

    Raises:
        CourseError: a header that cannot be, a name that is used twice, or a check without a cell.
    """
    import jupytext

    by_name = {check.id.split(".", 1)[1]: check for check in checks}
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = type(notebook.metadata)(kernelspec=type(notebook.metadata)(KERNEL))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        words = " ".join(f'{word}="{cell.metadata[word]}"' for word in WORDS if word in cell.metadata)
        try:
            _expand(cell, by_name)
        except ValueError as error:
            raise CourseError(f"{source}, cell {words}: {error}") from None
        cell.source = cell.source.strip("\n")
        cell.metadata.pop("lines_to_next_cell", None)  # how the source is laid out, which is nobody's concern
    if not instructor:
        notebook.cells = [one for one in notebook.cells if "instructor" not in one.metadata.get("tags", [])]
    names = Counter(cell.metadata.nbgrader.grade_id for cell in notebook.cells if "nbgrader" in cell.metadata)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise CourseError(f"{source}: the name {twice[0]!r} is used twice; each cell needs its own")
    left = [name for name in by_name if name not in names]
    if left:
        raise CourseError(f'{source}: no cell asks {by_name[left[0]].id}; write: # %% check="{left[0]}"')
    _write_numbers(source, notebook.cells)
    identify(notebook)
    return notebook


def solution_notebook(root: Path, problem_set: str, *, instructor: bool = True) -> Any:
    """The instructor's notebook of a problem set; see :func:`read_source`."""
    return read_source(
        source_of(root, problem_set), questions_of(root, problem_set).values(), instructor=instructor
    )
