"""Which slip explains what failed.

A sentence is told without "perhaps" only where its slip gives what came back in every failing case of the question, no
case that is right contradicts it, and no other slip does as well. Cases that speak for themselves need no slip: a name
that is missing, an argument that was written into, right numbers in another dtype.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from autograder.perform import Seen
from autograder.question import Case, Slip
from autograder.result import Failure, Said

SPEAKS_FOR_ITSELF = frozenset({"missing", "unanswered", "unrun", "argument", "dtype", "fault"})


class Fault(NamedTuple):
    """A failing case, by its place in the draw."""

    failure: Failure
    at: int
    case: Case
    seen: Seen


@dataclass(frozen=True)
class Language:
    """A slip of the language, known by a failure's kind and sentence; one that only says what was seen is a ``fact``."""

    kind: str
    pattern: str
    id: str
    sentence: str
    fact: bool = True

    def explains(self, fault: Fault) -> bool:
        """Whether the failure is of this sort."""
        return fault.failure.kind == self.kind and re.search(self.pattern, fault.failure.sentence) is not None


LANGUAGE = (
    Language(
        "argument", r"", "in_place",
        "Your function writes into an array that it was given. Whoever called it still needs that array; make a new one.",
    ),
    Language(
        "dtype", r"whole numbers", "not_whole",
        "Whole numbers were asked for: what follows may use them as an index, which fractions and True and False are not. "
        "`.long()` makes them of a tensor, `.astype(np.int64)` of an array.",
    ),
    Language(
        "dtype", r"", "dtype_changed",
        "The result has another dtype than the input. Numbers of Python keep a tensor's dtype; "
        "a comparison gives True and False, which `.to(x.dtype)` turns into 1 and 0.",
    ),
    Language(
        "form", r"is NoneType", "nothing_returned",
        "Nothing comes back: a function without `return` gives None. `print` shows a value and does not return it.",
    ),
    Language(
        "form", r"is (function|method|builtin)", "not_called",
        "What comes back is a function. Its brackets are missing.",
    ),
    Language(
        "error", r"does not require grad|does not have a grad_fn|call numpy\(\) on Tensor that requires", "no_gradient",
        "No gradient comes back: on the way the tensor was detached, turned into NumPy or a number, or made anew with "
        "`torch.tensor`.", fact=False,
    ),
    Language(
        "error", r"so the question calls it", "other_arguments",
        "The arguments of your function are not those that the question names. Compare its `def` line with the question's.",
    ),
)  # fmt: skip


def named(
    faults: Mapping[str, Sequence[Fault]],
    slips: Sequence[Slip],
    explains: Callable[[Slip, Fault], bool],
    against: Callable[[Slip], Set[str]],
) -> dict[str, Said]:
    """For each failing group the sentence that is told below it.

    A slip that explains a group and is contradicted within it is not told; one that is contradicted elsewhere is a
    perhaps.

    Args:
        faults: the failing cases, by group.
        slips: the question's own, the most specific first.
        explains: whether a slip gives what came back in a failing case.
        against: the groups with a case that is right and would not be so with the slip.
    """
    found = {id: [one for one in faults[id] if one.failure.kind not in SPEAKS_FOR_ITSELF] for id in faults}
    open_ = {id: cases for id, cases in found.items() if cases}
    explained = {
        id: [slip for slip in slips if all(explains(slip, one) for one in cases)]
        for id, cases in open_.items()
    }
    doubts = {slip.id: against(slip) for some in explained.values() for slip in some}
    whole = [
        slip
        for slip in slips
        if explained and all(slip in some for some in explained.values()) and not doubts[slip.id]
    ]
    every = [one for cases in open_.values() for one in cases]
    told = {}
    for id in faults:
        own = [slip for slip in explained.get(id, ()) if id not in doubts[slip.id]]
        best = whole if id in open_ and whole else [slip for slip in own if not doubts[slip.id]] or own
        told[id] = _one_of(best, sure=bool(whole)) or _of_language(faults[id], every)
    return {id: said for id, said in told.items() if said is not None}


def _one_of(slips: Sequence[Slip], *, sure: bool) -> Said | None:
    """The only one; of several the shorter, as a perhaps."""
    if not slips:
        return None
    shortest = min(slips, key=lambda slip: len(slip.sentence))
    return Said(shortest.id, shortest.sentence, sure and len(slips) == 1)


def _of_language(cases: Sequence[Fault], every: Sequence[Fault]) -> Said | None:
    for one in LANGUAGE:
        if all(one.explains(fault) for fault in cases):
            return Said(one.id, one.sentence, one.fact or all(one.explains(fault) for fault in every))
    return None
