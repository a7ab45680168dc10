"""A problem set of three questions for tests: what graded notebooks look like, without a training run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

EXACT = Tolerance(0.0, 1e-12, "one operation on doubles")


def _cases(name: str, shape: tuple[int, ...]) -> Any:
    def cases(rng: np.random.Generator) -> Iterator[Case]:
        for k in range(3):
            yield Case("all", f"draw {k}", call(name, rng.normal(size=4).reshape(shape)))

    return cases


def _slopes(rng: np.random.Generator) -> Iterator[Case]:
    for k in range(3):
        yield Case("all", f"draw {k}", call("cube", rng.normal(size=4)).gradient(np.ones(4)))


def _judge(got: Any, asked: Any) -> str | None:
    return None if float(got["energy"]) > 0 else "the sum of squares is not positive"


def _question(name: str, function: str, cases: Any, right: Any, judge: Any = None, **more: Any) -> Question:
    return Question(
        f"toy.{name}", name, (Group("all", 2.0, "values", judge=judge),), cases, {function: right},
        within=EXACT, hints=("look again", "look closer", "look there"), **more,
    )  # fmt: skip


CHECKS = (
    _question(
        "double", "double", _cases("double", (2, 2)), lambda x: 2 * x, tensors=False,
        slips=(Slip("squared", "This is the square.", lambda x: x**2),), withheld=("snnkit.surrogate.Sine",),
    ),
    _question("slope", "cube", _slopes, lambda x: x**3, right_in_torch=True),
    _question("energy", "energy", _cases("energy", (2, 2)), lambda x: None, _judge, tensors=False),
)  # fmt: skip

QUESTIONS = {question.id.removeprefix("toy."): question for question in CHECKS}

RIGHT = {
    "answer_double": "def double(x):\n    return x + x",
    "answer_slope": "def cube(x):\n    return x * x * x",
    "answer_energy": "import numpy as np\ndef energy(x):\n    return np.sum(x ** 2)",
}
UNANSWERED = {
    name: source.split("\n")[-2].strip() + "\n    raise NotImplementedError" for name, source in RIGHT.items()
}


def code(name: str, source: str, **marks: Any) -> dict[str, Any]:
    marked = {
        "grade_id": name,
        "grade": False,
        "solution": False,
        "locked": True,
        "schema_version": 3,
        "task": False,
    }
    metadata = {"nbgrader": {**marked, **marks}} if name else {}
    cell = {"cell_type": "code", "id": name or "extra", "metadata": metadata, "source": source}
    return {**cell, "outputs": [], "execution_count": None}


def cells(answers: Mapping[str, str]) -> list[dict[str, Any]]:
    """The notebook's cells with these answers (the scaffold where there is none)."""
    found = [code("setup", "from autograder import check\nimport snnkit.surrogate, warnings, sys")]
    for question in CHECKS:
        name = question.id.removeprefix("toy.")
        source = answers.get(f"answer_{name}", UNANSWERED[f"answer_{name}"])
        found.append(code(f"answer_{name}", source, solution=True, locked=False))
        found.append(code(name, f'check("{question.id}")', grade=True, points=2))
    return found


def notebook(content: list[dict[str, Any]]) -> bytes:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps(
        {"cells": content, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    ).encode()


RELEASED = notebook(cells({}))
