"""What a question is: cases that ask an answer something, what is right, ways of going wrong by name, and words.

An *answer* is a mapping from names to objects. The student's notebook is one, ``right`` is one, and a slip's wrong way
is one: a case asks all three in the same manner, so nothing is written twice.
"""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Answer = Mapping[str, Any]
Arrays = dict[str, Array]
Asked = Mapping[str, Any]


@dataclass(frozen=True)
class Tolerance:
    """Largest accepted difference ``atol + rtol * |expected|``, and why it is that."""

    rtol: float = 1e-4
    atol: float = 1e-6
    reason: str = "one float32 rounding per operation, a few operations deep"


@dataclass(frozen=True)
class Group:
    """Cases that share points: they are given when all of its cases are right.

    Args:
        id: short name, unique within the question.
        points: points of the group.
        title: what it tests, as the student reads it.
        judge: ``(got, asked)`` gives None when right, or the sentence that says what is wrong; in the place of a
            comparison, where a bar is the rule.
        within: in the place of the question's tolerance.
        unchanged: not what comes back is looked at, but whether the arguments are what they were.
    """

    id: str
    points: float
    title: str
    judge: Callable[[Arrays, Asked], str | None] | None = None
    within: Tolerance | None = None
    unchanged: bool = False


@dataclass(frozen=True)
class Call:
    """One call, as data: ``of`` is a name of the answer, or a probe ``(answer, **arguments)`` of the question's own.

    A probe runs beside the student's code, from its text: it imports what it needs itself, or is one of a module
    ``..._probe.py`` that imports nothing of the checks. It gives arrays by name.

    Args:
        then: arguments of a second call, of what came back (a class was called, its instance is now).
        by: positions of the arguments by which the result is differentiated; ``upstream`` is the gradient from above.
        result: which of several results is differentiated, or is the only one that is looked at (-1: all are).
        gives: names of what comes back, where the question's own do not fit this call.
    """

    of: str | Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    then: tuple[Any, ...] = ()
    by: tuple[int, ...] = ()
    upstream: Array | None = None
    result: int = -1
    gives: tuple[str, ...] = ()

    def on(self, *then: Any, gives: str = "") -> Call:
        """The same call, and what it gives called with these arguments."""
        return replace(self, then=then, gives=(gives,) if gives else ())

    def only(self, result: int, gives: str) -> Call:
        """The same call, of whose several results only one is looked at, by this name."""
        return replace(self, result=result, gives=(gives,))

    def gradient(self, upstream: Array, *, by: int = 0, result: int = 0) -> Call:
        """The gradient by an argument (of the second call where there is one), against the one from above."""
        return replace(self, by=(by,), upstream=upstream, result=result, gives=("gradient",))


def call(of: str | Callable[..., Any], /, *args: Any, **kwargs: Any) -> Call:
    """A call, written as a call."""
    return Call(of, args, kwargs)


@dataclass(frozen=True)
class Case:
    """One call in a group.

    Args:
        keeps_dtype: whether results must have the arguments' dtype (None: the question says).
        intact: whether the arguments must also be what they were, as the notebook's next cells need them.
        whole: whether results must be of an integer dtype, as what is used as an index.
    """

    group: str
    label: str
    call: Call
    keeps_dtype: bool | None = None
    intact: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Pace:
    """How fast a right answer has to be for what follows in the notebook, measured as in :mod:`autograder.pace`.

    Args:
        call: one small call of a function of the answer.
        calls: how many of its size the given cells below make.
        below: what they do, to be read before "will take 20 minutes".
        advice: a sentence that says what makes it fast.
        reference: the answer whose time is the measure; the question's right one if there is none.
    """

    call: Call
    calls: float
    below: str
    advice: str
    reference: Answer = field(default_factory=dict)


@dataclass(frozen=True)
class Slip:
    """A wrong way by name, with its sentence. It is recognised by exactly one of four.

    Args:
        wrong: an answer, or the function itself, that goes wrong in this way: the same arrays come back.
        gives: ``asked`` to the arrays that come back, all or some of them.
        error: a pattern that the exception's text matches.
        seen: ``(got, asked)`` tells it from what came back.
    """

    id: str
    sentence: str
    wrong: Any = None
    gives: Callable[[Asked], Mapping[str, Any]] | None = None
    error: str | None = None
    seen: Callable[[Arrays, Asked], bool] | None = None

    def __post_init__(self) -> None:
        ways = [way for way in (self.wrong, self.gives, self.error, self.seen) if way is not None]
        if len(ways) != 1:
            raise ValueError(
                f"the slip {self.id!r} has {len(ways)} of wrong=, gives=, error= and seen=; expected one"
            )


@dataclass(frozen=True)
class Question:
    """A question.

    Args:
        id: ``<set>.<question>``.
        title: what it asks, in a few words.
        groups: how the points are given.
        cases: drawn from a random generator, edge cases among them.
        right: the student's names and the right answer under them, with the signatures that the student is asked for;
            only the names where ``values`` says what is right.
        values: ``asked`` to the right arrays, in the place of a right answer.
        slips: named wrong ways, the most specific first.
        hints: from a nudge to the last step.
        within: how close is right.
        gives: names of what a function returns, where that is several things or has a better name than its function's.
        words: names for the codes 0, 1, ... of a result: ``words={"case": ("even", "silent")}`` is told as
            'case[2]: you called it "silent"; it is "even"'.
        facts: for a result that is a yes or no: what is said where no came back, and where yes did, wrongly:
            ``facts={"is float64": ("the result is not float64, as asked", "the result is float64")}``.
        tensors: whether the student's side gets tensors for arrays.
        right_in_torch: whether the right answer and the slips compute with tensors rather than NumPy arrays.
        keeps_dtype: whether results must have the arguments' dtype.
        uses: names of earlier questions that an answer may call: ``{name: "<set>.<question>"}``.
        reference: file of the functions that it gives to later questions, ``<question>_reference.py`` beside its own.
        withheld: names of the library that do this work, not to be used in a graded answer.
        pace: how fast a right answer has to be, where that matters.
    """

    id: str
    title: str
    groups: tuple[Group, ...]
    cases: Callable[[np.random.Generator], Iterable[Case]]
    right: Answer | tuple[str, ...]
    values: Callable[[Asked], Mapping[str, Any]] | None = None
    slips: tuple[Slip, ...] = ()
    hints: tuple[str, ...] = ()
    within: Tolerance = Tolerance()
    gives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    facts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    tensors: bool = True
    right_in_torch: bool = False
    keeps_dtype: bool = False
    uses: Mapping[str, str] = field(default_factory=dict)
    reference: Path | None = None
    withheld: tuple[str, ...] = ()
    pace: Pace | None = None

    def __post_init__(self) -> None:
        ids = [group.id for group in self.groups]
        twice = [id for id in ids if ids.count(id) > 1]
        if not ids or twice:
            raise ValueError(
                f"{self.id}: {f'two groups are called {twice[0]!r}' if twice else 'it has no group'}"
            )
        for group in self.groups:
            if type(group.points) not in (int, float) or group.points <= 0:
                raise ValueError(
                    f"{self.id}: group {group.id!r} has points={group.points!r}; expected more than 0"
                )
        for key, names in [*self.words.items(), *self.facts.items()]:
            if isinstance(names, str) or len(names) < 2 or (key in self.facts and len(names) != 2):
                wanted = "a sentence for no and one for yes" if key in self.facts else "a name for each code"
                raise ValueError(f"{self.id}: {key!r} is put into words by {names!r}; expected {wanted}")
        if isinstance(self.hints, str):
            raise ValueError(
                f"{self.id}: hints is one text; write a tuple, with a comma behind a single hint"
            )

    @property
    def points(self) -> float:
        """Points of all groups."""
        return float(sum(group.points for group in self.groups))

    @property
    def names(self) -> tuple[str, ...]:
        """The student's names."""
        return tuple(self.right)

    @property
    def reached(self) -> tuple[str, ...]:
        """The student's names that its probes may look up: its own, and those of earlier questions that it uses."""
        return tuple(dict.fromkeys([*self.right, *self.uses]))

    @property
    def answer(self) -> Answer:
        """The right answer; empty where only its values are known."""
        return self.right if isinstance(self.right, Mapping) else {}

    def draw(self, seed: int) -> list[Case]:
        """The cases for a seed; the same seed gives the same cases.

        Raises:
            ValueError: a case is in no group of the question, or a group has no case.
        """
        drawn = list(self.cases(np.random.default_rng([seed, zlib.crc32(self.id.encode())])))
        groups, used = [group.id for group in self.groups], {case.group for case in drawn}
        if strange := used - set(groups):
            known = ", ".join(groups)
            raise ValueError(f"{self.id}: a case is in the group {min(strange)!r}; there are: {known}")
        if empty := [id for id in groups if id not in used]:
            raise ValueError(
                f"{self.id}: the group {empty[0]!r} has no case, so any answer would get its points"
            )
        return drawn

    def results(self, call: Call) -> tuple[str, ...]:
        """Names of what a call gives; empty for a probe, which names its own."""
        if callable(call.of):
            return ()
        return call.gives or self.gives.get(call.of, (call.of,))

    def asked(self, call: Call) -> dict[str, Any]:
        """The arguments by the names that the question gives them."""
        if callable(call.of):
            return dict(call.kwargs)
        named = {f"argument {at}": value for at, value in enumerate(call.args, start=1)} | dict(call.kwargs)
        if call.of in self.answer:
            signature = inspect.signature(self.answer[call.of])
            named = {}
            for name, value in signature.bind(*call.args, **call.kwargs).arguments.items():
                more = signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
                named |= value if more else {name: value}
        above = {"upstream": call.upstream} if call.by else {}
        return {**named, **({"x": call.then[0]} if call.then else {}), **above}

    def wrong(self, slip: Slip) -> Answer:
        """The slip's answer: the right one but for what is wrong."""
        wrong = slip.wrong if isinstance(slip.wrong, Mapping) else {self.names[0]: slip.wrong}
        return {**self.answer, **wrong}
