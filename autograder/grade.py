"""Grade a folder of submissions with nbgrader, two at a time, without doing anything twice.

Submissions are staged into a course folder of nbgrader's and autograded by its own ``Autograde``, with
:class:`~autograder.isolation.preprocessor.IsolatedExecute` in the place of its ``Execute`` unless asked otherwise;
scores are read as nbgrader reads them. Each result is written, as a whole, as soon as it is there, under a key that is a hash of
the submission, the released notebook, the grading code and the time limit: what has not changed is not graded again.
A submission that cannot be graded is a line in the results, and the others are graded.
"""

from __future__ import annotations

import io
import json
import logging
import multiprocessing
import os
import re
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from autograder.course import (
    CELL_TIMEOUT,
    CourseError,
    checkout,
    code_version,
    configure,
    digest,
    last_error,
    source_of,
    write_if_changed,
)

LARGEST_SUBMISSION = 50_000_000
PROCESSES = 2
_NAME = re.compile(r"[^\W_][\w .@+-]*")

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Execution:
    """How the cells of a submission are run.

    Args:
        cell_timeout: seconds that one cell may run.
        isolated: False leaves the cells to nbgrader, in a kernel with the rights of this account.
        unsafe: go on where files, network or processes cannot be isolated.
    """

    cell_timeout: int = CELL_TIMEOUT
    isolated: bool = True
    unsafe: bool = False

    def require(self) -> None:
        """Refuse where isolation is asked for and cannot be had.

        Raises:
            CourseError: names what is missing and the ways out.
        """
        if not self.isolated:
            return
        from autograder.isolation import sandbox

        try:
            sandbox.require(sandbox.probe(), self.unsafe)
        except sandbox.IsolationError as error:
            raise CourseError(str(error)) from None

    def configure(self, config: Any, course: Path) -> Any:
        """Set nbgrader for a course folder; the private files of isolation lie beside it."""
        configure(config, course, cell_timeout=self.cell_timeout)
        if not self.isolated:
            return config
        from autograder.isolation.limits import Limits
        from autograder.isolation.preprocessor import use_isolation

        private = course.parent / "isolation"
        limits = Limits(cell_seconds=self.cell_timeout, notebook_seconds=max(900, 2 * self.cell_timeout))
        use_isolation(config, private / str(os.getpid()), unsafe=self.unsafe, limits=limits)
        config.IsolatedExecute.secret_file = str((private / "secret").resolve())
        return config


@dataclass(frozen=True)
class Submission:
    """What one student handed in: the notebook's bytes, or the reason why there is none."""

    student: str
    content: bytes = b""
    problem: str = ""


@dataclass
class QuestionGrade:
    """One graded cell.

    Args:
        score: None while a person has yet to read it.
        points: what can be had.
        manual: whether a person gives the points.
        message: what the check said.
        misconceptions: ids of the misconceptions that explain what is wrong.
        hint: the first hint, where points were lost.
        failed: why each group of cases that failed did so: a failure's kind, by the group's id.
        seconds: wall time of the question.
    """

    score: float | None
    points: float
    manual: bool
    message: str = ""
    misconceptions: list[str] = field(default_factory=list)
    hint: str = ""
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class StudentGrade:
    """One submission's grades by question, or why it could not be graded.

    Args:
        student: the student's identifier.
        questions: by grade_id, in the notebook's order.
        problem: why it could not be graded; empty when it was.
        remarks: what was put right before grading.
        seed: of the student's inputs; 0 under stock nbgrader, where the inputs are the public ones.
        seconds: wall time of the whole submission.
        restarts: how often the process that ran it had to be replaced.
        peak_mb: most memory that it held.
        trouble: cells that were stopped or ended the process: ``cell``, ``status`` and ``reason`` of each.
        late_s: seconds handed in after the due time.
        penalty: points taken off for that.
        group: of the group submission that it is, otherwise empty.
    """

    student: str
    questions: dict[str, QuestionGrade] = field(default_factory=dict)
    problem: str = ""
    remarks: list[str] = field(default_factory=list)
    seed: int = 0
    seconds: float = 0.0
    restarts: int = 0
    peak_mb: float = 0.0
    trouble: list[dict[str, str]] = field(default_factory=list)
    late_s: float = 0.0
    penalty: float = 0.0
    group: str = ""

    @property
    def score(self) -> float:
        """Points so far, less the penalty."""
        return max(0.0, sum(grade.score or 0.0 for grade in self.questions.values()) - self.penalty)

    @property
    def pending(self) -> float:
        """Points that a person has yet to give or not."""
        return sum(grade.points for grade in self.questions.values() if grade.score is None)

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> StudentGrade:
        """The inverse of ``dataclasses.asdict``."""
        questions = {name: QuestionGrade(**grade) for name, grade in entry["questions"].items()}
        return cls(**{**entry, "questions": questions})


# ------------------------------------------------------------------------------------- finding submissions


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
    flat: set[str] = set()
    for path, read in sorted(files.items()):
        parts = PurePosixPath(path).parts
        if any(part.startswith(".") or part == "__MACOSX" for part in parts):
            continue
        if len(parts) > 1:
            folders.setdefault(parts[0], {})
            if path.endswith(".ipynb"):
                folders[parts[0]][path] = read
            continue
        student = PurePosixPath(path).stem
        if student in flat:
            yield Submission(
                path, problem=f"a second file of {student!r}; keep one notebook for each student"
            )
            continue
        flat.add(student)
        if path.endswith(".ipynb"):
            yield _pick(student, {path: read}, problem_set)
        else:
            yield Submission(student, problem=f"{path} is not a notebook (its name does not end in .ipynb)")
    for student, notebooks in folders.items():
        if student in flat:
            yield Submission(
                f"{student}/",
                problem=f"a folder beside a file of {student!r}; keep one submission for each student",
            )
        else:
            yield _pick(student, notebooks, problem_set)


def collect(place: Path, problem_set: str) -> list[Submission]:
    """Find submissions in a folder of notebooks, a folder of students' folders, or a zip of either.

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


def sanitise(submission: Submission, problem_set: str, questions: set[str]) -> tuple[Submission, list[str]]:
    """Check that a submission can be given to nbgrader, and put right what would stop it.

    Args:
        submission: what was handed in.
        problem_set: name of the problem set.
        questions: grade_ids of the graded cells of the released notebook.

    Returns:
        The submission to grade (with a ``problem`` when it cannot be graded), and remarks.
    """
    student = submission.student
    if submission.problem:
        return submission, []
    if not _NAME.fullmatch(student):
        return Submission(
            student,
            problem="the student's name may hold letters, digits, spaces and . _ @ + - and starts with a letter or digit",
        ), []
    if len(submission.content) > LARGEST_SUBMISSION:
        return Submission(student, problem=f"larger than {LARGEST_SUBMISSION:,} bytes"), []
    try:
        notebook = json.loads(submission.content)
    except (ValueError, RecursionError) as error:
        return Submission(student, problem=f"not a notebook: broken JSON ({error})"), []
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or notebook.get("nbformat") != 4:
        return Submission(student, problem="not a notebook of format 4 (no list of cells)"), []
    seen: set[str] = set()
    remarks = []
    for cell in cells:
        metadata = cell.get("metadata") if isinstance(cell, dict) else None
        if not isinstance(metadata, dict):
            return Submission(student, problem="not a notebook: a cell has no metadata"), []
        marked = metadata.get("nbgrader")
        if marked is None:
            continue
        name = marked.get("grade_id") if isinstance(marked, dict) else None
        if not isinstance(name, str) or not name:
            del metadata["nbgrader"]
        elif name in seen:
            del metadata["nbgrader"]
            remarks.append(f"{name} is there more than once: the first one counts")
        else:
            seen.add(name)
    if not seen & questions:
        return Submission(
            student,
            problem=f"none of the questions of {problem_set} is in it; is it another problem set's notebook?",
        ), []
    remarks += [f"the cell {name} was missing and was put back" for name in sorted(questions - seen)]
    return Submission(student, json.dumps(notebook).encode()), remarks


# --------------------------------------------------------------------------------------------- grading


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


def _autograde(course: str, problem_set: str, student: str, execution: Execution) -> dict[str, Any]:
    """Autograde one staged submission (runs in a worker process); a ``StudentGrade`` as a dictionary."""
    import nbformat
    from nbgrader.converters import Autograde
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    config = execution.configure(Config(), Path(course))
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


def _assignment(root: Path, problem_set: str, course: Path) -> bytes:
    """Make the assignment in the course folder where it is not up to date; the released notebook's bytes."""
    from autograder.release import generate

    released = course / "release" / problem_set / f"{problem_set}.ipynb"
    stamp = course / f"{problem_set}.stamp"
    key = digest([source_of(root, problem_set).read_bytes(), code_version().encode()])
    if not (released.is_file() and stamp.is_file() and stamp.read_text() == key):
        try:
            generate(root, problem_set, course)
        except CourseError as error:
            if "Cannot add or remove cells" in str(error):
                raise CourseError(
                    f"the questions of {problem_set} are not those that {course.parent} was begun with; "
                    "give another --out"
                ) from error
            raise
        write_if_changed(stamp, key.encode())
    return released.read_bytes()


def graded_cells(released: bytes) -> dict[str, float]:
    """Points of each graded cell of a notebook, by grade_id, in order."""
    found = {}
    for cell in json.loads(released)["cells"]:
        marked = cell["metadata"].get("nbgrader", {})
        if marked.get("grade"):
            found[marked["grade_id"]] = float(marked["points"])
    return found


def grade(
    problem_set: str,
    submissions: Path,
    out: Path,
    *,
    execution: Execution = Execution(),
    progress: Progress | None = None,
) -> list[StudentGrade]:
    """Grade submissions; what was graded before and has not changed is read back.

    Args:
        problem_set: its name.
        submissions: folder or zip.
        out: folder for the results and for nbgrader's files.
        execution: how the cells are run.
        progress: called with (done, of, student).

    Returns:
        The grades of every submission, by name.

    Raises:
        CourseError: unknown problem set, no submissions, a course folder that does not fit, or no isolation.
    """
    root = checkout()
    source_of(root, problem_set)
    collected = collect(submissions, problem_set)
    course = out.resolve() / "course"
    released = _assignment(root, problem_set, course)
    questions = set(graded_cells(released))
    version = digest([released, code_version().encode(), repr(execution).encode()])
    finished: dict[str, StudentGrade] = {}
    waiting: dict[str, tuple[str, list[str]]] = {}
    for submission in collected:
        cleaned, remarks = sanitise(submission, problem_set, questions)
        if cleaned.problem:
            finished[submission.student] = StudentGrade(submission.student, problem=cleaned.problem)
            continue
        key = digest([cleaned.content, version.encode()])
        kept = _kept(out, cleaned.student, key)
        if kept is not None:
            finished[cleaned.student] = kept
            continue
        waiting[cleaned.student] = (key, remarks)
        staged = course / "submitted" / cleaned.student / problem_set / f"{problem_set}.ipynb"
        write_if_changed(staged, cleaned.content)
    total = len(waiting)
    if waiting:
        execution.require()
    for done, result in enumerate(_run(course, problem_set, list(waiting), execution), start=1):
        key, remarks = waiting[result.student]
        result.remarks = remarks
        finished[result.student] = result
        if not result.problem:
            entry = {"key": key, "grade": asdict(result)}
            write_if_changed(_place(out, result.student), json.dumps(entry, indent=1).encode())
        if progress is not None:
            progress(done, total, result.student)
    return [finished[student] for student in sorted(finished)]


def _place(out: Path, student: str) -> Path:
    return out / "students" / f"{student}.json"


def _kept(out: Path, student: str, key: str) -> StudentGrade | None:
    try:
        entry = json.loads(_place(out, student).read_text())
        return StudentGrade.from_json(entry["grade"]) if entry["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _run(course: Path, problem_set: str, students: list[str], execution: Execution) -> Iterable[StudentGrade]:
    """Autograde staged submissions, two at a time, as they finish; one that met a locked gradebook is tried again."""
    if not students:
        return
    context = multiprocessing.get_context("spawn")
    again = []
    private = course.parent / "isolation"
    if execution.isolated:
        from autograder.isolation.preprocessor import course_secret

        course_secret(private / "secret")
    with ProcessPoolExecutor(
        min(PROCESSES, len(students)), mp_context=context, initializer=_prepare_worker
    ) as pool:
        jobs = [pool.submit(_autograde, str(course), problem_set, student, execution) for student in students]
        try:
            for job in as_completed(jobs):
                result = StudentGrade.from_json(job.result())
                if "database" in result.problem:
                    again.append(result.student)
                else:
                    yield result
            for student in again:
                entry = pool.submit(_autograde, str(course), problem_set, student, execution).result()
                yield StudentGrade.from_json(entry)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for folder in private.glob("[0-9]*"):
        shutil.rmtree(folder, ignore_errors=True)
