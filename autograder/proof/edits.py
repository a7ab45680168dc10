"""A text with changes in the form of a diff, as the samples write them."""

from __future__ import annotations

import re
from itertools import pairwise


class EditError(ValueError):
    """An edit does not fit the text that it is for."""


def edited(reference: str, edit: str) -> str:
    """The text after the changes.

    Changes are separated by empty lines. Lines begin with ``-`` (is there, and goes), ``+`` (comes) or a blank (is there,
    and stays); those that are there must stand together in the text exactly once.

    Raises:
        EditError: they do not, or a line begins with something else, or two changes overlap.
    """
    lines, places = reference.split("\n"), []
    for change in re.split(r"\n{2,}", edit.strip("\n")):
        parts = change.split("\n")
        strange = [line for line in parts if line[:1] not in ("-", "+", " ")]
        if strange:
            raise EditError(f"a line of an edit begins with -, + or a blank: {strange[0]!r}")
        old = [line[1:] for line in parts if line[0] != "+"]
        found = [at for at in range(len(lines)) if old and lines[at : at + len(old)] == old]
        if len(found) != 1:
            raise EditError(f"these lines stand there {len(found)} times, expected once: {old}")
        places.append((found[0], found[0] + len(old), [line[1:] for line in parts if line[0] != "-"]))
    places.sort()
    if any(one[1] > other[0] for one, other in pairwise(places)):
        raise EditError("two changes are about the same lines")
    for begin, end, new in reversed(places):
        lines[begin:end] = new
    return "\n".join(lines)
