"""Student notebooks: reproducible, without solutions, and up to date in the repository."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from autograder import release
from autograder.cli import app
from autograder.course import checkout, exercise_of, problem_sets, source_of
from autograder.source import KERNEL, solution_notebook

PS = "ps2_surrogates"


@pytest.fixture(scope="module")
def student(root):
    return release.student_notebook(root, PS)


@pytest.mark.slow
@pytest.mark.parametrize("problem_set", problem_sets(checkout()))
def test_committed_notebooks_are_not_stale(root, problem_set):
    assert not release.stale(root, problem_set), "run: make exercises"


@pytest.mark.slow
def test_notebook_is_the_same_each_time(root, student):
    assert release.student_notebook(root, PS) == student


@pytest.mark.slow
def test_nothing_of_the_solution_is_left(root, student):
    text = student.decode()
    assert "BEGIN SOLUTION" not in text
    assert "Rubric" not in text
    cells = json.loads(student)["cells"]
    solution = {cell.id: cell.source for cell in solution_notebook(root, PS).cells}
    answers = [cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("solution")]
    assert answers
    for cell in answers:
        source = "".join(cell["source"])
        assert source != solution[cell["id"]]
        assert "raise NotImplementedError" in source or source == "Write your answer here."
        assert not cell.get("outputs")


def test_cells_are_identified_and_locked(student):
    notebook = json.loads(student)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert notebook["metadata"] == {"kernelspec": KERNEL}
    for cell in notebook["cells"]:
        marks = cell["metadata"].get("nbgrader")
        if marks:
            assert cell["id"] == marks["grade_id"]
            assert marks["checksum"]
            assert marks["locked"] or marks["solution"]
            assert cell["metadata"].get("editable", True) is not marks["locked"]


def test_every_check_has_its_cell_and_its_points(student):
    from autograder.course import questions_of

    cells = {cell["id"]: cell for cell in json.loads(student)["cells"]}
    for check in questions_of(checkout(), PS).values():
        cell = cells[check.id.split(".")[1]]
        assert "".join(cell["source"]) == f'check("{check.id}")'
        assert cell["metadata"]["nbgrader"]["points"] == check.points


def called(*arguments):
    """The exit status of the command, and what it says."""
    done = CliRunner().invoke(app, ["release", *arguments])
    return done.exit_code, done.output


@pytest.fixture
def copy(root, tmp_path, monkeypatch):
    """A checkout with nothing but what a release needs."""
    shutil.copytree(root / "solutions" / PS, tmp_path / "solutions" / PS)
    shutil.copytree(root / "exercises" / PS, tmp_path / "exercises" / PS)
    shutil.copy(root / "nbgrader_config.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_release_writes_only_what_changed(copy):
    assert checkout() == copy
    target = exercise_of(copy, PS)
    before = target.stat().st_mtime_ns
    for _ in range(2):
        assert called() == (0, f"exercises/{PS}/{PS}.ipynb: up to date\n")
    assert target.stat().st_mtime_ns == before

    source = source_of(copy, PS)
    source.write_text(source.read_text().replace("## Hand in", "## Hand it in"))
    assert called("--check", PS) == (1, f"exercises/{PS}/{PS}.ipynb is stale; run: snngrade release {PS}\n")
    assert called(PS) == (0, f"exercises/{PS}/{PS}.ipynb: written\n")
    assert b"Hand it in" in target.read_bytes()


def test_wrong_calls_are_one_line(copy):
    assert called("ps9") == (2, f"snngrade: no problem set is called 'ps9'; there are: {PS}\n")
