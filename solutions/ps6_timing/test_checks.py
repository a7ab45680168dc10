"""The checks of the problem set on spike times against the library and brute force, and the margins of its bar."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from autograder.checks import checks_of
from autograder.checks import ps6_timing as ps6
from autograder.checks.core import run
from snnkit import blackbox, encoding, losses, plasticity, spiketime

CHECKS = checks_of("ps6_timing")
SEEDS = range(3)


def cases(check, seed, *groups):
    return [case for case in check.draw(seed) if not groups or case.group in groups]


def double(array):
    return torch.from_numpy(np.asarray(array, dtype=np.float64))


@pytest.mark.parametrize("seed", SEEDS)
def test_expected_responses_and_potentials_are_those_of_the_library(seed):
    for case in cases(ps6.RESPONSE, seed):
        data, expected = case.data, ps6.RESPONSE.expected(case.data)
        if data["part"] in ("kernel", "slope"):
            function = spiketime.kernel if data["part"] == "kernel" else spiketime.kernel_slope
            wanted = function(double(data["x"]), data["tau"])
            assert np.allclose(expected[data["part"]], wanted.numpy(), atol=1e-12)
            continue
        time, weight, inputs = (double(data[name]) for name in ("time", "weight", "inputs"))
        value = spiketime.potential(time, weight, inputs, tau=data["tau"])
        assert np.allclose(expected["potential"], value.numpy(), atol=1e-12)
        later, earlier = (
            spiketime.potential(time + h, weight, inputs, tau=data["tau"]) for h in (1e-6, -1e-6)
        )
        assert np.allclose(expected["slope of the potential"], ((later - earlier) / 2e-6).numpy(), atol=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_expected_firing_times_are_those_of_the_library(seed):
    for case in cases(ps6.FIRING, seed, "layer"):
        data = case.data
        wanted = spiketime.firing_time(
            double(data["weight"]), double(data["inputs"]), tau=data["tau"], threshold=data["threshold"]
        )
        wanted = torch.where(wanted <= data["window"], wanted, math.inf)
        expected = ps6.FIRING.expected(data)
        assert np.array_equal(expected["never fires"], np.isinf(wanted.numpy()))
        fires = ~expected["never fires"]
        assert np.allclose(expected["time"][fires], wanted.numpy()[fires], atol=1e-7)
        if wanted.numel():
            assert fires.any()
            assert not fires.all()


@pytest.mark.parametrize("seed", SEEDS)
def test_traces_cross_several_times_or_stay_below(seed):
    """Otherwise the first and the last crossing could not be told apart, nor silence be seen."""
    for case in cases(ps6.FIRING, seed, "crossing"):
        above = case.data["trace"] >= case.data["threshold"]
        assert (above.any(0)).all()
        assert ((above[1:] & ~above[:-1]).sum(0) > 1).any()
    silent = [ps6.FIRING.expected(case.data)["never fires"] for case in cases(ps6.FIRING, seed, "silent")]
    assert silent[0].any()
    assert not silent[0].all()
    assert silent[1].all()


@pytest.mark.parametrize("seed", SEEDS)
def test_expected_gradients_of_firing_times_are_those_of_the_library_and_of_differences(seed):
    for case in cases(ps6.SPIKEPROP, seed, "chain"):
        data = case.data
        weight, inputs = double(data["weight"]).requires_grad_(), double(data["inputs"]).requires_grad_()
        times = spiketime.firing_time(weight, inputs, tau=data["tau"], min_slope=data["min_slope"])
        assert np.allclose(times.detach().numpy(), data["times"], atol=1e-7)
        wanted = torch.autograd.grad(times, (weight, inputs), double(data["upstream"]))
        expected = ps6.SPIKEPROP.expected(data)
        assert np.allclose(expected["gradient of the weights"], wanted[0].numpy(), rtol=1e-5, atol=1e-6)
        assert np.allclose(expected["gradient of the inputs"], wanted[1].numpy(), rtol=1e-5, atol=1e-6)
    for case in cases(ps6.SPIKEPROP, seed, "weights"):
        data = case.data
        if not data["times"].size:
            continue
        j, i, h = 0, 1, 1e-5

        def moved(step, data=data, j=j, i=i):
            weight = double(data["weight"].copy())
            weight[j, i] += step
            return spiketime.firing_time(weight, double(data["inputs"]), tau=data["tau"])[:, j]

        difference = (moved(h) - moved(-h)) / (2 * h)
        assert np.allclose(
            ps6.SPIKEPROP.expected(data)["by weight"][:, j, i], difference.numpy(), rtol=1e-3, atol=1e-5
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_expected_gradients_obey_the_two_sum_rules(seed):
    for case in cases(ps6.SPIKEPROP, seed, "weights", "inputs"):
        data = {**case.data, "part": "both"}
        found = ps6.SPIKEPROP.expected(data)
        u = data["times"][:, :, None] - data["inputs"][:, None, :]
        slope = (data["weight"] * ps6._eps_slope(u, data["tau"])).sum(-1)
        assert (slope > data["min_slope"]).all()
        assert np.allclose(found["by input time"].sum(-1), 1)
        assert np.allclose((data["weight"] * found["by weight"]).sum(-1), -1 / slope)


def test_the_guard_acts_on_grazing_neurons_only_there():
    for case in cases(ps6.SPIKEPROP, 0, "guard"):
        free = ps6._spikeprop(case.data, guard="none")["by weight"]
        assert abs(free).max() > 2 * abs(ps6.SPIKEPROP.expected(case.data)["by weight"]).max()


@pytest.mark.parametrize("seed", SEEDS)
def test_expected_losses_gradients_and_classes_are_those_of_the_library(seed):
    for case in cases(ps6.LATENCY, seed, "loss", "gradient", "silent"):
        data = case.data
        times = double(data["times"]).requires_grad_()
        loss = losses.latency_cross_entropy(
            times, torch.from_numpy(data["labels"]), silent_time=data["silent_time"]
        )
        (gradient,) = torch.autograd.grad(loss, times)
        expected = ps6.LATENCY.expected(data)
        if "loss" in expected:
            assert float(expected["loss"]) == pytest.approx(loss.item())
        if "gradient" in expected:
            assert np.allclose(expected["gradient"], gradient.numpy(), atol=1e-12)
    for case in cases(ps6.LATENCY, seed, "decode", "nobody"):
        times = case.data["times"]
        if len(times):
            wanted = encoding.latency_decode(encoding.times_to_spikes(double(times), 20))
            assert np.array_equal(ps6.LATENCY.expected(case.data)["class"], wanted.numpy())


def rule_of(data):
    return plasticity.STDP(**data["rule"], dt=data.get("dt", 1.0))


@pytest.mark.parametrize("seed", SEEDS)
def test_expected_windows_and_pairs_are_those_of_the_library(seed):
    for case in cases(ps6.PAIRS, seed):
        data = case.data
        if data["part"] == "window":
            wanted = rule_of(data)(double(data["x"]))
            assert np.allclose(ps6.PAIRS.expected(data)["window"], wanted.numpy(), atol=1e-12)
            continue
        trains = double(data["pre"]), double(data["post"])
        wanted = plasticity.all_to_all(rule_of(data), *trains)
        assert np.allclose(ps6.PAIRS.expected(data)["change"], wanted.numpy(), atol=1e-9)
        nearest = plasticity.nearest_neighbour(rule_of(data), *trains)
        assert np.allclose(ps6._pairs(data, nearest=True)["change"], nearest.numpy(), atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_expected_changes_on_line_are_those_of_the_library_and_of_all_pairs(seed):
    for case in cases(ps6.TRACES, seed):
        data, expected = case.data, ps6.TRACES.expected(case.data)
        pre, post = double(data["pre"][-1]), double(data["post"][-1])
        pairs = plasticity.all_to_all(rule_of(data), pre, post).numpy()
        if data["part"] == "steps":
            assert np.allclose(expected["change"].sum(0), pairs, atol=1e-9)
            traces = plasticity.Traces(torch.zeros_like(pre[0]), torch.zeros_like(post[0]))
            for t in range(len(pre)):
                change, traces = plasticity.online_step(rule_of(data), traces, pre[t], post[t])
                assert np.allclose(expected["change"][t], change.numpy(), atol=1e-9)
        elif data["part"] == "learn":
            assert np.allclose(expected["weight"], data["weight"] + pairs, atol=1e-6)
        elif data["part"] == "bounds":
            spikes = iter(post)
            wanted, _ = plasticity.learn_online(
                rule_of(data),
                double(data["weight"]),
                pre,
                lambda v, x, spikes=spikes: (next(spikes), v),
                low=data["low"],
                high=data["high"],
            )
            assert np.allclose(expected["weight"], wanted.numpy(), atol=1e-9)
            assert (expected["weight"] == data["low"]).any()
            assert not np.allclose(ps6._traces(data, clipped="end")["weight"], expected["weight"], atol=0.01)
        else:
            assert np.allclose(expected["change after a reset"], pairs, atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_expected_estimates_are_those_of_the_library(seed):
    for case in cases(ps6.PERTURBATION, seed, "gradient"):
        data = case.data
        wanted = blackbox.directional_gradient(
            lambda w, data=data: ps6._value(data, w.numpy()),
            double(data["start"]),
            double(data["directions"]),
            scale=data["scale"],
        )
        assert np.allclose(ps6.PERTURBATION.expected(data)["gradient"], wanted.numpy(), atol=1e-9)


def library_perturb(objective, theta, *, steps, scale, generator):
    found = blackbox.perturb(objective, theta, steps=steps, scale=scale, generator=generator)
    return found.theta, found.history


def random_walk(objective, theta, *, steps, scale, generator):
    history = [float(objective(theta))]
    for _ in range(steps):
        theta = theta + scale * torch.randn(theta.shape, generator=generator, dtype=theta.dtype)
        history.append(float(objective(theta)))
    return theta, history


def one_sided_noise(objective, theta, *, steps, scale, generator):
    value, history = float(objective(theta)), []
    for _ in range(steps + 1):
        proposal = theta + scale * torch.rand(theta.shape, generator=generator, dtype=theta.dtype)
        proposed = float(objective(proposal))
        theta, value = (proposal, proposed) if proposed < value else (theta, value)
        history.append(value)
    return theta, history


def learnt(perturb, seed):
    (data, *_) = [case.data for case in cases(ps6.PERTURBATION, 0, "learns")]
    arrays = ps6.PERTURBATION.probe({"perturb": perturb}, {**data, "seed": seed})
    return arrays["value"]


@pytest.mark.slow
def test_bar_of_perturbation_has_a_margin_on_both_sides():
    """Over five other seeds the reference beats the bar by 1.5 spikes squared; two broken answers miss it by as much."""
    assert max(learnt(library_perturb, seed) for seed in range(10, 15)) <= ps6.BAR - 1.5
    for broken in (random_walk, one_sided_noise):
        assert min(learnt(broken, seed) for seed in range(10, 15)) >= ps6.BAR + 1.5


@pytest.mark.slow
def test_library_gets_all_points_of_perturbation_for_every_seed():
    answer = {
        "perturb": library_perturb,
        "directional_gradient": lambda objective, theta, directions, scale: blackbox.directional_gradient(
            objective, theta, directions, scale=scale
        ),
    }
    for seed in range(5):
        assert run(ps6.PERTURBATION, answer, seed=seed).score == 3


def without(word):
    """What the judge says of a run that goes right but for one thing."""

    def perturb(objective, theta, *, steps, scale, generator):
        theta, history = library_perturb(objective, theta, steps=steps, scale=scale, generator=generator)
        if word == "length":
            history = history[1:]
        if word == "start":
            history = [history[0] + 1, *history[1:]]
        if word == "twice":
            objective(theta)
        return (theta[:-1] if word == "shape" else theta), history

    result = run(ps6.PERTURBATION, {"perturb": perturb, "directional_gradient": None})
    return next(group for group in result.groups if group.id == "keeps")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("length", "the history has shape [60]; expected [61]"),
        ("shape", "theta came back in the shape [63]"),
        ("start", "expected the loss at the start"),
        ("twice", "evaluated 62 times in 60 steps"),
        ("nothing", None),
    ],
)
def test_rules_of_perturbation(word, said):
    group = without(word)
    assert (group.failure is None) == (said is None)
    if said is not None:
        assert said in group.failure.sentence


@pytest.mark.parametrize("seed", SEEDS)
def test_expected_posteriors_are_those_of_another_library(seed):
    gaussian = pytest.importorskip("sklearn.gaussian_process")
    for case in cases(ps6.BAYES, seed, "posterior"):
        data = case.data
        if not len(data["seen"]):
            assert ps6.BAYES.expected(data)["std"].tolist() == [1.0] * len(data["grid"])
            continue
        model = gaussian.GaussianProcessRegressor(
            gaussian.kernels.RBF(data["length"]), alpha=data["noise"] ** 2, optimizer=None
        )
        model.fit(data["seen"][:, None], data["values"])
        mean, std = model.predict(data["grid"][:, None], return_std=True)
        expected = ps6.BAYES.expected(data)
        assert np.allclose(expected["mean"], mean, atol=1e-8)
        assert np.allclose(expected["std"], std, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_expected_improvement_is_the_mean_of_the_gains(seed):
    z = (np.arange(200_000) + 0.5) / 200_000
    normal = torch.special.ndtri(torch.from_numpy(z)).numpy()
    for case in cases(ps6.BAYES, seed, "improvement", "certain"):
        data = case.data
        expected = ps6.BAYES.expected(data)["improvement"].reshape(-1)
        for at, (mean, std) in enumerate(zip(data["mean"].flat, data["std"].flat, strict=True)):
            gain = np.maximum(data["best"] - (mean + std * normal), 0).mean()
            assert expected[at] == pytest.approx(gain, abs=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_next_point_is_none_of_the_wrong_ones(seed):
    for case in cases(ps6.BAYES, seed, "next"):
        right = float(ps6.BAYES.expected(case.data)["next"])
        for choose in ("greedy", "least", "uncertain", "largest seen"):
            assert abs(float(ps6._bayes(case.data, choose=choose)["next"]) - right) > 0.02


def test_numbers_of_the_statement():
    u = np.array([0.0, 7.0])
    assert ps6._eps(u, 7.0).tolist() == [0.0, 1.0]
    assert ps6._start_loss() == pytest.approx(25.9375)
    assert math.isclose(float(ps6._eps_slope(np.array(0.0), 2.0)), math.e / 2)
