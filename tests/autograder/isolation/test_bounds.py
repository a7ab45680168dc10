"""Time, memory and output run out wherever they like: what is answered stays whole, and the worker lives on."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.isolation.limits import Limits
from autograder.isolation.session import Session
from autograder.isolation.source import WarmParent

from .calls import ATTACK, CALL, GOOD, probe

pytestmark = pytest.mark.xdist_group("isolation")

INTERRUPTED = (
    "for n in range(300): print('x' * 100)",
    "import sys\nfor n in range(300): print(n, file=sys.stderr)",
    "for n in range(50):\n    try:\n        1 / 0\n    except ZeroDivisionError as error:\n        raise ValueError from error",
    "for n in range(20): display(n)",
    "def deep(n): return deep(n - 1) if n else 1\nfor n in range(100): deep(500)",
    "import torch\nfor n in range(50): torch.ones(100, 100).sum().item()",
    "while True: pass",
    "class Slow:\n    def __del__(self): sum(range(1000))\nfor n in range(500): Slow()",
    "def broken(:",
)  # fmt: skip


def strike(session: Session, draw: random.Random, count: int) -> dict[str, int]:
    """Let the time end at random instants, in cells and in probes that answer case by case; how each ended."""
    ends: dict[str, int] = {}
    session.limits = replace(session.limits, cell_seconds=5.0)
    session.run_cell(GOOD)
    for _ in range(count):
        session.limits = replace(session.limits, cell_seconds=10 ** draw.uniform(-4.3, -1.7))
        if draw.random() < 0.7:
            end = session.run_cell(draw.choice(INTERRUPTED)).status
        else:
            replies = probe(session, CALL, "call", ["good"], [1.5] * 40).replies
            end = "+".join(sorted({reply.kind or "answered" for reply in replies}))
            assert all(reply.arrays["y"] == 2.5 for reply in replies if not reply.kind)
        ends[end] = ends.get(end, 0) + 1
    return ends


@pytest.mark.slow
@pytest.mark.parametrize("alarms", [500, pytest.param(10_000, marks=pytest.mark.soak)])
def test_time_may_end_at_any_instant(alarms: int, warm_parent: WarmParent, library: Path) -> None:
    """Hundreds of alarms at random instants: none ends the worker, breaks an answer or reaches another request."""
    patient = Limits(cell_seconds=5, notebook_seconds=alarms, grace_seconds=60, memory_mb=400, output_kb=64)
    with Session(warm_parent, library / "one", patient) as session:
        ends = strike(session, random.Random(11), alarms)
        assert session.restarts == 0
        assert set(ends) <= {
            "ok",
            "error",
            "time",
            "answered",
            "answered+time",
            "answered+error+time",
            "error+time",
        }
        assert ends["time"] > alarms / 10
        session.limits = patient
        (reply,) = probe(session, CALL, "call", ["good"], [1.5]).replies
        assert reply.arrays["y"] == 2.5


@pytest.mark.parametrize("body", ["print('x' * 10000)", "print('x' * 10000, file=sys.stderr)"])
def test_what_is_printed_without_end_takes_no_memory(
    warm_parent: WarmParent, library: Path, body: str
) -> None:
    """Only a bounded part of it is kept, by whoever it passes through."""
    few = Limits(cell_seconds=2, memory_mb=64, output_kb=64, grace_seconds=20)
    with Session(warm_parent, library / "one", few) as session:
        result = session.run_cell(f"import sys\nwhile True: {body}")
        assert result.status == "time", result
        session.run_cell(f"import sys\ndef attack(x):\n    while True: {body}")
        result = probe(session, ATTACK, "call", ["attack"], [1.5])
        assert result.replies[0].kind in ("time", "error"), result
        assert session.restarts == 0


@pytest.mark.parametrize("size", [1, 10, 50])
def test_used_up_memory_is_an_error_that_can_still_be_told(
    size: int, warm_parent: WarmParent, library: Path
) -> None:
    few = Limits(cell_seconds=60, memory_mb=64, output_kb=64)
    with Session(warm_parent, library / "one", few) as session:
        result = session.run_cell(f"kept = []\nwhile True: kept.append([0] * {size})")
        assert result.status == "error", result
        assert result.outputs[-1]["ename"] == "MemoryError"
        assert session.restarts == 0
