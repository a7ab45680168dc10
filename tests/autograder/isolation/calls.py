"""Probes for tests: functions ``(answer, data)`` given as text, called once for each piece of data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograder.isolation.session import CellResult, ProbeResult, Session

GOOD = "def good(x):\n    return x + 1\n"
CALL = "def call(answer, data):\n    return {'y': answer['good'](data)}\n"
CALL_F = "def call(answer, data):\n    return {'y': answer['f'](data)}\n"
ATTACK = "def call(answer, data):\n    return {'y': answer['attack'](data)}\n"


def probe(
    session: Session, source: str, function: str, names: Sequence[str], data: Sequence[Any]
) -> ProbeResult:
    """Call a function of the source beside the student's code, once for each piece of data."""
    cases = [
        {
            "of": function,
            "module": 0,
            "args": (),
            "kwargs": {"data": one},
            "then": (),
            "by": (),
            "upstream": None,
            "result": 0,
            "results": (),
            "tensors": False,
        }
        for one in data
    ]
    return session.probe(names, cases, [source])


def call(session: Session, *data: Any) -> ProbeResult:
    """Call the student's ``f`` once for each piece of data."""
    return probe(session, CALL_F, "call", ["f"], data)


def text_of(result: CellResult) -> str:
    """What a cell printed."""
    return "".join(item.get("text", "") for item in result.outputs)
