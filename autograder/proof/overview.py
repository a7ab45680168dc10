"""The problem sets at a glance, read from their sources, checks and sample submissions, so that no table goes stale."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from autograder.course import CourseError, home_of, problem_sets, questions_of, source_of
from autograder.proof.mutants import trials
from autograder.proof.samples import samples
from autograder.source import solution_notebook

#: Seconds of each set, measured by ``python -m tools.measure_sets``.
MEASURED = "solutions/measured.json"
_ENTRY = re.compile(r"^\| \*\*(.+?)\*\* \| (.+?) \|$", re.MULTILINE)
_OBJECTIVE = re.compile(r"\b([A-Z]{2,4})-(\d+)(?: to (?:\1-)?(\d+))?\b")


@dataclass(frozen=True)
class SetRow:
    """One problem set.

    Args:
        name: of its folder.
        title: its first heading.
        checked, read: questions with a check, and answers that a person reads.
        checked_points, read_points: their points.
        objectives: of the book, in the order in which its first cells name them, ranges written out.
        time: of a student, as its head says.
        computing: as its head says.
        misconceptions: wrong hypotheses that its checks name.
        correct: sample submissions that must get all points.
        wrong: those that must lose points.
        mutants: reference answers with one small fault that the checks are tried on.
        reference_s: processor seconds of the solution's notebook, as measured; None where it was not.
        grading_s: seconds that its isolated grading takes.
    """

    name: str
    title: str
    checked: int
    read: int
    checked_points: float
    read_points: float
    objectives: tuple[str, ...]
    time: str
    computing: str
    misconceptions: int
    correct: int
    wrong: int
    mutants: int
    reference_s: float | None
    grading_s: float | None

    @property
    def objectives_text(self) -> str:
        """The objectives in short: ``LIF-1 to 3, ENC-2``."""
        numbers: dict[str, list[int]] = {}
        for objective in self.objectives:
            chapter, _, number = objective.partition("-")
            numbers.setdefault(chapter, []).append(int(number))
        parts = []
        for chapter, found in numbers.items():
            left = sorted(found)
            while left:
                run = next(
                    at for at in range(1, len(left) + 1) if left[at:] == [] or left[at] != left[0] + at
                )
                end = f" to {left[run - 1]}" if run > 2 else f", {chapter}-{left[1]}" if run == 2 else ""
                parts.append(f"{chapter}-{left[0]}{end}")
                left = left[run:]
        return ", ".join(parts)


def _head(notebook: Any) -> str:
    """The text in front of the first cell with a name."""
    return "\n\n".join(
        cell.source for cell in takewhile(lambda cell: "nbgrader" not in cell.metadata, notebook.cells)
    )


def _objectives(text: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for match in _OBJECTIVE.finditer(text):
        first, last = int(match[2]), int(match[3] or match[2])
        found.update(dict.fromkeys(f"{match[1]}-{number}" for number in range(first, last + 1)))
    return tuple(found)


def _row(root: Path, name: str) -> SetRow:
    notebook = solution_notebook(root, name)
    head = _head(notebook)
    entries = dict(_ENTRY.findall(head))
    title = re.search(r"^# (.+)$", head, re.MULTILINE)
    if title is None:
        raise CourseError(f"{name}: its source has no first heading")
    marked = [cell.metadata.get("nbgrader", {}) for cell in notebook.cells]
    graded = [cell for cell in marked if cell.get("grade")]
    read = [float(cell["points"]) for cell in graded if cell.get("solution")]
    checked = [float(cell["points"]) for cell in graded if not cell.get("solution")]
    measured = _read(root / MEASURED).get("sets", {}).get(name, {})
    checks = list(questions_of(root, name).values())
    right = [not any(map(sample.fails, checks)) for sample in samples(root, name)] if checks else []
    return SetRow(
        name=name,
        title=title[1],
        checked=len(checked),
        read=len(read),
        checked_points=sum(checked),
        read_points=sum(read),
        objectives=_objectives(head),
        time=entries.get("Your time", ""),
        computing=entries.get("Computing", ""),
        misconceptions=sum(len(check.slips) for check in checks),
        correct=sum(right),
        wrong=len(right) - sum(right),
        mutants=sum(len(trial.mutants) for trial in trials(root, name)) if checks else 0,
        reference_s=measured.get("reference_s"),
        grading_s=measured.get("grading_s"),
    )


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found


def objectives_of_sets(root: Path) -> dict[str, tuple[str, ...]]:
    """The objective ids that each problem set of a checkout names in its head."""
    return {name: _objectives(_head(solution_notebook(root, name))) for name in problem_sets(root)}


def table_of_sets(root: Path) -> list[SetRow]:
    """Every problem set of a checkout, by name."""
    return [_row(root, name) for name in problem_sets(root)]


def sources_of_table(root: Path) -> list[Path]:
    """The files that :func:`table_of_sets` reads: when one changes, so may the table."""
    names = problem_sets(root)
    files = [source_of(root, name) for name in names]
    files += [root / "autograder" / "checks" / f"{name}.py" for name in names]
    files += [home_of(root, name) / "samples.toml" for name in names]
    files += [root / MEASURED]
    return [file for file in files if file.is_file()]
