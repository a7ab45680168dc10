"""The machinery of checks: comparing, explaining, and surviving whatever an answer does."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.checks import core
from autograder.checks.core import Case, Check, Group, Misconception, Tolerance, materialise, run
from autograder.checks.message import html, plain
from autograder.result import Place, Said, from_json, to_json


def probe(answer, data):
    return {"double": answer["double"](data["x"])}


def double_check(**changes):
    """A toy question: return twice the input; half the points for positive numbers, half for negative ones."""
    fields = dict(
        id="toy.double",
        title="Twice",
        names=("double",),
        groups=(Group("positive", 1.0, "positive numbers"), Group("negative", 1.5, "negative numbers")),
        cases=lambda rng: [
            Case("positive", "three numbers", {"x": rng.uniform(1, 2, 3)}),
            Case("positive", "none", {"x": np.zeros(0)}),
            Case("negative", "two numbers", {"x": -rng.uniform(1, 2, 2)}),
        ],
        probe=probe,
        expected=lambda data: {"double": 2 * data["x"]},
        tolerance=Tolerance(1e-9, 1e-12, "exact"),
        misconceptions=(
            Misconception("square", "This is the square.", arrays=lambda data: {"double": data["x"] ** 2}),
            Misconception("divided", "Do not divide by <0>.", error="ZeroDivisionError"),
        ),
        hints=("first", "second", "last"),
    )
    return Check(**{**fields, **changes})


def graded(answer, **changes):
    return run(double_check(**changes), {"double": answer} if answer is not None else {})


def test_right_answer_gets_all_points():
    result = graded(lambda x: x + x)
    assert (result.score, result.points, result.slips) == (2.5, 2.5, ())
    assert "2.5 of 2.5" in plain(result)
    assert "hint" not in plain(result)


def test_points_are_given_by_group():
    result = graded(abs)
    assert result.score == 0
    result = graded(lambda x: 2 * np.abs(x))
    assert result.score == 1.0
    assert "[right] positive numbers" in plain(result)
    assert "[not yet] negative numbers" in plain(result)


def test_misconception_is_named_with_the_first_failing_case():
    result = graded(lambda x: x * x)
    assert result.slips == ("square",)
    text = plain(result)
    assert text.count("This is the square.") == 1
    x = double_check().draw(core.PUBLIC_SEED)[0].data["x"]
    assert f"double[0] at x = {core.number(x[0])} is {core.number(x[0] ** 2)}" in text
    assert f"expected {core.number(2 * x[0])} (3 of 3 elements differ)" in text


def test_a_failure_names_its_case_and_place_in_the_draw():
    """Label and place of the case, and the first wrong element as numbers; all of it survives JSON."""
    result = graded(lambda x: x * x if len(x) else x)
    (cases, first) = double_check().draw(core.PUBLIC_SEED), result.groups[0].failure
    assert (first.kind, first.label, first.case) == ("value", cases[0].label, 0)
    assert result.groups[1].failure.case == 2
    x = cases[0].data["x"][0]
    assert first.place == Place("double", (0,), x * x, 2 * x, 3, 3)
    assert result.groups[0].slip == Said("square", "This is the square.")
    assert result.seed == core.PUBLIC_SEED
    assert from_json(to_json(result)) == result
    lost = graded(lambda x: 2 * x + np.inf)
    assert lost.groups[0].failure.place.got == "inf"
    assert from_json(to_json(lost)) == lost
    assert graded(lambda x: x[:1]).groups[0].failure.place is None


def test_misconception_needs_every_failing_case_of_the_group():
    assert graded(lambda x: x * x if len(x) else np.ones(3)).groups[0].slip is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "double is not defined"),
        (lambda x: (_ for _ in ()).throw(NotImplementedError), "not answered yet"),
        (lambda x: 1 / 0, "your code raised ZeroDivisionError: division by zero"),
        (lambda x: sys.exit(3), "your code raised SystemExit"),
        (lambda x: None, "double is NoneType"),
        (lambda x: "4", "double is str"),
        (lambda x: np.array(["a"]), "double is an array of dtype <U1"),
        (lambda x: [[1.0], [1.0, 2.0]], "double is a list whose parts differ in shape"),
        (lambda x: (2 * x)[:1], "double has shape [1]; expected [3]"),
        (lambda x: 2 * x * np.nan, "is nan; expected a number"),
        (lambda x: 1j * x, "double is an array of dtype complex128"),
    ],
)
def test_whatever_an_answer_does_becomes_a_message_and_zero(answer, said, capsys):
    result = graded(answer)
    assert result.score == 0
    assert said in plain(result)
    assert "Traceback" not in plain(result)
    assert capsys.readouterr().err == ""


def test_recursion_and_memory_errors_are_messages():
    def forever(x):
        return forever(x)

    assert "RecursionError" in plain(graded(forever))
    assert "MemoryError" in plain(graded(lambda x: (_ for _ in ()).throw(MemoryError("no memory"))))


def test_keyboard_interrupt_passes_so_that_a_time_limit_works():
    with pytest.raises(KeyboardInterrupt):
        graded(lambda x: (_ for _ in ()).throw(KeyboardInterrupt))


class Liar(np.ndarray):
    """Claims to equal everything."""

    def __eq__(self, other):
        return np.ones(self.shape, bool)

    def __sub__(self, other):
        return np.zeros(self.shape)


class LyingTensor(torch.Tensor):
    pass


@pytest.mark.parametrize("value", [np.zeros(3).view(Liar), torch.zeros(3).as_subclass(LyingTensor), object()])
def test_objects_with_methods_of_their_own_are_refused(value):
    with pytest.raises(core.NotPlainError):
        materialise(value)
    assert graded(lambda x: value).score == 0


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=6),
    st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bool]),
)
@settings(max_examples=40, deadline=None)
def test_plain_values_are_copied_exactly(values, dtype):
    tensor = torch.tensor(values).to(dtype)
    copied = materialise(tensor)
    assert np.array_equal(copied, tensor.numpy())
    tensor.zero_()
    assert np.array_equal(copied, torch.tensor(values).to(dtype).numpy())
    assert np.array_equal(materialise(tuple(values)), np.array(values))
    assert materialise(torch.nn.Parameter(torch.ones(2))).tolist() == [1.0, 1.0]


def test_answer_cannot_change_the_cases_or_the_random_state():
    def spoil(x):
        x *= 0
        torch.manual_seed(99)
        np.random.seed(99)  # noqa: NPY002
        return x

    torch.manual_seed(5)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    assert graded(spoil).score == 0
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_hints_come_level_by_level():
    result = run(double_check(), {"double": abs}, hint=2)
    assert "Hint 1. first" in plain(result)
    assert "Hint 2. second" in plain(result)
    assert "Hint 3" not in plain(result)
    assert "hint=3) shows the next hint" in plain(result)
    assert "Hint 2." in html(result)


def test_html_escapes_what_the_answer_produced():
    def angry(x):
        raise ValueError("<script>alert(1)</script>")

    result = graded(angry)
    assert "<script>" not in html(result)
    assert "&lt;script&gt;" in html(result)
    divided = graded(lambda x: 1 / 0)
    assert "Do not divide by &lt;0&gt;." in html(divided)


def test_prints_are_shown_and_errors_of_the_stream_are_not(capfd):
    def loud(x):
        print("look", len(x))
        print("oops", file=sys.stderr)
        warnings.warn("careful", stacklevel=1)
        import logging
        import os

        logging.getLogger("student").error("logged")
        os.write(2, b"to the descriptor")
        return 2 * x

    result = graded(loud)
    assert result.score == 2.5
    assert "Your code printed: look 3" in plain(result)
    captured = capfd.readouterr()
    assert captured.err == ""
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"


def test_judge_replaces_the_comparison():
    groups = (
        Group(
            "positive",
            1.0,
            "p",
            judge=lambda arrays, data: None if (arrays["double"] >= 0).all() else "negative",
        ),
        Group("negative", 1.0, "n", judge=lambda arrays, data: "never right"),
    )
    result = graded(abs, groups=groups)
    assert result.score == 1.0
    assert "never right" in plain(result)


def test_same_seed_same_cases_and_other_seed_other_cases():
    first, again, other = (double_check().draw(seed)[0].data["x"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


NBGRADER = """
import json
from nbclient import NotebookClient
import nbformat
from nbgrader.utils import determine_grade
source = '''
from autograder import check
import numpy as np, sys, warnings, torch
def sine_derivative(x, alpha):
    warnings.warn("deprecated"); print("to stderr", file=sys.stderr)
    return torch.where(x.abs() <= alpha, np.pi / (4 * alpha) * torch.cos(np.pi * x / (2 * alpha)), 0 * x)
'''
wrong = "def sine_derivative(x, alpha):\\n    return np.pi / (4 * alpha) * torch.cos(np.pi * x / (2 * alpha))"
cells = [nbformat.v4.new_code_cell(text) for text in
         (source, 'check("ps2.sine_derivative")', wrong, 'check("ps2.sine_derivative")', 'check("ps2.none")')]
for cell in cells[1::2] + cells[4:]:
    cell.metadata["nbgrader"] = {"grade": True, "solution": False, "locked": True, "points": 2, "grade_id": "a"}
notebook = nbformat.v4.new_notebook(cells=cells)
NotebookClient(notebook, allow_errors=True).execute()
print(json.dumps([[determine_grade(cells[i]) for i in (1, 3, 4)],
                  [[output.output_type for output in cell.outputs] for cell in cells],
                  cells[3].outputs[0].metadata, cells[4].outputs[-1].get("evalue")]))
"""


def test_stock_nbgrader_reads_the_score_from_a_notebook():
    """Full, partial and no credit as nbgrader's own ``determine_grade`` reads a cell that a kernel ran."""
    done = subprocess.run([sys.executable, "-c", NBGRADER], capture_output=True, text=True, check=True)
    grades, outputs, metadata, error = json.loads(done.stdout.splitlines()[-1])
    assert grades == [[2.0, 2.0], [1.0, 2.0], [0, 2.0]]
    assert outputs[1] == ["display_data", "execute_result"]
    assert metadata["autograder"] == {
        "question": "ps2.sine_derivative",
        "misconceptions": ["no_cutoff"],
        "failed": ["outside", "shapes"],
    }
    assert error.startswith("no question is called 'ps2.none'; there are: ")
    assert "ps2.sine_derivative, " in error
