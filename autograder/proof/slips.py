"""Slips of the language, and right answers in varied styles: what is told of the first, and that none of the second is
refused.

``solutions/<set>/slips.toml`` and ``solutions/<set>/rights.toml`` are lists that anyone can add to who knows the released
notebook only; ``solutions/slips.md`` says how. This module reads them, puts each answer to its question as the notebook's
``check`` does, each in a process of its own, and counts: named by the first sentence, another sentence, nothing.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from autograder.course import CourseError, home_of
from autograder.judging import run
from autograder.language import MENDED
from autograder.notebook import Cell
from autograder.perform import quiet
from autograder.proof.edits import EditError, edited
from autograder.proof.mutants import Trial, apart, execute, trials
from autograder.proof.samples import reference
from autograder.proof.settings import settings
from autograder.result import Result
from autograder.source import ANSWER

KINDS: Mapping[str, frozenset[str]] = {
    kind: frozenset((kind, *also.split()))
    for kind, also in {
        "nothing_returned": "",
        "swapped_pair": "",
        "list_for_tensor": "number_for_tensor numpy_for_tensor number_of_results list_returned array_returned",
        "if_on_tensor": "",
        "missing_super": "super_arguments",
        "keyword_renamed": "other_arguments",
        "wrong_axis": "no_such_axis shapes_do_not_meet transposed reduced not_reduced other_axis",
        "batch_time_exchanged": "transposed other_axis",
        "one_hot_without_classes": "",
        "integer_for_float": "whole_numbers rounded dtype_changed types_meet",
        "in_place_on_leaf": "in_place",
        "detached": "no_gradient gradients_off numpy_for_tensor number_for_tensor list_for_tensor",
        "last_missing": "first_missing one_extra one_too_far return_in_loop",
        "sign": "",
        "reciprocal": "",
        "factor_two": "",
        "one_step_off": "",
        "mean_for_sum": "sum_for_mean",
        "variance_for_deviation": "deviation_for_variance",
    }.items()
}
"""Kinds of slips, each with the names of the sentences that tell it."""
SECONDS = 60.0


@dataclass(frozen=True)
class Entry:
    """An answer of a list: the cell, the lines that a slip is in, and what else its sentence may be called.

    A right answer has no ``kind``.
    """

    question: str
    cell: str
    name: str
    kind: str = ""
    lines: frozenset[int] = frozenset()
    named_by: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Told:
    """What became of an entry.

    ``outcome``: named, another (sentence), nothing, right (all points) or refused (not all points); ``sure`` is about the
    sentence, and ``text`` is it, or what failed.
    """

    entry: Entry
    outcome: str
    sure: bool = True
    text: str = ""


@dataclass
class Tally:
    """What became of the entries of a set."""

    name: str
    told: list[Told] = field(default_factory=list)

    @property
    def slips(self) -> list[Told]:
        """Wrong answers; one that got all points is in the list by mistake, or a hole in the check."""
        return [one for one in self.told if one.entry.kind]

    def count(self, outcome: str, *sure: bool) -> int:
        """Entries with an outcome, of which the sentence is sure, or not."""
        return sum(one.outcome == outcome and one.sure in (sure or (True, False)) for one in self.told)

    @property
    def complaints(self) -> list[str]:
        """A line for each entry that was not named, or not as right as it should be."""
        return [
            f"{one.entry.question}, {one.entry.kind or 'right'} {one.entry.name}: {one.outcome}"
            f"{'' if one.sure else ' (perhaps)'}: {one.text}"
            for one in self.told
            if one.outcome != ("named" if one.entry.kind else "right")
        ]


# ------------------------------------------------------------------------------------------------------ the lists


def _listed(place: Path, kind: str) -> list[dict[str, Any]]:
    if not place.is_file():
        return []
    try:
        content = tomllib.loads(place.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise CourseError(f"{place}: {error}") from error
    if strange := set(content) - {kind}:
        raise CourseError(f"{place}: there is {min(strange)!r}; each entry begins with [[{kind}]]")
    return list(content.get(kind, []))


def _changed(before: str, after: str) -> frozenset[int]:
    """Numbers of the lines that are new; where lines are only gone, of the one that stands there now."""
    matcher = difflib.SequenceMatcher(None, before.split("\n"), after.split("\n"), autojunk=False)
    places: set[int] = set()
    for what, _, _, begin, end in matcher.get_opcodes():
        if what != "equal":
            places |= set(range(begin + 1, max(end, begin + 1) + 1))
    return frozenset(places)


def _fields(given: Mapping[str, Any], known: str) -> None:
    if strange := set(given) - set(known.split()):
        raise ValueError(f"there is no field {min(strange)!r}; there are: {known}")
    if not given.get("question"):
        raise ValueError("it names no question")


def _right(given: Mapping[str, Any], at: int) -> Entry:
    _fields(given, "question name cell")
    if not given.get("cell"):
        raise ValueError("it has no cell")
    return Entry(given["question"], given["cell"].strip("\n"), given.get("name", f"number {at}"))


def _slip(given: Mapping[str, Any], at: int, bases: Mapping[tuple[str, str], str]) -> Entry:
    _fields(given, "question kind name cell of edit line named_by")
    question, kind = given["question"], given.get("kind", "")
    if kind not in KINDS:
        raise ValueError(f"its kind is {kind!r}; expected one of {', '.join(KINDS)}")
    if ("cell" in given) == ("edit" in given):
        raise ValueError("it has one of cell, the whole wrong answer, and edit, what is wrong in a right one")
    if "cell" in given:
        cell = given["cell"].strip("\n")
        lines = frozenset(
            number
            for number, line in enumerate(cell.split("\n"), start=1)
            if line.strip() == given.get("line", "").strip() != ""
        )
    else:
        base = (question, given.get("of", ""))
        if base not in bases:
            known = ", ".join(name for asked, name in bases if asked == question and name)
            raise ValueError(f"{base[1]!r} is no right answer to {question!r}; there are: {known}")
        cell = edited(bases[base], given["edit"])
        lines = _changed(bases[base], cell)
    if "line" in given and not lines:
        raise ValueError(f"its cell has no line {given['line']!r}")
    named_by = frozenset(given.get("named_by", ()))
    return Entry(question, cell, given.get("name", f"number {at}"), kind, lines, named_by)


def entries(root: Path, problem_set: str) -> list[Entry]:
    """The lists of a set, the right answers first.

    Raises:
        CourseError: an entry cannot be; the message names its file and number.
    """
    home = home_of(root, problem_set)
    known = {name.removesuffix(ANSWER): cell for name, cell in reference(root, problem_set).items()}
    bases = {(question, ""): cell for question, cell in known.items()}
    found: list[Entry] = []
    for kind in ("right", "slip"):
        place = home / f"{kind}s.toml"
        for at, given in enumerate(_listed(place, kind), start=1):
            try:
                one = _right(given, at) if kind == "right" else _slip(given, at, bases)
                if one.question not in known:
                    raise ValueError(f"no question is called {one.question!r}; there are: {', '.join(known)}")
            except (ValueError, EditError) as error:
                raise CourseError(f"{place}, {kind} {at}: {error}") from error
            if kind == "right":
                bases[one.question, one.name] = one.cell
            found.append(one)
    return found


# ------------------------------------------------------------------------------------------------------ the asking


def verdict(entry: Entry, result: Result) -> Told:
    """What a result makes of an entry: its first sentence counts."""
    lost = [group for group in result.groups if group.failure is not None]
    if not lost:
        return Told(entry, "right")
    failed = "; ".join(
        f"{one.id}: {one.failure.label}: {one.failure.sentence}" for one in lost if one.failure
    )
    if not entry.kind:
        return Told(entry, "refused", text=failed)
    said = next((group.slip for group in lost if group.slip is not None), None)
    if said is None:
        return Told(entry, "nothing", text=failed)
    line = re.search(r" in line (\d+)", said.sentence)
    there = said.id == MENDED and (not entry.lines or (line is not None and int(line[1]) in entry.lines))
    named = there or said.id in KINDS[entry.kind] | entry.named_by
    return Told(entry, "named" if named else "another", said.sure, f"[{said.id}] {said.sentence}")


def _asked(trial: Trial, entry: Entry, namespace: Mapping[str, Any]) -> str:
    """What became of an entry, as JSON: it is asked in a child."""
    names, answer = dict(namespace), f"{entry.question}{ANSWER}"
    cells = [
        Cell(entry.cell, grade_id=answer, answer=True) if one.grade_id == answer else one
        for one in trial.cells
    ]
    with quiet():
        for cell in cells:
            try:
                execute([cell], names)
            except Exception:  # as in a notebook: the cells below run all the same
                continue
    told = verdict(entry, run(trial.question, names, cells=[one.source for one in cells]))
    return json.dumps([told.outcome, told.sure, told.text])


def _told(trial: Trial, entry: Entry, namespace: Mapping[str, Any]) -> Told:
    answer = apart(partial(_asked, trial, entry, namespace), seconds=SECONDS)
    if not answer.startswith("["):  # it ended its process, or was stopped
        return Told(entry, "nothing" if entry.kind else "refused", text=answer)
    return Told(entry, *json.loads(answer))


def try_set(
    root: Path,
    problem_set: str,
    done: Callable[[], object] = lambda: None,
    chosen: Callable[[Entry], bool] = lambda entry: True,
) -> Tally:
    """Put the answers of a set's lists to their questions; ``done`` is called after each.

    Raises:
        CourseError: see :func:`entries`.
    """
    import matplotlib.pyplot as plt
    import torch

    plt.switch_backend("Agg")
    torch.set_num_threads(1)  # a forked child has none of its parent's threads
    known, tally = settings(root, problem_set), Tally(problem_set)
    listed = [one for one in entries(root, problem_set) if chosen(one)]
    last = {one.question for one in listed}
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for trial in trials(root, problem_set):
        if not last:
            break
        question = trial.question.id.split(".", 1)[1]
        with quiet():
            execute(trial.before, namespace)
            exec(known.stand_in.get(question, ""), namespace)
            run(trial.question, _answered(trial, namespace))  # so that the children find every import made
        for entry in listed:
            if entry.question == question:
                tally.told.append(_told(trial, entry, namespace))
                done()
        last.discard(question)
        namespace = _answered(trial, namespace)
        plt.close("all")
    return tally


def _answered(trial: Trial, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The names after the reference's answer."""
    names = dict(namespace)
    with quiet():
        execute(trial.cells, names)
    return names


def by_kind(tallies: Iterable[Tally]) -> dict[str, Counter[str]]:
    """Outcomes by kind of slip."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for tally in tallies:
        for one in tally.slips:
            counts[one.entry.kind][one.outcome if one.sure else f"{one.outcome}, perhaps"] += 1
    return {kind: count for kind, count in counts.items() if count}
