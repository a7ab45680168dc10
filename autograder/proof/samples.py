"""Sample submissions: whole answers of which it is known what becomes of them.

``solutions/<set>/samples.toml`` says for each sample where it differs from the reference:

    [hasty]
    about = "a sum for a mean"

    [hasty.rate]                                         # the question
    fails = { drawn = "sum_for_mean", edges = "(error)" }
    edit = '''
    -    return spikes.mean(axis=0)
    +    return spikes.sum(axis=0)
    '''

``fails`` names every group that fails, with the slip that is named there or, where none is, the kind of failure in
brackets (two of them in a list, where the drawn cases decide which); a description of the numbers, or an edit that mends
all, may be told in the place of either. Points follow from the groups. ``says`` is text
that the message must contain. ``cell`` in place of ``edit`` is a cell of its own. What is not there is answered as in the
reference, and is right. Cells of a whole sample may stand in ``<sample>.py`` beside it, each below ``# %% answer="..."``.

Two samples need no entry: the reference itself, and the released notebook with nothing answered.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from autograder.course import CourseError, exercise_of, home_of, questions_of, source_of
from autograder.files import write_if_changed
from autograder.graded import Graded
from autograder.language import DESCRIBED, MENDED
from autograder.message import plain
from autograder.notebook import parse, read, with_sources, write
from autograder.proof.edits import EditError, edited
from autograder.question import Question
from autograder.result import Result
from autograder.source import ANSWER, solution_notebook

SOLUTION, RELEASE = "solution", "untouched"
UNANSWERED = ("(unanswered)", "(missing)")
_CELL = re.compile(r'^# %% answer="(\w+)"\n', re.MULTILINE)
_MARKER = re.compile(r"\s*### (BEGIN|END) SOLUTION$")


@dataclass(frozen=True)
class Variant:
    """How a sample answers one question, and what becomes of it; see the module."""

    edit: str = ""
    cell: str = ""
    fails: Mapping[str, str | list[str]] = field(default_factory=dict)
    says: str = ""

    def source(self, reference: str) -> str:
        """The answer cell."""
        if self.edit:
            return edited(reference, self.edit)
        return self.cell.strip("\n") or reference


@dataclass(frozen=True)
class Sample:
    """One sample submission.

    Args:
        name: the student's name that it goes by.
        about: one line.
        answers: by name of the answer, where it differs from the reference or does not get all points.
    """

    name: str
    about: str
    answers: Mapping[str, Variant] = field(default_factory=dict)

    def fails(self, question: Question) -> dict[str, tuple[str, ...]]:
        """For each group of a question that must fail, what may be named: slips, or kinds in brackets."""
        if self.name == RELEASE:
            return {group.id: UNANSWERED for group in question.groups}
        fails = self.answers.get(_name(question), Variant()).fails
        return {id: (one,) if isinstance(one, str) else tuple(one) for id, one in fails.items()}

    def points(self, question: Question) -> float:
        """What it must get for a question."""
        return float(sum(group.points for group in question.groups if group.id not in self.fails(question)))

    def mismatches(self, question: Question, result: Result) -> list[str]:
        """What is not as expected in the outcome of one question; empty when all is."""
        place, wanted = f"{self.name}, {_name(question)}", self.fails(question)
        lines = []
        for group in result.groups:
            got = group.slip.id if group.slip else f"({group.failure.kind})" if group.failure else "right"
            may_be = wanted.get(group.id, ("right",))
            of_language = group.slip is not None and group.slip.id in (MENDED, *DESCRIBED)
            if got not in may_be and not (of_language and "right" not in may_be):
                lines.append(f"{place}, {group.id}: {got}; expected {' or '.join(may_be)}")
        says, message = self.answers.get(_name(question), Variant()).says, plain(result)
        if says not in message:
            lines.append(f"{place}: the message does not contain {says!r}: {message!r}")
        return lines


def _name(question: Question) -> str:
    return str(question.id).split(".", 1)[1]


def samples(root: Path, problem_set: str) -> list[Sample]:
    """The samples of a problem set, the reference and the untouched release first.

    Raises:
        CourseError: the set has none, or an entry cannot be; the message names it.
    """
    place = home_of(root, problem_set) / "samples.toml"
    if not place.is_file():
        raise CourseError(f"there are no sample submissions of {problem_set!r}: {place} does not exist")
    found = [
        Sample(SOLUTION, "the reference solution"),
        Sample(RELEASE, "the released notebook, nothing answered"),
    ]
    try:
        entries = tomllib.loads(place.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise CourseError(f"{place}: {error}") from error
    groups = {
        _name(one): [group.id for group in one.groups] for one in questions_of(root, problem_set).values()
    }
    for name, entry in entries.items():
        try:
            about = entry.pop("about")
            cells = _cells(place.with_name(f"{name}.py"))
            answers = {answer: Variant(**given) for answer, given in entry.items()}
            for answer, given in answers.items():
                _possible(answer, given, groups, set(cells))
        except (KeyError, TypeError, ValueError) as error:
            raise CourseError(f"{place}, [{name}]: {error}") from error
        found.append(Sample(name, about, answers | {one: Variant(cell=text) for one, text in cells.items()}))
    return found


def sample(root: Path, problem_set: str, name: str) -> Sample:
    """One of the samples.

    Raises:
        CourseError: there is none of this name; the message lists those that exist.
    """
    found = {one.name: one for one in samples(root, problem_set)}
    if name not in found:
        raise CourseError(f"{problem_set} has no sample {name!r}; there are: {', '.join(found)}")
    return found[name]


def _possible(answer: str, given: Variant, groups: Mapping[str, Sequence[str]], cells: set[str]) -> None:
    if given.edit and given.cell:
        raise ValueError(f"{answer} has an edit and a cell; one of them is the answer")
    if answer in cells:
        raise ValueError(f"{answer} stands in the file of cells as well")
    strange = set(given.fails) - set(groups.get(answer, ()))
    if strange:
        raise ValueError(
            f"{answer} has no group {min(strange)!r}; there are: {', '.join(groups.get(answer, ())) or 'none'}"
        )


def _cells(place: Path) -> dict[str, str]:
    """Cells of a file by name of the answer; none where there is no file."""
    parts = _CELL.split(place.read_text(encoding="utf-8") if place.is_file() else "")
    return {name: text.strip("\n") for name, text in zip(parts[1::2], parts[2::2], strict=True)}


@cache
def _reference(root: Path, problem_set: str, changed: int) -> dict[str, str]:
    """The reference's answer cells by grade_id, as a student would hand them in; ``changed`` tells versions apart."""
    return {
        cell.grade_id: "\n".join(line for line in cell.source.split("\n") if not _MARKER.match(line))
        for cell in parse(solution_notebook(root, problem_set)).cells
        if cell.answer
    }


def reference(root: Path, problem_set: str) -> dict[str, str]:
    """The reference's answers by grade_id, as a student would hand them in."""
    return _reference(root, problem_set, source_of(root, problem_set).stat().st_mtime_ns)


def sources(root: Path, problem_set: str, sample: Sample) -> dict[str, str]:
    """What a sample writes into the answer cells, by grade_id.

    Raises:
        CourseError: an edit does not fit the reference, or there is no such answer cell.
    """
    found = dict(reference(root, problem_set))
    for name, answer in sample.answers.items():
        cell = f"{name}{ANSWER}"
        if cell not in found:
            raise CourseError(f"sample {sample.name!r} of {problem_set}: there is no answer cell {name!r}")
        try:
            found[cell] = answer.source(found[cell])
        except EditError as error:
            raise CourseError(f"sample {sample.name!r} of {problem_set}, {name}: {error}") from error
    return found


def build(root: Path, problem_set: str, sample: Sample, released: bytes) -> bytes:
    """The notebook that a sample hands in: the released one with the sample's answers typed in.

    Raises:
        CourseError: see :func:`sources`.
    """
    if sample.name == RELEASE:
        return released
    return write(with_sources(read(released), sources(root, problem_set, sample)))


def released_notebook(root: Path, problem_set: str) -> bytes:
    """The student's notebook.

    Raises:
        CourseError: it was not made yet.
    """
    place = exercise_of(root, problem_set)
    if not place.is_file():
        raise CourseError(f"{place.relative_to(root)} does not exist; run: make exercises")
    return place.read_bytes()


def write_samples(root: Path, problem_set: str) -> Path:
    """Write all samples as notebooks to ``build/samples/<set>/``; the folder."""
    released = released_notebook(root, problem_set)
    folder = root / "build" / "samples" / problem_set
    known = set()
    for sample in samples(root, problem_set):
        place = folder / f"{sample.name}.ipynb"
        write_if_changed(place, build(root, problem_set, sample, released))
        known.add(place)
    for old in set(folder.glob("*.ipynb")) - known:
        old.unlink()
    return folder


def differences(root: Path, problem_set: str, grades: Iterable[Graded]) -> list[str]:
    """One line for each group of cases of each sample that did not get what it must."""
    lines = []
    by_name = {grade.student: grade for grade in grades}
    for one in samples(root, problem_set):
        got = by_name.get(one.name)
        if got is None or got.problem:
            lines.append(f"{one.name}: not graded{f': {got.problem}' if got else ''}")
            continue
        for question in questions_of(root, problem_set).values():
            mark = got.questions.get(_name(question))
            if mark is None or mark.result is None:
                why = mark.fault if mark is not None else ""
                lines.append(f"{one.name}, {_name(question)}: no result{f': {why}' if why else ''}")
            else:
                lines += one.mismatches(question, mark.result)
    return lines
