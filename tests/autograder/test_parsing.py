"""What a student wrote is read within bounds: neither depth nor length costs more than a sentence."""

from __future__ import annotations

import ast
import time

import pytest

from autograder import judging
from autograder.judging import run
from autograder.language import answer_cells
from autograder.language.edits import edits
from autograder.language.mending import mend
from autograder.parsing import BeyondBounds, names_bound, parsed, python_of
from autograder.proof.faults import mutants, order
from autograder.question import Case, Group, Question, call

TWICE = Question(
    "toy.twice",
    "Twice",
    (Group("all", 1.0, "values"), Group("one", 1.0, "one value")),
    lambda rng: [Case("all", "2", call("twice", 2.0)), Case("one", "0", call("twice", 0.0))],
    {"twice": lambda x: 2 * x},
)
WRONG = "def twice(x):\n    return 3 * x"
BEYOND = {
    "a long sum": "x = 1" + "+1" * 3000,
    "a long chain": "x = np" + ".a" * 5000,
    "signs": "x = " + "-" * 30_000 + "1",
    "brackets": "x = " + "[" * 150 + "]" * 150,
    "long": "x = 1\n" + "# \n" * 40_000,
}


@pytest.mark.parametrize("cell", BEYOND.values(), ids=BEYOND)
def test_what_is_beyond_the_bounds_is_not_read(cell):
    with pytest.raises(BeyondBounds):
        python_of(cell)
    assert (parsed(cell).body, names_bound(cell), list(edits(cell))) == ([], None, [])


@pytest.mark.parametrize("cell", ["x =", "x = '\0'", "x = '\ud800'", "x = " + "(" * 5000])
def test_what_is_no_python_binds_nothing(cell):
    assert (parsed(cell).body, names_bound(cell), list(edits(cell))) == ([], frozenset(), [])


def test_the_deepest_that_is_read_can_be_written_out():
    deep = "x = " + "f(" * 45 + "1" + ")" * 45
    assert ast.unparse(python_of(deep)[1]) == deep


def test_lines_of_the_shell_do_nothing_and_operators_stay():
    cell = "%%time\nif True:\n    !ls\n    x = 1"
    assert names_bound("%matplotlib inline\nx = 1") == {"x"}
    assert python_of(cell)[0] == "pass\nif True:\n    pass\n    x = 1"
    assert names_bound("x = (7\n% 2)") == {"x"}
    assert list(edits("def f(x):\n    !ls\n    return x + 1"))


def test_an_answer_is_in_the_last_cell_that_binds_it():
    cells = ["def f(x): return 1", "g = 2", "def f(x): return 3", "f(1)", "f ="]
    assert answer_cells(cells, ["f", "g", "h"]) == ("g = 2", "def f(x): return 3")


def test_an_answer_behind_which_a_cell_cannot_be_read_is_not_looked_for():
    assert answer_cells([WRONG, BEYOND["a long sum"]], ["twice"]) == (WRONG,)
    assert answer_cells([WRONG, WRONG + "\n" + BEYOND["long"]], ["twice"]) == ()


@pytest.mark.parametrize("cell", BEYOND.values(), ids=BEYOND)
@pytest.mark.parametrize("beside", ["{cell}", WRONG + "\n{cell}"])
def test_a_wrong_answer_keeps_its_points_and_nobody_is_blamed(cell, beside):
    cells = [WRONG, beside.format(cell=cell)]
    result = run(TWICE, {"twice": lambda x: 3 * x}, cells=cells)
    assert (result.score, result.fault) == (1.0, "")


@pytest.mark.parametrize("broken", ["evidence", "answer_cells", "in_a_copy", "is_right"])
@pytest.mark.parametrize("error", [RecursionError, MemoryError, TypeError])
def test_a_failure_of_the_diagnosis_is_no_fault_of_the_question(monkeypatch, broken, error):
    def fails(*_):
        raise error("in the text")

    monkeypatch.setattr(judging, broken, fails)
    result = run(TWICE, {"twice": lambda x: 3 * x}, cells=[WRONG])
    assert (result.score, result.fault, set(result.failed)) == (1.0, "", {"all"})


# ---------------------------------------------------------------------------------------------------------- time

TABLE = "def twice(x):\n    table = [{}]\n    return 3 * x"
ODD = {
    "f({[1]: 2})": "a key that is a list",
    "f(0x" + "f" * 5000 + ")": "a number that cannot be written out",
}


def test_numbers_in_a_long_literal_are_no_places_of_edits():
    short, long = (TABLE.format(", ".join(map(str, range(count)))) for count in (20, 2000))
    rows = TABLE.format(", ".join(["[1, 2]", "-3", "(4, 5)", "{6: 7}"] * 500))
    assert len(list(edits(short))) > 40
    assert len(list(edits(long))) == len(list(edits(rows))) == len(list(edits(TABLE.format(""))))


def test_edits_end_when_the_time_is_over():
    asked = iter([False] * 3)
    found = list(edits("def f(x):\n    return x + 1 + 2 + 3 + 4", lambda: next(asked, True)))
    assert len(found) == 3


def test_edits_that_are_all_the_same_end_as_well():
    """Nothing new is found in many places, so that nothing is handed out in between."""
    asked = iter([False] * 50)
    cell = "def f(x):\n" + "    g(x, x)\n" * 400
    assert list(mutants(cell, mutators=(order,), over=lambda: next(asked, True))) == []
    assert next(asked, None) is None


def test_a_long_cell_is_not_edited():
    cells = [f"{WRONG}\n# {'.' * 20_000}"]
    assert not mend(cells, [0], lambda _: pytest.fail("was run"), lambda *_: True, lambda: False)


@pytest.mark.parametrize("line", ODD, ids=ODD.values())
def test_odd_parts_of_an_answer_cost_nothing(line):
    cell = f"def twice(x):\n    if x is None:\n        {line}\n    return 3 * x"
    names: dict = {}
    exec(cell, names)
    result = run(TWICE, names, cells=[cell])
    assert (result.score, result.fault) == (1.0, "")


def test_a_table_of_20_000_numbers_takes_no_time():
    """0.15 s where it was written; without bounds some hours."""
    cells = [TABLE.format(", ".join(map(str, range(20_000))))]
    begun = time.process_time()
    result = run(TWICE, {"twice": lambda x: 3 * x}, cells=cells)
    assert time.process_time() - begun < 20
    assert (result.score, result.fault) == (1.0, "")
