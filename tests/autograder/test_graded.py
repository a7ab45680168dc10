"""Outcomes of submissions as data: what is written is read back, what is wrong is named, people's points win."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.graded import (
    Given,
    Graded,
    Mark,
    Trouble,
    decode_results,
    encode_results,
    keep,
    kept,
    with_given,
)
from autograder.result import Failure, GroupResult, Place, Result, Said
from autograder.result import kept as as_json

from .outcomes import checked, read_by_person, result

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ANY = st.floats().map(as_json)
PLACES = st.builds(
    Place,
    TEXT,
    st.lists(st.integers(0, 9), max_size=3).map(tuple),
    ANY,
    ANY,
    st.integers(0, 9),
    st.integers(0, 9),
)
FAILURES = st.builds(
    Failure, TEXT, TEXT, st.integers(0, 9), TEXT, st.lists(TEXT, max_size=2).map(tuple), st.none() | PLACES
)
GROUPS = st.builds(
    GroupResult,
    TEXT,
    TEXT,
    FINITE,
    FINITE,
    st.integers(0, 9),
    st.none() | FAILURES,
    st.none() | st.builds(Said, TEXT, TEXT),
)
RESULTS = st.builds(
    Result,
    TEXT,
    TEXT,
    FINITE,
    FINITE,
    st.integers(0, 2**48),
    st.lists(GROUPS, max_size=2).map(tuple),
    hints=st.lists(TEXT, max_size=3).map(tuple),
    printed=TEXT,
    rests_on=st.lists(TEXT, max_size=2).map(tuple),
)
MARKS = st.builds(
    Mark,
    FINITE,
    st.none() | FINITE,
    manual=st.booleans(),
    result=st.none() | RESULTS,
    given=st.none() | FINITE,
    fault=TEXT,
    seconds=FINITE,
)
OUTCOMES = st.builds(
    Graded,
    TEXT,
    st.dictionaries(TEXT, MARKS, max_size=2),
    problem=TEXT,
    remarks=st.lists(TEXT, max_size=2).map(tuple),
    trouble=st.lists(st.builds(Trouble, TEXT, TEXT, TEXT), max_size=2).map(tuple),
    seed=st.integers(0, 2**48),
    comments=st.dictionaries(TEXT, TEXT, max_size=2),
    handed_in=st.none() | st.datetimes(timezones=st.just(UTC)),
    penalty=FINITE,
)


@given(st.lists(OUTCOMES, max_size=2))
def test_what_is_written_is_read_back(outcomes):
    assert decode_results(encode_results("ps9", outcomes)) == outcomes
    json.loads(encode_results("ps9", outcomes))  # no nan and no infinity, which JSON does not have


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("student",), 3, r"\$\.grades\[0\]\.student"),
        (("questions", "a", "auto"), "all", r"questions\[\.\.\.\]\.auto"),
        (("questions", "a", "result", "groups", 0, "cases"), None, r"result\.groups\[0\]\.cases"),
        (("handed_in",), "yesterday", r"handed_in"),
    ],
)
def test_a_wrong_field_is_named(path, value, said):
    content = json.loads(encode_results("ps9", [Graded("ada", {"a": checked()})]))
    place = content["grades"][0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=said):
        decode_results(json.dumps(content).encode())


def test_an_outcome_is_kept_under_its_key(tmp_path):
    one = Graded("ada", {"a": checked(), "b": read_by_person()}, handed_in=datetime(2026, 12, 1, tzinfo=UTC))
    assert kept(tmp_path, "ada", "key") is None
    keep(tmp_path, "key", one)
    assert kept(tmp_path, "ada", "key") == one
    assert kept(tmp_path, "ada", "other key") is None
    (place,) = (tmp_path / "students").iterdir()
    content = place.read_bytes()
    for broken in (b"", content[:-20], content.replace(b'"points"', b'"score"')):
        place.write_bytes(broken)
        assert kept(tmp_path, "ada", "key") is None


def test_what_people_gave_takes_the_place_of_the_checks_points_until_it_is_taken_back():
    before = Graded("ada", {"a": checked(0.5), "b": read_by_person(), "c": Mark(1.0, 1.0)})
    after = with_given(
        before, {"a": Given(0.75), "b": Given(3.0, "Say why."), "a_answer": Given(None, "Neat.")}
    )
    assert [mark.score for mark in after.questions.values()] == [0.75, 3.0, 1.0]
    assert (after.raw, after.pending, after.points) == (4.75, 0.0, 6.0)
    assert after.comments == {"b": "Say why.", "a_answer": "Neat."}
    assert after.questions["a"].result == result()
    again = with_given(after, {"a": Given(), "b": Given()})
    assert again == before
    assert again.pending == 4.0


def test_a_penalty_leaves_no_score_below_zero():
    one = Graded("ada", {"a": checked(0.5)}, penalty=0.25)
    assert (one.score, one.raw) == (0.25, 0.5)
    assert replace(one, penalty=2.0).score == 0.0
    assert [Mark(1.0, score).lost for score in (None, 0.5, 1.0)] == [False, True, False]
