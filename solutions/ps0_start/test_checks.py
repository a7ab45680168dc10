"""The checks of the practice set, and what it shows: an answer that fits the visible cases only."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.checks import grade
from autograder.checks import ps0_start as ps0
from autograder.checks.core import PUBLIC_SEED
from autograder.course import source_of

LONGEST = "ps0.longest_silence"


@given(st.lists(st.integers(0, 1), max_size=30))
def test_expected_silence_is_the_longest_run_of_zeros(train):
    """Against a regular expression on the train as text."""
    text = "".join(map(str, train))
    wanted = max((len(run) for run in re.findall("0+", text)), default=0)
    got = ps0.LONGEST_SILENCE.expected({"train": np.array(train, dtype=np.int64)})
    assert int(got["longest silence"]) == wanted


@pytest.mark.parametrize("seed", range(5))
def test_expected_counts_and_shares(seed):
    for case in ps0.SPIKE_COUNT.draw(seed):
        fired = [one for one in case.data["charge"].tolist() if one >= case.data["threshold"]]
        assert int(ps0.SPIKE_COUNT.expected(case.data)["count"]) == len(fired)
    for case in ps0.SHARES.draw(seed):
        if case.data["part"] == "shares":
            shares = ps0.SHARES.expected(case.data)["shares"]
            for counts, row in zip(case.data["counts"], shares, strict=True):
                total = counts.sum()
                assert np.allclose(row * total, counts)
                assert row.sum() == pytest.approx(1.0 if total else 0.0)


@pytest.mark.parametrize("seed", range(20))
def test_drawn_trains_tell_every_place_of_the_longest_silence(seed):
    """Whoever forgets one end, or both, is wrong on some drawn train, whatever the seed."""
    drawn = [case.data for case in ps0.LONGEST_SILENCE.draw(seed) if case.group == "drawn"]
    wanted = [int(ps0.LONGEST_SILENCE.expected(data)["longest silence"]) for data in drawn]
    for forgotten in (slice(1, None), slice(None, -1), slice(1, -1)):
        assert [max(ps0._runs(data["train"])[forgotten]) for data in drawn] != wanted


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
    assert grade(LONGEST, names, seed=PUBLIC_SEED).score == 1.0
    for seed in range(30):
        assert grade(LONGEST, names, seed=seed).score == 0.5


def test_memorised_answer_knows_nothing_but_the_visible_cases(memorised):
    shown = {ps0.said(case.data["train"]) for case in ps0.LONGEST_SILENCE.draw(PUBLIC_SEED)}
    assert set(memorised["SHOWN"]) <= shown
