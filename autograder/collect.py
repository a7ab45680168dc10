"""Find what students handed in, and refuse in one line what cannot be graded.

Submissions come as a folder of notebooks named by student, a folder of students' folders (nbgrader's exchange is one), a
zip of either, or what Moodle or Canvas give out. Nothing is written here, and no path leaves the given place.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

from autograder.course import CourseError
from autograder.notebook import Notebook, NotebookError, by_name, clean, read

LARGEST_SUBMISSION = 50_000_000
_NAME = re.compile(r"[^\W_][\w .,'@+-]*")


class RefusedError(ValueError):
    """A submission that cannot be graded; the message says why."""


@dataclass(frozen=True)
class Submission:
    """What one student handed in: the notebook's bytes, or the reason why there is none; and when, where that is known."""

    student: str
    content: bytes = b""
    problem: str = ""
    handed_in: datetime | None = None


#: How Moodle and Canvas name what they give out: the name kept is what the groups capture.
_MOODLE = re.compile(r"(.+_\d+)_assignsubmission_\w+?_?")
_CANVAS = re.compile(r"(\w+?)(?:_LATE)?_(\d+)_\d+_.+")


def student_of(name: str) -> str:
    """The student's name in a file's or folder's name: shortened where Moodle or Canvas made it.

    Moodle: ``Ada Lovelace_4711_assignsubmission_file_`` is ``Ada Lovelace_4711``; Canvas:
    ``lovelaceada_4711_815_notebook.ipynb`` is ``lovelaceada_4711``.
    """
    if found := _MOODLE.fullmatch(name):
        return found[1]
    if found := _CANVAS.fullmatch(name):
        return f"{found[1]}_{found[2]}"
    return name


def _moment(read: Callable[[], bytes] | None) -> datetime | None:
    """The time in an exchange's ``timestamp.txt``; None where there is none that can be read."""
    if read is None:
        return None
    try:  # such as "2026-12-01 22:59:30.500000 UTC"; without a zone nbgrader means UTC
        date, time, *zone = read().decode().split(maxsplit=2)
        moment = datetime.fromisoformat(f"{date} {time}")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone[0].strip()) if zone else UTC)
        return moment.astimezone(UTC)
    except (OSError, ValueError, KeyError, OverflowError, zipfile.BadZipFile):
        return None


def _pick(student: str, notebooks: dict[str, Callable[[], bytes]], problem_set: str) -> Submission:
    """The submission among a student's notebooks: the one named like the set, or the only one."""
    named = [path for path in notebooks if PurePosixPath(path).name == f"{problem_set}.ipynb"]
    chosen = named if named else list(notebooks)
    if len(chosen) != 1:
        what = (
            "no notebook"
            if not chosen
            else f"{len(chosen)} notebooks, none of them the only {problem_set}.ipynb"
        )
        return Submission(student, problem=f"{what} in the student's folder")
    try:
        return Submission(student, notebooks[chosen[0]]())
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        return Submission(student, problem=f"{chosen[0]} cannot be read: {error}")


def _arrange(files: dict[str, Callable[[], bytes]], problem_set: str) -> Iterator[Submission]:
    """Submissions from relative paths: ``name.ipynb``, or ``name/.../notebook.ipynb``."""
    folders: dict[str, dict[str, Callable[[], bytes]]] = {}
    stamps: dict[str, Callable[[], bytes]] = {}
    flat: set[str] = set()
    for path, load in sorted(files.items()):
        parts = PurePosixPath(path).parts
        if any(part.startswith(".") or part == "__MACOSX" for part in parts):
            continue
        if len(parts) > 1:
            student = student_of(parts[0])
            folders.setdefault(student, {})
            if path.endswith(".ipynb"):
                folders[student][path] = load
            elif parts[-1] == "timestamp.txt":
                stamps[student] = load
            continue
        student = student_of(PurePosixPath(path).stem)
        if student in flat:
            yield Submission(
                path, problem=f"a second file of {student!r}; keep one notebook for each student"
            )
            continue
        flat.add(student)
        if path.endswith(".ipynb"):
            yield _pick(student, {path: load}, problem_set)
        else:
            yield Submission(student, problem=f"{path} is not a notebook (its name does not end in .ipynb)")
    for student, notebooks in folders.items():
        if student in flat:
            yield Submission(
                f"{student}/",
                problem=f"a folder beside a file of {student!r}; keep one submission for each student",
            )
        else:
            yield replace(_pick(student, notebooks, problem_set), handed_in=_moment(stamps.get(student)))


def collect(place: Path, problem_set: str) -> list[Submission]:
    """Find submissions in a folder of notebooks, a folder of students' folders, or a zip of either.

    A folder that nbgrader's exchange filled is the second kind, and its ``timestamp.txt`` says when it was handed in.

    Args:
        place: the folder or the zip file.
        problem_set: name of the problem set.

    Returns:
        One submission for each student, by name; those that cannot be read have a ``problem``.

    Raises:
        CourseError: the place does not exist, is neither, or holds nothing.
    """
    if place.is_dir():
        files: dict[str, Callable[[], bytes]] = {
            path.relative_to(place).as_posix(): path.read_bytes
            for path in place.rglob("*")
            if path.is_file() and not path.is_symlink()
        }
        found = list(_arrange(files, problem_set))
    elif place.is_file() and zipfile.is_zipfile(place):
        with zipfile.ZipFile(place) as archive:
            entries: dict[str, Callable[[], bytes]] = {}
            found = []
            for entry in archive.infolist():
                if entry.is_dir():
                    continue
                path = PurePosixPath(entry.filename.replace("\\", "/"))
                if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
                    found.append(
                        Submission(
                            str(path), problem="its path in the zip leads out of the folder; it was not read"
                        )
                    )
                elif entry.file_size > LARGEST_SUBMISSION:
                    found.append(
                        Submission(path.parts[0], problem=f"larger than {LARGEST_SUBMISSION:,} bytes")
                    )
                else:
                    entries[str(path)] = partial(archive.read, entry)
            found += list(_arrange(entries, problem_set))
    elif place.exists():
        raise CourseError(f"{place} is neither a folder nor a zip file of submissions")
    else:
        raise CourseError(f"{place} does not exist; give a folder or a zip file of submissions")
    if not found:
        raise CourseError(f"{place} holds no submissions")
    return sorted(found, key=lambda submission: submission.student)


def sanitise(
    submission: Submission, problem_set: str, questions: Collection[str]
) -> tuple[Notebook, list[str]]:
    """The notebook of a submission, with what would stop nbgrader put right.

    Args:
        submission: what was handed in.
        problem_set: name of the problem set.
        questions: grade_ids of the graded cells of the released notebook.

    Returns:
        The notebook to grade, and remarks.

    Raises:
        RefusedError: it cannot be graded.
    """
    if submission.problem:
        raise RefusedError(submission.problem)
    if not _NAME.fullmatch(submission.student):
        raise RefusedError(
            "the student's name may hold letters, digits, spaces and . , ' _ @ + - and starts with a letter or digit"
        )
    if len(submission.content) > LARGEST_SUBMISSION:
        raise RefusedError(f"larger than {LARGEST_SUBMISSION:,} bytes")
    try:
        notebook, remarks = clean(read(submission.content), questions)
    except NotebookError as error:
        raise RefusedError(str(error)) from None
    if not by_name(notebook.cells).keys() & set(questions):
        raise RefusedError(
            f"none of the questions of {problem_set} is in it; is it another problem set's notebook?"
        )
    return notebook, remarks
