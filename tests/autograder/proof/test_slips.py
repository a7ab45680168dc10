"""The lists of slips and of right answers: their form, the count, and what is said of the small set's."""

from __future__ import annotations

import pytest

from autograder.course import CourseError, checkout, problem_sets
from autograder.proof import slips
from autograder.proof.slips import KINDS, Entry, Tally, entries, try_set, verdict
from autograder.result import Failure, GroupResult, Result, Said

ROOT = checkout()


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """The entries that two texts make, for questions of the practice set."""
    monkeypatch.setattr(slips, "home_of", lambda root, name: tmp_path)

    def read(wrong, right=""):
        (tmp_path / "slips.toml").write_text(wrong)
        (tmp_path / "rights.toml").write_text(right)
        return entries(ROOT, "ps0_start")

    return read


RIGHT = """
[[right]]
question = "spike_count"
name = "sum"
cell = '''
def spike_count(charge, threshold):
    return int(sum(charge >= threshold))
'''
"""
WRONG = """
[[slip]]
question = "spike_count"
kind = "sign"
of = "sum"
edit = '''
-    return int(sum(charge >= threshold))
+    return -int(sum(charge >= threshold))
'''
"""


def test_a_slip_is_an_edit_of_a_right_answer_and_knows_its_line(listed):
    right, wrong = listed(WRONG, RIGHT)
    assert (right.kind, right.name, wrong.kind, wrong.lines) == ("", "sum", "sign", {2})
    assert wrong.cell.endswith("return -int(sum(charge >= threshold))")
    (of_reference,) = listed(
        '[[slip]]\nquestion="spike_count"\nkind="sign"\nedit="""\n-    return int((charge >= threshold).sum())\n'
        '+    return -(charge >= threshold).sum()\n"""'
    )
    assert "return -(charge" in of_reference.cell
    (whole,) = listed('[[slip]]\nquestion="spike_count"\nkind="sign"\ncell="""\na\n  b\n"""\nline="b"')
    assert whole.lines == {2}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("sign", "odd"), r"slip 1: its kind is 'odd'; expected one of nothing_returned, "),
        (("spike_count", "nope"), r"slip 1: 'sum' is no right answer to 'nope'"),
        (('of = "sum"', 'of = "product"'), r"'product' is no right answer to 'spike_count'; there are: sum"),
        (('of = "sum"', 'off = "sum"'), r"there is no field 'off'; there are: question kind "),
        (("-    return int", "-    return float"), r"these lines stand there 0 times"),
        (("edit =", "cell = 'x'\nedit ="), r"one of cell, .* and edit"),
        (("[[slip]]", "[[wrong]]"), r"there is 'wrong'; each entry begins with \[\[slip\]\]"),
        (("[[slip]]", "[slip"), r"slips\.toml: "),
    ],
)
def test_an_entry_that_cannot_be_is_told(listed, change, said):
    with pytest.raises(CourseError, match=said):
        listed(WRONG.replace(*change), RIGHT)


def result(*slips_said):
    failure = Failure("value", "f is 1; expected 2", 0, "case")
    groups = [GroupResult(str(n), "", 1.0, 0.0, 1, failure, said) for n, said in enumerate(slips_said)]
    return Result("ps9.f", "", 1.0, 0.0, 0, (GroupResult("right", "", 1.0, 1.0, 1), *groups))


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ((None, Said("sign", "")), ("named", True)),
        ((Said("reciprocal", "", False), Said("sign", "")), ("another", False)),
        ((Said("own", ""),), ("named", True)),
        ((Said("mended", "With `+` for `-` in line 2 all is right."),), ("named", True)),
        ((Said("mended", "With `+` for `-` in line 3 all is right."),), ("another", True)),
        ((None,), ("nothing", True)),
        ((), ("right", True)),
    ],
)
def test_the_first_sentence_counts(said, outcome):
    entry = Entry("f", "", "one", "sign", frozenset({2}), frozenset({"own"}))
    told = verdict(entry, result(*said))
    assert (told.outcome, told.sure) == outcome


def test_a_right_answer_that_loses_points_is_refused():
    told = verdict(Entry("f", "", "loop"), result(None))
    assert (told.outcome, "0: case: f is 1" in told.text) == ("refused", True)
    assert "right loop: refused" in Tally("ps9", [told]).complaints[0]


@pytest.mark.parametrize("name", problem_sets(ROOT))
def test_the_lists_of_every_set_can_be_read(name):
    assert {one.kind for one in entries(ROOT, name)} <= {"", *KINDS}


def test_no_right_answer_to_the_practice_set_is_refused():
    tally = try_set(ROOT, "ps0_start")
    assert (tally.count("refused"), len(tally.told) > len(tally.slips) > 0) == (0, True)
    assert not [one for one in tally.slips if one.outcome == "right"]
    assert tally.count("another", True) <= 1  # a slip that the line below its own can mend as well
