"""What ``check`` says in a notebook about given cells that were changed: the same that grading will say.

A kernel knows what was run, and not in which cell: the released cells are in ``checks/<set>/given.json`` (written by
``snngrade release``), and each is looked for in what was run, by its text.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from autograder.given import Merge, bound, merge
from autograder.notebook import Notebook

#: The file with the given cells and the questions of a set, in order.
GIVEN = "given.json"
#: How like a released cell another one must be (0 to 1) to be taken for it, changed.
ALIKE = 0.7


@dataclass(frozen=True)
class Placed:
    """A given cell, or a question, which has no source here."""

    name: str
    source: str | None = None


def table(released: Notebook) -> bytes:
    """The given cells and the questions of a released notebook, as the file :data:`GIVEN`."""
    rows = [
        {"name": cell.grade_id} if cell.question else {"name": cell.grade_id, "source": cell.source}
        for cell in released.cells
        if cell.code and cell.grade_id and not cell.answer
    ]
    return (json.dumps(rows, indent=1, ensure_ascii=False) + "\n").encode()


@lru_cache
def _placed(file: Path) -> tuple[Placed, ...]:
    if not file.is_file():
        return ()
    return tuple(Placed(**row) for row in json.loads(file.read_bytes()))


def given_remarks(question: str, folders: Sequence[Path]) -> tuple[str, ...]:
    """Sentences about the given cells that stand before a question and were run in another form.

    Args:
        question: its id.
        folders: of sets, ``checks/<set>``, of which one holds the question.
    """
    prefix, _, name = question.partition(".")
    folder = next(
        (one for one in folders if one.name.split("_")[0] == prefix and (one / GIVEN).is_file()), None
    )
    if folder is None:
        return ()
    return remarks(_placed(folder / GIVEN), name, _typed())


def _typed() -> tuple[str, ...]:
    """What was run in this kernel, in order; nothing outside of one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    history = getattr(shell, "history_manager", None)
    return tuple(one for one in getattr(history, "input_hist_raw", ()) if isinstance(one, str))


def remarks(placed: Sequence[Placed], question: str, typed: Sequence[str]) -> tuple[str, ...]:
    """See :func:`given_remarks`.

    Args:
        placed: the given cells and the questions of a set, in order.
        question: name of the one that is checked; what was only added above an earlier one has been told there.
        typed: what was run.
    """
    found: list[str] = []
    for one in placed:
        if one.name == question:
            return tuple(found)
        if one.source is None:
            found = []
            continue
        merged = _last(one.source, tuple(typed))
        if said := merged.said(one.name):
            here = " (when graded; here it ran as you changed it)" if merged.restores else ""
            found.append(f"{said[:1].upper()}{said[1:]}{here}.")
    return ()


def _last(source: str, typed: tuple[str, ...]) -> Merge:
    """What became of a given cell when it was last run; nothing where it was not."""
    for one in reversed(typed):
        merged = _compared(source, one)
        if merged is not None:
            return merged
    return Merge()


@lru_cache(maxsize=4096)
def _compared(source: str, typed: str) -> Merge | None:
    """What became of a given cell if that is what was run; None if it was something else."""
    if source.strip() == typed.strip():
        return Merge()
    ours = bound(source)
    if not 0.5 * len(source) < len(typed) < 20 * len(source) + 2000 or len(ours & bound(typed)) * 2 <= len(
        ours
    ):
        return None
    lines = difflib.SequenceMatcher(None, source.split("\n"), typed.split("\n"), autojunk=False)
    kept = sum(block.size for block in lines.get_matching_blocks()) / len(source.split("\n"))
    if kept < ALIKE and difflib.SequenceMatcher(None, source, typed[:20_000], autojunk=False).ratio() < ALIKE:
        return None
    return merge(source, typed)
