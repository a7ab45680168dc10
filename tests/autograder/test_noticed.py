"""What a check remarks of the kernel: only what the course's cells mind, and withheld names that no failure tells of."""

from __future__ import annotations

from dataclasses import replace

import torch

from autograder.catalogue import OWN, Catalogue
from autograder.judging import run
from autograder.noticed import of_state, of_withheld


def test_a_dtype_is_told_with_the_way_back():
    said = of_state({"torch's default dtype": torch.float64, "rcParams": {}})
    assert said.startswith(
        "torch's default dtype is float64 in this notebook; the course's cells are written for float32 "
        "(`torch.set_default_dtype(torch.float32)` puts it back)."
    )


def test_several_things_are_one_remark():
    said = of_state(
        {"torch's gradients": False, "NumPy's handling of errors": {"divide": "raise"}, "numpy.allclose": all}
    )
    assert (
        "torch's gradients and NumPy's handling of errors in this notebook are not as the course's cells"
        in said
    )
    assert "`torch.set_grad_enabled(True)` and `np.seterr(all='warn')`" in said
    assert "`numpy.allclose` is not the library's own in this notebook" in said


def test_what_no_cell_minds_is_not_told():
    harmless = ["the working folder", "sys.path", "rcParams", "torch's print options", "snnkit.dynamics.fire"]
    assert of_state(dict.fromkeys(harmless)) == ""
    assert of_state({"NumPy's handling of errors": {"divide": "ignore"}}) == ""
    assert of_state({}) == ""


def test_withheld_names_are_told_once():
    question = Catalogue(OWN)["ps0.spike_count"]
    right, wrong = (
        run(question, {"spike_count": lambda charge, threshold: int((charge >= threshold).sum())}),
        run(question, {}),
    )
    assert of_withheld(right, []) == ""
    assert of_withheld(right, ["a.b", "a.b"]) == (
        "This tries `a.b`, which is switched off here as in grading, and goes on without."
    )
    assert (
        of_withheld(wrong, ["a.b"])
        == "This uses `a.b`, which this problem set asks you to write: 0 points when graded."
    )
    failure = replace(wrong.groups[0].failure, sentence="this uses `a.b`, which")
    told = replace(wrong, groups=(replace(wrong.groups[0], failure=failure), *wrong.groups[1:]))
    assert of_withheld(told, ["a.b"]) == ""
