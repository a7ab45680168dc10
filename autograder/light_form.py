"""The light form of a question: one function, its cases, its slips and its hints, each a line or a small function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograder.question import Case, Group, Question, Slip, call

Draw = Callable[[np.random.Generator], Sequence[Any]]


class Light:
    """Made by :func:`light`; whoever loads it asks for its :meth:`question`, named like the file and the function."""

    def __init__(self, title: str, points: float, right: Callable[..., Any], more: dict[str, Any]) -> None:
        self.title, self.points, self.right, self.more = title, points, right, more
        self.cases: list[tuple[str, Draw]] = []
        self.slips: list[Slip] = []
        self.hints: list[str] = []

    def case(self, label: str, draw: Draw) -> None:
        """A case: ``draw(rng)`` gives the arguments."""
        self.cases.append((label, draw))

    def hint(self, text: str) -> None:
        """The next hint."""
        self.hints.append(text)

    def slip(self, wrong: Callable[..., Any]) -> Callable[..., Any]:
        """A wrong way: the function's name is the slip's, its docstring the sentence.

        Raises:
            ValueError: there is no docstring.
        """
        if not (wrong.__doc__ or "").strip():
            raise ValueError(f"the slip {wrong.__name__} has no docstring; it is what the student reads")
        self.slips.append(Slip(wrong.__name__, " ".join((wrong.__doc__ or "").split()), wrong))
        return wrong

    def question(self, id: str) -> Question:
        """The question in its full form."""
        name = self.right.__name__
        return Question(
            id,
            self.title,
            (Group("values", self.points, f"`{name}`"),),
            lambda rng: [Case("values", label, call(name, *draw(rng))) for label, draw in self.cases],
            {name: self.right},
            slips=tuple(self.slips),
            hints=tuple(self.hints),
            **{"tensors": False, **self.more},
        )


def light(title: str, *, points: float, **more: Any) -> Callable[[Callable[..., Any]], Light]:
    """Makes a question of the right answer below it; ``more`` are further fields of :class:`Question`."""
    return lambda right: Light(title, points, right, more)
