"""The grader's side: holds what was seen of an answer against what is right, and says why it is not; calls nothing of it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from autograder.comparing import close, compare, not_whole, other_dtype, written
from autograder.diagnosis import evidence, failing_first, mended, of_language, worth_mending
from autograder.explaining import Fault, named
from autograder.language import answer_cells
from autograder.language.mending import in_a_copy
from autograder.pace import paced
from autograder.perform import Seen, attempt, materialise, perform, quiet
from autograder.question import Answer, Arrays, Call, Case, Group, Question, Slip
from autograder.reference import asking
from autograder.result import Failure, GroupResult, Result, Said, with_fault
from autograder.time_of_check import Time
from autograder.wording import vocabulary

_LOG = logging.getLogger(__name__)

PUBLIC_SEED = 20231214


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


class _Judge:
    """One question's cases, and what is worked out once for each of them."""

    def __init__(
        self,
        question: Question,
        cases: Sequence[Case],
        see: Callable[[int, Case], Seen],
        right: Mapping[int, Arrays],
        cells: Sequence[str],
    ) -> None:
        self.question, self.cases, self.see, self.right = question, cases, see, dict(right)
        self.cells = cells
        self.groups = {group.id: group for group in question.groups}
        self.within = {group.id: group.within or question.within for group in question.groups}
        self.known = vocabulary(question)
        self._of_slips: dict[tuple[str, int], Arrays] = {}
        self.faults: list[str] = []

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
            return written(at, case, seen, asked)
        if group.judge is not None:
            sentence = group.judge(seen.arrays, asked)
            return None if sentence is None else Failure("rule", sentence, at, case.label, tuple(seen.arrays))
        found = compare(seen.arrays, self.wanted(at), asked, self.within[group.id], self.known)
        if found is not None:
            return Failure(found.kind, found.sentence, at, case.label, found.wrong, found.place)
        keeps = question.keeps_dtype if case.keeps_dtype is None else case.keeps_dtype
        if keeps and other_dtype(asked, seen.arrays):
            sentence = (
                "the result has another dtype than what was handed in, such as float64 for float32; keep it"
            )
            return Failure("dtype", sentence, at, case.label)
        if case.whole and (name := not_whole(seen.arrays)):
            sentence = (
                f"{name} is of dtype {seen.arrays[name].dtype}; whole numbers, such as int64, were asked for"
            )
            return Failure("dtype", sentence, at, case.label)
        return written(at, case, seen, asked) if case.intact else None

    def wanted(self, at: int) -> Arrays:
        """The right arrays of a case, worked out once."""
        if at not in self.right:
            self.right[at] = right_values(self.question, self.cases[at].call)
        return self.right[at]

    def _fault(self, error: Exception, at: int, case: Case) -> Failure:
        """The failure of a case that could not be judged; noted for whoever keeps the question."""
        what = f"{type(error).__name__}: {error}"
        self.faults.append(f"case {case.label!r}: {what}")
        sentence = f"our mistake, not yours: this could not be compared with what is right ({what}); please report it"
        return Failure("fault", sentence, at, case.label)

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
        """The failing cases of a group, and the right ones (those too whose values are right, and only the dtype is not)."""
        faults: list[Fault] = []
        right: list[tuple[int, Seen]] = []
        for at in self.by_group[group.id]:
            case = self.cases[at]
            seen = self.see(at, case)
            try:
                failure = self.failure(group, at, case, seen)
            except Exception as error:  # the question's, or of a comparison not written for such arrays
                failure = self._fault(error, at, case)
            if failure is None or (failure.kind in ("dtype", "argument") and not group.unchanged):
                right.append((at, seen))
            if failure is not None:
                faults.append(Fault(failure, at, case, seen))
                if failure.kind in ("missing", "unanswered"):
                    break
        return faults, right

    def said(
        self, faults: Mapping[str, list[Fault]], right: Sequence[tuple[int, Seen]]
    ) -> Mapping[str, Said]:
        """The slip that is told below each failing group."""
        said = named(
            faults,
            self.question.slips,
            self.explains,
            lambda slip: {self.cases[at].group for at, seen in right if self.contradicts(slip, at, seen)},
        )
        every = [one for some in faults.values() for one in some]
        try:
            seen_in = evidence(self.question, self.cases, every, right, self.wanted, self.cells)
            return of_language(self.question, said, faults, seen_in)
        except Exception:  # of the student's text: no fault of the question
            _LOG.info("%s: nothing was looked for in the answer's text", self.question.id, exc_info=True)
            return said

    def groups_judged(self) -> tuple[GroupResult, ...]:
        """Outcome of each group."""
        found = {id: self.group(group) for id, group in self.groups.items()}
        faults = {id: failing for id, (failing, _) in found.items() if failing}
        said: Mapping[str, Said] = {}
        if faults:
            try:
                said = self.said(faults, [one for _, rights in found.values() for one in rights])
            except Exception as error:  # what is told of a fault costs no points
                self.faults.append(f"diagnosis: {type(error).__name__}: {error}")
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
    cells: Sequence[str] = (),
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
        cells: sources that were run before, which made the answer.
    """
    judging = _Judge(question, cases, see, right or {}, cells)
    groups = judging.groups_judged()
    score = float(sum(group.score for group in groups))
    rests_on = tuple(dict.fromkeys(question.uses.values()))
    return Result(
        question.id, question.title, question.points, score, seed, groups, question.hints[:hint], printed,
        len(question.hints), rests_on, fault="; ".join(judging.faults),
    )  # fmt: skip


def is_right(question: Question, cases: Sequence[Case]) -> Callable[[int, Seen], bool]:
    """Whether what was seen of a case, by its place, is right."""

    def unseen(at: int, case: Case) -> Seen:
        raise AssertionError("nothing is asked here")

    judging = _Judge(question, cases, unseen, {}, ())
    return lambda at, seen: judging.failure(judging.groups[cases[at].group], at, cases[at], seen) is None


def remembered(answer: Answer) -> list[str]:
    """The cells that a notebook's kernel remembers to have run; none elsewhere."""
    ran = answer.get("In")
    return [cell for cell in ran if type(cell) is str] if type(ran) is list else []


def _mended(
    question: Question,
    cases: Sequence[Case],
    answer: Answer,
    ran: Sequence[str],
    result: Result,
    around: Callable[[], AbstractContextManager[object]],
) -> Result:
    """With the edit of its own cells that mends the answer, where no sentence is sure and one is found."""
    if not worth_mending(question, result):
        return result

    def ask(names: Answer, at: int) -> Seen:
        call = cases[at].call
        with around():
            return attempt(names, call, question.results(call), tensors=question.tensors)

    try:
        own, places = answer_cells(ran, question.names), failing_first(result, cases)
        return mended(result, in_a_copy(answer, ask, own, places, is_right(question, cases)))
    except Exception:  # of a text that cannot be edited: no fault of the question
        _LOG.info("%s: no edits were tried to their end", question.id, exc_info=True)
        return result


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
        ran = remembered(answer) if cells is None else cells
        cases = question.draw(seed)
        result = judge(question, cases, see, seed=seed, hint=hint, cells=ran)
        result = time.told(result)
        try:
            result = paced(question, result, see_pace)
        except Exception as error:
            result = with_fault(result, error)
        result = _mended(question, cases, answer, ran, result, around)
    return replace(result, printed=printed.getvalue())


def apart(question: Question, case: Case, *wrongs: Answer) -> bool:
    """Whether a case tells the right answer from each of these: cases are drawn again until it does."""
    right = right_values(question, case.call)
    others = (computed(question, case.call, {**question.answer, **wrong}) for wrong in wrongs)
    return not any(all(close(other[key], right[key], question.within) for key in right) for other in others)
