"""What grading one submission gives: data from the worker to the page, in one schema, kept by key.

A submission's outcome is one file, ``students/<name>.json``, written as a whole as soon as it is there, with a key: a hash
of all that decides it. One whose key is still the same is not worked out again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import msgspec

from autograder.files import write_if_changed
from autograder.result import Result


@dataclass(frozen=True)
class Trouble:
    """A cell that did not come to its end, and how (see ``isolation.session.CellResult``); ``error``: by an exception."""

    cell: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class Given:
    """What a person gave to one cell: points (None: nothing yet, or only a comment), and a comment."""

    score: float | None = None
    comment: str = ""


@dataclass(frozen=True)
class Mark:
    """What one graded cell got.

    Args:
        points: that can be had.
        auto: its score without a person; None while a person has yet to read it.
        manual: whether a person gives the points.
        result: of its check.
        given: points that a person gave, which take the place of ``auto``.
        fault: what went wrong on the grader's side.
        seconds: wall time of the question.
    """

    points: float
    auto: float | None
    manual: bool = False
    result: Result | None = None
    given: float | None = None
    fault: str = ""
    seconds: float = 0.0

    @property
    def score(self) -> float | None:
        """The points it has now; None while a person has yet to read it."""
        return self.auto if self.given is None else self.given

    @property
    def lost(self) -> bool:
        """Whether it has fewer points than can be had."""
        return self.score is not None and self.score < self.points

    @property
    def stop(self) -> str:
        """What it took, of how much, where a limit of time stopped it; otherwise empty."""
        failures = self.result.failed.values() if self.result is not None else ()
        stop = next((failure.sentence for failure in failures if failure.kind == "time"), "")
        if not (stop and self.result and self.result.seconds):
            return stop
        return f"{self.result.seconds:.1f} s of {self.result.allowed:g} s of processor time"


@dataclass(frozen=True)
class Graded:
    """One submission's outcome, or why there is none.

    Args:
        student: the student's identifier.
        questions: what each graded cell got, by grade_id, in the notebook's order.
        problem: why it could not be graded; empty when it was.
        remarks: what was put right before grading, and what happened in it.
        trouble: cells that did not come to their end, by an exception too.
        seed: of the student's inputs; 0 under stock nbgrader, where the inputs are the public ones.
        seconds: wall time of the whole submission.
        restarts: how often the process that ran it had to be replaced.
        peak_mb: most memory that it held.
        version: of the code that graded it.
        comments: what people wrote to it, by cell.
        handed_in: when, if that is known.
        late_s: seconds handed in after the due time.
        penalty: points taken off for that.
        group: of the group submission that it is, otherwise empty.
        final: whether the same submission would get the same; one that a limit stopped is graded again by the next run.
    """

    student: str
    questions: dict[str, Mark] = field(default_factory=dict)
    problem: str = ""
    remarks: tuple[str, ...] = ()
    trouble: tuple[Trouble, ...] = ()
    seed: int = 0
    seconds: float = 0.0
    restarts: int = 0
    peak_mb: float = 0.0
    version: str = ""
    comments: dict[str, str] = field(default_factory=dict)
    handed_in: datetime | None = None
    late_s: float = 0.0
    penalty: float = 0.0
    group: str = ""
    final: bool = True

    @property
    def stops(self) -> dict[str, str]:
        """Cells and questions that a limit of time stopped, and what they took, of how much."""
        cells = {one.cell: one.reason for one in self.trouble if one.status == "time"}
        return {**cells, **{name: said for name, mark in self.questions.items() if (said := mark.stop)}}

    @property
    def raw(self) -> float:
        """Points so far, before any penalty."""
        return float(sum(mark.score or 0.0 for mark in self.questions.values()))

    @property
    def score(self) -> float:
        """Points so far, less the penalty."""
        return max(0.0, self.raw - self.penalty)

    @property
    def points(self) -> float:
        """Points that can be had."""
        return float(sum(mark.points for mark in self.questions.values()))

    @property
    def pending(self) -> float:
        """Points that a person has yet to give or not."""
        return sum(mark.points for mark in self.questions.values() if mark.score is None)


def graded_again(first: Graded, alone: Graded) -> Graded:
    """The outcome of a submission that a limit of time stopped and that was graded again, alone: the second one counts."""
    if alone.problem:
        return alone
    if alone.stops:
        remark = (
            f"stopped by a limit of time, and stopped again when it was graded alone: {_some(alone.stops)}; "
            "the next run grades it once more"
        )
        return replace(alone, remarks=(*alone.remarks, remark), final=False)
    took = {
        name: f"{mark.result.seconds:.1f} s"
        for name, mark in alone.questions.items()
        if name in first.stops and mark.result is not None
    }
    then = f": {_some(took)}" if took else ""
    remark = f"stopped by a limit of time at first: {_some(first.stops)}; not so when it was graded again alone{then}"
    return replace(alone, remarks=(*alone.remarks, remark))


def _some(took: Mapping[str, str]) -> str:
    """What the first of some cells and questions took, and how many more there are."""
    more = f", and {len(took) - 2} more" if len(took) > 2 else ""
    return ", ".join(f"{name} ({what})" for name, what in list(took.items())[:2]) + more


def with_given(graded: Graded, given: Mapping[str, Given]) -> Graded:
    """A submission with the points and comments that people gave, by cell; points that were taken back are gone."""
    questions = {
        name: replace(mark, given=given[name].score) if name in given else mark
        for name, mark in graded.questions.items()
    }
    comments = {name: one.comment for name, one in given.items() if one.comment}
    return replace(graded, questions=questions, comments=comments)


def without_measures(graded: Graded) -> Graded:
    """A submission's outcome without seconds and memory: all that is the same whenever and wherever it is graded."""

    def bare(mark: Mark) -> Mark:
        result = mark.result and replace(mark.result, seconds=0.0)
        return replace(mark, seconds=0.0, result=result)

    questions = {name: bare(mark) for name, mark in graded.questions.items()}
    return replace(graded, questions=questions, seconds=0.0, peak_mb=0.0)


@dataclass(frozen=True)
class _Kept:
    key: str
    graded: Graded


def _place(out: Path, student: str) -> Path:
    return out / "students" / f"{student}.json"


def keep(out: Path, key: str, graded: Graded) -> None:
    """Write one submission's outcome into the folder of results."""
    write_if_changed(
        _place(out, graded.student), msgspec.json.format(msgspec.json.encode(_Kept(key, graded)))
    )


def kept(out: Path, student: str, key: str) -> Graded | None:
    """What was written before under the same key, if there is something and it can be read."""
    try:
        found = msgspec.json.decode(_place(out, student).read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
    return found.graded if found.key == key else None


@dataclass(frozen=True)
class _Results:
    problem_set: str
    grades: tuple[Graded, ...]


def encode_results(problem_set: str, grades: Sequence[Graded]) -> bytes:
    """All outcomes of a set as the file ``results.json``."""
    return msgspec.json.format(msgspec.json.encode(_Results(problem_set, tuple(grades)))) + b"\n"


def decode_results(data: bytes) -> list[Graded]:
    """The inverse of :func:`encode_results`.

    Raises:
        ValueError: it is not such a file; the message names the field that is wrong.
    """
    return list(msgspec.json.decode(data, type=_Results).grades)
