"""Wrong answers that were once told another slip's sentence: they are not told it any more, or as a perhaps only."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from autograder.course import checkout
from autograder.judging import run
from autograder.language import answer_cells
from autograder.perform import quiet
from autograder.proof.mutants import execute, trials
from autograder.proof.samples import reference
from autograder.proof.settings import settings
from autograder.question import Case, Group, Question, call
from autograder.source import ANSWER

ROOT = checkout()


@cache
def stage(problem_set, question):
    """The trial of a question and the names before its answer, the reference's earlier answers among them."""
    names = {"__name__": "__main__"}
    for trial in trials(ROOT, problem_set):
        with quiet():
            execute(trial.before, names)
            exec(settings(ROOT, problem_set).stand_in.get(trial.question.id.split(".")[1], ""), names)
        if trial.question.id.endswith(f".{question}"):
            return trial, names
        with quiet():
            execute(trial.cells, names)
    raise AssertionError(f"{problem_set} has no question {question}")


def told(problem_set, question, changes):
    """The result of the reference's answer with these changes."""
    cell = reference(ROOT, problem_set)[f"{question}{ANSWER}"]
    for old, new in changes:
        assert cell.count(old) == 1, (old, cell)
        cell = cell.replace(old, new)
    trial, before = stage(problem_set, question)
    names = dict(before)
    with quiet():
        exec(compile(cell, "<cell>", "exec"), names)
    return run(trial.question, names, cells=[cell])


SOFT = "return spike, charge - spike * threshold"
HARD = "return spike, charge * (1 - spike)"
FALSE = [
    ("ps0_start", "spike_count", [("(charge >=", "(charge[:-1] >=")], "adds the charges"),
    ("ps0_start", "spike_count", [(">= threshold", ">= 1")], "what `>` counts"),
    ("ps0_start", "spike_count", [("(charge, threshold)", "(threshold, charge)")], "that stay below the threshold."),
    ("ps1_neurons", "lif", [(SOFT, SOFT.replace("spike, charge - spike * threshold", "charge - spike * threshold, spike")), (HARD, "return charge * (1 - spike), spike"), ("spike, v = lif_step", "v, spike = lif_step")], "No gradient"),
    ("ps1_neurons", "lif", [(SOFT, "return spike, v - spike * threshold"), (HARD, "return spike, v * (1 - spike)")], "No gradient"),
    ("ps1_neurons", "lif", [(HARD, "return spike, torch.where(spike > 0, threshold, charge)")], "what `>` gives"),
    ("ps1_neurons", "decoding", [("return torch.where(count.amax(-1) > 0, count.argmax(-1), -1)", "return count.argmax(-1)")], "taken for the first"),
    ("ps1_neurons", "rate_code", [("return (draws < values)", "draws = (torch.arange(steps).reshape(-1, *[1] * values.ndim) + 0.5) / steps\n    return (draws < values)")], "one random number"),
    ("ps3_dspike", "finite_difference", [("weight.detach().clone()", "torch.zeros_like(weight)")], "different noise"),
    ("ps3_dspike", "finite_difference", [("weight.detach().clone()", "weight.detach()")], "different noise"),
    ("ps4_conversion", "adaptive_threshold", [("errors.argmin", "errors.argmax")], "square it before"),
    ("ps5_qcfs", "split", [("(v0 + currents.sum(0)) / threshold)", "v0 + currents.sum(0) / threshold)")], "starting potential is missing"),
    ("ps6_timing", "response", [("* (1 - s) / tau", "* (1 - s)")], "peak of your kernel"),
    ("ps6_timing", "firing_time", [("range(20)", "range(0)")], "nterpolate linearly"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem_set", "question", "changes", "sentence"), FALSE, ids=[f"{one[1]}: {one[3]}" for one in FALSE]
)
def test_another_slips_sentence_is_not_told(problem_set, question, changes, sentence):
    result = told(problem_set, question, changes)
    assert result.score < result.points
    said = [group.slip.sentence for group in result.groups if group.slip is not None and group.slip.sure]
    assert not [one for one in said if sentence in one]


TRAINED = [
    ("ps2_surrogates", "training", [("optim.Adam", "optim.SGD")], "No output neuron"),
    ("ps3_dspike", "training", [("labels[chosen])", "labels[:len(chosen)])")], "mean over batches"),
    ("ps3_dspike", "training", [("lr=learning_rate", "lr=5e-3")], "mean over batches"),
    ("ps6_timing", "perturbation", [("proposal = theta + scale * torch.randn(theta.shape, generator=generator, dtype=theta.dtype)", "noise = torch.zeros_like(theta)\n        noise.view(-1)[int(torch.randint(theta.numel(), (), generator=generator))] = torch.randn((), generator=generator, dtype=theta.dtype)\n        proposal = theta + scale * noise")], "torch.rand` lies"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem_set", "question", "changes", "sentence"),
    TRAINED,
    ids=[f"{one[1]}: {one[3]}" for one in TRAINED],
)
def test_another_slips_sentence_is_not_told_of_what_trains(problem_set, question, changes, sentence):
    result = told(problem_set, question, changes)
    said = [group.slip.sentence for group in result.groups if group.slip is not None and group.slip.sure]
    assert not [one for one in said if sentence in one]


# ---------------------------------------------------------------------------- those of the layers for the language


def asked(right, wrong, *cases, source="", **more):
    """What is told of a function ``f`` in the place of the right one."""
    question = Question(
        "toy.f", "", (Group("all", 1.0, ""),), lambda rng: [Case("all", "case", one) for one in cases], {"f": right},
        right_in_torch=True, **more,
    )  # fmt: skip
    names = {"torch": torch, "np": np}
    if source:
        exec(source, names)
    else:
        names["f"] = wrong
    result = run(question, names, cells=[source] if source else [])
    assert result.score == 0
    return result.groups[0].slip


SERIES = np.arange(1.0, 13.0).reshape(4, 3)


def test_a_list_that_is_asked_for_is_no_list_for_a_tensor():
    said = asked(lambda x: [2.0, 3.0], lambda x: [2.0, 4.0], call("f", SERIES))
    assert said is None or said.id != "list_for_tensor"


def test_a_last_entry_that_is_missing_is_no_other_axis():
    said = asked(lambda x: x.sum(1), lambda x: x[:-1].sum(1), call("f", SERIES), call("f", 2 * SERIES))
    assert said.id == "last_missing"


def test_a_function_that_is_to_return_nothing_is_not_told_so():
    source = "def help_(x):\n    x.add_(0)\ndef f(x):\n    help_(x)\n    return 5 * x.sin()"
    said = asked(lambda x: 2 * x, None, call("f", SERIES), source=source)
    assert said is None or said.id != "nothing_returned"


def test_an_error_of_the_students_own_is_no_mix_of_types():
    source = "def f(x):\n    raise ValueError('expected to be in range of [-2, 1], but got 4')"
    said = asked(lambda x: 2 * x, None, call("f", SERIES), source=source)
    assert said is None or said.id != "types_meet"


def test_three_channels_are_too_few_for_one_step_late():
    said = asked(lambda x: x, lambda x: x.roll(1, 0), call("f", np.array([1.0, 2.0, 3.0])))
    assert said is None or said.id != "one_step_off"


def test_a_pair_that_is_right_is_not_told_to_be_one():
    right = {"f": ("first", "second")}
    said = asked(lambda x: (x, 2 * x), lambda x: (x, 2.5 * x + x**2), call("f", SERIES), gives=right)
    assert said is None


def test_two_results_that_differ_otherwise_are_not_exchanged():
    right = {"f": ("first", "second")}
    said = asked(lambda x: (x, 2 * x), lambda x: (2 * x, 2 * x), call("f", SERIES), gives=right)
    assert said is None or said.id != "swapped_pair"


def test_an_argument_that_is_read_is_not_called_ignored():
    source = "def f(x, dt):\n    return torch.exp(-x / dt * 100)"
    said = asked(lambda x, dt: torch.exp(-dt / x), None, call("f", SERIES + 9, 0.001), source=source)
    assert said is None or "depend" not in said.sentence


def test_one_number_that_coincides_is_a_perhaps():
    said = asked(lambda x: x.sum(), lambda x: -x.sum(), call("f", SERIES))
    assert (said.id, said.sure) == ("sign", False)


def test_two_descriptions_that_hold_are_a_perhaps():
    said = asked(
        lambda x: x + 1, lambda x: (x + 1) / 2, call("f", np.full(2, 3.0)), call("f", np.full(2, 3.0))
    )
    assert (said.id, said.sure) == ("factor_two", False)  # 2 is half of 4, and its root


def test_the_cells_of_another_answer_are_not_looked_at():
    assert answer_cells(["def g(x): pass", "def f(x): return x"], ("f",)) == ("def f(x): return x",)
