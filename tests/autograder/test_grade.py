"""Grading a folder: what is found, what is refused and how, what is kept; with nbgrader itself at the end."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile

import pytest
from typer.testing import CliRunner

from autograder import grade
from autograder.cli import app
from autograder.collect import RefusedError, Submission, collect, sanitise
from autograder.course import CourseError, exercise_of
from autograder.graded import Graded, Mark
from autograder.notebook import Cell, Notebook
from autograder.proof import samples
from autograder.report import store

from .outcomes import result

PS = "ps2_surrogates"
RELEASED = Notebook(
    tuple(Cell("check()", grade_id=name, graded=True) for name in ("sine_derivative", "training"))
)


def notebook(*names, **extra):
    cells = [
        {"cell_type": "code", "source": "1", "outputs": [], "metadata": {"nbgrader": {"grade_id": name}}}
        for name in names
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells, **extra}).encode()


def put(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


FORMS = [
    {"ada.ipynb": b"A", "bo.ipynb": b"B"},
    {"ada/notes.txt": b"", "ada/anything.ipynb": b"A", f"bo/{PS}.ipynb": b"B", "bo/draft.ipynb": b"-"},
    {f"ada/{PS}/{PS}.ipynb": b"A", f"bo/{PS}/{PS}.ipynb": b"B", "bo/.ipynb_checkpoints/x.ipynb": b"-"},
    {"subs/ada.ipynb": b"A", "subs/bo.ipynb": b"B", "__MACOSX/subs/._ada.ipynb": b"-"},
    {f"in/ada/{PS}.ipynb": b"A", f"in/bo/{PS}.ipynb": b"B", "in/README.md": b"-"},
    {"ada.ipynb": b"A", "bo.ipynb": b"B", "README.md": b"-", "roster.csv": b"-", "Thumbs.db": b"-"},
    {"ada.IPYNB": b"A", "bo.ipynb": b"B", "bo.pdf": b"-", "ada.pdf": b"-"},
]


@pytest.mark.parametrize("files", FORMS)
@pytest.mark.parametrize("zipped", [False, True])
def test_all_forms_of_submission_are_found(tmp_path, files, zipped):
    place = put(tmp_path / "in", files)
    if zipped:
        place = tmp_path / "in.zip"
        with zipfile.ZipFile(place, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    found = collect(place, PS)
    assert [(one.student, one.content, one.problem) for one in found] == [("ada", b"A", ""), ("bo", b"B", "")]
    assert [bool(one.remarks) for one in found] == ["ada.IPYNB" in files, False]


def test_what_is_no_submission_is_said(tmp_path):
    place = put(
        tmp_path,
        {
            "ada.txt": b"",
            "bo/notes.md": b"",
            "cy/a.ipynb": b"1",
            "cy/b.ipynb": b"2",
            "di.ipynb": b"4",
            "di/x.ipynb": b"",
        },
    )
    problems = {one.student: one.problem for one in collect(place, PS)}
    assert problems == {
        "ada": "no notebook among the student's files (ada.txt)",
        "bo": "no notebook among the student's files (bo/notes.md)",
        "cy": f"2 notebooks, none of them the only {PS}.ipynb (cy/a.ipynb, cy/b.ipynb)",
        "di": "",
        "di, folder": "a folder beside a file of 'di'; keep one submission for each student",
    }


@pytest.mark.parametrize(
    "name", ["../evil.ipynb", "/etc/evil.ipynb", "a/../../evil.ipynb", "C:/evil.ipynb", "..\\evil.ipynb"]
)
def test_paths_that_leave_the_zip_are_refused(tmp_path, name):
    place = tmp_path / "in.zip"
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr(name, b"x")
        archive.writestr("ada.ipynb", b"A")
    found = {one.student: one for one in collect(place, PS)}
    assert found.pop("ada").content == b"A"
    (refused,) = found.values()
    assert "leads out of the folder" in refused.problem


def test_what_is_absent_or_a_link_is_a_line(tmp_path):
    (tmp_path / "secret.ipynb").write_bytes(b"secret")
    place = put(tmp_path / "in", {"zoe.ipynb": b"Z"})
    (place / "ada.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (place / "bo").symlink_to(tmp_path)
    (place / "cy").mkdir()
    (place / "di").mkdir()
    (place / "di" / f"{PS}.ipynb").symlink_to(tmp_path / "secret.ipynb")
    assert {one.student: one.problem for one in collect(place, PS)} == {
        "ada": "ada.ipynb is a link, which is not followed; hand in the file itself",
        "bo": "bo is a link, which is not followed; hand in the file itself",
        "cy": "nothing in the student's folder",
        "di": f"di/{PS}.ipynb is a link, which is not followed; hand in the file itself",
        "zoe": "",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG", "not a notebook: broken JSON"),
        (b'{"cells": [', "not a notebook: broken JSON"),
        (b"[" * 100_000, "not a notebook: broken JSON"),
        (b"[]", "not a notebook of format 4"),
        (b'{"cells": 3, "nbformat": 4}', "not a notebook of format 4"),
        (notebook("training", nbformat=3), "not a notebook of format 4"),
        (b'{"cells": [1], "nbformat": 4}', "cell 1 is none"),
        (notebook("of_another_set"), f"none of the questions of {PS} is in it"),
    ],
)
def test_bad_notebooks_are_one_line(content, said):
    with pytest.raises(RefusedError) as refused:
        sanitise(Submission("ada", content), PS, RELEASED)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


GRADES = [
    Graded(
        "ada", {"a": Mark(2.0, 1.5, result=result(title="a <b>title</b>")), "b": Mark(4.0, None, manual=True)}
    ),
    Graded("bo", problem="not a notebook"),
]


def test_reports_hold_every_student(tmp_path):
    store.write("ps9", GRADES, tmp_path)
    rows = list(csv.reader((tmp_path / "grades.csv").read_text().splitlines()))
    assert rows[0] == ["student", "a", "b", "score", "points", "pending", "note"]
    assert rows[1] == ["ada", "1.5", "pending", "1.5", "6", "4", "4 points pending (read by a person)"]
    assert rows[2] == ["bo", "", "", "", "6", "0", "not a notebook"]
    assert store.read("ps9", tmp_path) == GRADES
    page = (tmp_path / "feedback" / "ada.html").read_text()
    assert "a &lt;b&gt;title&lt;/b&gt;" in page
    assert "://" not in page
    assert "Not graded: not a notebook." in (tmp_path / "feedback" / "bo.html").read_text()
    store.write("ps9", GRADES[:1], tmp_path)
    assert not (tmp_path / "feedback" / "bo.html").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grade", "ps9", "."], "snngrade: no problem set is called 'ps9'; there are: "),
        (["report", "ps9"], "snngrade: no problem set is called 'ps9'; there are: "),
        (["samples", "ps9"], "snngrade: no problem set is called 'ps9'; there are: "),
        (
            ["grade", PS, "nowhere"],
            "snngrade: nowhere does not exist; give a folder or a zip file of submissions\n",
        ),
        (["report", PS, "--out", "nowhere"], f"snngrade: nowhere holds no results of {PS}; run: "),
    ],
)
def test_wrong_calls_are_one_line_and_status_2(root, monkeypatch, arguments, said):
    monkeypatch.chdir(root)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [[], ["grade"], ["report"], ["samples"]])
def test_help_answers_everywhere(command):
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0
    assert "Usage" in done.output


@pytest.mark.slow
def test_without_isolation_grading_is_refused_and_says_what_to_do(root, tmp_path, monkeypatch):
    from autograder.isolation import sandbox

    none = sandbox.Layers({name: "switched off" for name in sandbox.LAYERS})
    monkeypatch.setattr(sandbox, "probe", lambda: none)
    monkeypatch.chdir(root)
    place = tmp_path / "submissions"
    place.mkdir()
    (place / "ada.ipynb").write_bytes(exercise_of(root, PS).read_bytes())
    done = CliRunner().invoke(app, ["grade", PS, str(place), "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "This machine cannot isolate: files" in done.output
    assert "--unsafe" in done.output
    assert not list((tmp_path / "out").glob("students/*"))
    grade.Execution(isolated=False).require()
    grade.Execution(unsafe=True).require()
    with pytest.raises(CourseError, match="cannot isolate"):
        grade.Execution().require()


HANDED_IN = ("solution", "untouched", "euler_everywhere")


@pytest.mark.slow
@pytest.mark.parametrize("way", [["--unsafe"], ["--stock"]], ids=["isolated", "stock"])
def test_nbgrader_grades_the_samples_and_goes_on_past_bad_ones(way, root, tmp_path, monkeypatch):
    """Three samples and some bad submissions through ``nbgrader autograde``; a second run does nothing."""
    problem_set = "ps1_neurons"  # the quickest of those with points
    monkeypatch.chdir(root)
    place = tmp_path / "submissions"
    place.mkdir()
    written = samples.write_samples(root, problem_set)
    for name in HANDED_IN:
        shutil.copy(written / f"{name}.ipynb", place)
    (place / "zz_image.ipynb").write_bytes(b"\x89PNG")
    (place / "zz_other.ipynb").write_bytes(notebook("another_set"))
    twice = json.loads(exercise_of(root, problem_set).read_bytes())
    named = {cell["metadata"].get("nbgrader", {}).get("grade_id"): cell for cell in twice["cells"]}
    twice["cells"].append(named["lapicque"])
    twice["cells"].remove(named["mystery_neuron"])
    (place / "zz_twice.ipynb").write_text(json.dumps(twice))

    out = tmp_path / "out"
    arguments = ["grade", problem_set, str(place), "--out", str(out), *way]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1, done.output
    grades = {one.student: one for one in store.read(problem_set, out)}
    assert set(samples.differences(root, problem_set, list(grades.values()))) == {
        f"{one.name}: not graded" for one in samples.samples(root, problem_set) if one.name not in HANDED_IN
    }
    assert grades["zz_image"].problem.startswith("not a notebook: broken JSON")
    assert "none of the questions" in grades["zz_other"].problem
    assert grades["zz_twice"].remarks == (
        "`lapicque` is there more than once: the last one counts",
        "the cell `mystery_neuron` was missing and was put back",
    )
    assert grades["zz_twice"].score == 0
    assert set(grades["zz_twice"].questions) == set(grades["solution"].questions)
    assert grades["solution"].score == 26
    assert grades["solution"].pending == 4
    assert "not a notebook" in done.output

    def nothing(plan, works, *rest):
        assert works == {}
        return []

    monkeypatch.setattr(grade, "_graded", nothing)
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 1, again.output
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == stamps

    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{out / 'course' / 'gradebook.db'}") as gradebook:
        cell = gradebook.find_grade("discussion_good_spike", problem_set, problem_set, "solution")
        cell.manual_score = 3.5
        gradebook.db.commit()
    assert CliRunner().invoke(app, ["report", problem_set, "--out", str(out)]).exit_code == 0
    (solution,) = [one for one in store.read(problem_set, out) if one.student == "solution"]
    assert (solution.score, solution.pending) == (29.5, 0.0)
