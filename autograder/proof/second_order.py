"""Faults that the mutation engine does not make: an iteration too few, a seed in the loop, an argument overwritten.

``solutions/<set>/second_order.toml`` lists them by question and kind, as edits of the reference answer:

    [training.seed_in_the_loop]
    edits = [["    for _ in range(epochs):", "    for _ in range(epochs):\n        generator.manual_seed(seed)"]]

``survives`` says why a fault is as right as the reference, where no check refuses it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from autograder.course import CourseError, home_of, questions_of
from autograder.judging import PUBLIC_SEED
from autograder.notebook import read
from autograder.perform import quiet
from autograder.proof.drawn import Drawn
from autograder.proof.samples import reference, released_notebook
from autograder.proof.settings import settings, shorten
from autograder.source import ANSWER


@dataclass(frozen=True)
class Fault:
    """An edit of one reference answer, and why it is as right, if it is."""

    question: str
    kind: str
    edits: tuple[tuple[str, str], ...]
    survives: str = ""

    def source(self, answer: str) -> str:
        """The answer with the fault.

        Raises:
            CourseError: the answer does not hold the text that is to be replaced.
        """
        for old, new in self.edits:
            if old not in answer:
                raise CourseError(f"second_order.toml, {self.question}.{self.kind}: there is no {old!r}")
            answer = answer.replace(old, new)
        return answer


def listed(root: Path, problem_set: str) -> list[Fault]:
    """The faults of a set; none where it has no list.

    Raises:
        CourseError: the file cannot be read.
    """
    place = home_of(root, problem_set) / "second_order.toml"
    if not place.is_file():
        return []
    try:
        tables = tomllib.loads(place.read_text(encoding="utf-8"))
        return [
            Fault(question, kind, tuple((old, new) for old, new in fields.pop("edits")), **fields)
            for question, kinds in tables.items()
            for kind, fields in kinds.items()
        ]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise CourseError(f"{place}: {error}") from error


class Played:
    """The reference's cells up to one question, run once; each fault is a cell in the place of its answer."""

    def __init__(self, root: Path, problem_set: str, question: str) -> None:
        self.answers = reference(root, problem_set)
        self.question = questions_of(root, problem_set)[question]
        self.name, self.cell = question, f"{question}{ANSWER}"
        self.notebook = shorten(released_notebook(root, problem_set), settings(root, problem_set).brief)

    @cached_property
    def cells(self) -> tuple[list[str], list[str]]:
        """Sources before the answer, and between it and its check."""
        parts: tuple[list[str], list[str]] = ([], [])
        behind = 0
        for cell in read(self.notebook).cells:
            if cell.question and cell.grade_id == self.name:
                break
            if cell.grade_id == self.cell:
                behind = 1
            elif cell.code and not cell.question:
                parts[behind].append(self.answers.get(cell.grade_id, cell.source))
        return parts

    @cached_property
    def before(self) -> dict[str, Any]:
        """Names that there are before the answer."""
        import matplotlib.pyplot as plt

        plt.switch_backend("Agg")
        space: dict[str, Any] = {"__name__": "__main__"}
        _run(self.cells[0], space)
        plt.close("all")
        return space

    @cached_property
    def drawn(self) -> Drawn:
        return Drawn(self.question, PUBLIC_SEED)

    def refused(self, fault: Fault) -> str:
        """Group and case that refuse a fault, or an empty string."""
        space = dict(self.before)
        _run([fault.source(self.answers[self.cell]), *self.cells[1]], space)
        return self.drawn.first_failure(space)


def _run(sources: list[str], space: dict[str, Any]) -> None:
    with quiet():
        for source in sources:
            exec(compile(source, "<cell>", "exec"), space)


def wrong_about(root: Path, problem_set: str) -> Iterator[str]:
    """Faults that survive and give no reason, or that give one and are refused."""
    played: Mapping[str, Played] = {}
    for fault in listed(root, problem_set):
        if fault.question not in played:
            played = {fault.question: Played(root, problem_set, fault.question)}
        refused = played[fault.question].refused(fault)
        if bool(refused) == bool(fault.survives):
            said = (
                f"is refused ({refused}), and a reason is given" if refused else "survives without a reason"
            )
            yield f"{fault.question}.{fault.kind} {said}"
