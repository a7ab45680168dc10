"""A notebook graded in isolation: cells and probes in the worker, inputs drawn and answers compared on this side.

Convention: a question is a cell whose ``grade_id`` is a question's name and which is graded and not itself an answer. What
stands in it is never run. Every question gets a result, whatever the cells and the other questions did.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

import snnkit
from autograder.asking import ask
from autograder.follow_on import taken_remark
from autograder.graded import Graded, Mark
from autograder.notebook import Cell, read
from autograder.question import Question
from autograder.restoring import restore
from autograder.result import Result

from . import second_run
from .handed_out import absent, asked_for, handed_out, noted
from .handed_out import copies as copied
from .limits import Limits
from .mending import with_edits
from .outputs import CellOutcome, Output, of_cell
from .session import Session
from .source import WorkerSource
from .stopped import told, troubles
from .withhold import student_copy, with_references

__all__ = ["grade_cells", "grade_notebook", "library_copy", "play"]

Questions = Mapping[str, Question]

_NONE: Mapping[str, str] = MappingProxyType({})
_STUDENT_LIBRARY = Path(snnkit.__file__).resolve().parent


@cache
def _without(names: frozenset[str], copies: Path) -> Path:
    return student_copy(_STUDENT_LIBRARY, names, copies)


def library_copy(questions: Questions, copies: Path, references: Mapping[str, str] = _NONE) -> Path:
    """The library as the students of these questions see it: without what any of them withholds, with references.

    Args:
        questions: of a set.
        copies: folder of the copies.
        references: texts of modules, by the id of their question.
    """
    base = _without(frozenset(name for one in questions.values() for name in one.withheld), copies)
    return with_references(base, references, absent(questions, references))


def grade_cells(
    cells: Sequence[Cell], questions: Questions, seed: int, session: Session
) -> Iterator[CellOutcome]:
    """Run a notebook's cells in order and put each question where it stands."""
    asked: set[str] = set()
    for cell in cells:
        begun = time.perf_counter()
        if cell.question and cell.grade_id in questions and cell.grade_id not in asked:
            asked.add(cell.grade_id)
            result, problem = ask(session, questions[cell.grade_id], seed)
            yield CellOutcome(cell, result=result, problem=problem, seconds=time.perf_counter() - begun)
        elif cell.code and not cell.question:
            yield CellOutcome(
                cell, run=session.run_cell(cell.source, given=cell.given), seconds=time.perf_counter() - begun
            )
        else:
            yield CellOutcome(cell)


def _mark(outcome: CellOutcome, result: Result, hints: Sequence[str]) -> Mark:
    """A question's mark; where points were lost its result has the first hint, which every student can ask for."""
    lost = result.score < result.points
    hinted = replace(result, hints=tuple(hints[:1])) if lost else result
    seconds = round(outcome.seconds, 4)
    return Mark(result.points, result.score, result=hinted, fault=outcome.problem, seconds=seconds)


def _marks(outcomes: Sequence[CellOutcome], questions: Questions) -> dict[str, Mark]:
    return {
        outcome.cell.grade_id: _mark(outcome, outcome.result, questions[outcome.cell.grade_id].hints)
        for outcome in outcomes
        if outcome.result is not None
    }


def play(
    cells: Sequence[Cell],
    questions: Questions,
    seed: int,
    limits: Limits | None = None,
    *,
    workers: WorkerSource,
    student: str = "",
) -> tuple[Graded, list[list[Output]]]:
    """Run cells and questions of one submission.

    Args:
        cells: in order, those that are not the student's restored.
        questions: of the set, by the grade_id of their cells.
        seed: see :func:`autograder.seeds.student_seed`; the same seed gives the same inputs, and so the same score.
        limits: what the submission may use.
        workers: where its workers come from.
        student: whose it is.

    Returns:
        What its questions got (answers that a person reads are not among them), and the outputs of each cell, none
        for text. Between two runs with one seed only ``seconds`` and ``peak_mb`` differ.

    Raises:
        IsolationError: a worker could not be started.
    """
    begun = time.perf_counter()
    references = asked_for(cells, questions)
    copy = library_copy(questions, workers.copies, references)

    def begun_anew() -> Session:
        return Session(workers, copy, limits)

    with begun_anew() as session:
        outcomes = told(list(grade_cells(cells, questions, seed, session)), questions)
        seconds = round(time.perf_counter() - begun, 4)
        restarts = session.restarts
        outcomes = second_run.with_references(outcomes, questions, seed, begun_anew)
        outcomes = with_edits(outcomes, questions, seed, session)
    used = handed_out(references)
    outcomes = noted(outcomes, used)
    graded = Graded(
        student,
        _marks(outcomes, questions),
        remarks=(*map(taken_remark, used), *copied(cells, questions)),
        trouble=troubles(outcomes),
        seed=seed,
        seconds=seconds,
        restarts=restarts,
        peak_mb=round(session.peak_kb / 1024, 1),
    )
    return graded, [of_cell(one) if one.cell.code else [] for one in outcomes]


def grade_notebook(
    notebook: bytes,
    questions: Questions,
    seed: int,
    limits: Limits | None = None,
    *,
    workers: WorkerSource,
    released: bytes | None = None,
) -> Graded:
    """Grade one submission in isolation; see :func:`play`.

    Args:
        notebook: the file that was handed in.
        questions, seed, limits, workers: as there.
        released: the notebook that was handed out; what it locks is put back before grading.

    Raises:
        NotebookError: the bytes are not a notebook.
        IsolationError: a worker could not be started.
    """
    cells: Sequence[Cell] = read(notebook).cells
    if released is not None:
        cells, _ = restore(cells, read(released).cells)
    return play(cells, questions, seed, limits, workers=workers)[0]
