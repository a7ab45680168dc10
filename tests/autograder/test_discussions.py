"""An answer that a person reads: nothing where nothing was written, pending wherever something was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autograder import stock
from autograder.grade import Grading, Work, _by_nbgrader, _complete
from autograder.graded import Graded, Mark
from autograder.notebook import Cell, Notebook
from autograder.restoring import restore

STUB = Cell("Write here.", code=False, grade_id="why", graded=True, answer=True, points=4.0)
CHECK = Cell('check("ps.a")', grade_id="a", graded=True, points=1.0)
ASKED = Cell("**Discussion.** Why?", code=False)
RELEASED = Notebook((CHECK, ASKED, STUB, Cell("## Hand in", code=False)))
OWN = Cell("Because of the threshold.", code=False)
PICTURE = {"attachments": {"plot.png": {"image/png": "aGVsbG8="}}}


def completed(*cells: Cell) -> Graded:
    restored, remarks = restore(cells, RELEASED.cells)
    work = Work("key", 1, RELEASED, tuple(restored), Graded("ada", remarks=("known before", *remarks)))
    return _complete(work, Graded("ada", {"a": Mark(1.0, 1.0)}), RELEASED)


@pytest.mark.parametrize(
    ("cells", "score", "told"),
    [
        (RELEASED.cells, 0.0, False),
        ((CHECK, ASKED), 0.0, False),
        ((CHECK, replace(STUB, source=" Write here.\r\n")), 0.0, False),
        ((CHECK, ASKED, replace(STUB, source="")), 0.0, False),
        ((CHECK, ASKED, replace(STUB, source="Because.")), None, False),
        ((CHECK, ASKED, replace(STUB, rest=PICTURE)), None, False),
        ((CHECK, ASKED, STUB, OWN), None, True),
        ((CHECK, OWN, ASKED, STUB), None, True),
        ((CHECK, OWN), None, True),
        ((CHECK, replace(ASKED, source=f"{ASKED.source}\n\n{OWN.source}"), STUB), None, True),
        ((CHECK, ASKED, STUB, Cell("", code=False, rest=PICTURE)), None, True),
        ((OWN, CHECK, ASKED, STUB), 0.0, False),
    ],
)
def test_what_was_written_anywhere_near_is_read(cells, score, told):
    got = completed(*cells)
    assert got.questions["why"] == Mark(4.0, score, manual=True)
    assert got.pending == (4.0 if score is None else 0.0)
    assert got.remarks[0] == "known before"
    said = "`why` was left as it was, but something stands near it: a person reads that"
    assert (said in got.remarks) == told


@pytest.mark.parametrize(("near", "score"), [(True, None), (False, 0.0)])
def test_stock_nbgrader_s_zero_is_pending_too_where_something_stands_near(monkeypatch, near, score):
    restored, _ = restore((CHECK, ASKED, STUB, *([OWN] if near else [])), RELEASED.cells)
    work = Work("key", 1, RELEASED, tuple(restored), Graded("ada"))
    theirs = Graded("ada", {"a": Mark(1.0, 0.0), "why": Mark(4.0, 0.0, manual=True)})
    monkeypatch.setattr(stock, "autograde_with_nbgrader", lambda *arguments: [theirs])
    (got,) = _by_nbgrader(Grading(Path(), "ps", Path()), {"ada": work}, RELEASED)
    assert got.questions == {"a": Mark(1.0, 0.0), "why": Mark(4.0, score, manual=True)}
    assert bool(got.remarks) == near
