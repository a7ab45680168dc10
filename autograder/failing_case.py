"""The failing case in the hand: its arguments, what came back, what is right, and another try.

Nothing is stored but a result's seed and the place of the case in the draw: the case is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.judging import right_values
from autograder.perform import attempt, handed, perform
from autograder.question import Answer, Arrays, Case, Question
from autograder.result import Result


@dataclass(frozen=True, repr=False)
class FailingCase:
    """``args`` by name, ``got``, ``expected`` (empty where a bar is the rule); ``call()`` calls the answer again."""

    question: Question
    case: Case
    answer: Answer
    got: Arrays
    expected: Arrays

    def __repr__(self) -> str:
        lines = [f"{self.case.label}: {self.code}"]
        lines += [f"  {name} = {value!r}" for name, value in self.args.items()]
        for name in dict.fromkeys([*self.got, *self.expected]):
            lines += [f"  {name}: got {self.got.get(name)!r}, expected {self.expected.get(name)!r}"]
        return "\n".join(lines)

    @property
    def args(self) -> dict[str, Any]:
        """The arguments, as the answer gets them."""
        asked = self.question.asked(self.case.call)
        return {name: handed(value, tensors=self.question.tensors) for name, value in asked.items()}

    @property
    def code(self) -> str:
        """The call as it would be typed."""
        call, asked = self.case.call, self.question.asked(self.case.call)
        name = call.of.__name__ if callable(call.of) else call.of
        typed = ", ".join(
            key if isinstance(value, (np.ndarray, list, tuple, Mapping)) else f"{key}={value!r}"
            for key, value in asked.items()
            if not (call.then and key == "x")
        )
        return f"{name}({typed})" + "(x)" * bool(call.then) + " and its gradient" * bool(call.by)

    def call(self) -> Any:
        """What the answer gives now; errors are not caught, so that ``%debug`` works."""
        call = self.case.call
        found, _ = perform(self.answer, call, self.question.results(call), tensors=self.question.tensors)
        return next(iter(found.values())) if len(found) == 1 else dict(found)

    def plot(self) -> Any:
        """Got and expected of every array, over the first argument of the same shape where there is one; the figure."""
        import matplotlib.pyplot as plt

        wanted = self.expected or self.got
        arguments = [
            value for value in self.question.asked(self.case.call).values() if isinstance(value, np.ndarray)
        ]
        figure, axes = plt.subplots(1, len(wanted), squeeze=False, figsize=(5 * len(wanted), 3))
        for axis, (key, right) in zip(axes[0], wanted.items(), strict=True):
            over = next((one for one in arguments if one.shape == right.shape and one.ndim), None)
            x = np.arange(right.size) if over is None else over.ravel()
            if key in self.expected:
                axis.plot(x, right.ravel(), "o", fillstyle="none", label="expected")
            if key in self.got and self.got[key].size == right.size:
                axis.plot(x, self.got[key].ravel(), "x", label="got")
            axis.set_title(key)
            axis.legend()
        return figure


def failing_case(
    result: Result,
    question: Question,
    answer: Answer,
    group: str = "",
    around: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> FailingCase | None:
    """The first failing case of a result, or of one of its groups; None where nothing failed.

    The answer is asked inside ``around()``.
    """
    judged = {group.id for group in question.groups if group.judge is not None}
    for one in result.groups:
        if one.failure is None or group not in ("", one.id):
            continue
        case = question.draw(result.seed)[one.failure.case]
        with around():
            seen = attempt(answer, case.call, question.results(case.call), tensors=question.tensors)
        right = {} if one.id in judged else right_values(question, case.call)
        return FailingCase(question, case, answer, seen.arrays, right)
    return None
