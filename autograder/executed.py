"""The notebook that grading leaves for a person to read: what was handed in, what was locked put back, with outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autograder.isolation.runner import Cell

__all__ = ["answers_before", "executed_notebook", "manual_score"]


def executed_notebook(
    cells: Sequence[Cell], outputs: Sequence[list[dict[str, Any]]], released: bytes
) -> bytes:
    """A graded notebook as nbgrader's form grader reads it.

    Args:
        cells: of the submission, restored, in order.
        outputs: of each cell, empty for text.
        released: the notebook that was handed out; its metadata and its marks of cells are kept.
    """
    handed_out = json.loads(released)
    marks = {
        cell["metadata"]["nbgrader"]["grade_id"]: cell
        for cell in handed_out["cells"]
        if cell["metadata"].get("nbgrader")
    }
    written = []
    for number, (cell, shown) in enumerate(zip(cells, outputs, strict=True), start=1):
        original = marks.get(cell.grade_id)
        entry: dict[str, Any] = {
            "cell_type": "code" if cell.code else "markdown",
            "id": original.get("id", f"cell-{number}") if original else f"cell-{number}",
            "metadata": {"nbgrader": original["metadata"]["nbgrader"]} if original else {},
            "source": cell.source,
        }
        if cell.code:
            entry.update(execution_count=None, outputs=shown)
        written.append(entry)
    about = {"kernelspec": handed_out["metadata"].get("kernelspec", {})}
    notebook = {"cells": written, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(notebook, ensure_ascii=False) + "\n").encode()


def manual_score(cell: Cell | None, released: Cell) -> float | None:
    """The score of an answer that a person reads: 0 where nothing was written, otherwise not known yet."""
    return 0.0 if cell is None or cell.source == released.source else None


def answers_before(cells: Sequence[Cell], questions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """For each question's message the answer cell that it belongs to: the last one before the question.

    Args:
        cells: in order.
        questions: messages, by the question's grade_id.
    """
    answer = ""
    for cell in cells:
        if cell.answer and cell.grade_id:
            answer = cell.grade_id
        if cell.grade_id in questions and answer:
            yield answer, questions[cell.grade_id]
