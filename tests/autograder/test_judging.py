"""The question layer: calling, comparing, explaining, and surviving whatever an answer does."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from autograder.failing_case import failing_case
from autograder.judging import PUBLIC_SEED, apart, run
from autograder.light_form import light
from autograder.message import html, plain
from autograder.perform import FormError, materialise
from autograder.question import Case, Group, Question, Slip, Tolerance, call
from autograder.result import Place, Result, Said, from_json, mend_first, number, to_json


def double(**changes):
    """A toy question: return twice the input; some points for positive numbers, some for negative ones."""
    fields = dict(
        id="toy.double",
        title="Twice",
        groups=(Group("positive", 1.0, "positive numbers"), Group("negative", 1.5, "negative numbers")),
        cases=lambda rng: [
            Case("positive", "three numbers", call("double", rng.uniform(1, 2, 3))),
            Case("positive", "none", call("double", np.zeros(0))),
            Case("negative", "two numbers", call("double", -rng.uniform(1, 2, 2))),
        ],
        right={"double": lambda x: 2 * x},
        within=Tolerance(1e-9, 1e-12, "exact"),
        tensors=False,
        slips=(
            Slip("square", "This is the square.", lambda x: x**2),
            Slip("divided", "Do not divide by <0>.", error="ZeroDivisionError"),
        ),
        hints=("first", "second", "last"),
    )
    return Question(**{**fields, **changes})


def graded(answer, **changes):
    return run(double(**changes), {"double": answer} if answer is not None else {})


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


def test_slip_is_named_with_the_first_failing_case():
    result = graded(lambda x: x * x)
    assert result.slips == ("square",)
    text = plain(result)
    assert text.count("This is the square.") == 1
    x = double().draw(PUBLIC_SEED)[0].call.args[0]
    assert f"double[0] at x = {number(x[0])} is {number(x[0] ** 2)}" in text
    assert f"expected {number(2 * x[0])} (3 of 3 elements differ)" in text


def test_a_failure_names_its_case_and_place_in_the_draw():
    """Label and place of the case, and the first wrong element as numbers; all of it survives JSON."""
    result = graded(lambda x: x * x if len(x) else x)
    (cases, first) = double().draw(PUBLIC_SEED), result.groups[0].failure
    assert (first.kind, first.label, first.case) == ("value", cases[0].label, 0)
    assert result.groups[1].failure.case == 2
    x = cases[0].call.args[0][0]
    assert first.place == Place("double", (0,), x * x, 2 * x, 3, 3)
    assert result.groups[0].slip == Said("square", "This is the square.")
    assert result.seed == PUBLIC_SEED
    assert from_json(to_json(result)) == result
    lost = graded(lambda x: 2 * x + np.inf)
    assert lost.groups[0].failure.place.got == "inf"
    assert from_json(to_json(lost)) == lost
    assert graded(lambda x: x[:1]).groups[0].failure.place is None


def test_slip_needs_every_failing_case_of_the_group():
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
    with pytest.raises(FormError):
        materialise(value)
    assert graded(lambda x: value).score == 0


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=6),
    st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bool]),
)
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
    result = run(double(), {"double": abs}, hint=2)
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
            judge=lambda got, asked: None if (got["double"] >= 0).all() else "negative",
        ),
        Group("negative", 1.0, "n", judge=lambda got, asked: "never right"),
    )
    result = graded(abs, groups=groups)
    assert result.score == 1.0
    assert "never right" in plain(result)


def test_same_seed_same_cases_and_other_seed_other_cases():
    first, again, other = (double().draw(seed)[0].call.args[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


# ------------------------------------------------------------------------------------------------ what a call is


def graded_by(cases, right, answer, **changes):
    """Slips and first sentences of an answer to a question of one group."""
    question = Question(
        "toy.one", "One", (Group("all", 1.0, "all"),), lambda rng: cases, right, **changes
    )  # fmt: skip
    return run(question, answer)


class Line:
    """A class to be made and then called."""

    def __init__(self, slope):
        self.slope = slope

    def __call__(self, x):
        return self.slope * x


def test_a_class_is_made_then_called_and_differentiated():
    x = np.array([1.0, 2.0])
    cases = [
        Case("all", "value", call("Line", 3.0).on(x)),
        Case("all", "gradient", call("Line", 3.0).on(x).gradient(np.array([1.0, 10.0]))),
    ]
    right = {"Line": Line}
    assert graded_by(cases, right, {"Line": Line}, right_in_torch=True).score == 1

    class Detached(Line):
        def __call__(self, x):
            return super().__call__(x.detach())

    lost = graded_by(cases, right, {"Line": Detached}, right_in_torch=True)
    assert (lost.score, lost.slips) == (0, ("no_gradient",))


def test_several_results_have_names_and_a_wrong_count_is_told():
    cases = [Case("all", "both", call("split", np.array([1.0, -2.0])))]
    right = {"split": lambda x: (np.maximum(x, 0), np.minimum(x, 0))}
    gives = {"split": ("positive", "negative")}
    half = graded_by(cases, right, {"split": lambda x: (x.clamp(min=0), x)}, gives=gives)
    assert "negative[0] at x = 1 is 1; expected 0" in plain(half)
    alone = graded_by(cases, right, {"split": lambda x: x.clamp(min=0)}, gives=gives)
    assert "what split returns is 1 value, where 2 were asked for: positive, negative" in plain(alone)


@pytest.mark.parametrize(
    ("answer", "slip"),
    [
        (lambda x: x.mul_(2), "in_place"),
        (lambda x: (2 * x).double(), "dtype_changed"),
        (lambda x: None, "nothing_returned"),
        (lambda x: x.double, "not_called"),
        (lambda: 0, "other_arguments"),
    ],
)
def test_slips_of_the_language_are_named_where_no_slip_of_the_question_is(answer, slip):
    question = Question(
        "toy.two",
        "Twice",
        (Group("values", 1.0, "values"), Group("kept", 1.0, "the argument stays", unchanged=True)),
        lambda rng: [
            Case(group, "two numbers", call("double", np.float32([1, 2]))) for group in ("values", "kept")
        ],
        {"double": lambda x: 2 * x},
        keeps_dtype=True,
    )
    assert slip in run(question, {"double": answer}).slips


def kept_and_whole(**wanted):
    cases = [Case("all", "two numbers", call("double", np.array([1, 2])), **wanted)]
    return Question(
        "toy.two", "Twice", (Group("all", 1.0, "all"),), lambda rng: cases, {"double": lambda x: 2 * x}
    )


def test_a_case_may_ask_that_its_arguments_stay_and_that_whole_numbers_come_back():
    for answer in (lambda x: x.mul_(2), lambda x: 2.0 * x, lambda x: 2 * x):
        assert run(kept_and_whole(), {"double": answer}).score == 1
    written = run(kept_and_whole(intact=True), {"double": lambda x: x.mul_(2)})
    assert written.slips == ("in_place",)
    assert "x is no longer what it was" in plain(written)
    real = run(kept_and_whole(whole=True), {"double": lambda x: 2.0 * x})
    assert "double is of dtype float32; whole numbers, such as int64, were asked for" in plain(real)
    assert run(kept_and_whole(intact=True, whole=True), {"double": lambda x: x + x}).score == 1


def test_a_type_error_inside_the_answer_is_not_a_wrong_signature():
    result = graded(lambda x: len(5))
    assert result.slips == ()
    assert "object of type 'int' has no len()" in plain(result)


def test_infinities_are_values_and_a_lost_number_comes_first():
    cases = [Case("all", "times", call("times", np.array([1.0, 2.0])))]
    right = {"times": lambda x: np.array([np.inf, 2.0])}
    assert graded_by(cases, right, {"times": lambda x: torch.tensor([np.inf, 2.0])}).score == 1
    lost = graded_by(cases, right, {"times": lambda x: torch.tensor([5.0, np.nan])})
    assert "times[1] at x = 2 is nan; expected a number" in plain(lost)


def test_a_slip_says_how_it_is_recognised():
    with pytest.raises(ValueError, match=r"'both' has 2 of wrong=, gives=, error= and seen=; expected one"):
        Slip("both", "", error="x", seen=lambda got, asked: True)


def test_a_slip_that_stumbles_over_what_a_student_sent_explains_nothing():
    slips = (
        Slip("odd", "", seen=lambda got, asked: got["double"].reshape(17, 4) > 0),
        Slip("square", "This is the square.", lambda x: x**2),
    )
    assert graded(lambda x: x * x, slips=slips).slips == ("square",)


def test_right_values_may_come_from_the_arguments_alone():
    changes = dict(right=("double",), values=lambda asked: {"double": 2 * asked["argument 1"]}, slips=())
    assert graded(lambda x: x + x, **changes).score == 2.5
    assert graded(abs, **changes).score == 0


def test_cases_are_drawn_until_they_tell_a_wrong_way_from_the_right_one():
    question = double()
    assert apart(question, Case("positive", "", call("double", np.array([3.0]))), {"double": lambda x: x**2})
    assert not apart(
        question, Case("positive", "", call("double", np.array([2.0]))), {"double": lambda x: x**2}
    )


def test_the_failing_case_can_be_taken_in_hand():
    def answer(x):
        return x * x

    question = double()
    case = failing_case(run(question, {"double": answer}), question, {"double": answer})
    assert case.code == "double(x)"
    np.testing.assert_array_equal(case.args["x"], question.draw(PUBLIC_SEED)[0].call.args[0])
    np.testing.assert_array_equal(case.expected["double"], 2 * case.args["x"])
    np.testing.assert_array_equal(case.call(), case.got["double"])
    assert len(case.plot().axes) == 1
    assert failing_case(run(question, {"double": lambda x: 2 * x}), question, {}) is None


def test_the_light_form_is_a_whole_question():
    @light("Twice", points=1)
    def twice(x):
        return 2 * x

    twice.case("two numbers", lambda rng: [rng.uniform(2, 3, 2)])
    twice.hint("Add it to itself.")

    @twice.slip
    def squared(x):
        """This is the square."""
        return x**2

    question = twice.question("toy.twice")
    assert run(question, {"twice": lambda x: x + x}).score == 1
    assert run(question, {"twice": lambda x: x * x}).slips == ("squared",)
    assert run(question, {}).groups[0].failure.kind == "missing"


def test_a_question_that_rests_on_a_lost_one_says_so():
    lost, rests, right = (
        graded(abs, id="toy.first"),
        graded(abs, uses={"double": "toy.first"}),
        graded(lambda x: 2 * x),
    )
    assert mend_first({"toy.first": lost, "toy.double": rests}) == {"toy.double": "toy.first"}
    assert mend_first({"toy.first": right, "toy.double": rests}) == {}


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


@pytest.mark.slow
def test_stock_nbgrader_reads_the_score_from_a_notebook():
    """Full, partial and no credit as nbgrader's own ``determine_grade`` reads a cell that a kernel ran."""
    done = subprocess.run([sys.executable, "-c", NBGRADER], capture_output=True, text=True, check=True)
    grades, outputs, metadata, error = json.loads(done.stdout.splitlines()[-1])
    assert grades == [[2.0, 2.0], [1.0, 2.0], [0, 2.0]]
    assert outputs[1] == ["display_data", "execute_result"]
    shown = convert(metadata["autograder"], Result)
    assert (shown.question, shown.slips) == ("ps2.sine_derivative", ("no_cutoff",))
    assert list(shown.failed) == ["outside", "shapes"]
    assert error.startswith("no question is called 'ps2.none'; there are: ")
    assert "ps2.sine_derivative, " in error
