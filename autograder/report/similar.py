"""Answers that are nearly the same, for a person to look at: winnowed fingerprints of normalised Python tokens.

Comments, layout and docstrings do not count, names that are not Python's own and not attributes are all the same, and
so is every string; a copy with other names and other line breaks has the same fingerprints. What the released notebook
already contains is subtracted, and a passage that many students share counts for nobody.
A high share is a reason to read both answers side by side. It proves nothing: short answers to one question have few
forms, and students may work from one source that both may use.

Source: Schleimer, Wilkerson & Aiken, Winnowing: local algorithms for document fingerprinting, SIGMOD 2003 (MOSS):
k-grams, windows, the rule for common passages.
"""

from __future__ import annotations

import builtins
import keyword
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.notebook import NotebookError, read

Hashes = NDArray[np.uint64]

#: Tokens in one k-gram: a passage that is shorter is never found.
GRAM = 12
#: k-grams in one window: a common passage of at least GRAM + WINDOW - 1 tokens is always found.
WINDOW = 8
#: Share of the smaller submission's fingerprints from which a pair is shown.
SHARE = 0.6
#: Fingerprints that a pair must have in common.
LEAST = 15
#: A passage that more students have than this, or than this share of the class, counts for nobody.
COMMON, COMMON_SHARE = 10, 0.05

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    | (?P<string>[rbfuRBFU]{0,2}(?:\"{3}[\s\S]*?(?:\"{3}|\Z)|'{3}[\s\S]*?(?:'{3}|\Z)
                 |"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))
    | (?P<name>[^\W\d]\w*)
    | (?P<number>\.?\d[\w.]*)
    | (?P<operator>\*\*|//|<<|>>|->|:=|[-+*/%@&|^=!<>]=|[^\s\w])""",
    re.VERBOSE,
)
_KEPT = frozenset(keyword.kwlist) | frozenset(dir(builtins))


def tokens(source: str) -> list[str]:
    """The normalised tokens of a piece of Python, which need not be valid.

    Keywords, built-in names, attributes (except those of ``self``), numbers and operators stay as they are.
    """
    found: list[str] = []
    behind = 0  # the token before
    for match in _TOKEN.finditer(source):
        text, kind = match.group(), match.lastgroup
        end, behind = behind, match.end()
        if kind == "comment":
            continue
        if kind == "string":
            if end and "\n" not in source[end : match.start()]:  # a string that begins a line is a docstring
                found.append("string")
        elif kind == "name" and text not in _KEPT:
            attribute = found[-1:] == ["."] and found[-2:-1] != ["self"]
            found.append(text if attribute else "self" if text == "self" else "name")
        else:
            found.append(text)
    return found


@lru_cache(maxsize=100_000)
def _number(token: str) -> int:
    return zlib.crc32(token.encode())


def _grams(source: str) -> Hashes:
    """A hash of every run of ``GRAM`` tokens, in order."""
    numbers = np.array([_number(token) for token in tokens(source)], dtype=np.uint64)
    if len(numbers) < GRAM:
        return np.empty(0, dtype=np.uint64)
    runs = np.lib.stride_tricks.sliding_window_view(numbers, GRAM)
    base, weights = 0x9E3779B97F4A7C15, [1]
    for _ in range(GRAM - 1):
        weights.append(weights[-1] * base % 2**64)
    mixed = (runs * np.array(weights, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)
    # A linear hash has patterns; this spreads its bits, so that the smallest of a window is a fair draw.
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray(mixed ^ (mixed >> np.uint64(29)), dtype=np.uint64)


@lru_cache(maxsize=20_000)
def _fingerprints(source: str) -> frozenset[int]:
    grams = _grams(source)
    if not len(grams):
        return frozenset()
    if len(grams) <= WINDOW:
        return frozenset((int(grams.min()),))
    return frozenset(np.lib.stride_tricks.sliding_window_view(grams, WINDOW).min(axis=1).tolist())


def fingerprints(source: str) -> frozenset[int]:
    """The winnowed fingerprints of a piece of Python: the smallest hash in each window of ``WINDOW`` k-grams.

    Two pieces with a common passage of at least ``GRAM + WINDOW - 1`` tokens have a fingerprint in common.

    Args:
        source: Python, valid or not.

    Returns:
        Hashes; none for fewer than ``GRAM`` tokens.

    Source: Schleimer et al. (2003), section 3.
    """
    return _fingerprints(source)


def _cells(content: bytes) -> Iterator[tuple[str, str]]:
    """Name and source of each code cell; cells without a grade_id are numbered. Nothing for a broken notebook."""
    with suppress(NotebookError):
        for number, cell in enumerate(read(content).cells, start=1):
            if cell.code:
                yield cell.grade_id or f"cell {number}", cell.source


@dataclass(frozen=True)
class Pair:
    """Two submissions with much in common.

    Args:
        first, second: the students.
        share: of the fingerprints of the submission that has fewer; common passages are left out of both.
        shared: how many fingerprints both have.
        cells: names of the cells of ``first`` in which they are, with the share of each cell's own fingerprints.
    """

    first: str
    second: str
    share: float
    shared: int
    cells: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Answers:
    """One submission as far as this module needs it: fingerprints by cell, what was handed out taken away."""

    by_cell: Mapping[str, frozenset[int]]

    @property
    def all(self) -> frozenset[int]:
        """The fingerprints of the whole submission."""
        return frozenset().union(*self.by_cell.values())


def answers(notebook: bytes, released: bytes) -> Answers:
    """The fingerprints of what a student added to the released notebook."""
    given, known = _given(released)
    return Answers(
        {
            name: fingerprints(source) - known
            for name, source in _cells(notebook)
            if given.get(name) != source and fingerprints(source) - known
        }
    )


@lru_cache(maxsize=4)
def _given(released: bytes) -> tuple[Mapping[str, str], frozenset[int]]:
    """The released cells, and every k-gram in them, chosen by a window or not."""
    cells = dict(_cells(released))
    return cells, frozenset(gram for source in cells.values() for gram in _grams(source).tolist())


def _counts(sets: Mapping[str, frozenset[int]], often: int) -> tuple[Any, list[str], Any]:
    """Pairs' numbers of common fingerprints (sparse), the students, and each one's own number.

    A sparse product over the fingerprints is an inverted index: only pairs with something in common are met.
    """
    from scipy.sparse import csr_matrix

    students = list(sets)
    places: dict[int, list[int]] = defaultdict(list)
    for row, student in enumerate(students):
        for mark in sets[student]:
            places[mark].append(row)
    columns = [rows for rows in places.values() if len(rows) <= often]
    rows = np.fromiter((row for column in columns for row in column), dtype=np.int64)
    ends = np.repeat(np.arange(len(columns)), [len(column) for column in columns])
    table = csr_matrix((np.ones(len(rows), dtype=np.int64), (rows, ends)), (len(students), len(columns)))
    return (table @ table.T).tocoo(), students, np.asarray(table.sum(axis=1)).ravel()


def similar(
    notebooks: Mapping[str, bytes],
    released: bytes,
    *,
    together: Iterable[frozenset[str]] = (),
    share: float = SHARE,
    least: int = LEAST,
) -> list[Pair]:
    """Pairs of submissions worth a look.

    Args:
        notebooks: the submissions, by student.
        released: the notebook that was handed out.
        together: groups of students who handed in one piece of work; they are not compared with each other.
        share: of the smaller one's fingerprints, from which a pair is returned.
        least: fingerprints that a pair must have in common.

    Returns:
        The pairs, the largest share first.
    """
    group = {student: number for number, members in enumerate(together) for student in members}
    found = {student: answers(notebook, released) for student, notebook in sorted(notebooks.items())}
    sets = {student: one.all for student, one in found.items() if len(one.all) >= least}
    # Identical answers are told first: however many students have them, they are not a common passage.
    same: dict[frozenset[int], list[str]] = defaultdict(list)
    for student, marks in sets.items():
        same[marks].append(student)
    often = max(COMMON, int(COMMON_SHARE * len(notebooks)))
    counted, students, own = _counts({names[0]: marks for marks, names in same.items()}, often)
    pairs = [(names[0], other, 1.0, len(marks)) for marks, names in same.items() for other in names[1:]]
    for row, column, number in zip(counted.row, counted.col, counted.data, strict=True):
        part = number / min(own[row], own[column])
        if row < column and number >= least and part >= share:
            pairs.append((students[row], students[column], float(part), int(number)))
    return sorted(
        (
            _pair(found, *pair)
            for pair in pairs
            if pair[0] not in group or group[pair[0]] != group.get(pair[1], -1)
        ),
        key=lambda pair: (-pair.share, -pair.shared, pair.first, pair.second),
    )


def _pair(found: Mapping[str, Answers], first: str, second: str, share: float, shared: int) -> Pair:
    other = found[second].all
    cells = [(name, len(marks & other) / len(marks)) for name, marks in found[first].by_cell.items()]
    return Pair(first, second, share, shared, tuple(cell for cell in cells if cell[1] >= 0.5))
