"""nbgrader with isolation in the place of its Execute: outputs, scores in the gradebook, hostile submissions."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from msgspec import convert

pytest.importorskip("nbgrader", reason="nbgrader is not installed")

from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import determine_grade
from traitlets.config import Config

from autograder.course import configure
from autograder.isolation import preprocessor
from autograder.isolation.limits import Limits
from autograder.isolation.preprocessor import IsolatedExecute, use_isolation
from autograder.isolation.source import WarmParent
from autograder.result import Result

from . import toy
from .conftest import NORMAL, SHORT
from .toy import RIGHT, cells, code, notebook

pytestmark = pytest.mark.xdist_group("isolation")


class ToyCatalogue:
    """The toy set in the place of a folder of questions."""

    def __init__(self, checks: Path) -> None:
        pass

    def sets(self) -> list[str]:
        return ["toy"]

    def questions(self, problem_set: str) -> Any:
        return toy.QUESTIONS


@pytest.fixture(autouse=True)
def toy_set(monkeypatch: pytest.MonkeyPatch, warm_parent: WarmParent) -> None:
    monkeypatch.setattr(preprocessor, "Catalogue", ToyCatalogue)
    monkeypatch.setattr(preprocessor, "shared_warm_parent", lambda folder, unsafe=False: warm_parent)


def executed(content: list[dict[str, Any]], folder: Path, limits: Limits = NORMAL) -> Any:
    node = nbformat.reads(notebook(content).decode(), as_version=4)
    config = use_isolation(Config(), folder, limits=limits)
    resources = {"nbgrader": {"assignment": "toy", "student": "ada"}}
    done, _ = IsolatedExecute(config=config).preprocess(node, resources)
    nbformat.validate(done)
    return done


def test_outputs_are_read_by_nbgrader_as_scores(tmp_path: Path) -> None:
    content = cells({**RIGHT, "answer_slope": "print('hello')\ndef cube(x): return x\n3"})
    content.append(code("other_test", "assert True", grade=True, points=7))
    done = executed(content, tmp_path)
    by_id = {cell.metadata.nbgrader.grade_id: cell for cell in done.cells}
    assert [determine_grade(by_id[name]) for name in ("double", "slope", "energy")] == [
        (2, 2),
        (0, 2),
        (2, 2),
    ]
    assert determine_grade(by_id["other_test"]) == (0, 7)
    message = by_id["slope"].outputs[0]
    assert "slope: 0 of 2 points" in message.data["text/plain"]
    assert convert(message.metadata.autograder, Result).failed.keys() == {"all"}
    assert [output.output_type for output in by_id["answer_slope"].outputs] == ["stream", "execute_result"]


def test_what_a_cell_did_is_shown(tmp_path: Path) -> None:
    done = executed(cells({**RIGHT, "answer_double": "import os; os._exit(0)"}), tmp_path)
    by_id = {cell.metadata.nbgrader.grade_id: cell for cell in done.cells}
    (output,) = by_id["answer_double"].outputs
    assert (output.output_type, output.ename) == ("error", "Stopped")
    assert "ended the Python process" in output.evalue
    assert determine_grade(by_id["double"])[0] == 0
    assert determine_grade(by_id["slope"])[0] == 2


def test_what_a_limit_of_time_stops_is_run_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = []
    whole = preprocessor.runner.play

    def play(*arguments: Any, **named: Any) -> Any:
        played.append(whole(*arguments, **named))
        return played[-1]

    monkeypatch.setattr(preprocessor.runner, "play", play)
    looping = cells({**RIGHT, "answer_double": "def double(x):\n    while True: pass"})
    with caplog.at_level("WARNING"):
        done = executed(looping, tmp_path, SHORT)
    assert len(played) == 2
    assert "ada: stopped by a limit of time, and stopped again" in caplog.text
    by_id = {cell.metadata.nbgrader.grade_id: cell for cell in done.cells}
    assert [determine_grade(by_id[name])[0] for name in ("double", "slope")] == [0, 2]


def test_an_assignment_without_checks_is_an_error(tmp_path: Path) -> None:
    step = IsolatedExecute(config=use_isolation(Config(), tmp_path))
    with pytest.raises(ValueError, match="'other' has no checks; there are: toy"):
        step.preprocess(nbformat.v4.new_notebook(), {"nbgrader": {"assignment": "other", "student": "ada"}})


@pytest.mark.slow
def test_the_whole_of_nbgrader(tmp_path: Path) -> None:
    """Release, submissions (right, wrong, hostile, tampered), autograde, and the scores in the gradebook."""
    config = use_isolation(configure(Config(), tmp_path / "course"), tmp_path / "private", limits=SHORT)
    course = CourseDirectory(config=config)
    course.assignment_id = "toy"
    source = cells({name: f"### BEGIN SOLUTION\n{text}\n### END SOLUTION" for name, text in RIGHT.items()})
    place = tmp_path / "course" / "source" / "toy" / "toy.ipynb"
    place.parent.mkdir(parents=True)
    place.write_bytes(notebook(source))
    maker = GenerateAssignment(coursedir=course, config=config)
    maker.create_assignment = True
    maker.start()
    released = json.loads((tmp_path / "course" / "release" / "toy" / "toy.ipynb").read_text())

    def with_answers(answers: dict[str, str]) -> dict[str, Any]:
        content = copy.deepcopy(released)
        for cell in content["cells"]:
            name = cell["metadata"]["nbgrader"]["grade_id"]
            cell["source"] = answers.get(name, cell["source"])
        return content

    tampered = with_answers({**RIGHT, "double": "2.0"})
    del tampered["cells"][-1]
    database = tmp_path / "course" / "gradebook.db"
    submissions = {
        "ada": (with_answers(RIGHT), 6),
        "bob": (with_answers({}), 0),
        "eve": (
            with_answers(
                {**RIGHT, "answer_double": "import os\nos._exit(0)", "answer_slope": "while True: pass"}
            ),
            2,
        ),
        "mallory": (with_answers({"answer_double": f"open({str(database)!r}, 'w').write('')"}), 0),
        "oscar": (tampered, 6),
    }
    for student, (content, _) in submissions.items():
        file = tmp_path / "course" / "submitted" / student / "toy" / "toy.ipynb"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(content))
    grader = Autograde(coursedir=course, config=config)
    assert preprocessor.Execute not in grader.autograde_preprocessors
    grader.start()
    with Gradebook(config.CourseDirectory.db_url, config.CourseDirectory.course_id) as gradebook:
        scores = {entry.student.id: entry.score for entry in gradebook.assignment_submissions("toy")}
        manual = [entry.needs_manual_grade for entry in gradebook.assignment_submissions("toy")]
    assert scores == {student: expected for student, (_, expected) in submissions.items()}
    assert not any(manual)
    graded = nbformat.read(tmp_path / "course" / "autograded" / "bob" / "toy" / "toy.ipynb", as_version=4)
    messages = [
        output.data["text/plain"] for cell in graded.cells for output in cell.get("outputs", [])
        if "autograder" in output.get("metadata", {})
    ]  # fmt: skip
    assert len(messages) == 3
    assert all("0 of 2 points" in message and "is not defined" in message for message in messages)
