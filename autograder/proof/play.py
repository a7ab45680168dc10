"""A notebook of the course's own played in this process: quick, and never for a student's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from autograder.notebook import read
from autograder.perform import quiet
from autograder.question import Question

Outcome = TypeVar("Outcome")


def play(
    notebook: bytes, questions: Mapping[str, Question], ask: Callable[[Question, dict[str, Any]], Outcome]
) -> dict[str, Outcome]:
    """Run a notebook's cells and put its questions. As under nbgrader, a cell that raises does not stop the others.

    Args:
        notebook: the file's bytes.
        questions: of the set, by name.
        ask: what to do with a question and the names there are where it stands, for instance to run it.

    Returns:
        What ``ask`` gave for each question, by id, in the notebook's order.
    """
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    results = {}
    for cell in read(notebook).cells:
        if not cell.code:
            continue
        if cell.question and cell.grade_id in questions:
            asked = questions[cell.grade_id]
            results[asked.id] = ask(asked, namespace)
            continue
        with quiet():
            try:
                exec(compile(cell.source, f"<{cell.grade_id or 'cell'}>", "exec"), namespace)
            except Exception:
                continue
            finally:
                plt.close("all")
    return results


def cells_before(notebook: bytes) -> dict[str, list[str]]:
    """The sources of the code cells that stand before each question, by name."""
    found: dict[str, list[str]] = {}
    sources: list[str] = []
    for cell in read(notebook).cells:
        if cell.question:
            found[cell.grade_id] = list(sources)
        elif cell.code:
            sources.append(cell.source)
    return found
