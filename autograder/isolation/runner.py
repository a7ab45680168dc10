"""A notebook graded in isolation: cells and probes in the worker, inputs drawn and answers compared on this side.

Convention: a question is a cell whose ``grade_id`` is that of a registered check and which is graded and not itself an
answer. What stands in it is never run. Every question gets a result, whatever the cells and the other questions did.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import snnkit
from autograder.asking import ask
from autograder.checks import checks_of
from autograder.checks.message import plain
from autograder.question import Question
from autograder.result import Result

from .limits import Limits
from .session import CellResult, Session
from .source import WorkerSource
from .withhold import student_copy

__all__ = [
    "Answer",
    "Cell",
    "course_secret",
    "grade_cells",
    "grade_notebook",
    "library_copy",
    "read_cells",
    "report_on",
    "restore",
    "student_seed",
]

_STUDENT_LIBRARY = Path(snnkit.__file__).resolve().parent


@dataclass(frozen=True)
class Cell:
    """A cell as far as grading needs it.

    Args:
        grade_id: or an empty string.
        graded: whether it is a question's.
        code: whether it can be run.
        source: its text.
        answer: whether it is the student's to change.
    """

    grade_id: str
    graded: bool
    code: bool
    source: str
    answer: bool = False


@dataclass(frozen=True)
class Answer:
    """What came of one cell: of a question its result, of any other code cell its outputs."""

    cell: Cell
    result: Result | None = None
    run: CellResult | None = None
    problem: str = ""
    seconds: float = 0.0


@dataclass
class Report:
    """One graded notebook: what came of each cell, in order."""

    problem_set: str
    seed: int
    answers: list[Answer] = field(default_factory=list)
    restarts: int = 0
    seconds: float = 0.0
    peak_mb: float = 0.0

    def as_data(self) -> dict[str, Any]:
        """The report as plain data; timings are the only part that differs between two runs with one seed."""
        questions = {}
        for answer in self.answers:
            result = answer.result
            if result is None:
                continue
            lost = result.score < result.points
            questions[answer.cell.grade_id] = {
                "question": result.question,
                "score": result.score,
                "points": result.points,
                "message": plain(result),
                "hint": _by_grade_id(self.problem_set)[answer.cell.grade_id].hints[0] if lost else "",
                "misconceptions": list(result.slips),
                "failed": {group: failure.kind for group, failure in result.failed.items()},
                "problem": answer.problem,
                "seconds": round(answer.seconds, 4),
            }
        trouble = [
            {
                "cell": answer.cell.grade_id or f"cell {number}",
                "status": answer.run.status,
                "reason": answer.run.reason,
            }
            for number, answer in enumerate(self.answers, start=1)
            if answer.run is not None and answer.run.status not in ("ok", "error")
        ]
        return {
            "problem_set": self.problem_set,
            "seed": self.seed,
            "score": sum(entry["score"] for entry in questions.values()),
            "questions": questions,
            "trouble": trouble,
            "restarts": self.restarts,
            "seconds": round(self.seconds, 4),
            "peak_mb": round(self.peak_mb, 1),
        }


@cache
def _by_grade_id(problem_set: str) -> Mapping[str, Question]:
    return {check.id.split(".", 1)[1]: check for check in checks_of(problem_set)}


def student_seed(secret: bytes, student: str) -> int:
    """The seed of a student's inputs, from the course's secret; each question draws its own from it.

    Args:
        secret: known to the instructor only, at least 16 bytes.
        student: the student's identifier.

    Raises:
        ValueError: the secret is shorter.
    """
    if len(secret) < 16:
        raise ValueError(f"the secret has {len(secret)} bytes; expected at least 16")
    return int.from_bytes(hmac.digest(secret, student.encode(), hashlib.sha256)[:6], "big")


def course_secret(file: Path) -> bytes:
    """The secret that students' inputs are drawn from, made when there is none yet.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        return bytes.fromhex(file.read_text().strip())
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_hex(32) + "\n")
        return bytes.fromhex(file.read_text().strip())


@cache
def library_copy(problem_set: str, copies: Path) -> Path:
    """The library as the students of a problem set see it: without what any of its questions withholds."""
    names = {name for check in checks_of(problem_set) for name in check.withheld}
    return student_copy(_STUDENT_LIBRARY, names, copies)


def read_cells(notebook: bytes) -> list[Cell]:
    """The cells of a notebook file.

    Raises:
        ValueError: it is not a notebook of format 4.
    """
    try:
        content = json.loads(notebook)
        cells = content["cells"]
        if content["nbformat"] != 4 or not isinstance(cells, list):
            raise ValueError("not a notebook of format 4")
        return [_cell(cell) for cell in cells]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a notebook: {type(error).__name__}: {error}") from error


def _cell(cell: Mapping[str, Any]) -> Cell:
    marked = cell["metadata"].get("nbgrader")
    marked = marked if isinstance(marked, Mapping) else {}
    source = cell["source"]
    return Cell(
        grade_id=str(marked.get("grade_id") or ""),
        graded=bool(marked.get("grade")) and not marked.get("solution"),
        code=cell["cell_type"] == "code",
        source=source if isinstance(source, str) else "".join(map(str, source)),
        answer=bool(marked.get("solution")),
    )


def restore(cells: list[Cell], released: list[Cell]) -> list[Cell]:
    """A submission's cells with everything that was not the student's to change put back.

    Cells that the release locks (all marked ones but the answers) get their released source; of a cell that is there
    twice the first one counts; one that was deleted comes back behind the marked cell that it followed, or first.

    Args:
        cells: of the submission.
        released: of the notebook that was handed out.
    """
    known = {cell.grade_id: cell for cell in released if cell.grade_id}
    kept: list[Cell] = []
    seen: set[str] = set()
    for cell in cells:
        if cell.grade_id in known:
            if cell.grade_id in seen:
                continue
            seen.add(cell.grade_id)
            original = known[cell.grade_id]
            kept.append(replace(original, source=cell.source) if original.answer else original)
        else:
            kept.append(Cell("", False, cell.code, cell.source))
    before = ""
    for cell in released:
        if cell.grade_id and cell.grade_id not in seen:
            behind = (at for at, one in enumerate(kept, start=1) if one.grade_id == before)
            kept.insert(next(behind, len(kept)) if before else 0, cell)
        before = cell.grade_id or before
    return kept


def grade_cells(cells: list[Cell], problem_set: str, seed: int, session: Session) -> Iterator[Answer]:
    """Run a notebook's cells in order and put each question where it stands."""
    checks = _by_grade_id(problem_set)
    asked: set[str] = set()
    for cell in cells:
        begun = time.perf_counter()
        if cell.graded and cell.grade_id in checks and cell.grade_id not in asked:
            asked.add(cell.grade_id)
            result, problem = ask(session, checks[cell.grade_id], seed)
            yield Answer(cell, result=result, problem=problem, seconds=time.perf_counter() - begun)
        elif cell.code and not cell.graded:
            yield Answer(cell, run=session.run_cell(cell.source), seconds=time.perf_counter() - begun)
        else:
            yield Answer(cell)


def grade_notebook(
    notebook: bytes,
    problem_set: str,
    seed: int,
    limits: Limits | None = None,
    *,
    workers: WorkerSource,
    released: bytes | None = None,
) -> dict[str, Any]:
    """Grade one submission in isolation.

    Args:
        notebook: the file that was handed in.
        problem_set: its name.
        seed: see :func:`student_seed`; the same seed gives the same inputs, and so the same score.
        limits: what the submission may use.
        workers: where its workers come from.
        released: the notebook that was handed out; what it locks is put back before grading.

    Returns:
        Plain data: ``questions`` by grade_id (score, points, message, hint, misconceptions, seconds), ``score``,
        ``trouble`` (cells that were stopped or ended the process), ``restarts``, ``seed``, ``seconds``, ``peak_mb``.

    Raises:
        ValueError: the bytes are not a notebook.
        IsolationError: a worker could not be started.
    """
    cells = read_cells(notebook)
    if released is not None:
        cells = restore(cells, read_cells(released))
    return report_on(cells, problem_set, seed, limits, workers=workers).as_data()


def report_on(
    cells: list[Cell], problem_set: str, seed: int, limits: Limits | None = None, *, workers: WorkerSource
) -> Report:
    """Run cells and questions of one submission; see :func:`grade_notebook`."""
    report = Report(problem_set, seed)
    begun = time.perf_counter()
    with Session(workers, library_copy(problem_set, workers.copies), limits) as session:
        report.answers = list(grade_cells(cells, problem_set, seed, session))
    report.restarts, report.peak_mb = session.restarts, session.peak_kb / 1024
    report.seconds = time.perf_counter() - begun
    return report
