"""CSV files: nbgrader's columns and values, what Moodle and Canvas read, formulas, and who is left out."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from autograder.cli import app
from autograder.course import COURSE_ID, CourseError, configure
from autograder.graded import Graded, Mark
from autograder.naming import identifier
from autograder.report import store
from autograder.report.export import (
    NBGRADER,
    Person,
    canvas_csv,
    guarded,
    left_out,
    moodle_csv,
    nbgrader_csv,
    own_csv,
    read_roster,
)

PS = "ps2_surrogates"
GRADES = [
    Graded("ada", {"a": Mark(2.0, 1.5), "b": Mark(4.0, None, manual=True, given=4.0)}, penalty=0.5, late_s=3600.0),
    Graded("bo", {"a": Mark(2.0, 2.0), "b": Mark(4.0, None, manual=True)}),
    Graded("cy", problem="=HYPERLINK(\"x\")"),
]  # fmt: skip
PEOPLE = {"ada": Person("ada", "Ada", "Love, Lace", "ada@uni.example", sis_login_id="al1", canvas_id="77")}


def rows(content):
    return list(csv.reader(io.StringIO(content.decode())))


@given(st.text(max_size=30))
def test_no_cell_begins_a_formula(text):
    kept = guarded(text)
    assert kept[:1] not in {*"=+-@\t\r\0＝＋－＠"}
    assert kept in (text, f"'{text}")
    assert (kept == text) == (text[:1] not in {*"=+-@\t\r\0＝＋－＠"})


def test_own_table_guards_text_and_leaves_numbers():
    ada, bo, cy = rows(own_csv([*GRADES]))[1:]
    assert ada == ["ada", "1.5", "4", "5", "6", "0", "1 hour late; 0.5 points taken off"]
    assert bo == ["bo", "2", "pending", "2", "6", "4", "4 points pending (read by a person)"]
    assert cy[-1] == '\'=HYPERLINK("x")'


def test_moodle_holds_final_grades_with_both_columns():
    head, *body = rows(moodle_csv("ps9", GRADES, PEOPLE))
    assert head == ["Username", "Email address", "Full name", "ps9", "ps9 (feedback)"]
    assert body == [
        ["ada", "ada@uni.example", "Ada Love, Lace", "5", "a 1.5 of 2; 1 hour late; 0.5 points taken off"]
    ]
    both = rows(moodle_csv("ps9", GRADES, PEOPLE, provisional=True))[1:]
    assert [row[0] for row in both] == ["ada", "bo"]
    assert both[1][3:] == ["2", "b pending of 4; 4 points pending (read by a person)"]
    assert left_out(GRADES) == {"bo": "4 points pending", "cy": 'not graded: =HYPERLINK("x")'}
    assert set(left_out(GRADES, provisional=True)) == {"cy"}


def test_canvas_has_its_columns_the_points_and_the_students():
    head, points, ada = rows(canvas_csv("ps9", GRADES, PEOPLE, assignment="Problem set 9 (12)"))
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Problem set 9 (12)"]
    assert points == ["    Points Possible", "", "", "", "", "6"]
    assert ada == ["Ada Love, Lace", "77", "", "al1", "", "5"]
    # What Canvas' importer asks of the header and of the second row.
    assert "Student" in head[0]
    assert "ID" in head[1]
    assert head[4] == "Section"
    assert "Points Possible" in points[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Student,ID,SIS User ID,SIS Login ID,Section,Quiz (1)\n    Points Possible,,,,,10\n"
            '"Lovelace, Ada",77,u9,ada,one,3\n',
            Person(
                "ada",
                canvas_id="77",
                sis_user_id="u9",
                sis_login_id="ada",
                section="one",
                name="Lovelace, Ada",
            ),
        ),
        (
            "\ufeffFirst name,Surname,Username,Email address\nAda,Lovelace,ada,a@uni.example\n",
            Person("ada", "Ada", "Lovelace", "a@uni.example", "ada"),
        ),
        (
            "student_id,name,email\nada,Ada L,a@uni.example\n",
            Person("ada", email="a@uni.example", name="Ada L"),
        ),
    ],
)
def test_rosters_of_canvas_moodle_and_ones_own(tmp_path, text, expected):
    (tmp_path / "r.csv").write_text(text, encoding="utf-8")
    assert read_roster(tmp_path / "r.csv") == {"ada": expected}


def test_people_are_found_by_the_name_that_their_submission_goes_by(tmp_path):
    """A Mac writes letters with accents in two parts; a name that no file can have is written in another way."""
    (tmp_path / "r.csv").write_text("student_id,name\nJose\u0301,J\na/b,A\n", encoding="utf-8")
    people = read_roster(tmp_path / "r.csv")
    assert {student: one.name for student, one in people.items()} == {"Jos\xe9": "J", identifier("a/b"): "A"}
    assert people[identifier("a/b")].id == "a/b"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "needs a column"),
        (b"name,email\nx,y\n", "needs a column student_id, Username or SIS Login ID"),
        (b"student_id\n\n", "needs a column"),
        (b"student_id,name\n,x\n", "names no student"),
        (b"student_id\nada\nada\n", "has 'ada' twice"),
        (b"student_id\n\xff\n", "cannot be read"),
    ],
)
def test_bad_rosters_are_one_line(tmp_path, content, said):
    (tmp_path / "r.csv").write_bytes(content)
    with pytest.raises(CourseError, match=said) as caught:
        read_roster(tmp_path / "r.csv")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_nbgrader_rows_are_those_of_its_own_exporter(tmp_path):
    """One gradebook, exported by nbgrader's plugin and by ours."""
    from nbgrader.api import Gradebook
    from nbgrader.plugins import CsvExportPlugin
    from traitlets.config import Config

    configure(Config(), tmp_path)
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}", COURSE_ID) as book:
        book.add_assignment("ps9")
        book.add_notebook("ps9", "ps9")
        for name, points in (("a", 2), ("b", 4)):
            book.add_grade_cell(name, "ps9", "ps9", max_score=points, cell_type="code")
        book.add_student("ada", first_name="Ada", last_name="Lovelace", email="ada@uni.example")
        book.add_submission("ps9", "ada")
        book.find_submission_notebook("ps9", "ps9", "ada").late_submission_penalty = 0.5
        book.find_grade("a", "ps9", "ps9", "ada").auto_score = 1.5
        book.find_grade("b", "ps9", "ps9", "ada").manual_score = 4.0
        book.db.commit()
        plugin = CsvExportPlugin()
        plugin.to = str(tmp_path / "theirs.csv")
        plugin.export(book)
    theirs = list(csv.DictReader((tmp_path / "theirs.csv").open()))
    people = {"ada": Person("ada", "Ada", "Lovelace", "ada@uni.example")}
    ours = list(csv.DictReader(io.StringIO(nbgrader_csv("ps9", GRADES[:1], people).decode())))
    assert tuple(theirs[0]) == NBGRADER
    assert ours == theirs


@pytest.mark.parametrize("to", ["nbgrader", "moodle", "canvas"])
def test_export_command_writes_the_file_and_says_who_is_left_out(root, tmp_path, monkeypatch, to):
    monkeypatch.chdir(root)
    store.write(PS, GRADES, tmp_path)
    (tmp_path / "r.csv").write_text("student_id,name\nada,Ada L\n")
    arguments = ["export", PS, "--to", to, "--out", str(tmp_path), "--roster", str(tmp_path / "r.csv")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert f"{to}.csv" in done.output
    assert ("bo: left out, 4 points pending" in done.output) == (to != "nbgrader")
    assert "bo: no line in" in done.output
    assert "ada" in (tmp_path / f"{to}.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ps99", "--to", "moodle"], "snngrade: no problem set is called 'ps99'"),
        ([PS, "--to", "moodle", "--out", "nowhere"], f"snngrade: nowhere holds no results of {PS}"),
    ],
)
def test_wrong_exports_are_one_line_and_status_2(root, monkeypatch, arguments, said):
    monkeypatch.chdir(root)
    done = CliRunner().invoke(app, ["export", *arguments])
    assert done.exit_code == 2
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
