"""A problem set of three questions for tests: what graded notebooks look like, without a training run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograder.checks.core import Case, Check, Group, Misconception, Tolerance

EXACT = Tolerance(0.0, 1e-12, "one operation on doubles")


def _cases(rng: np.random.Generator) -> list[Case]:
    return [Case("all", f"draw {k}", {"x": rng.normal(size=4), "shape": (2, 2)}) for k in range(3)]


def _probe(answer: Mapping[str, Any], data: dict[str, Any]) -> Mapping[str, Any]:
    (function,) = answer.values()
    return {"y": function(data["x"].reshape(data["shape"]))}


def _probe_slope(answer: Mapping[str, Any], data: dict[str, Any]) -> Mapping[str, Any]:
    import torch

    x = torch.from_numpy(data["x"]).requires_grad_()
    return {"slope": torch.autograd.grad(answer["cube"](x).sum(), x)[0]}


def _judge(arrays: Any, data: Any) -> str | None:
    return None if float(arrays["y"]) > 0 else "the sum of squares is not positive"


def _question(name: str, function: str, probe: Any, expected: Any, judge: Any = None, **more: Any) -> Check:
    return Check(
        id=f"toy.{name}", title=name, names=(function,), groups=(Group("all", 2.0, "values", judge=judge),), cases=_cases,
        probe=probe, expected=expected, tolerance=EXACT, hints=("look again", "look closer", "look there"),
        misconceptions=more.pop("misconceptions", ()), **more,
    )  # fmt: skip


CHECKS = (
    _question(
        "double", "double", _probe, lambda data: {"y": 2 * data["x"].reshape(2, 2)},
        misconceptions=(
            Misconception("squared", "This is the square.", arrays=lambda data: {"y": data["x"].reshape(2, 2) ** 2}),
        ),
        withheld=("snnkit.surrogate.Sine",),
    ),
    _question("slope", "cube", _probe_slope, lambda data: {"slope": 3 * data["x"] ** 2}),
    _question("energy", "energy", _probe, lambda data: {}, _judge),
)  # fmt: skip

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
