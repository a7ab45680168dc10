"""Every set's notebook is found again when an editor has dropped what marks its cells, whatever was answered in it."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from autograder.collect import RefusedError, Submission, sanitise
from autograder.course import checkout, exercise_of, problem_sets
from autograder.notebook import Cell, read
from autograder.proof import samples
from autograder.recognising import recognise
from autograder.restoring import restore

SETS = problem_sets(checkout())
Entry = dict[str, Any]


@pytest.fixture(scope="module", params=SETS)
def notebooks(root: Path, request: pytest.FixtureRequest) -> tuple[str, dict[str, list[Entry]]]:
    """A set and its samples, by name, as lists of cells."""
    problem_set = request.param
    released = samples.released_notebook(root, problem_set)
    built = {
        one.name: samples.build(root, problem_set, one, released)
        for one in samples.samples(root, problem_set)
    }
    return problem_set, {name: json.loads(data)["cells"] for name, data in built.items()}


def run_of(root: Path, problem_set: str, entries: list[Entry]) -> list[tuple[str, str]]:
    """Names and sources of the cells that are run or read, in order."""
    released = read(exercise_of(root, problem_set).read_bytes())
    content = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": entries}).encode()
    cleaned, _ = sanitise(Submission("ada", content), problem_set, released)
    cells, _ = restore(cleaned.cells, released.cells)
    return [(cell.grade_id, cell.source) for cell in cells]


def bare(one: Entry) -> Entry:
    return {**one, "metadata": {}, "id": "x"}


def test_without_marks_every_cell_is_the_one_that_it_was(root: Path, notebooks: Any) -> None:
    problem_set, all_samples = notebooks
    for name, entries in all_samples.items():
        expected = run_of(root, problem_set, entries)
        assert run_of(root, problem_set, [bare(one) for one in entries]) == expected, name


def test_with_some_marks_lost_nothing_changes(root: Path, notebooks: Any) -> None:
    problem_set, all_samples = notebooks
    draw = random.Random(1)
    for name, entries in all_samples.items():
        some = [bare(one) if draw.random() < 0.5 else one for one in entries]
        assert run_of(root, problem_set, some) == run_of(root, problem_set, entries), name


def test_no_set_is_taken_for_another(root: Path, notebooks: Any) -> None:
    problem_set, all_samples = notebooks
    entries = [bare(one) for one in next(iter(all_samples.values()))]
    for other in SETS:
        if other != problem_set:
            with pytest.raises(RefusedError, match="another problem set's notebook"):
                run_of(root, other, entries)


def test_a_long_notebook_takes_no_long_time() -> None:
    released = read(exercise_of(checkout(), SETS[-1]).read_bytes())
    many = tuple(Cell(f"x_{number} = {number}") for number in range(3000))
    book = type(released)((*many, *(Cell(one.source, one.code) for one in released.cells)), {})
    assert len(recognise(book, released)[0].cells) == len(book.cells)


def test_blank_lines_before_a_check_take_no_time() -> None:
    """A check without its bracket behind many blank lines: 0.1 s; the square of their number takes minutes."""
    released = read(exercise_of(checkout(), SETS[-1]).read_bytes())
    calls = [one.source.strip().removesuffix(")") for one in released.cells if one.question]
    wide = tuple(Cell("x = (" + "\n" * 90_000 + call) for call in calls[:3])
    book = type(released)((*wide, *(Cell(one.source, one.code) for one in released.cells)), {})
    begun = time.process_time()
    assert len(recognise(book, released)[0].cells) == len(book.cells)
    assert time.process_time() - begun < 10
