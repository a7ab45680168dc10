"""STDP against loops over pairs of spikes and against SpikingJelly."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from spikingjelly.activation_based import functional
from torch import Tensor

from snnkit.dynamics import HardReset, lif_step
from snnkit.plasticity import STDP, Traces, all_to_all, learn_online, nearest_neighbour, online, online_step

seeds = st.integers(0, 2**31)
rules = st.builds(
    STDP,
    a_plus=st.floats(0, 2),
    a_minus=st.floats(0, 2),
    tau_plus=st.floats(0.5, 30),
    tau_minus=st.floats(0.5, 30),
    dt=st.sampled_from([0.5, 1.0]),
)


def trains(seed: int, steps: int = 12, density: float = 0.3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    pre = (torch.rand(steps, 2, 4, generator=generator) < density).double()
    post = (torch.rand(steps, 2, 3, generator=generator) < density).double()
    return pre, post


def window(rule: STDP, gap: float) -> float:
    if gap > 0:
        return rule.a_plus * math.exp(-gap / rule.tau_plus)
    return -rule.a_minus * math.exp(gap / rule.tau_minus) if gap < 0 else 0.0


def fires(train: Tensor) -> list[int]:
    return train.nonzero().flatten().tolist()


def loop_all_to_all(rule: STDP, pre: list[int], post: list[int]) -> float:
    return sum(window(rule, (b - a) * rule.dt) for a in pre for b in post)


def loop_nearest(rule: STDP, pre: list[int], post: list[int]) -> float:
    total = 0.0
    for b in post:
        earlier = [a for a in pre if a < b]
        total += window(rule, (b - earlier[-1]) * rule.dt) if earlier else 0.0
    for a in pre:
        earlier = [b for b in post if b < a]
        total += window(rule, (earlier[-1] - a) * rule.dt) if earlier else 0.0
    return total


@given(seed=seeds, rule=rules)
def test_pairs_against_loops(seed: int, rule: STDP) -> None:
    pre, post = trains(seed)
    every, nearest = all_to_all(rule, pre, post), nearest_neighbour(rule, pre, post)
    for o in range(3):
        for i in range(4):
            pairs = [(fires(pre[:, n, i]), fires(post[:, n, o])) for n in range(2)]
            assert every[o, i].item() == pytest.approx(
                sum(loop_all_to_all(rule, a, b) for a, b in pairs), abs=1e-12
            )
            assert nearest[o, i].item() == pytest.approx(
                sum(loop_nearest(rule, a, b) for a, b in pairs), abs=1e-12
            )


@given(seed=seeds, rule=rules, steps=st.integers(1, 40), density=st.sampled_from([0.0, 0.1, 0.6, 1.0]))
def test_traces_give_all_pairs(seed: int, rule: STDP, steps: int, density: float) -> None:
    pre, post = trains(seed, steps, density)
    torch.testing.assert_close(online(rule, pre, post), all_to_all(rule, pre, post), rtol=1e-11, atol=1e-11)


def test_one_pair_by_hand() -> None:
    rule = STDP(a_plus=1.0, a_minus=0.5, tau_plus=10.0, tau_minus=20.0)
    pre, post = torch.zeros(10, 1, 1, dtype=torch.float64), torch.zeros(10, 1, 1, dtype=torch.float64)
    pre[2], post[5] = 1, 1
    assert online(rule, pre, post).item() == pytest.approx(math.exp(-0.3))
    assert online(rule, post, pre).item() == pytest.approx(-0.5 * math.exp(-0.15))
    assert online(rule, pre, pre).item() == 0
    assert all_to_all(rule, pre, pre).item() == 0
    assert rule(torch.tensor([-math.inf, 0.0, math.inf])).tolist() == [0, 0, 0]


def test_nearest_neighbour_ignores_older_spikes_that_all_to_all_counts() -> None:
    rule = STDP(tau_plus=5.0, tau_minus=5.0)
    pre, post = torch.zeros(8, 1, 1, dtype=torch.float64), torch.zeros(8, 1, 1, dtype=torch.float64)
    pre[[0, 3]], post[5] = 1, 1
    assert nearest_neighbour(rule, pre, post).item() == pytest.approx(math.exp(-2 / 5))
    assert all_to_all(rule, pre, post).item() == pytest.approx(math.exp(-2 / 5) + math.exp(-5 / 5))


def spikingjelly_stdp(
    pre: Tensor, post: Tensor, *, tau_pre: float, tau_post: float, a_plus: float, a_minus: float
) -> Tensor:
    weight = torch.zeros(post.shape[2], pre.shape[2], dtype=pre.dtype)
    trace = (torch.zeros_like(pre[0]), torch.zeros_like(post[0]))
    for pre_now, post_now in zip(pre, post, strict=True):
        change, trace = functional.stdp_linear_step(
            pre_now,
            post_now,
            trace,
            torch.zeros_like(weight),
            tau_pre=tau_pre,
            tau_post=tau_post,
            f_pre=lambda w: w + a_minus,
            f_post=lambda w: w + a_plus,
        )
        weight = weight + change
    return weight


@given(seed=seeds, a_plus=st.floats(0, 2), a_minus=st.floats(0, 2), tau=st.floats(1.5, 20))
def test_spikingjelly_differs_by_its_decay_and_by_coincident_pairs(
    seed: int, a_plus: float, a_minus: float, tau: float
) -> None:
    pre, post = trains(seed)
    theirs = spikingjelly_stdp(pre, post, tau_pre=tau, tau_post=2 * tau, a_plus=a_plus, a_minus=a_minus)
    # Their 1 - 1/tau is our exp(-1/tau') for this tau'; a coincident pair counts a_plus - a_minus with them.
    same = STDP(a_plus, a_minus, -1 / math.log(1 - 1 / tau), -1 / math.log(1 - 1 / (2 * tau)))
    coincident = torch.einsum("tno,tni->oi", post, pre)
    expected = online(same, pre, post) + (a_plus - a_minus) * coincident
    torch.testing.assert_close(theirs, expected, rtol=1e-10, atol=1e-11)


def test_spikingjelly_with_the_same_tau_is_not_the_same() -> None:
    pre, post = trains(0, steps=40)
    theirs = spikingjelly_stdp(pre, post, tau_pre=3.0, tau_post=3.0, a_plus=1.0, a_minus=1.0)
    ours = online(STDP(tau_plus=3.0, tau_minus=3.0), pre, post)
    assert (theirs - ours).abs().max() > 0.1


def test_a_step_is_pure() -> None:
    pre, post = trains(1)
    traces = Traces(torch.ones(2, 4, dtype=torch.float64), torch.ones(2, 3, dtype=torch.float64))
    copies = [part.clone() for part in (*traces, pre, post)]
    _, after = online_step(STDP(), traces, pre[0], post[0])
    for part, copy in zip((*traces, pre, post), copies, strict=True):
        assert torch.equal(part, copy)
    torch.testing.assert_close(after.pre, math.exp(-1 / 20) + pre[0])


def test_learning_on_line_respects_its_bounds_and_equals_stdp_of_its_own_spikes() -> None:
    generator = torch.Generator().manual_seed(0)
    pre = (torch.rand(200, 1, 6, generator=generator) < 0.2).double()
    weight = torch.full((2, 6), 0.5, dtype=torch.float64)
    step = partial(lif_step, decay=0.9, reset=HardReset())
    rule = STDP(a_plus=1e-4, a_minus=1e-4)
    learnt, spikes = learn_online(rule, weight, pre, step)
    assert spikes.sum() > 10
    torch.testing.assert_close(learnt - weight, online(rule, pre, spikes), rtol=0, atol=1e-14)
    assert torch.equal(weight, torch.full_like(weight, 0.5))
    strong, _ = learn_online(STDP(a_plus=1.0, a_minus=0.2), weight, pre, step, low=0.1, high=0.7)
    assert strong.min() >= 0.1
    assert strong.max() == 0.7


def test_learning_favours_inputs_that_come_before_the_spike() -> None:
    pre = torch.zeros(400, 1, 4, dtype=torch.float64)
    pre[0::20, 0, :2] = 1  # early pair, enough to fire the neuron at once
    pre[3::20, 0, 2:] = 1  # late pair
    weight = torch.full((1, 4), 0.6, dtype=torch.float64)
    step = partial(lif_step, decay=0.5, reset=HardReset())
    learnt, spikes = learn_online(
        STDP(a_plus=0.01, a_minus=0.012, tau_plus=5.0, tau_minus=5.0), weight, pre, step
    )
    assert spikes.sum() >= 20
    assert learnt[0, 2:].max() < weight[0, 2]
    assert learnt[0, :2].min() > learnt[0, 2:].max()


def test_bad_input() -> None:
    pre, post = trains(0)
    with pytest.raises(ValueError, match="tau_plus"):
        STDP(tau_plus=0.0)
    with pytest.raises(ValueError, match="a_minus must not be negative"):
        STDP(a_minus=-1.0)
    for learn in (all_to_all, nearest_neighbour, online):
        with pytest.raises(ValueError, match=r"post must have shape \[12, 2, outputs\]; got \[11, 2, 3\]"):
            learn(STDP(), pre, post[1:])
        with pytest.raises(TypeError, match="bool"):
            learn(STDP(), pre > 0, post)
        with pytest.raises(ValueError, match="T = 0"):
            learn(STDP(), pre[:0], post[:0])
    with pytest.raises(ValueError, match=r"traces\.pre"):
        online_step(STDP(), Traces(pre[0, :1], post[0]), pre[0], post[0])
    with pytest.raises(ValueError, match="low"):
        learn_online(STDP(), torch.zeros(3, 4), pre, partial(lif_step, decay=0.5), low=1.0, high=1.0)
