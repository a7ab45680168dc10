"""The limits of time of a notebook's check: in processor time, told with what was used, and nothing is left behind."""

from __future__ import annotations

import re
import signal
import threading
import time
from dataclasses import replace

import pytest

from autograder import time_of_check
from autograder.isolation.timing import Budget, TimeLimit, call
from autograder.judging import run
from autograder.message import plain
from autograder.question import Case, Group, Question
from autograder.question import call as calling
from autograder.result import timed


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """0.5 s of processor time for a question."""
    monkeypatch.setattr(time_of_check, "LIMITS", replace(time_of_check.LIMITS, cell_seconds=0.6))


def right(n):
    return n + 1.0


QUESTION = Question(
    "toy.more",
    "more",
    (Group("first", 1, "first"), Group("second", 2, "second")),
    lambda rng: [Case("first", "two", calling("more", 2.0)), Case("second", "three", calling("more", 3.0))],
    {"more": right},
    tensors=False,
)


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def loops(n):
    while n == 3:
        pass
    return right(n)


def swallows(n):
    while n == 3:
        try:
            loops(n)
        except BaseException:
            burn(0.3)
    return right(n)


def late(n):
    if n == 3:  # no signal ends it: it comes back too late, with something right
        sum(range(2 * 10**8))
    return right(n)


def sleeps(n):
    if n == 3:
        time.sleep(60)
    return right(n)


@pytest.mark.parametrize("more", [loops, swallows, late])
def test_what_takes_too_long_is_stopped_and_told(more):
    result = run(QUESTION, {"more": more})
    assert (result.score, list(result.failed)) == (1.0, ["second"])
    failure = result.failed["second"]
    assert (failure.kind, failure.label) == ("time", "three")
    assert re.fullmatch(
        r"your code was stopped: it used \d\.\d s of 0\.5 s of processor time", failure.sentence
    )
    assert result.allowed == pytest.approx(0.5)
    assert 0.5 < result.seconds < 10
    assert result.remarks == ()


def test_one_exception_that_is_swallowed_does_not_help():
    ends = []

    def more(n):
        if len(ends) < 3:
            try:
                loops(3)
            except BaseException:
                ends.append(n)
                return more(n)
        return right(n)

    result = run(QUESTION, {"more": more})
    assert len(ends) == 3
    assert result.failed["first"].kind == result.failed["second"].kind == "time"
    assert result.failed["second"].sentence.startswith("not reached: in a case before this one")


def test_who_sleeps_is_stopped_by_the_clock(monkeypatch):
    monkeypatch.setattr(time_of_check, "LIMITS", replace(time_of_check.LIMITS, wall_factor=4))
    result = run(QUESTION, {"more": sleeps})
    assert re.search(
        r"took [\d.]+ s by the clock with 0\.\d s of processor time, where 2 s may be",
        result.failed["second"].sentence,
    )


def test_more_than_half_of_the_time_is_said():
    result = run(QUESTION, {"more": lambda n: burn(0.15) or right(n)})
    assert result.score == 3.0
    assert 0.3 <= result.seconds < 0.5
    (remark,) = result.remarks
    assert remark.startswith("Right, but it used ")
    assert remark in plain(result)
    assert run(QUESTION, {"more": right}).remarks == ()
    full = timed(result, 34.2, 60.0)
    assert full.remarks[-1] == "Right, but it used 34 s of the 60 s of processor time that there are for it."
    assert timed(replace(result, score=1.0), 34.2, 60.0).remarks[-1].startswith("It used 34 s")


def test_a_thread_is_told_that_nothing_can_stop_it():
    found = []
    thread = threading.Thread(target=lambda: found.append(run(QUESTION, {"more": right})))
    thread.start()
    thread.join()
    assert found[0].score == 3.0
    assert found[0].remarks == (time_of_check.IN_A_THREAD,)


def test_signal_and_timer_are_given_back():
    """What a notebook set for itself goes on as it was."""
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 3600)
        budget = Budget(0.1, 60)
        with pytest.raises(TimeLimit, match="used"):
            call(lambda: burn(60), budget)
        assert budget.over
        assert 3000 < signal.getitimer(signal.ITIMER_REAL)[0] <= 3600
        signal.raise_signal(signal.SIGALRM)
        assert rung == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_who_computes_is_not_taken_for_asleep():
    """Beside many programs much time passes for each second of processor time."""
    assert Budget(10, 100, used=0.0, passed=101.0).over
    assert not Budget(10, 100, used=5.0, passed=350.0).over
    assert Budget(10, 100, used=5.0, passed=450.0).over
    assert "took 450.0 s by the clock with 5.0 s of" in str(Budget(10, 100, used=5.0, passed=450.0))


def test_calls_share_a_budget_and_nothing_else_is_charged_to_it():
    budget = Budget(10, 100)
    for _ in range(3):
        assert call(lambda: burn(0.05) or "done", budget) == "done"
        burn(0.05)
    assert 0.15 <= budget.used < 0.25
    part = budget.part(20, 20)
    assert part.seconds == pytest.approx(10 - budget.used)
    assert part.wall == 20


def test_the_students_own_interrupt_passes_through():
    def interrupted(n):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(QUESTION, {"more": interrupted})


def test_torch_has_one_thread_as_in_grading():
    torch = pytest.importorskip("torch")
    before, seen = torch.get_num_threads(), []

    def more(n):
        seen.append(torch.get_num_threads())
        torch.set_num_threads(3)
        return right(n)

    torch.set_num_threads(2)
    try:
        assert run(QUESTION, {"more": more}).score == 3.0
        assert (seen, torch.get_num_threads()) == ([1, 1], 2)
    finally:
        torch.set_num_threads(before)
