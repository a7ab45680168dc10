"""What is said of a difference, in words: where it is, what came back, what is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from autograder.question import Array, Asked, Question
from autograder.result import Place, number, told_apart

_SHOWN = 3
"""How many arguments are shown beside an element."""


@dataclass(frozen=True)
class Vocabulary:
    """How a question calls what comes back; see :class:`autograder.question.Question`."""

    words: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, tuple[str, str]]


PLAIN = Vocabulary({}, {})
"""Numbers only."""


def vocabulary(question: Question) -> Vocabulary:
    """The question's own words."""
    return Vocabulary(question.words, question.facts)


def _code(value: float | str, count: int) -> int | None:
    """The place in a list of ``count`` that a number means, if it means one."""
    whole = float(value)
    return int(whole) if whole.is_integer() and 0 <= whole < count else None


def _beside(index: tuple[int, ...], asked: Asked, shape: tuple[int, ...]) -> str:
    """The elements of arguments of the same shape that stand in the same place."""
    there = [
        f"{name} = {number(float(value[index]))}"
        for name, value in asked.items()
        if isinstance(value, np.ndarray) and value.shape == shape and value.dtype.kind in "biuf"
    ]
    return f" at {', '.join(there[:_SHOWN])}" if there and index else ""


def _rest(place: Place) -> str:
    if place.size == 1:
        return ""
    return f" ({place.wrong} of {place.size} elements {'differs' if place.wrong == 1 else 'differ'})"


def of_shape(key: str, got: Array, wanted: Array) -> str:
    """The sentence for an array of another shape."""
    return f"{key} has shape {list(got.shape)}; expected {list(wanted.shape)}"


def of_place(place: Place, asked: Asked, wanted: Array, known: Vocabulary) -> str:
    """The sentence for the first element that differs: a fact or a name where the question has one, else numbers."""
    at = f"[{', '.join(map(str, place.index))}]" if place.index else ""
    at += _beside(place.index, asked, wanted.shape)
    facts, words = known.facts.get(place.key), known.words.get(place.key)
    yes = _code(place.got, 2)
    if facts is not None and yes is not None:
        return f"{facts[yes]}{f' (element {at})' if at else ''}{_rest(place)}"
    if words is not None and (right := _code(place.expected, len(words))) is not None:
        given = _code(place.got, len(words))
        called = f'you called it "{words[given]}"' if given is not None else "you gave none of its names"
        return f'{place.key}{at}: {called}; it is "{words[right]}"{_rest(place)}'
    if wanted.dtype.kind == "b" and yes is not None:
        return f"{place.key}{at}: {('no', 'yes')[yes]}; expected {('yes', 'no')[yes]}{_rest(place)}"
    if isinstance(place.got, str) and not isinstance(place.expected, str):
        return f"{place.key}{at} is {place.got}; expected a number"
    got, right_number = told_apart(place.got, place.expected)
    return f"{place.key}{at} is {got}; expected {right_number}{_rest(place)}"
