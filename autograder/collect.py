"""Find what students handed in, and refuse in one line what cannot be graded.

Submissions come as a folder of notebooks named by student, a folder of students' folders (nbgrader's exchange is one), a
zip of either, perhaps with one folder around everything, or what Moodle or Canvas give out. Nothing is written here, no
path leaves the given place, and whatever is wrong with one student's files is a line about that student.
"""

from __future__ import annotations

import re
import stat
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

from autograder.course import CourseError
from autograder.naming import canvas, debris, identifier, printed, student_of
from autograder.notebook import Notebook, NotebookError, by_name, read, without_outputs, write
from autograder.recognising import recognise
from autograder.restoring import clean

#: Bytes of the largest file that is read, and of the largest notebook without its stored outputs.
LARGEST_FILE, LARGEST_SUBMISSION = 250_000_000, 50_000_000
#: Bytes from which stored outputs are dropped at once, which grading never looks at.
_LARGE = 2_000_000
_ENDINGS = (".ipynb", ".ipynb.txt", ".ipynb.json", ".json")
#: Names of folders that are no student's.
_FOLDERS = frozenset(("submissions", "subs", "submitted", "students", "abgaben", "handed_in"))


class RefusedError(ValueError):
    """A submission that cannot be graded; the message says why."""


@dataclass(frozen=True)
class Submission:
    """What one student handed in: the notebook's bytes, or the reason why there is none.

    Args:
        student: a name that is safe as that of a file, see :func:`autograder.naming.identifier`.
        content: of the notebook.
        problem: why there is none.
        handed_in: when, where that is known.
        remarks: what there is to say about the file.
    """

    student: str
    content: bytes = b""
    problem: str = ""
    handed_in: datetime | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _File:
    """A file by the parts of its path; a folder has nothing to load, and what cannot be taken has a problem."""

    parts: tuple[str, ...]
    load: Callable[[], bytes] | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        return self.parts[-1]

    @property
    def notebook(self) -> bool:
        return self.load is not None and bool(_ending(self.name))

    @property
    def shown(self) -> str:
        return printed("/".join(self.parts))


def _ending(name: str) -> str:
    """The ending of a notebook's name, as it is written there; empty for any other file."""
    ending = next((one for one in reversed(_ENDINGS) if name.lower().endswith(one)), "")
    ending = next((one for one in _ENDINGS[1:3] if name.lower().endswith(one)), ending)
    return name[-len(ending) :] if ending else ""


def _stem(name: str) -> str:
    ending = _ending(name)
    return name[: -len(ending)] if ending else PurePosixPath(name).stem


def _moment(load: Callable[[], bytes] | None) -> datetime | None:
    """The time in an exchange's ``timestamp.txt``; None where there is none that can be read."""
    if load is None:
        return None
    try:  # such as "2026-12-01 22:59:30.500000 UTC"; without a zone nbgrader means UTC
        date, time, *zone = load().decode().split(maxsplit=2)
        moment = datetime.fromisoformat(f"{date} {time}")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone[0].strip()) if zone else UTC)
        return moment.astimezone(UTC)
    except Exception:  # whatever a damaged file or a strange text gives
        return None


@dataclass
class _Of:
    """A student's files: beside those of others, in a folder of the student's own, and the exchange's time."""

    flat: list[_File] = field(default_factory=list)
    folder: list[_File] = field(default_factory=list)
    has_folder: bool = False
    stamp: Callable[[], bytes] | None = None


def _choose(notebooks: Sequence[_File], problem_set: str) -> list[_File]:
    """The notebooks that can be meant: one named like the set, otherwise one whose name holds it, otherwise all."""
    wanted = problem_set.casefold()
    tests: tuple[Callable[[_File], bool], ...] = (
        lambda one: one.name.casefold() == f"{wanted}.ipynb",
        lambda one: wanted in one.name.casefold() and one.name.casefold().endswith(".ipynb"),
        lambda one: one.name.casefold().endswith(".ipynb"),
        lambda one: wanted in one.name.casefold(),
    )
    for test in tests:
        if found := [one for one in notebooks if test(one)]:
            return found
    return list(notebooks)


def _pick(student: str, files: Sequence[_File], problem_set: str) -> Submission:
    """The submission among a student's files."""
    chosen = _choose([one for one in files if one.notebook], problem_set)
    if len(chosen) > 1:
        what = f"{len(chosen)} notebooks, none of them the only {problem_set}.ipynb"
        return Submission(student, problem=f"{what} ({', '.join(one.shown for one in chosen[:4])})")
    if chosen:
        return _loaded(student, chosen[0])
    problems = [f"{one.shown} {one.problem}" for one in files if one.problem]
    if problems:
        return Submission(student, problem=problems[0])
    if not files:
        return Submission(student, problem="nothing in the student's folder")
    names = ", ".join(one.shown for one in files[:4])
    return Submission(student, problem=f"no notebook among the student's files ({names})")


def _loaded(student: str, file: _File) -> Submission:
    assert file.load is not None
    remarks = []
    if not file.name.endswith(".ipynb"):
        remarks.append(f"the file is called {file.shown} and was read as a notebook")
    try:
        content = file.load()
        if len(content) > _LARGE:
            smaller = write(without_outputs(read(content)))
            if len(content) > LARGEST_SUBMISSION:
                remarks.append(
                    f"stored outputs of {(len(content) - len(smaller)) / 1e6:.0f} MB were left out"
                )
            content = smaller
    except NotebookError as error:
        return Submission(student, problem=str(error))
    except Exception as error:  # a damaged archive raises whatever its codec does
        return Submission(student, problem=f"{file.shown} cannot be read: {_why(error)}")
    return Submission(student, content, remarks=tuple(remarks))


def _why(error: Exception) -> str:
    return printed(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)[:300]


def _without_top(files: Sequence[_File], problem_set: str, place: str) -> list[_File]:
    """Files without the one folder around everything, unless that folder is a student's."""
    tops = {one.parts[0] for one in files}
    if len(tops) != 1 or any(len(one.parts) == 1 and one.load is not None for one in files):
        return list(files)
    (top,) = tops
    inside = [one.parts[1:] for one in files if one.notebook]
    direct = [parts for parts in inside if len(parts) == 1]
    folders = {parts[0] for parts in inside if len(parts) > 1} - {problem_set}
    wanted = f"{problem_set}.ipynb".casefold()
    if any(parts[0].casefold() == wanted for parts in direct):
        return list(files)
    named = any(len(parts) == 2 and parts[1].casefold() == wanted for parts in inside if parts[0] in folders)
    generic = top.casefold() in _FOLDERS | {place.casefold(), problem_set.casefold()}
    if (generic and inside) or len(direct) > 1 or len(folders) > 1 or named:
        return [replace(one, parts=one.parts[1:]) for one in files if len(one.parts) > 1]
    return list(files)


def _arrange(found: Iterable[_File], problem_set: str, place: str) -> Iterator[Submission]:
    """Submissions from files: ``name.ipynb``, or ``name/.../notebook.ipynb``."""
    kept = [one for one in found if not any(map(debris, one.parts))]
    files = _without_top(kept, problem_set, place)
    flat = [one for one in files if len(one.parts) == 1 and (one.load is not None or one.problem)]
    of_canvas = canvas([_stem(one.name) for one in flat], [one.name for one in flat if one.notebook])
    students: dict[str, _Of] = defaultdict(_Of)
    for one in sorted(files, key=lambda one: one.parts):
        alone = len(one.parts) == 1 and (one.load is not None or bool(one.problem))
        name = (
            student_of(_stem(one.name), of_canvas=of_canvas)
            if alone
            else student_of(one.parts[0], of_canvas=False)
        )
        own = students[printed(name)]
        own.has_folder = own.has_folder or not alone
        if alone:
            own.flat.append(one)
        elif one.name == "timestamp.txt":
            own.stamp = one.load
        elif len(one.parts) > 1 and (one.load is not None or one.problem):
            own.folder.append(one)
    for name, own in students.items():
        yield from _of_student(name, own, problem_set)


def _of_student(name: str, own: _Of, problem_set: str) -> Iterator[Submission]:
    student = identifier(name)
    renamed = (f"the name {name} is written {student} here",) if student != name else ()
    both = own.flat and own.has_folder
    first = own.flat if any(one.notebook for one in own.flat) or not own.has_folder else own.folder
    submission = _pick(student, first, problem_set)
    yield replace(
        submission,
        handed_in=_moment(own.stamp) if first is own.folder else None,
        remarks=(*renamed, *submission.remarks),
    )
    if both and first is own.flat and any(one.notebook for one in own.folder):
        problem = f"a folder beside a file of {name!r}; keep one submission for each student"
        yield Submission(f"{student}, folder", problem=problem)


def _in_folder(place: Path) -> Iterator[_File]:
    for path in place.rglob("*"):
        parts = path.relative_to(place).parts
        if path.is_symlink():
            yield _File(parts, problem="is a link, which is not followed; hand in the file itself")
        elif path.is_file():
            size = path.stat().st_size
            yield (
                _File(parts, problem=_too_large(size)) if _too_large(size) else _File(parts, path.read_bytes)
            )
        elif path.is_dir():
            yield _File(parts)


def _too_large(size: int) -> str:
    return f"is larger than {LARGEST_FILE:,} bytes" if size > LARGEST_FILE else ""


def _in_zip(archive: zipfile.ZipFile) -> tuple[list[_File], list[Submission]]:
    """The entries of a zip, and what is wrong with its paths."""
    files: dict[tuple[str, ...], _File] = {}
    refused = []
    for entry in archive.infolist():
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        parts = path.parts
        if not parts or path.is_absolute() or ".." in parts or re.match(r"[A-Za-z]:", parts[0]):
            why = f"its path in the zip, {printed(str(path))}, leads out of the folder; it was not read"
            refused.append(Submission(identifier(str(path)), problem=why))
        elif entry.is_dir():
            files.setdefault(parts, _File(parts))
        elif stat.S_ISLNK(entry.external_attr >> 16):
            files[parts] = _File(parts, problem="is a link, which is not followed; hand in the file itself")
        elif problem := _too_large(entry.file_size):
            files[parts] = _File(parts, problem=problem)
        else:
            files[parts] = _File(parts, partial(archive.read, entry))
    return list(files.values()), refused


def collect(place: Path, problem_set: str) -> list[Submission]:
    """Find submissions in a folder of notebooks, a folder of students' folders, or a zip of either.

    A folder that nbgrader's exchange filled is the second kind, and its ``timestamp.txt`` says when it was handed in.

    Args:
        place: the folder or the zip file.
        problem_set: name of the problem set.

    Returns:
        One submission for each student, by name; those that cannot be read have a ``problem``.

    Raises:
        CourseError: the place does not exist, is neither, cannot be read, or holds nothing.
    """
    if place.is_dir():
        found = list(_arrange(_in_folder(place), problem_set, place.name))
    elif place.is_file() and zipfile.is_zipfile(place):
        try:
            with zipfile.ZipFile(place) as archive:
                files, found = _in_zip(archive)
                found += list(_arrange(files, problem_set, place.stem))
        except Exception as error:  # the list of its entries is damaged
            raise CourseError(f"{place} cannot be read as a zip file: {_why(error)}") from error
    elif place.exists():
        raise CourseError(f"{place} is neither a folder nor a zip file of submissions")
    else:
        raise CourseError(f"{place} does not exist; give a folder or a zip file of submissions")
    if not found:
        raise CourseError(f"{place} holds no submissions")
    return sorted(found, key=lambda submission: submission.student)


def sanitise(submission: Submission, problem_set: str, released: Notebook) -> tuple[Notebook, list[str]]:
    """The notebook of a submission, with each marked cell once.

    Args:
        submission: what was handed in.
        problem_set: name of the problem set.
        released: the notebook that was handed out.

    Returns:
        The notebook to grade, and remarks.

    Raises:
        RefusedError: it cannot be graded.
    """
    if submission.problem:
        raise RefusedError(submission.problem)
    if len(submission.content) > LARGEST_SUBMISSION:
        raise RefusedError(f"larger than {LARGEST_SUBMISSION:,} bytes without its outputs")
    try:
        handed_in, found = recognise(read(submission.content), released)
    except NotebookError as error:
        raise RefusedError(str(error)) from None
    questions = {cell.grade_id for cell in released.cells if cell.graded}
    if not by_name(handed_in.cells).keys() & questions:
        raise RefusedError(
            f"none of the questions of {problem_set} is in it; is it another problem set's notebook?"
        )
    notebook, remarks = clean(handed_in, released)
    return notebook, [*submission.remarks, *found, *remarks]
