"""Reading, cleaning, restoring and writing notebooks: nothing is lost, nothing broken passes, errors name the cell."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder import notebook
from autograder.notebook import Cell, NotebookError, by_name, read, with_sources, without_outputs, write


def entry(name="", source="1", kind="code", **marks):
    metadata = {"nbgrader": {"grade_id": name, **marks}} if name else {}
    return {"cell_type": kind, "id": name or "own", "metadata": metadata, "source": source}


def book(*cells, **more):
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells, **more}).encode()


RELEASED = read(
    book(
        entry("setup", "import x"),
        entry("a_answer", "raise", solution=True),
        entry("a", "check()", grade=True, points=2),
        entry("note", "Write here", "markdown", solution=True, grade=True, points=1.5),
    )
)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "broken JSON"),
        (b"\x89PNG", "broken JSON"),
        (b"[" * 100_000, "broken JSON"),
        (b"[]", "format 4"),
        (b'{"worksheets": [], "nbformat": 3}', "save it again"),
        (b'{"cells": 3, "nbformat": 4}', "format 4"),
        (book(entry("a"), 1), "cell 2"),
        (
            book(entry("a"), {"cell_type": "code", "source": "", "metadata": []}),
            "metadata of cell 2 is no table",
        ),
        (book(entry("a"), {"source": "", "metadata": {}}), "cell 2 does not say whether it is code or text"),
        (book(entry("a", source=["1", 2])), "cell 1 has no text"),
        (book(entry("a", source=None)), "cell 1 has no text"),
        (book(nbformat=5), "open it in JupyterLab and save it again"),
        (book(entry("a"), entry("b", source="x = '\ud800'")), "cell 2 holds half a character"),
    ],
)
def test_what_is_no_notebook_is_refused_and_the_cell_named(data, said):
    with pytest.raises(NotebookError, match=said):
        read(data)


def test_cells_say_what_they_are():
    setup, answer, question, note = RELEASED.cells
    assert (setup.graded, setup.answer, setup.code) == (False, False, True)
    assert (answer.question, answer.manual, answer.answer) == (False, False, True)
    assert (question.question, question.manual, question.points) == (True, False, 2.0)
    assert (note.question, note.manual, note.points, note.code) == (False, True, 1.5, False)


@pytest.mark.parametrize("mark", [None, 3, [], {}, {"grade_id": 3}, {"grade_id": ""}, {"grade_id": None}])
def test_marks_that_name_nothing_are_none(mark):
    data = book({"cell_type": "code", "metadata": {"nbgrader": mark, "tags": ["kept"]}, "source": "1"})
    (cell,) = read(data).cells
    assert cell == Cell("1")
    assert json.loads(write(read(data)))["cells"][0]["metadata"] == {"tags": ["kept"]}


@pytest.mark.parametrize("points", ["9", True, None, float("nan"), float("inf"), [1]])
def test_points_are_numbers_or_none(points):
    data = book(entry("a", grade=True, points=points))
    assert read(data).cells[0].points == 0.0


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.dictionaries(TEXT, st.one_of(TEXT, st.integers(), st.booleans(), st.lists(TEXT)), max_size=3)


@given(st.lists(st.tuples(TEXT, TEXT, JSON, st.booleans()), max_size=5), JSON)
def test_what_is_read_and_written_is_the_same_notebook(cells, metadata):
    content = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": metadata,
        "cells": [
            {
                "id": f"c{number}",
                "cell_type": "code" if code else "markdown",
                "source": source,
                "metadata": {**more, **({"nbgrader": {"grade_id": name}} if name else {})},
                **({"outputs": [more], "execution_count": number} if code else {}),
            }
            for number, (name, source, more, code) in enumerate(cells)
        ],
    }
    for cell in content["cells"]:
        if "grade_id" not in cell["metadata"].get("nbgrader", {}):
            cell["metadata"].pop("nbgrader", None)
    assert json.loads(write(read(json.dumps(content).encode()))) == content


def test_lines_become_one_text_and_half_a_character_in_metadata_survives():
    data = book({**entry("a", source=["x\n", "y"]), "note": "\ud800"})
    assert read(data).cells[0].source == "x\ny"
    assert json.loads(write(read(data)))["cells"][0]["note"] == "\ud800"


def test_outputs_take_the_place_of_those_that_were_read():
    data = json.loads(write(RELEASED, [["shown"], [], [], ["never"]]))
    assert [cell.get("outputs") for cell in data["cells"]] == [["shown"], [], [], None]


def test_cells_are_found_and_changed_by_name():
    changed = with_sources(RELEASED, {"a_answer": "new", "absent": "x"})
    assert by_name(changed.cells)["a_answer"].source == "new"
    assert [cell.source for cell in changed.cells if cell.grade_id != "a_answer"] == [
        "import x",
        "check()",
        "Write here",
    ]
    assert notebook.answers_before(RELEASED.cells) == {"a": "a_answer", "note": "note"}


def test_stored_outputs_can_be_left_out_and_nothing_else_is():
    big = {**entry("a"), "outputs": [{"output_type": "stream", "text": "x" * 1000}], "execution_count": 3}
    assert json.loads(write(without_outputs(read(book(big))))) == json.loads(book({**big, "outputs": []}))


def test_a_cell_without_metadata_is_a_cell():
    (cell,) = read(book({"cell_type": "code", "source": "1"})).cells
    assert cell == Cell("1")
    assert (
        json.loads(write(read(book({"cell_type": "code", "source": "1", "metadata": None}))))["cells"][0][
            "metadata"
        ]
        == {}
    )


def test_what_is_nested_too_deeply_is_said():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(NotebookError, match="nested too deeply"):
        notebook.dump({"cells": deep})
