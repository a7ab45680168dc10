"""What grading a submission gives, as plain data, and where it is kept.

A result is one file, ``students/<name>.json``, written as a whole as soon as it is there, with a key: a hash of all that
decides it. A result whose key is still the same is not worked out again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autograder.files import write_if_changed


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


def _place(out: Path, student: str) -> Path:
    return out / "students" / f"{student}.json"


def keep(out: Path, key: str, grade: StudentGrade) -> None:
    """Write one result into the folder of results."""
    entry = {"key": key, "grade": asdict(grade)}
    write_if_changed(_place(out, grade.student), json.dumps(entry, indent=1).encode())


def kept(out: Path, student: str, key: str) -> StudentGrade | None:
    """The result written before under the same key, if there is one and it can be read."""
    try:
        entry = json.loads(_place(out, student).read_text())
        return StudentGrade.from_json(entry["grade"]) if entry["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
