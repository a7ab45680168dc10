"""Time in isolation: processor time of a cell, a question and a notebook, told case by case; and who sleeps."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.isolation.limits import Limits
from autograder.isolation.session import Session
from autograder.isolation.source import WarmParent
from autograder.proof.busy import busy

from .calls import CALL_F, call, probe, text_of
from .conftest import SLEEPY

pytestmark = pytest.mark.xdist_group("isolation")


def test_time_is_limited_per_cell_and_names_survive(short_session: Session) -> None:
    short_session.run_cell("x = 7")
    assert short_session.run_cell("while True: pass").status == "time"
    assert text_of(short_session.run_cell("print(x)")) == "7\n"
    assert short_session.restarts == 0


BURN = (
    "import time\ndef f(seconds):\n    end = time.process_time() + seconds\n"
    "    while time.process_time() < end: pass\n    return seconds"
)


def test_time_is_limited_per_question(short_session: Session) -> None:
    """Processor time, told with the case in which it was over; every case has its own."""
    short_session.run_cell(BURN)
    result = call(short_session, 0.3, 0.1, 30, 0)
    assert [reply.kind for reply in result.replies] == ["", "", "time", "time"]
    assert re.search(
        r"used [12]\.\d s of 1\.5 s of processor time, 0\.[4-9] s of it in the cases before",
        result.replies[2].text,
    )
    assert result.replies[3].text.startswith("not reached: in a case before this one your code was stopped: ")
    assert 0.3 <= result.replies[0].seconds < 0.9
    assert 0.1 <= result.replies[1].seconds < 0.7
    assert 1.5 <= result.seconds < 2.9
    assert [reply.kind for reply in call(short_session, 0).replies] == [""]


@pytest.mark.parametrize(
    "body",
    [
        "try:\n        f(60)\n    except BaseException: f(60)",
        "sum(range(10**11))",
        "signal.signal(signal.SIGALRM, signal.SIG_IGN); f(60)",
        "threading.Thread(target=f, args=(60,), daemon=True).start(); time.sleep(60)",
    ],
    ids=["swallows", "burns in C", "ignores the signal", "burns in a thread"],
)
def test_processor_time_is_ended_from_outside_at_the_latest(short_session: Session, body: str) -> None:
    short_session.run_cell(f"import signal, threading\n{BURN}\ndef g(x):\n    {body}")
    (reply,) = probe(short_session, CALL_F.replace("'f'", "'g'"), "call", ["g"], [1]).replies
    assert reply.kind == "time"
    assert re.search(r"used [12]\.\d s of 1\.5 s of processor time", reply.text)
    assert call(short_session, 0).replies[0].kind == ""


def test_who_waits_is_told_so(warm_parent: WarmParent, library: Path) -> None:
    """The clock on the wall ends what uses no processor time, and only that."""
    with Session(warm_parent, library / "one", SLEEPY) as session:
        session.run_cell("import time\nf = time.sleep")
        (reply,) = call(session, 60).replies
    assert reply.kind == "time"
    assert re.search(
        r"took [\d.]+ s by the clock with 0\.\d s of processor time, where 3 s may be", reply.text
    )


def test_another_program_takes_no_time_away(warm_parent: WarmParent, library: Path) -> None:
    """Beside eight busy processes a call takes several times longer, and uses no more."""
    few = Limits(cell_seconds=1.5, wall_factor=40, memory_mb=300)
    with busy(8), Session(warm_parent, library / "one", few) as session:
        session.run_cell(BURN)
        (reply,) = call(session, 0.8).replies
    assert reply.kind == ""
    assert 0.8 <= reply.seconds < 1.5


def test_time_is_limited_per_notebook(warm_parent: WarmParent, library: Path) -> None:
    few = Limits(cell_seconds=2, notebook_seconds=1.5, memory_mb=300)
    with Session(warm_parent, library / "one", few) as session:
        session.run_cell(BURN)
        found = [session.run_cell("f(0.6)") for _ in range(5)]
        assert [one.status for one in found] == ["ok", "ok", "time", "time", "time"]
        assert "all that was left of the notebook's 1.5 s" in found[2].reason
        assert "not run: the whole notebook used 1.5 s of 1.5 s" in found[4].reason
        (reply,) = call(session, 1).replies
        assert reply.kind == "time"
        assert "the whole notebook used" in reply.text


def test_running_again_is_not_charged(warm_parent: WarmParent, library: Path) -> None:
    """Cells of a second each, a question that ends the process: the questions after it have all their time."""
    few = Limits(cell_seconds=2, notebook_seconds=2.5, memory_mb=300)
    with Session(warm_parent, library / "one", few) as session:
        session.run_cell(f"{BURN}\nf(0.9)\nimport os")
        session.run_cell("f(0.9)\ng = lambda x: os._exit(1)")
        ended = CALL_F.replace("'f'", "'g'")
        for restarts in (1, 2):
            assert probe(session, ended, "call", ["g"], [1]).replies[0].kind == "died"
            assert call(session, 0.1).replies[0].kind == ""
            assert session.restarts == restarts
    few = replace(few, replay_seconds=2.5)
    with Session(warm_parent, library / "one", few) as session:
        session.run_cell(f"{BURN}\nf(1.5)\nimport os")
        assert [session.run_cell("os._exit(1)").status for _ in range(3)] == ["died", "died", "time"]
        (reply,) = call(session, 0).replies
        assert (reply.kind, "its cells were run again" in reply.text) == ("time", True)
