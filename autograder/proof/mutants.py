"""Mutation test of the checks; a mutant is a reference answer with one small fault (:mod:`autograder.proof.faults`).

The question's check must refuse each one, or the set's ``proof.toml`` must name it and say why it is as right as the
reference (or why no check should see the difference). The list must be exact: a survivor that is not listed, and a listed
mutant that is killed or no longer exists, both fail. Only where an accuracy lies so close to a check's bar that rounding
decides, the reason begins with "either way:".

A question's mutants run on one fixed seed, each in a forked child with limits on time and memory, after the cells before
the answer have been run once (shortened, and with the stand-ins of ``proof.toml``). The first failing case ends a mutant.
All mutants run, none is left out.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from autograder.course import CourseError, questions_of
from autograder.judging import PUBLIC_SEED
from autograder.notebook import Cell, dump, read
from autograder.perform import quiet
from autograder.proof.drawn import Drawn
from autograder.proof.faults import Mutant, mutants
from autograder.proof.settings import settings, shorten
from autograder.question import Question
from autograder.source import solution_notebook

SECONDS = 10.0
"""Processor time of a mutant; more where the reference itself needs more than a tenth of it."""
TIMERS = ((signal.SIGPROF, signal.ITIMER_PROF, 1), (signal.SIGALRM, signal.ITIMER_REAL, 30))
"""Processor time, so that the load of the machine decides nothing; and time by the clock, for what only waits."""
_LIMITS = {limit for limit, _, _ in TIMERS}
MEMORY = 2 << 30
"""What a mutant may take on top of what is there when it starts."""
EITHER_WAY = "either way:"
"""So begins the reason of a listed mutant that may be killed as well."""


@dataclass(frozen=True)
class Trial:
    """A question, the cells to run before its answer, and those from its first answer cell on."""

    question: Question
    before: tuple[Cell, ...]
    cells: tuple[Cell, ...]

    @property
    def mutants(self) -> list[Mutant]:
        """All mutants of its answer cells."""
        return [
            one
            for cell in self.cells
            if cell.answer
            for one in mutants(cell.source, question=self.question.id, cell=cell.grade_id)
        ]


@dataclass(frozen=True)
class Tried:
    """What became of a mutant: ``killed`` says by what, and is empty where it survived."""

    mutant: Mutant
    killed: str
    seconds: float


@dataclass
class Survey:
    """What became of all mutants of a problem set, or of a question of it."""

    name: str
    questions: int = 0
    tried: list[Tried] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    not_listed: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def survivors(self) -> list[str]:
        """Names of the mutants that were not killed, in order."""
        return [one.mutant.name for one in self.tried if not one.killed]

    def hold_against(self, reasons: Mapping[str, str]) -> None:
        """Sort the survivors into listed and not listed ones, and find the listed names that are out of date."""
        survivors = self.survivors
        self.listed = [name for name in survivors if name in reasons]
        self.not_listed = [name for name in survivors if name not in reasons]
        killed = {one.mutant.name for one in self.tried if one.killed}
        self.stale = [
            name
            for name, reason in reasons.items()
            if name not in survivors and not (reason.startswith(EITHER_WAY) and name in killed)
        ]


def trials(root: Path, problem_set: str) -> list[Trial]:
    """The questions of a problem set, from its solution with the given cells shortened."""
    questions = questions_of(root, problem_set)
    notebook = dump(solution_notebook(root, problem_set, instructor=False))
    found: list[Trial] = []
    before: list[Cell] = []
    cells: list[Cell] = []
    for cell in read(shorten(notebook, settings(root, problem_set).brief)).cells:
        if cell.question and cell.grade_id in questions:
            found.append(Trial(questions[cell.grade_id], tuple(before), tuple(cells)))
            before, cells = [], []
        elif cell.code:
            (cells if cell.answer or cells else before).append(cell)
    return found


def execute(cells: Iterable[Cell], namespace: dict[str, Any], instead: Mutant | None = None) -> None:
    """Run cells in a namespace, one of them as the mutant has it."""
    for cell in cells:
        source = instead.source if instead is not None and cell.grade_id == instead.cell else cell.source
        exec(compile(source, f"<{cell.grade_id or 'cell'}>", "exec"), namespace)


def graded(trial: Trial, drawn: Drawn, namespace: dict[str, Any], instead: Mutant | None = None) -> str:
    """Run a question's cells, and grade: what the first case that fails is, or an empty string."""
    with quiet():
        execute(trial.cells, namespace, instead)
        return drawn.first_failure(namespace)


def apart(work: Callable[[], str], seconds: float = SECONDS, memory: int = MEMORY) -> str:
    """What ``work`` returns in a forked child; otherwise that it raised, or what ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with suppress(BaseException), os.fdopen(writing, "w") as answer:
            for limit, timer, after in TIMERS:
                signal.signal(limit, signal.SIG_DFL)
                signal.setitimer(timer, after * seconds)
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory,) * 2)
            try:
                said = work()
            except BaseException as error:
                said = f"raises {type(error).__name__}"
            json.dump(said, answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    if text:
        return str(json.loads(text))
    return "time" if os.WIFSIGNALED(status) and os.WTERMSIG(status) in _LIMITS else "ended early"


def try_question(trial: Trial, namespace: dict[str, Any]) -> Survey:
    """Grade every mutant of a question, in a namespace in which the cells before the answer have been run.

    Afterwards the reference answer has been run in it as well.

    Raises:
        CourseError: the reference answer does not get all points, here and in a child.
    """
    question, begun = trial.question, time.perf_counter()
    drawn = Drawn(question, PUBLIC_SEED)
    survey = Survey(question.id, questions=1)
    failure = graded(trial, drawn, dict(namespace))  # here, so that the children find every import made
    failure = failure or apart(partial(graded, trial, drawn, namespace), seconds=600)
    if failure:
        raise CourseError(f"the reference answer of {question.id} does not get all points: {failure}")
    limit = max(SECONDS, 10 * (time.perf_counter() - begun))
    for one in trial.mutants:
        started = time.perf_counter()
        killed = apart(partial(graded, trial, drawn, namespace, one), seconds=limit)
        survey.tried.append(Tried(one, killed, time.perf_counter() - started))
    with quiet():
        execute(trial.cells, namespace)
    survey.seconds = time.perf_counter() - begun
    return survey


def try_set(root: Path, problem_set: str, told: Callable[[Survey], None] = lambda survey: None) -> Survey:
    """Grade every mutant of a problem set; ``told`` hears of each question when it is done."""
    import matplotlib.pyplot as plt
    import torch

    plt.switch_backend("Agg")
    torch.set_num_threads(1)  # a forked child has none of its parent's threads
    begun = time.perf_counter()
    whole, known = Survey(problem_set), settings(root, problem_set)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for trial in trials(root, problem_set):
        with quiet():
            execute(trial.before, namespace)
            exec(known.stand_in.get(trial.question.id.split(".", 1)[1], ""), namespace)
        one = try_question(trial, namespace)
        told(one)
        plt.close("all")
        whole.questions += 1
        whole.tried += one.tried
    whole.hold_against(known.survivors)
    whole.seconds = time.perf_counter() - begun
    return whole
