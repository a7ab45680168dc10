"""A table of text for a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape


class Table:
    """A table of text that a notebook shows as HTML.

    Args:
        head: title of each column.
        lines: cells of each line, whatever :class:`str` makes of them.

    Raises:
        ValueError: if a line has more or fewer cells than the head.
    """

    def __init__(self, head: Sequence[object], lines: Iterable[Sequence[object]]) -> None:
        self.head = tuple(map(str, head))
        self.lines = tuple(tuple(map(str, line)) for line in lines)
        for number, line in enumerate(self.lines):
            if len(line) != len(self.head):
                raise ValueError(f"line {number} has {len(line)} cells; the head has {len(self.head)}")

    def _repr_html_(self) -> str:
        top = "".join(f'<th scope="col">{_cell(title)}</th>' for title in self.head)
        body = ("".join(f"<td>{_cell(text)}</td>" for text in line) for line in self.lines)
        return '<table class="table">' + "".join(f"<tr>{line}</tr>" for line in (top, *body)) + "</table>"


def _cell(text: str) -> str:
    """HTML of a cell; 89.0 ± 0.6 and T = 8 stay in one line."""
    return re.sub(" ([=±]) ", r"&nbsp;\1&nbsp;", escape(text))
