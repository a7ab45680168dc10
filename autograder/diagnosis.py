"""What is told below each failing group: a slip of the question, otherwise one of the language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from autograder.explaining import SPEAKS_FOR_ITSELF, Fault
from autograder.language import DESCRIBED, MENDED, Evidence, Shown, answer_cells, told
from autograder.perform import Seen
from autograder.question import Arrays, Case, Question
from autograder.result import GroupResult, Result, Said

Right = tuple[int, Seen]

STOPPED = frozenset({"time", "died"})
"""Kinds of failure in which an answer was not heard to its end."""
PROVED = frozenset(
    {
        "nothing_returned",
        "missing_super",
        "super_arguments",
        "return_in_loop",
        "list_returned",
        "array_returned",
        "gradients_off",
    }
)
"""Slips of the language that an error's text and the source tell together."""
LONG = 2.0
"""Processor time of all cases above which no edits are tried."""
DOUBTFUL = DESCRIBED - {"swapped_pair"}
"""Descriptions that hold, and whose cause an edit may name better."""


def evidence(
    question: Question,
    cases: Sequence[Case],
    faults: Iterable[Fault],
    right: Iterable[Right],
    wanted: Callable[[int], Arrays],
    cells: Sequence[str],
) -> Evidence:
    """What the slips of the language are looked for in; ``wanted`` gives the right arrays of a case, by its place."""
    groups = {group.id: group for group in question.groups}

    def shown(at: int, seen: Seen, kind: str, text: str, wrong: tuple[str, ...]) -> Shown:
        call, group = cases[at].call, groups[cases[at].group]
        known = group.judge is None and not group.unchanged and (not kind or kind in ("value", "form"))
        return Shown(
            group.id,
            call.of.__name__ if callable(call.of) else call.of,
            bool(call.by),
            kind,
            text,
            question.asked(call),
            seen.arrays,
            wanted(at) if known and seen.arrays else {},
            wrong,
            group.within or question.within,
        )

    failing = [
        shown(one.at, one.seen, one.failure.kind, one.failure.sentence, one.failure.wrong)
        for one in faults
        if one.failure.kind not in SPEAKS_FOR_ITSELF
    ]
    passing = [shown(at, seen, "", "", ()) for at, seen in right]
    return Evidence((*failing, *passing), question.names, answer_cells(cells, question.names))


def of_language(
    question: Question, said: Mapping[str, Said], faults: Mapping[str, Sequence[Fault]], found: Evidence
) -> dict[str, Said]:
    """The sentences with a slip of the language, where no slip of the question is sure.

    A sure one stands below every group that does not speak for itself; another only where nothing is said yet. Before a
    slip that is known by an error's text goes what the source proves.
    """
    open_ = [
        id for id, some in faults.items() if any(one.failure.kind not in SPEAKS_FOR_ITSELF for one in some)
    ]
    if not open_ or not found.failing:
        return dict(said)
    one = told(found)
    own = {slip.id for slip in question.slips}
    if one is None or (
        not (one.id in PROVED and one.sure) and any(other.sure and other.id in own for other in said.values())
    ):
        return dict(said)
    return {**said, **dict.fromkeys(open_, one)} if one.sure else {**dict.fromkeys(open_, one), **said}


def _open(group: GroupResult) -> bool:
    """Whether a group fails, and not by something that speaks for itself."""
    return group.failure is not None and group.failure.kind not in SPEAKS_FOR_ITSELF


def worth_mending(question: Question, result: Result) -> bool:
    """Whether a failing group has no sentence that is sure, or one that only describes its numbers or an error's
    text.

    An answer that takes long is left: there is time for a few edits only. So is one whose groups are each explained by
    slips of the question, and by several: no single edit mends them.
    """
    if result.seconds > LONG:
        return False
    doubtful = DOUBTFUL | {slip.id for slip in question.slips if slip.error is not None}
    lost = [group for group in result.groups if _open(group)]
    own = {slip.id for slip in question.slips}
    told_of = [group.slip.id if group.slip is not None else "" for group in lost]
    if set(told_of) <= own and len(set(told_of)) > 1:
        return False
    return all(group.failure is not None and group.failure.kind not in STOPPED for group in lost) and any(
        group.slip is None or not group.slip.sure or group.slip.id in doubtful for group in lost
    )


def mended(result: Result, sentence: str) -> Result:
    """With the sentence of an edit that makes all right below each group that does not speak for itself."""
    if not sentence:
        return result
    said = Said(MENDED, sentence)
    groups = tuple(replace(group, slip=said) if _open(group) else group for group in result.groups)
    return replace(result, groups=groups)


def failing_first(result: Result, cases: Sequence[Case]) -> list[int]:
    """Places of all cases: the first failing one of each group, the rest of those groups, the others."""
    lost = [group for group in result.groups if group.failure is not None]
    first = [group.failure.case for group in lost if group.failure is not None]
    ids = {group.id for group in lost}
    places = sorted(range(len(cases)), key=lambda at: cases[at].group not in ids)
    return list(dict.fromkeys([*first, *places]))
