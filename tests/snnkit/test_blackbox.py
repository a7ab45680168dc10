"""Search without gradients against closed forms, autograd and random search."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import optuna
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from snnkit.blackbox import (
    GP,
    TPE,
    Choice,
    Integer,
    Random,
    Real,
    bayesian_search,
    directional_gradient,
    estimate_gradient,
    module_objective,
    perturb,
    perturbation_descent,
)
from snnkit.dynamics import if_step, simulate

seeds = st.integers(0, 2**31)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Quadratic:
    """x' A x / 2 + b' x with a random A, positive definite."""

    def __init__(self, seed: int, size: int) -> None:
        root = torch.randn(size, size, generator=seeded(seed), dtype=torch.float64)
        self.matrix = root @ root.T / size + 0.1 * torch.eye(size, dtype=torch.float64)
        self.linear = torch.randn(size, generator=seeded(seed + 1), dtype=torch.float64)

    def __call__(self, theta: Tensor) -> Tensor:
        return theta @ self.matrix @ theta / 2 + self.linear @ theta

    def gradient(self, theta: Tensor) -> Tensor:
        theta = theta.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(self(theta), theta)
        return gradient

    def least(self) -> float:
        return float(self(-torch.linalg.solve(self.matrix, self.linear)))


# --- weight perturbation


@given(seed=seeds, steps=st.integers(1, 60))
def test_perturbation_never_gets_worse(seed: int, steps: int) -> None:
    f, start = Quadratic(seed, 4), torch.ones(4, dtype=torch.float64)
    run = perturb(f, start, steps=steps, scale=0.3, generator=seeded(seed))
    assert len(run.history) == steps + 1
    assert all(after <= before for before, after in itertools.pairwise(run.history))
    assert run.accepted == sum(after < before for before, after in itertools.pairwise(run.history))
    assert run.value == run.history[-1] == float(f(run.theta))
    assert torch.equal(start, torch.ones(4, dtype=torch.float64))


def test_perturbation_finds_the_minimum_and_repeats_with_its_seed() -> None:
    f, start = Quadratic(0, 3), torch.ones(3, dtype=torch.float64)
    run, again = (perturb(f, start, steps=3000, scale=0.1, generator=seeded(1)) for _ in range(2))
    assert run.value == pytest.approx(f.least(), abs=1e-2)
    assert torch.equal(run.theta, again.theta)


def test_perturbation_slows_down_with_dimension() -> None:
    def progress(size: int) -> float:
        run = perturb(
            lambda theta: float(theta.square().mean()),
            torch.ones(size, dtype=torch.float64),
            steps=300,
            scale=0.1,
            generator=seeded(0),
        )
        return run.value

    assert progress(2) < 0.01 < 0.1 < progress(200)


def test_perturbation_treats_nan_as_worse_and_refuses_it_at_the_start() -> None:
    theta = torch.zeros(2, dtype=torch.float64)
    run = perturb(lambda t: 0.0 if not t.any() else math.nan, theta, steps=5, scale=1.0, generator=seeded(0))
    assert (run.accepted, run.value) == (0, 0.0)
    with pytest.raises(ValueError, match="NaN at the starting point"):
        perturb(lambda t: math.nan, theta, steps=5, scale=1.0)


# --- estimated gradients


@given(seed=seeds, scale=st.sampled_from([1e-2, 1.0, 10.0]))
def test_mean_over_all_sign_vectors_is_the_gradient_of_a_quadratic(seed: int, scale: float) -> None:
    f, theta = Quadratic(seed, 4), torch.randn(4, generator=seeded(seed), dtype=torch.float64)
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=4)), dtype=torch.float64)
    estimate = directional_gradient(f, theta, signs, scale=scale)
    torch.testing.assert_close(estimate, f.gradient(theta), rtol=1e-9, atol=1e-9)


def test_estimate_is_unbiased_with_the_known_variance() -> None:
    f, theta = Quadratic(3, 5), torch.ones(5, dtype=torch.float64)
    gradient = f.gradient(theta)
    draws = torch.stack(
        [estimate_gradient(f, theta, samples=1, scale=0.5, generator=seeded(seed)) for seed in range(3000)]
    )
    variance = gradient.square().sum() - gradient.square()
    assert ((draws.mean(0) - gradient).abs() < 5 * (variance / 3000).sqrt()).all()
    torch.testing.assert_close(draws.var(0), variance, rtol=0.15, atol=0)


def test_more_samples_mean_less_noise() -> None:
    f, theta = Quadratic(3, 5), torch.ones(5, dtype=torch.float64)
    gradient = f.gradient(theta)

    def noise(samples: int) -> float:
        draws = [
            estimate_gradient(f, theta, samples=samples, scale=0.5, generator=seeded(seed))
            for seed in range(150)
        ]
        return float((torch.stack(draws) - gradient).square().mean())

    assert noise(1) / noise(16) == pytest.approx(16, rel=0.35)


def test_descent_on_estimated_gradients_finds_the_minimum() -> None:
    f, start = Quadratic(0, 3), torch.ones(3, dtype=torch.float64)
    run = perturbation_descent(f, start, steps=800, rate=0.1, scale=0.1, samples=3, generator=seeded(0))
    assert run.value == pytest.approx(f.least(), abs=1e-3)
    assert run.value == float(f(run.theta))
    assert len(run.history) == 801


# --- networks


def test_module_objective_trains_a_spiking_neuron_where_the_gradient_is_zero() -> None:
    # Which of two inputs is on; the count of spikes should be 2 and 6.
    x = torch.eye(2, dtype=torch.float64).expand(12, 2, 2)
    wanted = torch.tensor([[2.0], [6.0]], dtype=torch.float64)
    layer = nn.Linear(2, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.fill_(0.05)

    def loss(module: nn.Module) -> Tensor:
        spikes = simulate(if_step, module(x)).spikes
        return (spikes.sum(0) - wanted).square().mean()

    assert not loss(layer).requires_grad
    objective, theta = module_objective(layer, loss)
    run = perturb(objective, theta, steps=400, scale=0.1, generator=seeded(0))
    assert run.history[0] == 20
    assert run.value == 0
    assert objective(run.theta) == 0
    assert torch.equal(layer.weight.detach().flatten(), run.theta)
    with torch.no_grad():
        layer.weight.zero_()
    assert run.theta.any()


def test_module_without_parameters() -> None:
    with pytest.raises(ValueError, match="ReLU has no parameters"):
        module_objective(nn.ReLU(), lambda module: 0.0)


# --- Bayesian optimisation

SPACE = (Real("rate", 1e-4, 1.0, log=True), Integer("steps", 1, 12), Choice("reset", ("soft", "hard")))


def bowl(p: Mapping[str, Any]) -> float:
    return float((math.log10(p["rate"]) + 2) ** 2 + (p["steps"] - 8) ** 2 / 20 + (p["reset"] == "hard"))


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [TPE(startup=5), GP(startup=5), Random()])
def test_search_is_seeded_and_reports_its_trials(sampler: TPE | GP | Random) -> None:
    run, again, other = (
        bayesian_search(bowl, SPACE, trials=10, seed=seed, sampler=sampler) for seed in (1, 1, 2)
    )
    assert run.values == again.values != other.values
    assert len(run.values) == len(run.study.trials) == 10
    assert run.value == min(run.values) == bowl(run.best)
    for trial in run.study.trials:
        assert 1e-4 <= trial.params["rate"] <= 1
        assert trial.params["steps"] in range(1, 13)
        assert trial.params["reset"] in ("soft", "hard")


@pytest.mark.slow
def test_models_beat_random_search_on_average() -> None:
    def mean(sampler: TPE | GP | Random, trials: int) -> float:
        runs = [bayesian_search(bowl, SPACE, trials=trials, seed=s, sampler=sampler).value for s in range(3)]
        return sum(runs) / len(runs)

    random = mean(Random(), 30)
    assert mean(TPE(), 30) < random
    assert mean(GP(startup=8), 16) < random


def test_failed_trials_are_kept_as_nan_and_all_failing_is_an_error() -> None:
    def fragile(p: Mapping[str, Any]) -> float:
        return math.nan if p["steps"] % 2 else bowl(p)

    run = bayesian_search(fragile, SPACE, trials=12, seed=0, sampler=Random())
    failed = [trial.params["steps"] % 2 == 1 for trial in run.study.trials]
    assert 0 < sum(failed) < 12
    assert [math.isnan(value) for value in run.values] == failed
    with pytest.raises(RuntimeError, match="all 3 trials failed"):
        bayesian_search(lambda p: math.nan, SPACE, trials=3, seed=0)


def test_an_exception_of_the_objective_is_the_callers() -> None:
    def broken(p: Mapping[str, Any]) -> float:
        raise KeyError("my own mistake")

    before = optuna.logging.get_verbosity()
    with pytest.raises(KeyError, match="my own mistake"):
        bayesian_search(broken, SPACE, trials=3, seed=0)
    assert optuna.logging.get_verbosity() == before


def test_search_is_quiet_unless_asked(capfd: pytest.CaptureFixture[str]) -> None:
    verbosity = optuna.logging.get_verbosity()
    bayesian_search(bowl, SPACE, trials=2, seed=0)
    assert capfd.readouterr() == ("", "")
    bayesian_search(bowl, SPACE, trials=2, seed=0, progress=True)
    assert "best=" in capfd.readouterr().err
    assert optuna.logging.get_verbosity() == verbosity


# --- bad input


def test_bad_input() -> None:
    theta = torch.zeros(2)
    with pytest.raises(ValueError, match="scale"):
        perturb(torch.sum, theta, steps=1, scale=0.0)
    with pytest.raises(ValueError, match="steps"):
        perturb(torch.sum, theta, steps=0, scale=1.0)
    with pytest.raises(ValueError, match=r"\[D\]"):
        perturb(torch.sum, torch.zeros(2, 2), steps=1, scale=1.0)
    with pytest.raises(TypeError, match="int64"):
        estimate_gradient(torch.sum, torch.zeros(2, dtype=torch.int64), samples=1, scale=1.0)
    with pytest.raises(ValueError, match="samples"):
        estimate_gradient(torch.sum, theta, samples=0, scale=1.0)
    with pytest.raises(ValueError, match=r"\[K, 2\]"):
        directional_gradient(torch.sum, theta, torch.zeros(3, 3), scale=1.0)
    with pytest.raises(ValueError, match="at least one direction"):
        directional_gradient(torch.sum, theta, torch.zeros(0, 2), scale=1.0)
    with pytest.raises(ValueError, match="rate"):
        perturbation_descent(torch.sum, theta, steps=1, rate=-1.0, scale=1.0)
    with pytest.raises(ValueError, match="low must not exceed high"):
        Integer("n", 3, 2)
    with pytest.raises(ValueError, match="logarithmic"):
        Real("x", 0.0, 1.0, log=True)
    with pytest.raises(ValueError, match="option"):
        Choice("c", ())
    for space in ((), (Real("x", 0, 1), Integer("x", 0, 1))):
        with pytest.raises(ValueError, match="only once"):
            bayesian_search(bowl, space, trials=1, seed=0)
    with pytest.raises(ValueError, match="trials"):
        bayesian_search(bowl, SPACE, trials=0, seed=0)
