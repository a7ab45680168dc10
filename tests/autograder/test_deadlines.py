"""Due times, lateness, groups, and the names that learning-management systems give."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.collect import collect
from autograder.course import CourseError
from autograder.deadlines import DAY, NO_DEADLINE, Deadline, due_time
from autograder.groups import Groups, read_groups
from autograder.naming import student_of

DUE = datetime(2026, 12, 1, 22, 59, tzinfo=UTC)


@given(st.floats(-1e6, 1e6), st.floats(0, 5))
def test_lateness_costs_points_for_each_day_begun(seconds, off):
    deadline = Deadline(DUE, off)
    late = deadline.late_s(DUE + timedelta(seconds=seconds))
    assert late == pytest.approx(max(0.0, seconds), abs=1e-5)
    days = 0
    while days * DAY < late:
        days += 1
    assert deadline.penalty(late) == days * off


def test_in_time_and_unknown_times_are_not_late():
    assert Deadline(DUE, 1.0).late_s(DUE) == 0.0
    assert Deadline(DUE, 1.0).late_s(None) == 0.0
    assert NO_DEADLINE.late_s(DUE) == 0.0


def test_due_times_have_a_zone():
    assert due_time("2026-12-01 23:59+01:00") == DUE
    assert due_time("2026-12-01 23:59").tzinfo is not None
    with pytest.raises(CourseError, match="'tomorrow' is no time; write it like"):
        due_time("tomorrow")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"due": datetime(2026, 12, 1)}, "needs a time zone"),
        ({"due": DUE, "off_per_day": -1.0}, "must be 0 or more; got -1"),
        ({"off_per_day": 1.0}, "no due time is given"),
    ],
)
def test_deadlines_that_make_no_sense_are_refused(arguments, said):
    with pytest.raises(CourseError, match=said):
        Deadline(**arguments)


def test_nobody_is_in_two_groups():
    with pytest.raises(CourseError, match="'bo' is in two groups, 'g' and 'h'"):
        Groups({"g": ("ada", "bo"), "h": ("bo",)})


def test_groups_are_read_and_found_by_member(tmp_path):
    file = tmp_path / "groups.csv"
    file.write_text("group,student\nred,ada\nred,bo\nblue,cy\n")
    groups = read_groups(file)
    assert groups == Groups({"red": ("ada", "bo"), "blue": ("cy",)})
    assert [groups.of(name) for name in ("red", "bo", "cy", "di")] == ["red", "red", "blue", ""]
    assert [groups.students(owner) for owner in ("red", "di")] == [("ada", "bo"), ("di",)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "hold no row"),
        ("group,student\nred,\n", "line 2: it needs a group and a student"),
        ("a,b\n1,2\n", "line 2"),
    ],
)
def test_bad_groups_name_the_line(tmp_path, text, said):
    file = tmp_path / "groups.csv"
    file.write_text(text)
    with pytest.raises(CourseError, match=said):
        read_groups(file)
    with pytest.raises(CourseError, match="cannot be read"):
        read_groups(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("Ada Lovelace_4711_assignsubmission_file_", "Ada Lovelace_4711"),
        ("Ada Lovelace_4711_assignsubmission_file", "Ada Lovelace_4711"),
        ("lovelaceada_4711_815_ps2_surrogates-1", "lovelaceada_4711"),
        ("lovelaceada_LATE_4711_815_ps2", "lovelaceada_4711"),
        ("ada", "ada"),
        ("ada_b", "ada_b"),
        ("ada_2026", "ada_2026"),
    ],
)
def test_names_that_moodle_and_canvas_make_are_shortened(name, student):
    assert student_of(name) == student


def test_an_export_and_an_exchange_are_collected_with_their_times(tmp_path):
    place = tmp_path / "moodle.zip"
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("Ada L_1_assignsubmission_file_/work.ipynb", b"A")
        archive.writestr("Bo M_2_assignsubmission_file_/work.ipynb", b"B")
    assert [(one.student, one.content) for one in collect(place, "ps0")] == [
        ("Ada L_1", b"A"),
        ("Bo M_2", b"B"),
    ]

    exchange = tmp_path / "submitted"
    for student, stamp in (("ada", "2026-12-01 22:59:30.5 UTC"), ("bo", "gibberish"), ("cy", None)):
        folder = exchange / student / "ps0"
        folder.mkdir(parents=True)
        (folder / "ps0.ipynb").write_bytes(b"N")
        if stamp is not None:
            (folder / "timestamp.txt").write_text(stamp)
    times = {one.student: one.handed_in for one in collect(exchange, "ps0")}
    assert times == {"ada": DUE + timedelta(seconds=30.5), "bo": None, "cy": None}
