"""What people and editors do with a notebook as a whole costs no point."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from autograder.course import checkout, questions_of
from autograder.isolation import runner
from autograder.isolation.source import WarmParent
from autograder.message import plain
from autograder.notebook import read
from autograder.release import student_notebook
from autograder.restoring import clean, restore

from .making import COUNT, RIGHT, SHARES, SILENCE

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("habits")]

Notebook = dict[str, Any]


def named(notebook: Notebook, name: str) -> int:
    cells = enumerate(notebook["cells"])
    return next(at for at, cell in cells if cell["metadata"].get("nbgrader", {}).get("grade_id") == name)


def own(source: str, kind: str = "code") -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": source}
    return {**cell, "outputs": [], "execution_count": None} if kind == "code" else cell


def vs_code(notebook: Notebook) -> None:
    notebook["metadata"] = {
        "kernelspec": {"name": "env", "display_name": "env (3.11)"},
        "language_info": {"name": "python"},
    }
    for cell in notebook["cells"]:
        cell.pop("id", None)
        cell["metadata"]["vscode"] = {"languageId": "python"}


def colab(notebook: Notebook) -> None:
    notebook["metadata"] = {"colab": {"provenance": []}, "accelerator": "GPU"}
    notebook["nbformat_minor"] = 0
    for number, cell in enumerate(notebook["cells"]):
        cell.pop("id", None)
        cell["metadata"].update(id=f"aB{number}", outputId="q", colab={"base_uri": "https://x/"})


def older(notebook: Notebook) -> None:
    notebook["nbformat_minor"] = 0
    for cell in notebook["cells"]:
        cell.pop("id", None)


def no_marks(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        cell["metadata"].pop("nbgrader", None)


def lines(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)


def split(notebook: Notebook) -> None:
    at = named(notebook, f"{SHARES}_answer")
    second = copy.deepcopy(notebook["cells"][at])
    notebook["cells"][at]["source"] = "LEAST = 1"
    notebook["cells"].insert(at + 1, second)


def answers_in_new_cells(notebook: Notebook) -> None:
    for name in (COUNT, SILENCE, SHARES):
        notebook["cells"][named(notebook, f"{name}_answer")]["source"] = ""
        notebook["cells"].insert(named(notebook, name), own(RIGHT[name]))


def stored_outputs(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"] = 7
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["x" * 300_000]}]


def notes_everywhere(notebook: Notebook) -> None:
    notebook["cells"] = [
        one
        for cell in notebook["cells"]
        for part in (own("a note", "markdown"), own("1 + 1"), cell)
        for one in [part]
    ]


def at_the_end(source: str) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["cells"].append(own(source))


def at_the_start(source: str) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["cells"].insert(0, own(source))


CHANGES: dict[str, Callable[[Notebook], None]] = {
    "nothing": lambda notebook: None,
    "saved by VS Code": vs_code,
    "saved by Colab": colab,
    "saved by an older editor": older,
    "marks lost": no_marks,
    "sources as lists of lines": lines,
    "an answer split in two, its mark copied": split,
    "answers in new cells below empty ones": answers_in_new_cells,
    "large stored outputs": stored_outputs,
    "notes and small cells everywhere": notes_everywhere,
    "ends with sys.exit": at_the_end("import sys; sys.exit()"),
    "ends with exit": at_the_end("exit()"),
    "ends with an error": at_the_end("assert False, 'the end'"),
    "ends with the end of the process": at_the_end("import os; os._exit(0)"),
    "ends with an install": at_the_end("!pip install nbconvert\n!jupyter nbconvert --to html *.ipynb"),
    "begins with an install": at_the_start("%pip install -q snnkit\nimport snnkit"),
    "begins with Colab's drive": at_the_start("from google.colab import drive\ndrive.mount('/content/drive')\n%cd /content/drive"),
    "begins with a name that is asked": at_the_start("NAME = input('name: ')\nMATRICULATION = input('number: ')"),
    "begins with a reset": at_the_start("%reset -f\n%load_ext autoreload\n%autoreload 2"),
}  # fmt: skip


@pytest.fixture(scope="module")
def released() -> bytes:
    return student_notebook(checkout(), "ps0_start")


@pytest.mark.parametrize("name", CHANGES)
def test_it_keeps_its_points(name: str, released: bytes, workers: WarmParent) -> None:
    notebook = json.loads(released)
    for question in (COUNT, SILENCE, SHARES):
        notebook["cells"][named(notebook, f"{question}_answer")]["source"] = RIGHT[question]
    CHANGES[name](notebook)
    questions = questions_of(checkout(), "ps0_start")
    original = read(released)
    handed_in, _ = clean(read(json.dumps(notebook).encode()), original)
    cells, _ = restore(handed_in.cells, original.cells)
    graded, _ = runner.play(cells, questions, 11, workers=workers)
    assert {one: mark.score for one, mark in graded.questions.items()} == dict.fromkeys(questions, 1.0), [
        plain(mark.result) for mark in graded.questions.values() if mark.result
    ]
