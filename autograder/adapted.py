"""A check of the older form as a question, until it is one."""

from __future__ import annotations

from typing import Any

from autograder.checks import core
from autograder.question import Case, Group, Question, Slip, Tolerance, call


def adapted(check: core.Check) -> Question:
    """The question that a check is: its probe is called with a case's data."""

    def judged(judge: core.Judge | None) -> Any:
        return None if judge is None else lambda got, asked: judge(got, asked["data"])

    def slip(found: core.Misconception) -> Slip:
        arrays, when = found.arrays, found.when
        return Slip(
            found.id,
            found.message,
            gives=None if arrays is None else lambda asked: arrays(asked["data"]),
            seen=None if when is None else lambda got, asked: when(got, asked["data"]),
            error=found.error,
        )

    return Question(
        check.id,
        check.title,
        tuple(Group(one.id, one.points, one.title, judged(one.judge)) for one in check.groups),
        lambda rng: [
            Case(one.group, one.label, call(check.probe, data=one.data)) for one in check.cases(rng)
        ],
        check.names,
        values=lambda asked: check.expected(asked["data"]),
        slips=tuple(map(slip, check.misconceptions)),
        hints=check.hints,
        within=Tolerance(check.tolerance.rtol, check.tolerance.atol, check.tolerance.reason),
        tensors=False,
        withheld=check.withheld,
    )
