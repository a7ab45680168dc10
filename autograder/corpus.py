"""Sample submissions with the scores they must get: right, untouched, right in another style, and wrong.

``corpus/<set>/expected.json`` lists the samples; ``corpus/<set>/<sample>.py`` holds only the cells in which a sample
differs from the reference solution, each below a line ``# %% <grade_id>``. The solution itself and the untouched
release are made from the problem set's source, so there is no second copy of either.

An entry of ``expected.json`` has ``about`` (one line), ``scores`` (points of every question), ``misconceptions``
(the ids, in order, of each question that has any; a question that is not named must have none) and ``messages``
(for a question: text that its message must contain; for failures that no misconception explains).

``corpus/<set>/brief.json``, where there is one, shortens the given cells of the notebook (see :func:`brief`), so that
a sample is graded in seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from autograder.checks import checks_of
from autograder.checks.message import plain
from autograder.course import CourseError
from autograder.files import write_if_changed
from autograder.graded import Graded
from autograder.perform import quiet
from autograder.question import Question

CORPUS = Path(__file__).parent / "corpus"
SOLUTION, RELEASE = "solution", "untouched"


@dataclass(frozen=True)
class Sample:
    """One sample submission and what it must get.

    Args:
        name: the student's name that the sample goes by.
        about: one line.
        cells: source of the cells that differ from the solution, by grade_id.
        scores: points for each question.
        misconceptions: ids, for each question that has any.
        messages: text that a question's message must contain.
    """

    name: str
    about: str
    cells: Mapping[str, str]
    scores: Mapping[str, float]
    misconceptions: Mapping[str, list[str]]
    messages: Mapping[str, str]


def read_cells(path: Path) -> dict[str, str]:
    """The cells of a sample: text below each ``# %% <grade_id>``."""
    parts = re.split(r"^# %% (\S+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: text.strip("\n") for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def samples(problem_set: str) -> list[Sample]:
    """The samples of a problem set.

    Raises:
        CourseError: the set has no samples.
    """
    folder = CORPUS / problem_set
    if not (folder / "expected.json").is_file():
        raise CourseError(f"there are no sample submissions of {problem_set!r}")
    found = []
    for name, entry in json.loads((folder / "expected.json").read_text(encoding="utf-8")).items():
        patch = folder / f"{name}.py"
        found.append(
            Sample(
                name=name,
                about=entry["about"],
                cells=read_cells(patch) if patch.is_file() else {},
                scores=entry["scores"],
                misconceptions=entry.get("misconceptions", {}),
                messages=entry.get("messages", {}),
            )
        )
    return found


def brief(problem_set: str) -> dict[str, list[str] | None]:
    """How to shorten the given cells of a set where only the scores are wanted; empty where nothing is long.

    A cell, by grade_id, is left out (None), or the first text in it is replaced by the second.
    """
    place = CORPUS / problem_set / "brief.json"
    changes: dict[str, list[str] | None] = json.loads(place.read_text()) if place.is_file() else {}
    return changes


def shorten(notebook: bytes, problem_set: str) -> bytes:
    """A notebook of the set, released or handed in, with its given cells shortened; see :func:`brief`.

    Raises:
        CourseError: a cell no longer holds the text that is to be replaced.
    """
    changes = brief(problem_set)
    content = json.loads(notebook)
    for cell in content["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        if cell["cell_type"] == "code" and name in changes:
            cell["source"] = _shortened("".join(cell["source"]), name, changes)
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _shortened(source: str, name: str, changes: Mapping[str, list[str] | None]) -> str:
    change = changes.get(name, [])
    if change is None:
        return ""
    for old, new in zip(change[::2], change[1::2], strict=True):
        if old not in source:
            raise CourseError(f"brief.json: the cell {name!r} does not contain {old!r}")
        source = source.replace(old, new)
    return source


def _without_markers(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not re.match(r"\s*### (BEGIN|END) SOLUTION$", line))


def _is(cell: Any, kind: str) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get(kind, False))


def build(root: Path, problem_set: str, sample: Sample, released: bytes) -> bytes:
    """The notebook that a sample hands in: the released one with the sample's answers typed in.

    Raises:
        CourseError: the sample has a cell that the problem set does not have.
    """
    import nbformat

    from autograder.notebook import dump
    from autograder.source import solution_notebook

    notebook = nbformat.reads(released.decode(), as_version=4)  # type: ignore[no-untyped-call]
    solution = solution_notebook(root, problem_set)
    answers = {
        cell.metadata.nbgrader.grade_id: cell.source for cell in solution.cells if _is(cell, "solution")
    }
    unknown = set(sample.cells) - set(answers)
    if unknown:
        raise CourseError(
            f"sample {sample.name!r} of {problem_set}: there is no answer cell {min(unknown)!r}"
        )
    if sample.name != RELEASE:
        for cell in notebook.cells:
            if _is(cell, "solution"):
                name = cell.metadata.nbgrader.grade_id
                cell.source = sample.cells.get(name, _without_markers(answers[name]))
    return dump(notebook)


def write_samples(root: Path, problem_set: str) -> Path:
    """Write all samples as notebooks to ``build/corpus/<set>/``; the folder."""
    from autograder.course import exercise_of

    released = exercise_of(root, problem_set)
    if not released.is_file():
        raise CourseError(f"{released.relative_to(root)} does not exist; run: make exercises")
    folder = root / "build" / "corpus" / problem_set
    known = set()
    for sample in samples(problem_set):
        place = folder / f"{sample.name}.ipynb"
        write_if_changed(place, build(root, problem_set, sample, released.read_bytes()))
        known.add(place)
    for old in folder.glob("*.ipynb"):
        if old not in known:
            old.unlink()
    return folder


Outcome = TypeVar("Outcome")


def play(
    notebook: bytes,
    problem_set: str,
    ask: Callable[[Question, dict[str, Any]], Outcome],
    changes: Mapping[str, list[str] | None] | None = None,
) -> dict[str, Outcome]:
    """Run a notebook's cells in this process and put its questions: quick, for the course's own samples only.

    As under nbgrader, a cell that raises does not stop the others.

    Args:
        notebook: the file's bytes.
        problem_set: its name.
        ask: what to do with a check and the names there are where it stands, for instance to run it.
        changes: cells to shorten, see :func:`brief`.

    Returns:
        What ``ask`` gave for each question, by id, in the notebook's order.
    """
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    checks = {check.id.split(".")[1]: check for check in checks_of(problem_set)}
    namespace: dict[str, Any] = {"__name__": "__main__"}
    results = {}
    for cell in json.loads(notebook)["cells"]:
        if cell["cell_type"] != "code":
            continue
        name = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        if name in checks:
            results[checks[name].id] = ask(checks[name], namespace)
            continue
        source = _shortened("".join(cell["source"]), name, changes or {})
        with quiet():
            try:
                exec(compile(source, f"<{name or 'cell'}>", "exec"), namespace)
            except Exception:
                continue
            finally:
                plt.close("all")
    return results


def mismatches(
    sample: Sample, question: str, score: float | None, misconceptions: Sequence[str], message: str
) -> list[str]:
    """What is not as expected in the outcome of one question of a sample; empty when all is."""
    place, lines = f"{sample.name}, {question}", []
    if score != sample.scores[question]:
        lines.append(f"{place}: {'absent' if score is None else score}; expected {sample.scores[question]}")
    wanted = sample.misconceptions.get(question, [])
    if list(misconceptions) != wanted:
        lines.append(f"{place}: misconceptions {list(misconceptions)}; expected {wanted}")
    if sample.messages.get(question, "") not in message:
        lines.append(f"{place}: the message does not contain {sample.messages[question]!r}: {message!r}")
    return lines


def differences(problem_set: str, grades: Sequence[Graded]) -> list[str]:
    """One line for each sample and question whose score, misconceptions or message are not the expected ones."""
    lines = []
    by_name = {grade.student: grade for grade in grades}
    for sample in samples(problem_set):
        got = by_name.get(sample.name)
        if got is None or got.problem:
            lines.append(f"{sample.name}: not graded{f': {got.problem}' if got else ''}")
            continue
        for question in sample.scores:
            one = got.questions.get(question)
            if one is None or one.result is None:
                lines += mismatches(sample, question, None, [], one.fault if one else "")
            else:
                lines += mismatches(sample, question, one.score, one.result.slips, plain(one.result))
    return lines
