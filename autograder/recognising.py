"""Cells that have lost their marks, as some editors drop metadata, found again by their id, their text and their place.

A check is known by its call, a given cell and an untouched answer by what stands in it, an answer by what it defines or by
standing where the answer should. What is not found is the student's own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from autograder.given import LONGEST, names_of
from autograder.notebook import Cell, Notebook, by_name

#: How like each other two given cells must be (0 to 1), by the tokens that they share.
ALIKE = 0.6
#: Cells that are looked at for one that was lost, and characters of each.
_TRIED, _READ = 60, 4000


def recognise(notebook: Notebook, released: Notebook) -> tuple[Notebook, list[str]]:
    """The notebook with its marks, and a remark where some were lost.

    Args:
        notebook: what was handed in.
        released: what was handed out.
    """
    have = by_name(notebook.cells).keys()
    if not any(cell.grade_id and cell.grade_id not in have for cell in released.cells):
        return notebook, []
    found = _surely(notebook.cells, released.cells)
    asked = any(released.cells[at].question for at in found)
    if not asked and not have & by_name(released.cells).keys():
        return notebook, []
    found |= _by_place(notebook.cells, released.cells, found)
    back = {
        place: released.cells[at]
        for at, place in found.items()
        if released.cells[at].grade_id and released.cells[at].grade_id not in have
    }
    if not back:
        return notebook, []
    cells = tuple(
        _marked(cell, back[place]) if place in back else cell for place, cell in enumerate(notebook.cells)
    )
    count = f"{len(back)} cells" if len(back) > 1 else "one cell"
    return replace(notebook, cells=cells), [
        f"{count} had lost the course's marks, and were found by their text"
    ]


def _marked(cell: Cell, original: Cell) -> Cell:
    """A cell with the marks of a released one."""
    metadata = {
        **cell.rest.get("metadata", {}),
        "nbgrader": original.rest.get("metadata", {}).get("nbgrader", {}),
    }
    return replace(original, source=cell.source, code=cell.code, rest={**cell.rest, "metadata": metadata})


def _id(cell: Cell) -> object:
    metadata = cell.rest.get("metadata")
    moved = metadata.get("id") if isinstance(metadata, dict) else None  # where Colab puts it
    return cell.rest.get("id") or moved


def _bare(cell: Cell) -> str:
    return "".join(cell.source.split())


def _calls(cell: Cell, released: Cell) -> bool:
    """Whether a cell asks a question as its check does, perhaps with a hint."""
    begun = released.source.strip().removesuffix(")")
    if len(cell.source) > LONGEST or begun not in cell.source:
        return False
    pattern = rf"^[ \t]*{re.escape(begun)}\s*(,\s*hint\s*=\s*\d\s*)?\)"
    return bool(re.search(pattern, cell.source, re.MULTILINE))


def _surely(cells: Sequence[Cell], released: Sequence[Cell]) -> dict[int, int]:
    """Places of released cells, marked or not, in a notebook: by mark, by id, by text, by the check that they call."""
    found: dict[int, int] = {}
    taken: set[int] = set()

    def take(fits: Iterator[tuple[int, int]]) -> None:
        for at, place in fits:
            if at not in found and place not in taken:
                found[at] = place
                taken.add(place)

    names = {cell.grade_id: place for place, cell in reversed(list(enumerate(cells))) if cell.grade_id}
    ids = {str(_id(cell)): place for place, cell in enumerate(cells) if _id(cell) and not cell.grade_id}
    take((at, names[one.grade_id]) for at, one in enumerate(released) if one.grade_id in names)
    take(
        (at, ids[str(_id(one))])
        for at, one in enumerate(released)
        if str(_id(one)) in ids and cells[ids[str(_id(one))]].code == one.code
    )
    bare = [_bare(cell) for cell in cells]
    for at, one in enumerate(released):
        text = _bare(one)
        free = ((place, cell) for place, cell in enumerate(cells) if not cell.grade_id and place not in taken)
        if one.question:
            take((at, place) for place, cell in free if cell.code and _calls(cell, one))
        elif not one.manual:  # every stub of a text is the same
            take((at, place) for place, cell in free if cell.code == one.code and bare[place] == text)
    return found


def _by_place(cells: Sequence[Cell], released: Sequence[Cell], found: dict[int, int]) -> dict[int, int]:
    """Places of the released cells that are marked and not found yet: between those before and behind them."""
    placed = dict(found)
    for at, one in enumerate(released):
        if not one.grade_id or one.question or at in placed:
            continue
        low = max((place for other, place in placed.items() if other < at), default=-1)
        high = min(
            (place for other, place in placed.items() if other > at and place > low), default=len(cells)
        )
        used = set(placed.values())
        free = [
            place
            for place in range(low + 1, high)
            if place not in used and not cells[place].grade_id and cells[place].code == one.code
        ]
        if free:
            free = free[:_TRIED]
            best = max(free, key=lambda place, one=one: (_likeness(cells[place], one), -place))  # type: ignore[misc]
            if _likeness(cells[best], one) > 0:
                placed[at] = best
    return placed


def _likeness(cell: Cell, released: Cell) -> float:
    """How surely a cell is a released one that was changed; 0 where it is not."""
    if not _bare(cell):
        return 0.0
    if released.manual:
        return 1.0
    if released.answer:
        both = names_of(released.source) & names_of(cell.source)
        return 1.0 + len(both) if both else 0.5
    ours, theirs = (re.findall(r"\w+|[^\w\s]", one.source[:_READ]) for one in (released, cell))
    ratio = difflib.SequenceMatcher(None, ours, theirs, autojunk=False).quick_ratio()
    return ratio if ratio >= ALIKE else 0.0
