"""The page on writing a question, followed in an empty folder with nothing of this course but the engine."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "book" / "write_a_question.md"
BLOCK = re.compile(r"```\{code-block\} (python|bash)\n:caption: ([^\n]+)\n(.*?)```", re.DOTALL)
#: Of the engine and the library all but the questions of this course.
LEFT_OUT = shutil.ignore_patterns("checks", "__pycache__")


def blocks(language: str) -> list[tuple[str, str]]:
    return [(caption, text) for kind, caption, text in BLOCK.findall(PAGE.read_text()) if kind == language]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("engine")
    for package in ("autograder", "snnkit"):
        shutil.copytree(PAGE.parents[1] / package, place / package, ignore=LEFT_OUT)
    (place / "autograder" / "checks").mkdir()
    return place


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Path:
    """The page's files in an empty folder, released."""
    folder = tmp_path_factory.mktemp("course")
    for place, text in blocks("python"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text)
    source = folder / "solutions" / "trains" / "notebook.py"
    # The page's second question is not in its notebook: it gets a cell here.
    answer = (
        '\n# %% answer="rates"\ndef rates(spikes, dt):\n    raise NotImplementedError\n\n# %% check="rates"\n'
    )
    source.write_text(source.read_text() + answer)
    for line in blocks("bash")[0][1].splitlines():
        snngrade(engine, folder, line)
    return folder


def snngrade(engine: Path, folder: Path, line: str) -> str:
    """What a command of the page says."""
    program, *arguments = line.split()
    assert program == "snngrade"
    done = subprocess.run(
        [sys.executable, "-m", "autograder.cli", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(engine)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


RIGHT = """def irregularity(times):
    gaps = [b - a for a, b in zip(times[:-1], times[1:])]
    return float(np.std(gaps) / np.mean(gaps)) if gaps else 0.0"""
WRONG = "def irregularity(times):\n    return times.std() / times.mean()"
RATES = """def rates(spikes, dt):
    gaps = [np.diff(np.flatnonzero(train)) for train in spikes.T]
    return spikes.sum(0) / len(spikes), [one.std() / one.mean() if len(one) else 0 for one in gaps]"""


@pytest.mark.slow
def test_the_question_is_released_and_three_answers_are_graded(engine: Path, course: Path) -> None:
    released = json.loads((course / "exercises" / "trains" / "trains.ipynb").read_text())
    assert "intervals.std()" not in json.dumps(released)
    for student, answers in {
        "ada": {"irregularity_answer": RIGHT, "rates_answer": RATES},
        "bo": {"irregularity_answer": WRONG},
        "cy": {},
    }.items():
        for cell in released["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id")
            cell["source"] = answers.get(name, cell["source"])
        (course / "submissions").mkdir(exist_ok=True)
        (course / "submissions" / f"{student}.ipynb").write_text(json.dumps(released))
        released = json.loads((course / "exercises" / "trains" / "trains.ipynb").read_text())
    snngrade(engine, course, blocks("bash")[1][1].strip())
    results = course / "build" / "grades" / "trains"
    rows = {row["student"]: row for row in csv.DictReader((results / "grades.csv").open())}
    assert [(rows[name]["irregularity"], rows[name]["rates"]) for name in ("ada", "bo", "cy")] == [
        ("2", "1"),
        ("0", "0"),
        ("0", "0"),
    ]
    assert "These are the times." in (results / "feedback" / "bo.html").read_text()
    assert "This is a rate per step." in (results / "feedback" / "ada.html").read_text()


def test_the_light_question_is_twenty_lines_and_a_cell() -> None:
    """Formatted as the project formats, and counted without blank lines."""
    (light, *others) = blocks("python")
    assert max(len(line) for _, text in (light, *others) for line in text.splitlines()) <= 79
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--line-length", "110", "-"],
        input=light[1], capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert formatted == light[1]
    assert len([line for line in formatted.splitlines() if line.strip()]) <= 20


@pytest.mark.slow
def test_the_notebook_answers_at_once_and_hands_over_the_failing_case(engine: Path, course: Path) -> None:
    code = (
        "import numpy as np\nfrom autograder import check, failing\n"
        f"{WRONG}\ncheck('trains.irregularity')\ncase = failing('trains.irregularity')\n"
        "print(case.code, float(case.call()) == float(case.got['irregularity']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=course / "exercises" / "trains", env={**os.environ, "PYTHONPATH": str(engine)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "How irregular is a train?: 0 of 2 points" in done.stdout
    assert "Take their differences: `np.diff(times)`." in done.stdout
    assert done.stdout.endswith("irregularity(times) True\n")
