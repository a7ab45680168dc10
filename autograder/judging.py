"""The grader's side: holds what was seen of an answer against what is right, and says why it is not; calls nothing of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from autograder.explaining import Fault, named
from autograder.pace import paced
from autograder.perform import Seen, attempt, materialise, perform, quiet
from autograder.question import Answer, Array, Arrays, Asked, Call, Case, Group, Question, Slip, Tolerance
from autograder.reference import asking
from autograder.result import Failure, GroupResult, Place, Result, kept
from autograder.time_of_check import Time
from autograder.wording import PLAIN, Vocabulary, of_place, of_shape, vocabulary

PUBLIC_SEED = 20231214


def close(got: Array, wanted: Array, within: Tolerance) -> bool:
    """Whether two arrays agree in shape and, within the tolerance, in value; infinities are values."""
    return got.shape == wanted.shape and bool(_near(got, wanted, within).all())


def _near(got: Array, wanted: Array, within: Tolerance) -> Array:
    return np.isclose(got.astype(np.float64), wanted.astype(np.float64), rtol=within.rtol, atol=within.atol)


def computed(question: Question, call: Call, answer: Answer) -> Arrays:
    """What a call gives for an answer of the question's own, in double precision; it may raise."""
    probe = callable(call.of)
    tensors = question.tensors if probe else question.right_in_torch
    if probe:  # trains or draws: as beside the student's code
        seen = attempt(answer, call, (), tensors=tensors)
        if seen.trouble:
            raise ValueError(f"{question.id}: the question's own answer fails: {seen.text}")
        return seen.arrays
    with np.errstate(all="ignore"):
        found, _ = perform(answer, call, question.results(call), tensors=tensors, double=True)
        return {key: materialise(value, key) for key, value in found.items()}


def right_values(question: Question, call: Call) -> Arrays:
    """The right arrays of a call."""
    if question.values is None:
        return computed(question, call, question.answer)
    return _as_arrays(question.values(question.asked(call)))


def slip_values(question: Question, slip: Slip, call: Call) -> Arrays:
    """The arrays that come back from who makes a slip, where it says so; it may raise where it was made for other calls."""
    if slip.gives is not None:
        return _as_arrays(slip.gives(question.asked(call)))
    return computed(question, call, question.wrong(slip))


def _as_arrays(values: Mapping[str, Any]) -> Arrays:
    return {key: np.asarray(value) for key, value in values.items()}


# ------------------------------------------------------------------------------------------------- the comparison


def _place(key: str, got: Array, wanted: Array, within: Tolerance) -> Place:
    lost = ~np.isfinite(got.astype(np.float64)) & np.isfinite(wanted.astype(np.float64))
    far = lost if lost.any() else ~_near(got, wanted, within)
    at = tuple(int(i) for i in np.argwhere(far)[0]) if got.ndim else ()
    return Place(key, at, kept(float(got[at])), kept(float(wanted[at])), int(far.sum()), far.size)


class Difference(NamedTuple):
    """The first difference: a failure's kind and sentence, the arrays that differ, and where."""

    kind: str
    sentence: str
    wrong: tuple[str, ...]
    place: Place | None = None


def compare(
    got: Arrays, wanted: Arrays, asked: Asked, within: Tolerance, known: Vocabulary = PLAIN
) -> Difference | None:
    """None when every wanted array is there and right, otherwise the first difference, with numbers.

    A number that is none comes first: it often explains the rest.
    """
    absent = [key for key in wanted if key not in got]
    if absent:
        return Difference("form", f"nothing came back for {absent[0]}", tuple(absent))
    wrong = tuple(key for key in wanted if not close(got[key], wanted[key], within))
    if not wrong:
        return None
    lost = [
        key
        for key in wrong
        if got[key].shape == wanted[key].shape
        and (~np.isfinite(got[key].astype(np.float64)) & np.isfinite(wanted[key].astype(np.float64))).any()
    ]
    key = (lost or list(wrong))[0]
    found, right = got[key], wanted[key]
    if found.shape != right.shape:
        return Difference("form", of_shape(key, found, right), wrong)
    place = _place(key, found, right, within)
    return Difference("form" if lost else "value", of_place(place, asked, right, known), wrong, place)


def _other_dtype(asked: Asked, arrays: Arrays) -> bool:
    kinds = [
        value.dtype for value in asked.values() if isinstance(value, np.ndarray) and value.dtype.kind == "f"
    ]
    return bool(kinds) and any(array.dtype != kinds[0] for array in arrays.values())


def _not_whole(arrays: Arrays) -> str:
    """The first result that is not of an integer dtype, or nothing."""
    return next((name for name, array in arrays.items() if array.dtype.kind not in "iu"), "")


def _written(at: int, case: Case, seen: Seen, asked: Asked) -> Failure | None:
    """The failure of who writes into an argument."""
    if not seen.changed:
        return None
    names = [*list(asked)[: len(case.call.args)], *case.call.kwargs, *["x"] * len(case.call.then)]
    name = names[seen.changed[0]] if seen.changed[0] < len(names) else "an argument"
    return Failure("argument", f"{name} is no longer what it was", at, case.label, (name,))


class _Judge:
    """One question's cases, and what is worked out once for each of them."""

    def __init__(
        self,
        question: Question,
        cases: Sequence[Case],
        see: Callable[[int, Case], Seen],
        right: Mapping[int, Arrays],
    ) -> None:
        self.question, self.cases, self.see, self.right = question, cases, see, right
        self.groups = {group.id: group for group in question.groups}
        self.within = {group.id: group.within or question.within for group in question.groups}
        self.known = vocabulary(question)
        self._of_slips: dict[tuple[str, int], Arrays] = {}

    @cached_property
    def by_group(self) -> dict[str, list[int]]:
        """Places of the cases, by group."""
        places: dict[str, list[int]] = {group.id: [] for group in self.question.groups}
        for at, case in enumerate(self.cases):
            places[case.group].append(at)
        return places

    def failure(self, group: Group, at: int, case: Case, seen: Seen) -> Failure | None:
        """Why one case failed."""
        if seen.trouble and not (group.unchanged and seen.trouble == "form"):
            return Failure(seen.trouble, seen.text, at, case.label, (seen.name,) if seen.name else ())
        question, asked = self.question, self.question.asked(case.call)
        if group.unchanged:
            return _written(at, case, seen, asked)
        if group.judge is not None:
            sentence = group.judge(seen.arrays, asked)
            return None if sentence is None else Failure("rule", sentence, at, case.label, tuple(seen.arrays))
        right = self.right[at] if at in self.right else right_values(question, case.call)
        found = compare(seen.arrays, right, asked, self.within[group.id], self.known)
        if found is not None:
            return Failure(found.kind, found.sentence, at, case.label, found.wrong, found.place)
        keeps = question.keeps_dtype if case.keeps_dtype is None else case.keeps_dtype
        if keeps and _other_dtype(asked, seen.arrays):
            sentence = (
                "the result has another dtype than what was handed in, such as float64 for float32; keep it"
            )
            return Failure("dtype", sentence, at, case.label)
        if case.whole and (name := _not_whole(seen.arrays)):
            sentence = (
                f"{name} is of dtype {seen.arrays[name].dtype}; whole numbers, such as int64, were asked for"
            )
            return Failure("dtype", sentence, at, case.label)
        return _written(at, case, seen, asked) if case.intact else None

    def explains(self, slip: Slip, fault: Fault) -> bool:
        """Whether a slip gives what came back where the case failed; one that has no value here does not."""
        question, call = self.question, fault.case.call
        if slip.error is not None:
            return fault.failure.kind == "error" and re.search(slip.error, fault.failure.sentence) is not None
        if fault.seen.trouble:
            return False
        try:
            if slip.seen is not None:
                return bool(slip.seen(fault.seen.arrays, question.asked(call)))
            if not fault.failure.wrong:
                return False
            wrong = self.of_slip(slip, fault.at)
        except Exception:  # for another case of the question, or shapes that a student's arrays do not have
            return False
        got, within = fault.seen.arrays, self.within[fault.case.group]
        return all(
            key in got and key in wrong and close(got[key], wrong[key], within) for key in fault.failure.wrong
        )

    def of_slip(self, slip: Slip, at: int) -> Arrays:
        """What comes back from who makes a slip, worked out once; see :func:`slip_values`."""
        if (slip.id, at) not in self._of_slips:
            self._of_slips[slip.id, at] = slip_values(self.question, slip, self.cases[at].call)
        return self._of_slips[slip.id, at]

    def contradicts(self, slip: Slip, at: int, seen: Seen) -> bool:
        """Whether a case that is right would not be so with the slip."""
        case = self.cases[at]
        group, asked = self.groups[case.group], self.question.asked(case.call)
        if slip.error is not None or group.unchanged:
            return False
        try:
            if slip.seen is not None:
                return bool(slip.seen(seen.arrays, asked))
            wrong = self.of_slip(slip, at)
            if group.judge is not None:
                return group.judge(wrong, asked) is not None
            within = self.within[group.id]
            return any(not close(wrong[key], seen.arrays[key], within) for key in wrong if key in seen.arrays)
        except Exception:  # made for another case of the question: it says nothing here
            return False

    def group(self, group: Group) -> tuple[list[Fault], list[tuple[int, Seen]]]:
        """The failing cases of a group, and the right ones (the values are right as well where only the dtype is not)."""
        faults: list[Fault] = []
        right: list[tuple[int, Seen]] = []
        for at in self.by_group[group.id]:
            case = self.cases[at]
            seen = self.see(at, case)
            failure = self.failure(group, at, case, seen)
            if failure is None or failure.kind == "dtype":
                right.append((at, seen))
            if failure is not None:
                faults.append(Fault(failure, at, case, seen))
                if failure.kind in ("missing", "unanswered"):
                    break
        return faults, right

    def groups_judged(self) -> tuple[GroupResult, ...]:
        """Outcome of each group."""
        found = {id: self.group(group) for id, group in self.groups.items()}
        faults = {id: failing for id, (failing, _) in found.items() if failing}
        right = [one for _, rights in found.values() for one in rights]
        said = named(
            faults,
            self.question.slips,
            self.explains,
            lambda slip: {self.cases[at].group for at, seen in right if self.contradicts(slip, at, seen)},
        )
        return tuple(
            GroupResult(
                group.id,
                group.title,
                group.points,
                0.0 if id in faults else group.points,
                len(self.by_group[id]),
                faults[id][0].failure if id in faults else None,
                said.get(id),
            )
            for id, group in self.groups.items()
        )


def judge(
    question: Question,
    cases: Sequence[Case],
    see: Callable[[int, Case], Seen],
    *,
    seed: int,
    hint: int = 0,
    printed: str = "",
    right: Mapping[int, Arrays] | None = None,
) -> Result:
    """Compare what was seen of an answer with what is right.

    Args:
        question: what was asked.
        cases: its cases, as :meth:`Question.draw` gave them for the seed.
        see: what came back for a case, by its place.
        seed: kept in the result, from which the failing case can be drawn again.
        hint: how many hints to add to the result.
        printed: what the answer printed.
        right: right arrays of cases, by place, as far as they were worked out before.
    """
    judging = _Judge(question, cases, see, right or {})
    groups = judging.groups_judged()
    score = float(sum(group.score for group in groups))
    rests_on = tuple(dict.fromkeys(question.uses.values()))
    return Result(
        question.id, question.title, question.points, score, seed, groups, question.hints[:hint], printed,
        len(question.hints), rests_on,
    )  # fmt: skip


def run(
    question: Question,
    answer: Answer,
    *,
    seed: int = PUBLIC_SEED,
    hint: int = 0,
    cells: Sequence[str] | None = None,
    around: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Result:
    """Grade an answer in this process; nothing is raised for anything that it does, except KeyboardInterrupt.

    ``cells`` are the sources that made the answer, by default those that the notebook remembers; each
    call of the answer is made inside ``around()``.
    """

    def attempted(call: Call) -> Seen:
        return attempt(answer, call, question.results(call), tensors=question.tensors)

    def attempted_case(at: int, case: Case) -> Seen:
        return attempted(case.call)

    time = Time()
    limited = time.limiting(attempted_case)

    def see(at: int, case: Case) -> Seen:
        with around():  # outside of the limit: what it gives back is given back whole
            return limited(at, case)

    def see_pace(call: Call) -> Seen:
        with around():
            return attempted(call)

    with quiet() as printed, asking(question.id):
        result = judge(question, question.draw(seed), see, seed=seed, hint=hint)
        result = paced(question, time.told(result), see_pace)
    return replace(result, printed=printed.getvalue())


def apart(question: Question, case: Case, *wrongs: Answer) -> bool:
    """Whether a case tells the right answer from each of these: cases are drawn again until it does."""
    right = right_values(question, case.call)
    others = (computed(question, case.call, {**question.answer, **wrong}) for wrong in wrongs)
    return not any(all(close(other[key], right[key], question.within) for key in right) for other in others)
