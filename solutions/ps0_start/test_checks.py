"""The questions of the practice set, and what it shows: an answer that fits the visible cases only."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograder.checks.ps0_start import longest_silence, shares, spike_count
from autograder.course import source_of
from autograder.judging import PUBLIC_SEED, right_values, run
from autograder.question import call

LONGEST = longest_silence.QUESTION


def right(module, seed):
    """Arguments and right arrays of every case of a question."""
    for case in module.QUESTION.draw(seed):
        yield module.QUESTION.asked(case.call), right_values(module.QUESTION, case.call)


@given(st.lists(st.integers(0, 1), max_size=30))
def test_right_silence_is_the_longest_run_of_zeros(train):
    """Against a regular expression on the train as text."""
    text = "".join(map(str, train))
    wanted = max((len(run) for run in re.findall("0+", text)), default=0)
    got = right_values(LONGEST, call("longest_silence", np.array(train, dtype=np.int64)))
    assert int(got["longest silence"]) == wanted


@pytest.mark.parametrize("seed", range(5))
def test_right_counts_and_shares(seed):
    for asked, values in right(spike_count, seed):
        fired = [one for one in asked["charge"].tolist() if one >= asked["threshold"]]
        assert int(values["count"]) == len(fired)
    for asked, values in right(shares, seed):
        for counts, row in zip(asked["counts"], values["shares"], strict=True):
            total = counts.sum()
            assert np.allclose(row * total, counts)
            assert row.sum() == pytest.approx(1.0 if total else 0.0)


@pytest.mark.parametrize("seed", range(20))
def test_drawn_trains_tell_every_place_of_the_longest_silence(seed):
    """Whoever forgets one end, or both, is wrong on some drawn train, whatever the seed."""
    trains = [case.call.args[0] for case in LONGEST.draw(seed) if case.group == "drawn"]
    drawn = [longest_silence.runs(torch.from_numpy(train)) for train in trains]
    for forgotten in (slice(1, None), slice(None, -1), slice(1, -1)):
        assert [max(runs[forgotten]) for runs in drawn] != [max(runs) for runs in drawn]


@pytest.fixture(scope="module")
def memorised(root):
    """The answer of the notebook that looks the visible cases up."""
    source = source_of(root, "ps0_start").read_text()
    start = source.index("SHOWN = {")
    space = {}
    exec(source[start : source.index("check(", start)], space)
    return space


def test_memorised_answer_is_green_and_loses_when_graded(memorised):
    names = {"longest_silence": memorised["memorised"]}
    assert run(LONGEST, names, seed=PUBLIC_SEED).score == 1.0
    for seed in range(30):
        assert run(LONGEST, names, seed=seed).score == 0.5


def test_memorised_answer_knows_nothing_but_the_visible_cases(memorised):
    assert set(memorised["SHOWN"]) <= {case.label for case in LONGEST.draw(PUBLIC_SEED)}
