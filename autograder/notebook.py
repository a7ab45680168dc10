"""The one walk over a notebook's cells: read, clean, restore, select, write.

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
    if not isinstance(cells, list) or content.get("nbformat") != 4:
        raise NotebookError("not a notebook of format 4 (no list of cells)")
    rest = {name: value for name, value in content.items() if name != "cells"}
    return Notebook(tuple(_cell(cell, number) for number, cell in enumerate(cells, start=1)), rest)


def _cell(cell: Any, number: int) -> Cell:
    if not isinstance(cell, dict) or not isinstance(cell.get("metadata"), dict):
        raise NotebookError(f"not a notebook: a cell has no metadata (cell {number})")
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise NotebookError(f"not a notebook: the source of cell {number} is not text")
    if not source.isascii() and any("\ud800" <= character <= "\udfff" for character in source):
        raise NotebookError(f"the source of cell {number} holds half a character (a lone surrogate)")
    mark = cell["metadata"].get("nbgrader")
    name = mark.get("grade_id") if isinstance(mark, dict) else None
    rest = {key: value for key, value in cell.items() if key != "source"}
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
    """JSON of a notebook as a file, always the same for the same content: sorted keys, one final newline."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return text.encode(errors="backslashreplace")  # half a character is written as JSON's own escape


def write(notebook: Notebook, outputs: Sequence[Sequence[Any]] | None = None) -> bytes:
    """A notebook as a file; see :func:`as_data`."""
    return dump(as_data(notebook, outputs))


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


def clean(notebook: Notebook, wanted: Iterable[str]) -> tuple[Notebook, list[str]]:
    """A submission in which each name stands once, and remarks about what was put right or will be.

    Args:
        notebook: what was handed in.
        wanted: grade_ids that it should hold.
    """
    seen: set[str] = set()
    cells, remarks = [], []
    for cell in notebook.cells:
        if cell.grade_id in seen:
            remarks.append(f"{cell.grade_id} is there more than once: the first one counts")
            cell = Cell(cell.source, cell.code, rest=cell.rest)
        elif cell.grade_id:
            seen.add(cell.grade_id)
        cells.append(cell)
    missing = sorted(set(wanted) - seen)
    remarks += [f"the cell {name} was missing and was put back" for name in missing]
    return replace(notebook, cells=tuple(cells)), remarks


def restore(cells: Iterable[Cell], released: Sequence[Cell]) -> list[Cell]:
    """A submission's cells with everything that was not the student's to change put back.

    Cells that the release locks (all marked ones but the answers) get their released source; of a cell that is there
    twice the first one counts; one that was deleted comes back behind the marked cell that it followed, or first.

    Args:
        cells: of the submission.
        released: of the notebook that was handed out.
    """
    known = by_name(released)
    kept: list[Cell] = []
    seen: set[str] = set()
    for cell in cells:
        original = known.get(cell.grade_id)
        if original is None:
            kept.append(Cell(cell.source, cell.code))
        elif cell.grade_id not in seen:
            seen.add(cell.grade_id)
            kept.append(replace(original, source=cell.source) if original.answer else original)
    before = ""
    for cell in released:
        if cell.grade_id and cell.grade_id not in seen:
            behind = (at for at, one in enumerate(kept, start=1) if one.grade_id == before)
            kept.insert(next(behind, len(kept)) if before else 0, cell)
        before = cell.grade_id or before
    return kept


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
