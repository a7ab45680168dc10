"""The checks of the problem set on Dspike against the library, autograd and brute force, and the margins of its bar."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from autograder.checks.ps3_dspike import (
    any_threshold,
    choice,
    finite_difference,
    formulas,
    similarity,
    training,
)
from autograder.checks.ps3_dspike.dspike import QUESTION as DSPIKE
from autograder.judging import right_values, run
from autograder.perform import attempt
from autograder.question import call
from snnkit import dspike, surrogate

SEEDS = range(3)


def cases(question, seed, *groups):
    return [case for case in question.draw(seed) if not groups or case.group in groups]


@pytest.mark.parametrize("seed", SEEDS)
def test_right_values_and_slopes_are_those_of_the_library(seed):
    for case in cases(DSPIKE, seed):
        u, b = case.call.args
        x, family = torch.from_numpy(u).double() - 0.5, surrogate.Dspike(b)
        wanted = family.primitive(x) if case.call.of == "dspike" else family.derivative(x)
        (right,) = right_values(DSPIKE, case.call).values()
        assert np.allclose(right, wanted.numpy(), atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_right_slope_at_any_threshold_is_the_derivative_of_the_right_value(seed):
    at = any_threshold.answer()["dspike_at"]
    for case in cases(any_threshold.QUESTION, seed, "slope"):
        v, b, theta = case.call.args
        v, small = v.astype(np.float64), 1e-6
        smooth = (np.abs(v) > 1e-4) & (np.abs(v - 2 * theta) > 1e-4)
        wanted = (at(v + small, b, theta)[0] - at(v - small, b, theta)[0]) / (2 * small)
        assert np.allclose(at(v, b, theta)[1][smooth], wanted[smooth], atol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_right_limits_are_approached(seed):
    at = any_threshold.answer()["dspike_at"]
    for case in cases(any_threshold.QUESTION, seed, "flat", "sharp"):
        v, theta = case.call.args
        near, _ = at(v.astype(np.float64), 1e-4 if case.group == "flat" else 1e14, theta)
        (right,) = right_values(any_threshold.QUESTION, case.call).values()
        assert np.allclose(right, near, atol=1e-6)


def test_what_the_statement_says_of_the_middle_line_alone():
    far = formulas.middle(np.array([-30.0, 30.0]), 1.0)
    assert np.round(far, 2).tolist() == [-0.58, 1.58]
    fine = (np.arange(100_000) + 0.5) / 50_000 - 0.5
    for b in (0.5, 3.0, 10.0):
        assert formulas.slope(fine, b).mean() * 2 == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_right_differences_are_those_of_the_library(seed):
    for case in cases(finite_difference.QUESTION, seed, "smooth", "noise"):
        asked = case.call.kwargs
        if not len(asked["places"]):
            continue
        weight = torch.from_numpy(asked["weight"].copy())
        found = dspike.finite_difference_gradient(
            lambda weight=weight, asked=asked: torch.tensor(
                finite_difference.loss(asked, weight.numpy().reshape(-1)), dtype=torch.float64
            ),
            weight,
            step=asked["step"],
            coordinates=torch.from_numpy(asked["places"]),
        )
        wanted = finite_difference.values(asked)["difference"]
        assert np.allclose(found.gradient.numpy(), wanted, rtol=1e-8, atol=1e-8)


def test_mistakes_in_a_difference_can_be_told_apart():
    ways = [
        {},
        {"one_sided": True},
        {"all_moved": True},
        {"restored": False},
        {"scale": 2.0},
        {"scale": -1.0},
    ]
    for seed in SEEDS:
        drawn = [case.call.kwargs for case in cases(finite_difference.QUESTION, seed, "smooth")]
        found = [
            np.concatenate([finite_difference.values(asked, **way)["difference"] for asked in drawn])
            for way in ways
        ]
        for at, one in enumerate(found):
            assert not any(np.allclose(one, other, rtol=1e-3) for other in found[at + 1 :])


@pytest.mark.parametrize("seed", SEEDS)
def test_right_similarity_is_that_of_vectors_and_right_passes_those_of_the_library(seed):
    for case in cases(similarity.QUESTION, seed, "cosine"):
        a, b = (gradient.astype(float) for gradient in case.call.args)
        wanted = (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())
        assert right_values(similarity.QUESTION, case.call)["cosine"] == pytest.approx(wanted)
        by_row = similarity.by_row(torch.from_numpy(a), torch.from_numpy(b))
        assert by_row != pytest.approx(wanted, abs=1e-3)
    for case in cases(similarity.QUESTION, seed, "passes"):
        _, count, temperatures, _ = case.call.args
        network = torch.nn.Linear(4, 5)  # any network with a Dspike counts its passes in the same way
        network.surrogate = surrogate.Dspike()
        samples = min(count, network.weight.numel())
        calls = []

        def loss(network=network, calls=calls):
            calls.append(1)
            return network.surrogate(network.weight).sum()

        chosen = dspike.choose_temperature(
            network,
            loss,
            network.weight,
            [1.0 + one for one in range(temperatures)],
            step=0.3,
            coordinates=dspike.sample_coordinates(network.weight, samples),
        )
        assert len(calls) == chosen.forwards == similarity.passes((5, 4), count, temperatures, 1)


def test_the_cost_of_the_first_convolution_of_the_text():
    assert math.prod((64, 3, 3, 3)) == 1728
    assert similarity.passes((64, 3, 3, 3), 10**6, 3, 1) == 3456 + 3


def places(draw):
    result = run(
        similarity.QUESTION,
        {"sample_coordinates": draw, "cosine_similarity": None, "forward_passes": None},
    )
    return next(group for group in result.groups if group.id == "places")


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda weight, count, generator: dspike.sample_coordinates(weight, count, generator), None),
        (lambda weight, count, generator: torch.arange(count), "are all between 0 and 19"),
        (lambda weight, count, generator: torch.zeros(min(count, weight.numel())).long(), "drawn twice"),
        (lambda weight, count, generator: torch.randperm(weight.numel())[:count] + 1, "outside 0 to"),
    ],
)
def test_rules_of_sampling(draw, said):
    group = places(draw)
    assert (group.score == 0.5) == (said is None)
    if said == "outside 0 to":
        assert said in group.failure.sentence or "same seed differ" in group.failure.sentence
    elif said is not None:
        assert said in group.failure.sentence or "different seeds gave the same" in group.failure.sentence


def test_a_right_choice_is_right_for_every_seed():
    def candidates(b, change, minimum):
        return [b, max(minimum, b - change), b + change]

    def choose_temperature(b, change, minimum, similarity_at):
        found = [(similarity_at(one), -at, one) for at, one in enumerate(candidates(b, change, minimum))]
        found = [one for one in found if one[0] == one[0]]
        return max(found)[2] if found else b

    for seed in range(10):
        result = run(
            choice.QUESTION, {"candidates": candidates, "choose_temperature": choose_temperature}, seed=seed
        )
        assert result.score == 3


def reference_train(
    network, pixels, labels, *, epochs, choose, b=3.0, learning_rate=5e-3, seed=0, batch=32, clear=True
):
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    losses, temperatures = [], []
    for _ in range(epochs):
        order = torch.randperm(len(labels), generator=generator).split(batch)
        b = choose(network, pixels[order[0]], labels[order[0]], b)
        network.set_temperature(b)
        total = 0.0
        for chosen in order:
            loss = F.cross_entropy(network(pixels[chosen]), labels[chosen])
            if clear:
                optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(chosen)
        losses.append(total / len(labels))
        temperatures.append(b)
    return losses, temperatures


def piling_train(network, pixels, labels, **budget):
    return reference_train(network, pixels, labels, clear=False, **budget)


def one_batch_train(network, pixels, labels, **budget):
    return reference_train(network, pixels[:32], labels[:32], **budget)


def accuracy_on(train, seed):
    first = next(case.call for case in training.QUESTION.draw(0) if case.group == "learns")
    asked = {**first.kwargs, "seed": seed}
    seen = attempt({"train": train}, call(first.of, **asked), (), tensors=True)
    return float((seen.arrays["scores"].argmax(1) == asked["held_out_labels"]).mean())


@pytest.mark.slow
def test_bar_of_the_training_question_has_a_margin_on_both_sides():
    """Over five other seeds the reference beats the bar by 7 points; two broken answers miss it by 7."""
    assert min(accuracy_on(reference_train, seed) for seed in range(10, 15)) >= training.BAR + 0.07
    for broken in (piling_train, one_batch_train):
        assert max(accuracy_on(broken, seed) for seed in range(10, 15)) <= training.BAR - 0.07


def test_reference_training_gets_all_points():
    assert run(training.QUESTION, {"train": reference_train}).score == 3
