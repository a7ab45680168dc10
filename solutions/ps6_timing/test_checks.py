"""The checks of the problem set on spike times against the library and brute force, and the margins of its bar."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from autograder.catalogue import OWN, Catalogue
from autograder.checks.ps6_timing import bayes, perturbation
from autograder.checks.ps6_timing.perturbation_probe import on_a_neuron
from autograder.checks.ps6_timing.spike_response import eps, eps_slope
from autograder.judging import right_values, run, slip_values
from snnkit import blackbox, plasticity, spiketime

QUESTIONS = Catalogue(OWN).questions("ps6_timing")
SEEDS = range(3)


def cases(name, seed, *groups):
    return [case for case in QUESTIONS[name].draw(seed) if not groups or case.group in groups]


def asked(name, seed, *groups):
    """Arguments and right arrays of the cases of a question."""
    question = QUESTIONS[name]
    for case in cases(name, seed, *groups):
        yield question.asked(case.call), right_values(question, case.call)


def slipped(name, slip, case):
    """What comes back from who makes a slip."""
    question = QUESTIONS[name]
    (slip,) = [one for one in question.slips if one.id == slip]
    return slip_values(question, slip, case.call)


def double(array):
    return torch.from_numpy(np.asarray(array, dtype=np.float64))


@pytest.mark.parametrize("seed", SEEDS)
def test_right_responses_and_potentials_are_those_of_the_library(seed):
    for given, right in asked("response", seed):
        if "elapsed" in given:
            (name,) = right
            function = {"kernel": spiketime.kernel, "slope": spiketime.kernel_slope}[name]
            wanted = function(double(given["elapsed"]), given["tau"])
            assert np.allclose(right[name], wanted.numpy(), atol=1e-12)
            continue
        time, weight, inputs = (double(given[name]) for name in ("time", "weight", "inputs"))
        value, later, earlier = (
            spiketime.potential(time + h, weight, inputs, tau=given["tau"]) for h in (0, 1e-6, -1e-6)
        )
        assert np.allclose(right["potential"], value.numpy(), atol=1e-12)
        assert np.allclose(right["slope of the potential"], ((later - earlier) / 2e-6).numpy(), atol=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_right_firing_times_are_those_of_the_library(seed):
    for given, right in asked("firing_time", seed, "layer"):
        wanted = spiketime.firing_time(
            double(given["weight"]), double(given["inputs"]), tau=given["tau"], threshold=given["threshold"]
        )
        wanted = torch.where(wanted <= given["window"], wanted, math.inf)
        assert np.allclose(right["time"], wanted.numpy(), atol=1e-7)
        if wanted.numel():
            fires = np.isfinite(right["time"])
            assert fires.any()
            assert not fires.all()


@pytest.mark.parametrize("seed", SEEDS)
def test_traces_cross_several_times_or_stay_below(seed):
    """Otherwise the first and the last crossing could not be told apart, nor silence be seen."""
    for given, _ in asked("firing_time", seed, "crossing"):
        above = given["trace"] >= given["threshold"]
        assert (above.any(0)).all()
        assert ((above[1:] & ~above[:-1]).sum(0) > 1).any()
    silent = [np.isinf(right["time"]) for _, right in asked("firing_time", seed, "silent")]
    assert silent[0].any()
    assert not silent[0].all()
    assert silent[1].all()


@pytest.mark.parametrize("seed", SEEDS)
def test_right_gradients_of_firing_times_are_those_of_the_library_and_of_differences(seed):
    for given, right in asked("spikeprop", seed, "chain"):
        weight, inputs = double(given["weight"]).requires_grad_(), double(given["inputs"]).requires_grad_()
        times = spiketime.firing_time(weight, inputs, tau=given["tau"], min_slope=given["min_slope"])
        assert np.allclose(times.detach().numpy(), given["times"], atol=1e-7)
        wanted = torch.autograd.grad(times, (weight, inputs), double(given["upstream"]))
        assert np.allclose(right["gradient of the weights"], wanted[0].numpy(), rtol=1e-5, atol=1e-6)
        assert np.allclose(right["gradient of the inputs"], wanted[1].numpy(), rtol=1e-5, atol=1e-6)
    for given, right in asked("spikeprop", seed, "weights"):
        if not given["times"].size:
            continue
        j, i, h = 0, 1, 1e-5

        def moved(step, given=given, j=j, i=i):
            weight = double(given["weight"].copy())
            weight[j, i] += step
            return spiketime.firing_time(weight, double(given["inputs"]), tau=given["tau"])[:, j]

        difference = (moved(h) - moved(-h)) / (2 * h)
        assert np.allclose(right["by weight"][:, j, i], difference.numpy(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_right_gradients_obey_the_two_sum_rules(seed):
    for group, name in (("weights", "by weight"), ("inputs", "by input time")):
        for given, right in asked("spikeprop", seed, group):
            u = given["times"][:, :, None] - given["inputs"][:, None, :]
            slope = (given["weight"] * eps_slope(u, given["tau"])).sum(-1)
            assert (slope > given["min_slope"]).all()
            if group == "inputs":
                assert np.allclose(right[name].sum(-1), 1)
            else:
                assert np.allclose((given["weight"] * right[name]).sum(-1), -1 / slope)


def test_the_guard_acts_on_grazing_neurons_only_there():
    *grazing, falling = cases("spikeprop", 0, "guard")
    assert (slipped("spikeprop", "guard_missing", falling)["by weight"] > 0).all()
    for case in grazing:
        free = slipped("spikeprop", "guard_missing", case)["by weight"]
        assert abs(free).max() > 2 * abs(right_values(QUESTIONS["spikeprop"], case.call)["by weight"]).max()


@pytest.mark.parametrize("seed", SEEDS)
def test_right_losses_gradients_and_classes_are_those_of_the_formulas(seed):
    for given, right in asked("latency_loss", seed, "loss", "gradient", "silent", "end"):
        times, labels, window = (given[name] for name in ("times", "labels", "silent_time"))
        seen = np.minimum(times.astype(float), window)
        share = np.exp(seen.min(1, keepdims=True) - seen)
        share /= share.sum(1, keepdims=True)
        target = np.eye(times.shape[1])[labels]
        if "loss" in right:
            assert right["loss"] == pytest.approx(-np.log((share * target).sum(1)).mean())
        else:
            wanted = (target - share) * (times < window) / len(labels)
            assert np.allclose(right["gradient"], wanted, atol=1e-12)
    for given, right in asked("latency_loss", seed, "decode", "nobody"):
        times = given["times"]
        first = [int(row.argmin()) if np.isfinite(row).any() else -1 for row in times]
        if "labels" in given:
            assert right["share named rightly"] == (np.array(first) == given["labels"]).mean()
        else:
            assert right["class"].tolist() == first


def rule_of(given):
    sizes = {name: given[name] for name in ("a_plus", "a_minus", "tau_plus", "tau_minus")}
    return plasticity.STDP(**sizes, dt=given.get("dt", 1.0))


@pytest.mark.parametrize("seed", SEEDS)
def test_right_windows_and_pairs_are_those_of_the_library(seed):
    for case in cases("stdp_pairs", seed):
        given, right = (
            QUESTIONS["stdp_pairs"].asked(case.call),
            right_values(QUESTIONS["stdp_pairs"], case.call),
        )
        if "gap" in given:
            assert np.allclose(right["window"], rule_of(given)(double(given["gap"])).numpy(), atol=1e-12)
            continue
        trains = double(given["pre"]), double(given["post"])
        assert np.allclose(right["change"], plasticity.all_to_all(rule_of(given), *trains).numpy(), atol=1e-9)
        nearest = plasticity.nearest_neighbour(rule_of(given), *trains)
        wrong = slipped("stdp_pairs", "nearest_only", case)
        assert np.allclose(wrong["change"], nearest.numpy(), atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_right_changes_on_line_are_those_of_the_library_and_of_all_pairs(seed):
    for case in cases("stdp_traces", seed):
        given, right = case.call.kwargs, right_values(QUESTIONS["stdp_traces"], case.call)
        rule = rule_of({**given["rule"], "dt": given["dt"]})
        pre, post = (
            given[side][-1] if isinstance(given[side], list) else given[side] for side in ("pre", "post")
        )
        pre, post = double(pre), double(post)
        pairs = plasticity.all_to_all(rule, pre, post).numpy()
        if case.group == "steps":
            assert np.allclose(right["change"].sum(0), pairs, atol=1e-9)
            traces = plasticity.Traces(torch.zeros_like(pre[0]), torch.zeros_like(post[0]))
            for t in range(len(pre)):
                change, traces = plasticity.online_step(rule, traces, pre[t], post[t])
                assert np.allclose(right["change"][t], change.numpy(), atol=1e-9)
        elif case.group == "learn":
            assert np.allclose(right["weight"], given["weight"] + pairs, atol=1e-6)
        elif case.group == "bounds":
            spikes = iter(post)
            wanted, _ = plasticity.learn_online(
                rule,
                double(given["weight"]),
                pre,
                lambda v, x, spikes=spikes: (next(spikes), v),
                **given["bounds"],
            )
            assert np.allclose(right["weight"], wanted.numpy(), atol=1e-9)
            assert (right["weight"] == given["bounds"]["low"]).any()
            late = slipped("stdp_traces", "bounded_at_the_end", case)
            assert not np.allclose(late["weight"], right["weight"], atol=0.01)
        else:
            assert np.allclose(right["change after a reset"], pairs, atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_right_estimates_are_those_of_the_library(seed):
    for given, right in asked("perturbation", seed, "gradient"):
        wanted = blackbox.directional_gradient(
            lambda w, given=given: perturbation.value(given, w.numpy()),
            double(given["start"]),
            double(given["directions"]),
            scale=given["scale"],
        )
        assert np.allclose(right["gradient"], wanted.numpy(), atol=1e-9)


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
    neuron = {name: double(array) for name, array in perturbation.neuron().items()}
    return on_a_neuron({"perturb": perturb}, **neuron, steps=400, scale=0.05, seed=seed)["value"]


@pytest.mark.slow
def test_bar_of_perturbation_has_a_margin_on_both_sides():
    """Over five other seeds the reference beats the bar by 1.5 spikes squared; two broken answers miss it by as much."""
    assert max(learnt(library_perturb, seed) for seed in range(10, 15)) <= perturbation.BAR - 1.5
    for broken in (random_walk, one_sided_noise):
        assert min(learnt(broken, seed) for seed in range(10, 15)) >= perturbation.BAR + 1.5


@pytest.mark.slow
def test_library_gets_all_points_of_perturbation_for_every_seed():
    answer = {
        "perturb": library_perturb,
        "directional_gradient": lambda objective, theta, directions, scale: blackbox.directional_gradient(
            objective, theta, directions, scale=scale
        ),
    }
    for seed in range(5):
        assert run(QUESTIONS["perturbation"], answer, seed=seed).score == 3


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

    result = run(QUESTIONS["perturbation"], {"perturb": perturb, "directional_gradient": None})
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
def test_right_posteriors_are_those_of_another_library(seed):
    gaussian = pytest.importorskip("sklearn.gaussian_process")
    for given, right in asked("bayes", seed, "posterior"):
        if not len(given["seen"]):
            assert right["std"].tolist() == [1.0] * len(given["grid"])
            continue
        model = gaussian.GaussianProcessRegressor(
            gaussian.kernels.RBF(given["length"]), alpha=given["noise"] ** 2, optimizer=None
        )
        model.fit(given["seen"][:, None], given["values"])
        mean, std = model.predict(given["grid"][:, None], return_std=True)
        assert np.allclose(right["mean"], mean, atol=1e-8)
        assert np.allclose(right["std"], std, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_right_improvement_is_the_mean_of_the_gains(seed):
    z = (np.arange(200_000) + 0.5) / 200_000
    normal = torch.special.ndtri(torch.from_numpy(z)).numpy()
    for given, right in asked("bayes", seed, "improvement", "certain"):
        if "seen" in given:
            assert np.allclose(right["mean"], given["values"])
            assert np.allclose(right["std"], 0, atol=1e-6)
            continue
        improvement = right["improvement"].reshape(-1)
        for at, (mean, std) in enumerate(zip(given["mean"].flat, given["std"].flat, strict=True)):
            gain = np.maximum(given["best"] - (mean + std * normal), 0).mean()
            assert improvement[at] == pytest.approx(gain, abs=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_next_point_is_none_of_the_wrong_ones(seed):
    for given, right in asked("bayes", seed, "next"):
        assert all(abs(wrong(**given) - right["next"]) > 0.02 for wrong in bayes.WRONG)


def test_numbers_of_the_statement():
    assert eps(np.array([0.0, 7.0]), 7.0).tolist() == [0.0, 1.0]
    assert perturbation.start_loss(**perturbation.neuron()) == pytest.approx(25.9375)
    assert math.isclose(float(eps_slope(np.array(0.0), 2.0)), math.e / 2)
