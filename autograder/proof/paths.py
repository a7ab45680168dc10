"""Whether the notebook and the grading decide alike.

Every sample is played in a Jupyter kernel, as a student does, at the public seed, and in the sandbox, as an instructor does,
at many seeds, once more beside busy processes. Each group of cases must get the same, and be told the same, everywhere.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from autograder.course import CELL_TIMEOUT, questions_of
from autograder.isolation import runner
from autograder.isolation.source import WarmParent, WorkerSource
from autograder.judging import PUBLIC_SEED
from autograder.notebook import Notebook, read
from autograder.proof.samples import Sample, build, released_notebook
from autograder.proof.settings import settings, shorten
from autograder.question import Question
from autograder.restoring import restore
from autograder.result import Result

#: CPU seconds of the right answer's cases above which a question is asked with few seeds only.
LONG = 1.0

Outcome = dict[str, str]  # what each group of each question got: right, or what is said of it


@dataclass
class Differences:
    """What was compared, and where two ways differ: one line each."""

    compared: int = 0
    points: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def note(self, where: str, here: Outcome, there: Outcome) -> None:
        """Hold what one way gave against what the other did."""
        for place in here.keys() | there.keys():
            self.compared += 1
            one, other = here.get(place, "nothing"), there.get(place, "nothing")
            if (one == "right") != (other == "right"):
                self.points.append(f"{where}, {place}: {one} and {other}")
            elif one != other:
                self.words.append(f"{where}, {place}: {one} and {other}")


def outcome(results: Iterable[Result]) -> Outcome:
    """What each group got, by ``question group``."""
    found = {}
    for result in results:
        for group in result.groups:
            said = group.slip.id if group.slip else f"({group.failure.kind})" if group.failure else ""
            found[f"{result.question} {group.id}"] = "right" if group.score == group.points else said
    return found


def in_kernel(notebook: Notebook, timeout: float = 10 * CELL_TIMEOUT) -> list[Result]:
    """What the check cells show in a fresh kernel that runs the notebook's cells in order."""
    from jupyter_client.manager import start_new_kernel

    shown: list[Result] = []

    def hear(message: dict[str, Any]) -> None:
        found = message["content"].get("metadata", {}).get("autograder")
        if found is not None:
            shown.append(msgspec.convert(found, type=Result, strict=False))

    def pass_over(message: dict[str, Any]) -> None:
        pass

    with tempfile.TemporaryDirectory() as folder:
        manager, client = start_new_kernel(startup_timeout=120, cwd=folder)
        try:
            for cell in notebook.cells:
                if cell.code:
                    hook = hear if cell.question else pass_over
                    client.execute_interactive(cell.source, timeout=timeout, output_hook=hook)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return shown


def in_sandbox(
    handed_in: Notebook,
    released: Notebook,
    questions: Mapping[str, Question],
    seed: int,
    workers: WorkerSource,
) -> list[Result]:
    """What grading gives at a seed."""
    graded, _ = runner.play(
        restore(handed_in.cells, released.cells)[0], questions, seed, workers=workers, student="sample"
    )
    return [mark.result for mark in graded.questions.values() if mark.result is not None]


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but keep the processors busy."""
    context = multiprocessing.get_context("spawn")
    hogs = [context.Process(target=_spin, args=(os.getpid(),), daemon=True) for _ in range(count)]
    for hog in hogs:
        hog.start()
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.join()


def _spin(parent: int) -> None:
    while os.getppid() == parent:
        sum(range(1_000_000))


def short(results: Iterable[Result]) -> set[str]:
    """Questions that many seeds can be asked of."""
    return {result.question for result in results if result.seconds < LONG}


def compare(
    root: Path,
    problem_set: str,
    samples: Iterable[Sample],
    seeds: Sequence[int],
    *,
    long_seeds: int = 5,
    hogs: int = 8,
) -> Differences:
    """Play samples both ways, and hold everything against the notebook at the public seed.

    Args:
        root: the checkout, with the released notebooks.
        problem_set: the set of the samples.
        samples: the samples to play.
        seeds: seeds of the cases in grading; the first is also graded beside busy processes.
        long_seeds: how many of them are used where something is trained.
        hogs: how many busy processes.

    Raises:
        CourseError: the released notebook is missing, or does not fit the samples.
    """
    brief, every = settings(root, problem_set).brief, questions_of(root, problem_set)
    bare = shorten(released_notebook(root, problem_set), brief)
    released, found = read(bare), Differences()
    with tempfile.TemporaryDirectory() as folder, _parent(Path(folder)) as workers:
        for sample in samples:
            notebook = read(build(root, problem_set, sample, bare))
            told = in_kernel(notebook)
            public = in_sandbox(notebook, released, every, PUBLIC_SEED, workers)
            wanted, quick = outcome(told), short(public)
            found.note(f"{sample.name}, kernel and sandbox", wanted, outcome(public))
            for number, seed in enumerate(seeds):
                asked = {name: one for name, one in every.items() if number < long_seeds or one.id in quick}
                here = {
                    place: said
                    for place, said in wanted.items()
                    if any(place.startswith(f"{one.id} ") for one in asked.values())
                }
                got = in_sandbox(notebook, released, asked, seed, workers)
                found.note(f"{sample.name}, seed {seed}", here, outcome(got))
            if hogs:
                with busy(hogs):
                    got = in_sandbox(notebook, released, every, seeds[0], workers)
                found.note(f"{sample.name}, beside {hogs} busy processes", wanted, outcome(got))
    return found


@contextlib.contextmanager
def _parent(folder: Path) -> Iterator[WorkerSource]:
    with WarmParent(folder / "copies", cache=folder / "warm", unsafe=True) as parent:
        parent.start()
        yield parent
