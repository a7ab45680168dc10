"""Edits in the form of a diff."""

from __future__ import annotations

import pytest

from autograder.proof.edits import EditError, edited

TEXT = "one\n\n  two\nthree\n  two\nfour"


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        ("\n-three\n+3\n", "one\n\n  two\n3\n  two\nfour"),
        (" three\n-  two", "one\n\n  two\nthree\nfour"),
        ("-four\n\n-one\n+1\n+and a half", "1\nand a half\n\n  two\nthree\n  two"),
        (" one\n+\n+more", "one\n\nmore\n\n  two\nthree\n  two\nfour"),
    ],
)
def test_lines_go_come_and_stay(edit, wanted):
    assert edited(TEXT, edit) == wanted


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("-  two", "stand there 2 times"),
        ("-five", "stand there 0 times"),
        ("+five", "stand there 0 times"),
        ("one", "begins with -, . or a blank: 'one'"),
        (" one\n+1\n\n-one", "two changes are about the same lines"),
    ],
)
def test_an_edit_that_does_not_fit_is_told(edit, said):
    with pytest.raises(EditError, match=said):
        edited(TEXT, edit)
