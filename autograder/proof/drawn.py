"""A question with the cases of one seed, drawn once and asked of many answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from autograder.judging import judge, right_values
from autograder.perform import Seen, attempt, quiet
from autograder.question import Arrays, Case, Question
from autograder.reference import asking
from autograder.result import Result


class Drawn:
    """The cases of a seed; what is right is worked out once."""

    def __init__(self, question: Question, seed: int) -> None:
        self.question, self.seed = question, seed

    @cached_property
    def cases(self) -> list[Case]:
        with quiet():
            return self.question.draw(self.seed)

    @cached_property
    def right(self) -> dict[int, Arrays]:
        """Right arrays by place of the case, where they decide."""
        groups = self.question.groups
        judged = {group.id for group in groups if group.judge is not None or group.unchanged}
        with quiet():
            return {
                at: right_values(self.question, case.call)
                for at, case in enumerate(self.cases)
                if case.group not in judged
            }

    def _see(self, names: Mapping[str, Any]) -> Callable[[int, Case], Seen]:
        asked = self.question
        return lambda at, case: attempt(names, case.call, asked.results(case.call), tensors=asked.tensors)

    def asked_of(self, names: Mapping[str, Any]) -> Result:
        """The outcome of an answer, which may do anything but end the process."""
        with quiet(), asking(self.question.id):
            return judge(self.question, self.cases, self._see(names), seed=self.seed, right=self.right)

    def first_failure(self, names: Mapping[str, Any]) -> str:
        """Group and label of the first case that fails, or an empty string; no case after that one is asked."""
        for group in self.question.groups:
            alone = replace(self.question, groups=(group,), slips=())
            for at, case in enumerate(self.cases):
                if case.group != group.id:
                    continue
                right = {0: self.right[at]} if at in self.right else {}
                outcome = judge(alone, [case], self._see(names), seed=self.seed, right=right)
                if outcome.score < outcome.points:
                    return f"{group.id}: {case.label}"
        return ""
