"""The one walk over a notebook's cells: read, select, write.

A :class:`Cell` holds what grading asks of a cell; ``rest`` keeps everything else that the file says of it, so that what is
read and written again is the same notebook. Nothing here changes what it is given.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Data = dict[str, Any]


class NotebookError(ValueError):
    """What was given is not a notebook that can be used; the message says why, and in which cell."""


@dataclass(frozen=True)
class Cell:
    """A cell as far as grading needs it.

    Args:
        source: its text.
        code: whether it can be run.
        grade_id: nbgrader's name of it, empty where it has none.
        graded: whether it has points.
        answer: whether it is the student's to change.
        points: that it gives at most.
        rest: the cell as it stands in its file.
    """

    source: str
    code: bool = True
    grade_id: str = ""
    graded: bool = False
    answer: bool = False
    points: float = 0.0
    rest: Data = field(default_factory=dict, compare=False, repr=False)

    @property
    def question(self) -> bool:
        """Whether a check gives its points."""
        return self.graded and not self.answer

    @property
    def given(self) -> bool:
        """Whether it is the course's own, to be run as it was released."""
        return bool(self.code and self.grade_id) and not self.graded and not self.answer

    @property
    def manual(self) -> bool:
        """Whether a person gives its points."""
        return self.graded and self.answer


@dataclass(frozen=True)
class Notebook:
    """Cells in order; ``rest`` is what else the file holds."""

    cells: tuple[Cell, ...]
    rest: Data = field(default_factory=dict, compare=False, repr=False)


def read(data: bytes) -> Notebook:
    """The notebook in a file.

    Raises:
        NotebookError: it is none, or not one of format 4; a cell that is none is named by its place.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotebookError(f"not a notebook: broken JSON ({error})") from None
    return parse(content)


def parse(content: Any) -> Notebook:
    """A notebook from its JSON, or from nbformat's node; see :func:`read`."""
    cells = content.get("cells") if isinstance(content, dict) else None
    if isinstance(content, dict) and content.get("nbformat") in (3, 5):
        raise NotebookError("not a notebook of format 4: open it in JupyterLab and save it again")
    if not isinstance(cells, list) or content.get("nbformat") != 4:
        raise NotebookError("not a notebook of format 4 (no list of cells)")
    rest = {name: value for name, value in content.items() if name != "cells"}
    return Notebook(tuple(_cell(cell, number) for number, cell in enumerate(cells, start=1)), rest)


def _cell(cell: Any, number: int) -> Cell:
    if not isinstance(cell, dict):
        raise NotebookError(f"not a notebook: cell {number} is none")
    metadata: Any = cell.get("metadata")
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict):
        raise NotebookError(f"not a notebook: the metadata of cell {number} is no table of names and values")
    if not isinstance(cell.get("cell_type"), str):
        raise NotebookError(f"not a notebook: cell {number} does not say whether it is code or text")
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise NotebookError(
            f"not a notebook: cell {number} has no text (its source is neither text nor lines)"
        )
    if not source.isascii() and any("\ud800" <= character <= "\udfff" for character in source):
        raise NotebookError(f"the source of cell {number} holds half a character (a lone surrogate)")
    found = metadata.get("nbgrader")
    mark: Data = found if isinstance(found, dict) else {}
    name = mark.get("grade_id")
    rest = {**{key: value for key, value in cell.items() if key != "source"}, "metadata": metadata}
    if not isinstance(name, str) or not name:
        return Cell(source, cell.get("cell_type") == "code", rest=rest)
    return Cell(
        source,
        cell.get("cell_type") == "code",
        name,
        bool(mark.get("grade")),
        bool(mark.get("solution")),
        _points(mark.get("points")),
        rest,
    )


def _points(value: Any) -> float:
    return float(value) if type(value) in (int, float) and math.isfinite(value) else 0.0


def _as_data(cell: Cell, number: int, outputs: Sequence[Any] | None) -> Data:
    """A cell as JSON: as it was read, with the source it has now; of what grading adds, with these outputs."""
    metadata = dict(cell.rest.get("metadata", {}))
    if not cell.grade_id:
        metadata.pop("nbgrader", None)
    kind = "code" if cell.code else cell.rest.get("cell_type", "markdown")
    entry = {
        "id": f"cell-{number}",
        **cell.rest,
        "cell_type": kind,
        "metadata": metadata,
        "source": cell.source,
    }
    if cell.code:
        entry = {"execution_count": None, "outputs": [], **entry}
        if outputs is not None:
            entry.update(execution_count=None, outputs=list(outputs))
    return entry


def as_data(notebook: Notebook, outputs: Sequence[Sequence[Any]] | None = None) -> Data:
    """A notebook as JSON.

    Args:
        notebook: the notebook.
        outputs: of each cell, in order, instead of those that were read; nothing for text.
    """
    shown = outputs if outputs is not None else [None] * len(notebook.cells)
    cells = [
        _as_data(cell, number, one)
        for number, (cell, one) in enumerate(zip(notebook.cells, shown, strict=True), start=1)
    ]
    return {"metadata": {}, "nbformat": 4, "nbformat_minor": 5, **notebook.rest, "cells": cells}


def dump(content: Mapping[str, Any]) -> bytes:
    """JSON of a notebook as a file, always the same for the same content: sorted keys, one final newline.

    Raises:
        NotebookError: it is nested too deeply.
    """
    try:
        text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    except RecursionError:
        raise NotebookError("not a notebook: its JSON is nested too deeply") from None
    return text.encode(errors="backslashreplace")  # half a character is written as JSON's own escape


def write(notebook: Notebook, outputs: Sequence[Sequence[Any]] | None = None) -> bytes:
    """A notebook as a file; see :func:`as_data`."""
    return dump(as_data(notebook, outputs))


def without_outputs(notebook: Notebook) -> Notebook:
    """The notebook without stored outputs, which can be many times larger than everything else in it."""
    cells = tuple(
        replace(cell, rest={**cell.rest, "outputs": []}) if cell.code else cell for cell in notebook.cells
    )
    return replace(notebook, cells=cells)


def by_name(cells: Iterable[Cell]) -> dict[str, Cell]:
    """The marked cells, by grade_id, in order; of two with one name the first."""
    found: dict[str, Cell] = {}
    for cell in cells:
        if cell.grade_id:
            found.setdefault(cell.grade_id, cell)
    return found


def with_sources(notebook: Notebook, sources: Mapping[str, str]) -> Notebook:
    """The notebook with these sources in the cells of these grade_ids."""
    cells = (replace(cell, source=sources.get(cell.grade_id, cell.source)) for cell in notebook.cells)
    return replace(notebook, cells=tuple(cells))


def answers_before(cells: Iterable[Cell]) -> dict[str, str]:
    """For each question the answer cell that it belongs to, by grade_id: the last one before it."""
    found: dict[str, str] = {}
    answer = ""
    for cell in cells:
        if cell.answer:
            answer = cell.grade_id
        if cell.graded and answer:
            found[cell.grade_id] = answer
    return found
