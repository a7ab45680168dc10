"""Doubled, split, moved, deleted and foreign cells: what is asked when, what runs, and what is told."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from autograder import given
from autograder.collect import Submission, sanitise
from autograder.notebook import Cell, Notebook, by_name, read, write
from autograder.recognising import recognise
from autograder.restoring import clean, restore, untouched, written_beside

STUB = "def a(x):\n    raise NotImplementedError"
RIGHT = "def a(x):\n    return 2 * x"
SETUP = "import math\nCOLOURS = ['k']"
TABLE = "def show(rows):\n    for row in rows:\n        print(*row, sep=' ', end='.')"
Entry = dict[str, Any]


def entry(name: str = "", source: str = "1", kind: str = "code", **marks: Any) -> Entry:
    metadata = {"nbgrader": {"grade_id": name, **marks}} if name else {}
    return {
        "cell_type": kind,
        "id": name or f"own-{abs(hash(source))}",
        "metadata": metadata,
        "source": source,
    }


def cells() -> dict[str, Entry]:
    """The released cells, by name, in order."""
    return {
        "title": entry("", "# Problem set", "markdown"),
        "setup": entry("setup", SETUP),
        "a_answer": entry("a_answer", STUB, solution=True),
        "a": entry("a", 'check("ps.a")', grade=True, points=2),
        "table": entry("table", TABLE),
        "b_answer": entry("b_answer", "def b(x):\n    raise NotImplementedError", solution=True),
        "b": entry("b", 'check("ps.b")', grade=True, points=1),
        "ask": entry("", "**Discussion.** Why?", "markdown"),
        "note": entry("note", "Write here.", "markdown", solution=True, grade=True, points=1.5),
        "end": entry("", "## Hand in", "markdown"),
    }


def book(entries: list[Entry], **more: Any) -> bytes:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": entries, **more}).encode()


RELEASED = read(book(list(cells().values())))
NAMES = [cell.grade_id for cell in RELEASED.cells if cell.grade_id]


def handed_in(entries: list[Entry], **more: Any) -> tuple[list[Cell], str]:
    """What is run of a submission, and the remarks."""
    notebook, remarks = sanitise(Submission("ada", book(entries, **more)), "ps", RELEASED)
    restored, said = restore(notebook.cells, RELEASED.cells)
    return restored, "; ".join([*remarks, *said])


def answered(restored: list[Cell]) -> dict[str, str]:
    """What each question meets when it is asked: the results of ``a`` and ``b`` of 3."""
    space: dict[str, Any] = {"check": lambda *_, **__: None}
    met = {}
    for cell in restored:
        if cell.question:
            try:
                met[cell.grade_id] = repr(space[cell.grade_id](3))
            except Exception as error:
                met[cell.grade_id] = type(error).__name__
        elif cell.code:
            try:
                exec(cell.source, space)
            except Exception as error:
                met.setdefault("errors", type(error).__name__)
    return met


def solved() -> dict[str, Entry]:
    found = cells()
    found["a_answer"]["source"] = RIGHT
    found["b_answer"]["source"] = "def b(x):\n    return x - 1"
    found["note"]["source"] = "Because."
    return found


GOOD = {"a": "6", "b": "2"}
Change = Any


def test_a_right_notebook_is_left_alone() -> None:
    restored, said = handed_in(list(solved().values()))
    assert said == ""
    assert answered(restored) == GOOD
    assert [cell.grade_id for cell in restored if cell.grade_id] == NAMES


def bare(one: Entry, **changes: Any) -> Entry:
    return {**one, "metadata": {}, "id": "", **changes}


def without_marks(found: dict[str, Entry]) -> list[Entry]:
    return [bare(one) for one in found.values()]


def of_colab(found: dict[str, Entry]) -> list[Entry]:
    """Ids move into metadata, which has more of Colab's own; marks stay."""
    return [
        {**{key: value for key, value in one.items() if key != "id"}, "metadata": {**one["metadata"], "id": one["id"],
         "colab": {"base_uri": "https://localhost/"}, "outputId": "0"}}
        for one in found.values()
    ]  # fmt: skip


def of_colab_unmarked(found: dict[str, Entry]) -> list[Entry]:
    return [{**bare(one), "metadata": {"id": one["id"]}} for one in found.values()]


def of_kaggle(found: dict[str, Entry]) -> list[Entry]:
    more = {"trusted": True, "_uuid": "8f2839f2", "execution": {"iopub.status.busy": "2026"}}
    return [{**one, "id": None, "metadata": {**more, **one["metadata"]}} for one in found.values()]


def of_vs_code(found: dict[str, Entry]) -> list[Entry]:
    return [
        {**one, "metadata": {**one["metadata"], "vscode": {"languageId": "python"}}} for one in found.values()
    ]


def own_cells(found: dict[str, Entry]) -> list[Entry]:
    return [part for one in found.values() for part in (entry("", "mine = 1"), one)]


def _at(found: dict[str, Entry], name: str) -> int:
    return list(found).index(name)


def moved(name: str, before: str) -> Change:
    def change(found: dict[str, Entry]) -> list[Entry]:
        one = found.pop(name)
        entries = list(found.values())
        entries.insert(_at(found, before), one)
        return entries

    return change


def answer_elsewhere(before: str, stub: bool) -> Change:
    """The answer to ``a`` in a cell of the student's own; the stub left as it was, or deleted."""

    def change(found: dict[str, Entry]) -> list[Entry]:
        found["a_answer"]["source"] = STUB
        place = _at(found, before)
        entries = list(found.values())
        entries.insert(place, entry("", RIGHT))
        return entries if stub else [one for one in entries if one is not found["a_answer"]]

    return change


def in_given(name: str, template: str) -> Change:
    """The answer to ``a`` written into a cell of the course's."""

    def change(found: dict[str, Entry]) -> list[Entry]:
        found["a_answer"]["source"] = STUB
        found[name]["source"] = template.format(given=found[name]["source"], answer=RIGHT)
        if name == "setup":
            del found["a_answer"]
        return list(found.values())

    return change


def split(name: str, keep_marks: bool) -> Change:
    def change(found: dict[str, Entry]) -> list[Entry]:
        entries = list(found.values())
        place, (head, _, tail) = _at(found, name), found[name]["source"].partition("\n")
        if not keep_marks or name != "setup":
            head, tail = f"{found[name]['source']}\nhalf = 1", "other_half = 2"
        second = {**found[name], "source": tail} if keep_marks else entry("", tail)
        entries[place : place + 1] = [{**found[name], "source": head}, second]
        return entries

    return change


def doubled(name: str, **changes: Any) -> Change:
    def change(found: dict[str, Entry]) -> list[Entry]:
        entries = list(found.values())
        entries.insert(_at(found, name), {**found[name], **changes})
        return entries

    return change


def without(*names: str) -> Change:
    return lambda found: [one for name, one in found.items() if name not in names]


def each(**changes: Any) -> Change:
    return lambda found: [{**one, **changes} for one in found.values()]


#: A change of a right notebook that loses no point, and words that are said of it.
HARMLESS: dict[str, tuple[Change, str]] = {
    "cells of one's own everywhere": (own_cells, ""),
    "saved by Colab": (of_colab, ""),
    "saved by Colab, marks lost": (of_colab_unmarked, "found by their text"),
    "saved by Kaggle": (of_kaggle, ""),
    "saved by VS Code": (of_vs_code, ""),
    "all metadata lost": (without_marks, "7 cells had lost the course's marks"),
    "metadata absent": (lambda found: [{**bare(one), "metadata": None} for one in found.values()], "lost"),
    "metadata lost and cells added": (lambda found: without_marks({**found, "x": entry("", "x = 1")}), "lost"),
    "one cell's metadata lost": (lambda found: list({**found, "a": bare(found["a"])}.values()), "one cell had"),
    "hint asked in the check, metadata lost": (
        lambda found: without_marks({**found, "a": {**found["a"], "source": 'check("ps.a", hint=1)'}}), "lost",
    ),
    "ids lost": (each(id=None), ""),
    "answer above, stub left": (answer_elsewhere("setup", True), "`a_answer` was left as it was"),
    "answer above, stub deleted": (answer_elsewhere("a_answer", False), "found by their text"),
    "answer far above, stub deleted": (answer_elsewhere("title", False), "`a_answer` was missing"),
    "answer right before the check": (answer_elsewhere("a", True), ""),
    "answer below its check": (answer_elsewhere("table", True), "the answer to `a` stands below its check"),
    "answer at the end": (answer_elsewhere("end", True), "the answer to `a` stands below its check"),
    "answer at the end, stub deleted": (answer_elsewhere("end", False), "`a_answer` was missing"),
    "answer in the setup": (in_given("setup", "{given}\n{answer}"), "your line `def a(x):` was kept"),
    "answer in the check, above the call": (in_given("a", "{answer}\n{given}"), "your line `def a(x):` was kept"),
    "answer in the check, below the call": (in_given("a", "{given}\n{answer}"), "stands below its check"),
    "answer in a given cell below": (in_given("table", "{answer}\n{given}"), "stands below its check"),
    "check moved above its answer": (moved("a", "a_answer"), "stands below its check"),
    "check moved to the end": (moved("a", "end"), ""),
    "answer moved to the top": (moved("a_answer", "title"), ""),
    "given cell moved down": (moved("table", "note"), ""),
    "setup split, marks copied": (split("setup", True), ""),
    "answer split, marks copied": (split("a_answer", True), "`a_answer` is there more than once"),
    "answer split, no marks": (split("a_answer", False), ""),
    "given cell doubled": (doubled("setup"), ""),
    "given cell doubled and changed": (doubled("setup", source="import math\nCOLOURS = []"), "all are run"),
    "answer doubled": (doubled("a_answer"), "all are run, and what the last one defines counts"),
    "answer doubled, first one a stub": (doubled("a_answer", source=STUB), "more than once"),
    "check doubled": (doubled("a"), "`a` is there more than once: the last one counts"),
    "text doubled": (doubled("note", source="Write here."), "a person reads all of them"),
    "given cell deleted": (without("setup"), "the cell `setup` was missing and was put back"),
    "two cells deleted": (without("a", "table"), "the cells `a` and `table` were missing and were put back"),
    "cells of course text deleted": (without("title", "ask", "end"), ""),
    "Windows line ends": (lambda found: [{**one, "source": one["source"].replace("\n", "\r\n")} for one in found.values()], ""),
    "sources as lists": (lambda found: [{**one, "source": one["source"].splitlines(True)} for one in found.values()], ""),
    "import added to the setup": (
        lambda found: list({**found, "setup": {**found["setup"], "source": f"import json\n{SETUP}"}}.values()),
        "the given cell `setup` was changed: your line `import json` was kept",
    ),
    "colour changed": (
        lambda found: list({**found, "setup": {**found["setup"], "source": "import math\nCOLOURS = ['b']"}}.values()),
        "our line `COLOURS = ['k']` was put back",
    ),
    "check asked with a hint": (
        lambda found: list({**found, "a": {**found["a"], "source": 'check("ps.a", hint=2)'}}.values()), "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_no_point_is_lost_and_the_change_is_told(name: str) -> None:
    change, words = HARMLESS[name]
    restored, said = handed_in(change(solved()))
    assert answered(restored) == GOOD
    assert sorted(cell.grade_id for cell in restored if cell.grade_id) == sorted(NAMES)
    assert sum(cell.points for cell in restored) == 4.5
    note = by_name(restored)["note"]
    assert note.source == "Because."
    if words:
        assert words in said
    else:
        assert said == ""


@pytest.mark.parametrize("minor", [0, 1, 2, 4, 5, 9])
def test_every_minor_format_is_read(minor: int) -> None:
    restored, said = handed_in(list(solved().values()), nbformat_minor=minor)
    assert (answered(restored), said) == (GOOD, "")


def test_without_an_answer_nothing_is_gained() -> None:
    for change in (list, without_marks, without("a_answer"), without(*NAMES[:-2]), doubled("a_answer")):
        entries = change(cells()) if change is not list else list(cells().values())
        restored, _ = handed_in(entries)
        assert answered(restored)["a"] in ("NotImplementedError", "KeyError")
        assert sum(cell.points for cell in restored) == 4.5


def test_marks_that_are_not_the_course_s_are_none_and_locked_points_come_back() -> None:
    found = solved()
    found["a"]["metadata"]["nbgrader"]["points"] = 100
    restored, _ = handed_in(
        [*found.values(), entry("extra", "5", grade=True, points=9), entry("a", "7", grade=True)]
    )
    assert sum(cell.points for cell in restored) == 4.5


def test_another_set_s_notebook_is_not_taken_for_this_one() -> None:
    other = read(
        book(
            [
                bare(entry("", SETUP)),
                bare(entry("", 'check("ps9.z")')),
                bare(entry("", "Write here.", "markdown")),
            ]
        )
    )
    assert recognise(other, RELEASED) == (other, [])


def test_deleted_cells_come_back_where_they_stood() -> None:
    restored, _ = restore([], RELEASED.cells)
    assert restored == [cell for cell in RELEASED.cells if cell.grade_id]


def beside(*extra: tuple[str, Entry]) -> bool:
    """Whether something is found beside the untouched discussion, with cells put behind the named ones."""
    entries = []
    for name, one in cells().items():
        entries.append(one)
        entries += [more for behind, more in extra if behind == name]
    restored, _ = handed_in(entries)
    return written_beside(restored, RELEASED.cells, "note")


def test_a_discussion_answered_in_another_cell_is_found() -> None:
    text = entry("", "Because of the threshold.", "markdown")
    assert not beside()
    assert beside(("note", text))
    assert beside(("end", text))
    assert beside(("ask", text))
    assert beside(("note", entry("", "Because of the threshold.")))  # in a cell that was meant for code
    assert not beside(("note", entry("", "  \n", "markdown")))
    assert not beside(("a", text))


def test_an_answer_written_into_the_question_is_found() -> None:
    found = cells()
    found["ask"]["source"] += "\n\nBecause of the threshold."
    restored, _ = handed_in(list(found.values()))
    assert written_beside(restored, RELEASED.cells, "note")


def test_untouched_means_nothing_of_the_student_s() -> None:
    stub = by_name(RELEASED.cells)["note"]
    for source, expected in (
        ("Write here.", True),
        (" Write here.\r\n", True),
        ("", True),
        ("Write here. x", False),
    ):
        assert untouched(Cell(source, code=False), stub) is expected


PICTURE = {"plot.png": {"image/png": "aGVsbG8="}}


def test_pasted_pictures_survive_and_nothing_else_does() -> None:
    found = solved()
    found["note"].update(source="![x](attachment:plot.png)", attachments={
        **PICTURE, "page": {"text/html": "<script>"}, "list": [1], "svg": {"image/svg+xml": "<svg/>"}, "odd": {"image/png": 3},
    })  # fmt: skip
    found["a_answer"]["attachments"] = PICTURE
    own = {**entry("", "![y](attachment:plot.png)", "markdown"), "attachments": PICTURE}
    restored, _ = handed_in([*found.values(), own])
    written = json.loads(write(Notebook(tuple(restored), RELEASED.rest)))["cells"]
    assert [one.get("attachments") for one in written if "attachments" in one] == [PICTURE, PICTURE]
    assert not untouched(Cell("", code=False, rest={"attachments": PICTURE}), by_name(RELEASED.cells)["note"])


def test_of_several_the_answer_keeps_the_mark() -> None:
    first, second, third = (
        entry("a_answer", source, solution=True) for source in (RIGHT, "helper = 1", STUB)
    )
    cleaned, _ = clean(read(book([first, second, third])), RELEASED)
    assert by_name(cleaned.cells)["a_answer"].source == RIGHT


def test_any_order_and_any_loss_is_restored_to_the_release() -> None:
    draw = random.Random(3)
    for _ in range(60):
        entries = [one for one in [*solved().values(), *solved().values()] if draw.random() < 0.7]
        draw.shuffle(entries)
        entries = [bare(one) if draw.random() < 0.2 else one for one in entries]
        entries.append(cells()["b"])  # without any question it is another set's
        restored, _ = handed_in(entries)
        assert sorted(cell.grade_id for cell in restored if cell.grade_id) == sorted(NAMES)


def test_thousands_of_large_cells_are_looked_into_for_a_moment_only() -> None:
    """Counted in characters that are parsed, not in seconds: megabytes of cells of one's own and of copies."""
    large = "\n".join(f"a_{number} = [{number}] * {number}" for number in range(200))
    own = [entry("", f"{large}\nmine = {number}") for number in range(240)]
    copies = [{**entry("a_answer", f"{large}\nmine = {number}", solution=True)} for number in range(240)]
    for extra in (own, copies):
        with counted_parsing() as characters:
            restored, _ = handed_in([*solved().values(), *extra])
            handed_in([bare(one) for one in [*solved().values(), *extra]])
        assert sum(characters) < 5_000_000
        assert len(restored) > 240


@contextlib.contextmanager
def counted_parsing() -> Iterator[list[int]]:
    """The lengths of all texts that are parsed."""
    lengths: list[int] = []
    real = given.tree

    def counting(source: str) -> Any:
        lengths.append(len(source))
        return real(source)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(given, "tree", counting)
        yield lengths
