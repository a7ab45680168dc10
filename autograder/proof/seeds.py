"""Whether luck decides what a sample gets.

The cases of a question are drawn from a secret of the course. A sample must get the same whatever is drawn, or else two
students with the same fault are treated differently, and a fresh course reports samples that are not as expected. So
every sample is asked every question with the cases of many seeds; its cells run in this process, once for all seeds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from autograder.course import questions_of
from autograder.proof.drawn import Drawn
from autograder.proof.play import cells_before, play
from autograder.proof.samples import Sample, build, released_notebook
from autograder.proof.settings import settings, shorten
from autograder.question import Question
from autograder.result import Result
from autograder.second_try import second_try


def luck(
    root: Path,
    problem_set: str,
    samples: Iterable[Sample],
    seeds: Sequence[int],
    *,
    trained: int | None = None,
    only: Sequence[str] = (),
) -> dict[str, list[int]]:
    """What is not as the samples must get it, and with the cases of which seeds.

    Args:
        root: the checkout, with the released notebooks.
        problem_set: the set of the samples.
        samples: the samples to ask.
        seeds: seeds of the cases.
        trained: how many of them where something is trained; all if None.
        only: ids of the questions to ask; all if empty.

    Returns:
        Seeds by sentence; empty where luck decides nothing.

    Raises:
        CourseError: the released notebook is missing, or does not fit the samples.
    """
    released, told = released_notebook(root, problem_set), settings(root, problem_set)
    questions = questions_of(root, problem_set)
    few = {questions[name].id for name in told.trained}
    by_id = {one.id: one for one in questions.values()}
    files = {one.id: one.reference for one in by_id.values() if one.reference is not None}
    wrong: dict[str, list[int]] = defaultdict(list)

    @cache
    def drawn(id: str, seed: int) -> Drawn:
        return Drawn(by_id[id], seed)

    def outcome(question: Question, names: Mapping[str, Any], seed: int, cells: Sequence[str]) -> Result:
        def ask(one: Question, names: Mapping[str, Any]) -> Result:
            return drawn(one.id, seed).asked_of(names)

        first = ask(question, names)
        return second_try(question, names, first, find=by_id.__getitem__, files=files, ask=ask, cells=cells)

    for sample in samples:
        notebook = shorten(build(root, problem_set, sample, released), told.brief)
        before = cells_before(notebook)

        def ask(
            question: Question,
            namespace: Mapping[str, Any],
            sample: Sample = sample,
            before: Mapping[str, list[str]] = before,
        ) -> None:
            if only and question.id not in only:
                return
            cells = before[question.id.split(".", 1)[1]]
            for seed in seeds[:trained] if question.id in few else seeds:
                for line in sample.mismatches(question, outcome(question, dict(namespace), seed, cells)):
                    wrong[line].append(seed)

        play(notebook, questions, ask)
    return dict(wrong)
