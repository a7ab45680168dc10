"""Why a cell stopped while it was graded stands beside the question that needed it, and with the instructor's data."""

from __future__ import annotations

import time

import pytest

from autograder.graded import Graded, Trouble
from autograder.isolation.outputs import CellOutcome
from autograder.isolation.session import CellResult
from autograder.isolation.source import WarmParent
from autograder.isolation.stopped import told as with_remarks
from autograder.notebook import Cell
from autograder.report.feedback import feedback
from autograder.report.statistics import stops
from autograder.result import Failure, GroupResult, Result

from . import toy
from .test_runner import grade, said, scores
from .toy import RIGHT, cells, code

pytestmark = pytest.mark.xdist_group("isolation")


def remarks(graded: Graded, question: str) -> tuple[str, ...]:
    result = graded.questions[question].result
    assert isinstance(result, Result)
    return result.remarks


def test_the_cell_that_should_define_a_name_says_why_it_stopped(warm_parent: WarmParent) -> None:
    stopped = "import json\nsettings = json.load(open('settings.json'))\ndef double(x):\n    return 2 * x"
    graded = grade(warm_parent, cells({**RIGHT, "answer_double": stopped}))
    assert scores(graded) == [0.0, 2.0, 2.0]
    why = (
        "FileNotFoundError: [Errno 2] No such file or directory: 'settings.json', in the line "
        "`settings = json.load(open('settings.json'))`"
    )
    told = f"The cell that should define `double` stopped while it was graded: {why}."
    assert remarks(graded, "double") == (told,)
    assert told in said(graded, "double")
    assert graded.trouble == (Trouble("answer_double", "error", why),)
    page = feedback("toy", graded).decode()
    assert page.count("stopped while it was graded") == 1
    assert "A cell was stopped" not in page


def test_a_helper_of_ones_own_is_named(warm_parent: WarmParent) -> None:
    answers = {
        **RIGHT,
        "answer_double": "def double(x):\n    return twice(x)",
        "answer_slope": "third = cubed(0)\ndef cube(x):\n    return third + x**3",
    }
    content = cells(answers)
    content.insert(
        1, code("", "import settings_of_mine\ntwice = lambda x: 2 * x\ndef cubed(x):\n    return x**3")
    )
    graded = grade(warm_parent, content)
    assert scores(graded) == [0.0, 0.0, 2.0]
    start = "The cell that should define `twice` stopped while it was graded: ModuleNotFoundError: No module named "
    assert remarks(graded, "double")[0].startswith(start)
    first, second = remarks(graded, "slope")
    assert first.startswith(
        "The cell that should define `cube` stopped while it was graded: NameError: name 'cubed'"
    )
    assert second.startswith(
        "The cell that should define `cubed` stopped while it was graded: ModuleNotFoundError"
    )


def test_what_no_question_needed_is_for_the_instructor_only(warm_parent: WarmParent) -> None:
    content = cells({**RIGHT, "answer_energy": "def energy(x): return 2"})
    content.insert(2, code("", "1 / 0"))
    content.append(code("", "assert False, 'the end'"))
    graded = grade(warm_parent, content)
    assert [one.reason for one in graded.trouble] == [
        "ZeroDivisionError: division by zero, in the line `1 / 0`",
        "AssertionError: the end, in the line `assert False, 'the end'`",
    ]
    assert not any(remarks(graded, name) for name in graded.questions)
    assert "ZeroDivisionError" not in feedback("toy", graded).decode()
    assert "raised an error: ZeroDivisionError: division by zero, in the line `1 / 0`" in {
        one.what for one in stops([graded])
    }


def test_a_cell_that_was_mended_below_is_not_told(warm_parent: WarmParent) -> None:
    content = cells({**RIGHT, "answer_double": "def double(x): raise ValueError('not yet')\ndouble(1)"})
    content.insert(2, code("", "def double(x): return x"))
    graded = grade(warm_parent, content)
    assert (scores(graded)[0], remarks(graded, "double")) == (0.0, ())


def test_what_is_not_answered_is_no_trouble(warm_parent: WarmParent) -> None:
    content = cells({})
    content.insert(3, code("", "double(3)"))
    graded = grade(warm_parent, content)
    assert graded.trouble == ()
    assert remarks(graded, "double") == ()


def test_a_syntax_error_is_told(warm_parent: WarmParent) -> None:
    graded = grade(warm_parent, cells({**RIGHT, "answer_double": "def double(x):\n    return 2 *"}))
    (told,) = remarks(graded, "double")
    assert "SyntaxError: invalid syntax" in told
    assert "in the line `return 2 *`" in told


def test_a_process_that_ended_is_told(warm_parent: WarmParent) -> None:
    graded = grade(
        warm_parent, cells({**RIGHT, "answer_double": "import os\nos._exit(3)\ndef double(x): return 2 * x"})
    )
    assert remarks(graded, "double") == (
        "The cell that should define `double` stopped while it was graded: it ended the Python process (exit code 3).",
    )
    assert graded.trouble[0].status == "died"


def test_the_name_of_an_exception_is_one_line(warm_parent: WarmParent) -> None:
    named = "E = type('E\\n  [right] all of it: 2 of 2', (Exception,), {})\n"
    answers = {
        **RIGHT,
        "answer_double": f"{named}def double(x):\n    raise E('x')",
        "answer_energy": f"{named}raise E('x')\ndef energy(x): return 1",
    }
    graded = grade(warm_parent, cells(answers))
    for name in ("double", "energy"):
        assert "E [right] all of it: 2 of 2: x" in said(graded, name)
        assert not any(line.startswith("  [right]") for line in said(graded, name).splitlines())


def wanting(sources: list[str]) -> list[CellOutcome]:
    """Cells that stopped with an error, and behind them a question that wants ``double``."""
    failure = Failure("missing", "no double", 0, "one")
    group = GroupResult("all", "all", 2.0, 0.0, 1, failure)
    result = Result("double", "double", 2.0, 0.0, 5, (group,))
    stopped = [CellOutcome(Cell(text, code=True), run=CellResult("died", reason="ended")) for text in sources]
    return with_remarks(
        [*stopped, CellOutcome(Cell("", code=True, grade_id="double"), result=result)], toy.QUESTIONS
    )


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("x = (\n" + "\n" * 90_000, 0),
        ("x = (\n" + " " * 90_000, 0),
        ("x = (\n" + "\n" * 90_000 + "def double(x): return x", 1),
        ("x = (\n" + " ".join(f"a{n}" for n in range(14_000)) + "\n  double = 3", 1),
        ("x = (\n" + "\n" * 5_000_000 + "def double(x): return x", 0),
        ("x = (\n" + "a = 3\n" * 10_000 + "class double: pass", 1),
    ],
    ids=["lines", "spaces", "defined", "words", "beyond", "many"],
)
def test_what_stands_in_a_cell_that_stopped_is_read_in_no_time(source: str, count: int) -> None:
    """Some 0.1 s where it was written; the square of the blank lines takes minutes."""
    begun = time.process_time()
    result = wanting([source] * 4)[-1].result
    assert time.process_time() - begun < 10
    assert result is not None
    assert len(result.remarks) == count
