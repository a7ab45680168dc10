"""The checks of ps1_neurons against the library, SpikingJelly and independent counts, and what seeds may not change."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron

from autograder.checks import grade
from autograder.checks import ps1_neurons as ps1
from autograder.checks.core import Flaw, judge
from snnkit import dynamics, encoding, events

SEEDS = range(4)


def cases(check, *parts):
    """The data of drawn cases over a few seeds; of some parts only."""
    return [
        case.data for seed in SEEDS for case in check.draw(seed) if not parts or case.data["part"] in parts
    ]


def test_membrane_agrees_with_the_library():
    library = {"euler": dynamics.lapicque_euler, "exact": dynamics.lapicque_exact}
    for data in cases(ps1.LAPICQUE):
        v, current = (torch.from_numpy(data[name]).double().requires_grad_() for name in ("v", "current"))
        after = library[data["step"]](
            v, current, dt=data["dt"], tau=data["tau"], resistance=data["resistance"]
        )
        wanted = ps1._membrane(data)
        assert np.allclose(after.detach(), wanted["v"])
        gradients = torch.autograd.grad(after, (v, current), torch.from_numpy(data["upstream"]).double())
        for name, gradient in zip(("v", "current"), gradients, strict=True):
            assert np.allclose(gradient, wanted[f"gradient of {name}"])


def test_runs_agree_with_spikingjelly_and_their_gradients_with_autograd():
    """SpikingJelly's integrate-and-fire neuron where nothing leaks; the library's step for every decay."""
    for data in cases(ps1.LIF, "run", "gradient"):
        currents = torch.from_numpy(data["currents"]).requires_grad_()
        reset = dynamics.SoftReset() if data["reset"] == "soft" else dynamics.HardReset()
        step = partial(dynamics.lif_step, decay=data["decay"], threshold=data["threshold"], reset=reset)
        trace = dynamics.simulate(step, currents, data["start"])
        wanted = ps1._simulated(data)
        assert np.array_equal(trace.spikes.detach(), wanted["spikes"])
        assert np.allclose(trace.v.detach(), wanted["v"], atol=1e-12)
        if data["part"] == "gradient":
            (gradient,) = torch.autograd.grad((trace.v * torch.from_numpy(data["weighting"])).sum(), currents)
            assert np.allclose(gradient, wanted["gradient"])
        elif data["decay"] == 1.0:
            node = neuron.IFNode(
                v_threshold=data["threshold"], v_reset=None if data["reset"] == "soft" else 0.0, step_mode="m"
            )
            assert np.array_equal(node(currents.detach()), wanted["spikes"])


def test_soft_and_hard_reset_of_the_example_of_the_notebook():
    data = {
        "part": "run",
        "currents": np.full((16, 1), 11 / 16),
        "start": 0.0,
        "decay": 1.0,
        "threshold": 1.0,
    }
    counts = {reset: ps1._simulated({**data, "reset": reset})["spikes"].sum() for reset in ("soft", "hard")}
    assert counts == {"soft": 11, "hard": 8}


def test_rates_and_latencies_agree_with_the_library():
    for check, part, key, function in (
        (ps1.FI_CURVE, "formula", "rate", dynamics.firing_rate),
        (ps1.LATENCY_CODE, "times", "time", encoding.latency_encode),
    ):
        for data in cases(check, part):
            constants = {name: data[name] for name in ("tau", "threshold", "resistance")}
            wanted = function(torch.from_numpy(data["current"]), **constants).numpy()
            got = check.expected(data)
            never = got.get("never fires", np.zeros(wanted.shape, bool))
            assert np.array_equal(never, np.isinf(wanted))
            assert np.allclose(got[key], np.where(np.isinf(wanted), 0.0, wanted))


def test_counts_are_those_of_the_period_in_steps():
    """One spike in every ``first_spike_step`` steps, which is another way to the count than a simulation."""
    for data in cases(ps1.FI_CURVE, "counted"):
        constants = {name: data[name] for name in ("dt", "tau", "threshold", "resistance")}
        # In a step that long the charge is R I, as far as doubles tell: the threshold itself fires.
        if data["dt"] > 30 * data["tau"]:
            every = data["steps"] * (data["resistance"] * data["current"] >= data["threshold"])
            assert np.allclose(ps1._counted(data)["rate"], every / (data["steps"] * data["dt"]))
            continue
        period = dynamics.first_spike_step(torch.from_numpy(data["current"]), **constants).numpy()
        assert np.allclose(
            ps1._counted(data)["rate"], np.floor(data["steps"] / period) / (data["steps"] * data["dt"])
        )


def test_gradient_of_the_latency_is_that_of_the_library_and_of_a_quotient():
    for data in cases(ps1.LATENCY_CODE, "gradient"):
        constants = {name: data[name] for name in ("tau", "threshold", "resistance")}
        current = torch.from_numpy(data["current"]).requires_grad_()
        times = encoding.latency_encode(current, **constants)
        weighted = torch.where(torch.isfinite(times), times, 0.0) * torch.from_numpy(data["upstream"])
        (gradient,) = torch.autograd.grad(weighted.sum(), current)
        assert np.allclose(gradient, ps1.LATENCY_CODE.expected(data)["gradient"])


def test_classes_and_delta_codes_agree_with_the_library():
    library = {"rate": encoding.rate_decode, "latency": encoding.latency_decode}
    for seed in SEEDS:
        for case in ps1.DECODING.draw(seed):
            wanted = library[case.data["code"]](torch.from_numpy(case.data["spikes"]))
            assert np.array_equal(wanted, ps1.DECODING.expected(case.data)["class"])
    for data in cases(ps1.DELTA_CODE, "encode"):
        wanted = encoding.delta_encode(torch.from_numpy(data["signal"]), threshold=data["threshold"])
        got = ps1.DELTA_CODE.expected(data)
        assert np.array_equal(wanted.on, got["on"])
        assert np.array_equal(wanted.off, got["off"])
    for data in cases(ps1.DELTA_CODE, "decode"):
        code = encoding.OnOff(torch.from_numpy(data["on"]), torch.from_numpy(data["off"]))
        wanted = encoding.delta_decode(
            code, threshold=data["threshold"], start=torch.from_numpy(data["start"])
        )
        assert np.allclose(wanted, ps1.DELTA_CODE.expected(data)["level"])


def test_records_agree_with_the_library():
    for data in cases(ps1.RECORDS):
        if data["part"] != "refuse":
            wanted = events.decode_nmnist(data["bytes"].tobytes())
            for key, column in ps1.RECORDS.expected(data).items():
                assert np.array_equal(getattr(wanted, key), column)


def test_neurons_are_identified_within_half_the_tolerance():
    """From the recordings alone, against the parameters that they were made with."""
    for seed in range(300):
        rng = np.random.default_rng(seed)
        decay, threshold, reset = ps1.draw_neuron(rng)
        data = ps1.record(decay, threshold, reset)
        found = {part: ps1._identified({**data, "part": part}) for part in ("decay", "threshold", "reset")}
        assert found["decay"]["decay"] == pytest.approx(decay, abs=ps1.MYSTERY.tolerance.atol / 2)
        assert found["threshold"]["threshold"] == pytest.approx(threshold, abs=ps1.MYSTERY.tolerance.atol / 2)
        assert bool(found["reset"]["reset is soft"]) == (reset == "soft")


@pytest.mark.parametrize("seed", range(20))
def test_recordings_hold_no_parameter_and_both_resets_occur(seed):
    drawn = ps1.MYSTERY.draw(seed)
    for case in drawn:
        assert set(case.data) == {"part"} | {
            f"{name} {what}" for name in ("pulse", "steady", "after") for what in ("currents", "spikes")
        }
    resets = {bool(ps1.MYSTERY.expected(c.data)["reset is soft"]) for c in drawn if c.group == "reset"}
    assert resets == {True, False}
    assert not np.array_equal(
        drawn[0].data["pulse spikes"], ps1.MYSTERY.draw(seed + 1)[0].data["pulse spikes"]
    )


def seen(arrays):
    """Nothing but these arrays comes back for the chances of the rate code."""
    return lambda group, case: arrays(case.data) if group.id == "chances" else Flaw("error", "not run")


def chances(arrays, seed):
    result = judge(ps1.RATE_CODE, ps1.RATE_CODE.draw(seed), seen(arrays), seed=seed)
    (group,) = (group for group in result.groups if group.id == "chances")
    return group


def test_independent_chances_are_accepted_whatever_is_drawn():
    for seed in range(200):
        rng = np.random.default_rng([seed, 1])
        group = chances(
            lambda data, rng=rng: {
                "spikes": (rng.random((data["steps"], *data["values"].shape)) < data["values"]) * 1.0
            },
            seed,
        )
        assert group.score == 1.0, group.failure


def regular(data):
    """A spike whenever the sum of the value reaches a whole number: the right rate, and no chance in it."""
    total = np.cumsum(np.broadcast_to(data["values"], (data["steps"], *data["values"].shape)), 0) + 1e-9
    return np.diff(np.floor(total), axis=0, prepend=0.0)


def sticky(data):
    """Each draw is used for two steps."""
    draws = np.random.default_rng(0).random((data["steps"] // 2, *data["values"].shape)).repeat(2, 0)
    return (draws < data["values"]) * 1.0


def paired(data):
    """Neurons side by side share a draw, those of one column do not."""
    draws = np.random.default_rng(0).random((data["steps"], *data["values"].shape[:1], 1))
    return (draws < data["values"]) * 1.0


@pytest.mark.parametrize(
    ("spikes", "said"),
    [
        (regular, "more closely than independent chances"),
        (sticky, "one step and the next are not independent"),
        (paired, "two values are not independent"),
        (
            lambda data: (np.random.default_rng(0).random((1200, 5, 6)) < data["values"] ** 2) * 1.0,
            "fires in",
        ),
        (lambda data: np.broadcast_to(data["values"], (1200, 5, 6)), "other numbers than 0 and 1"),
        (lambda data: np.zeros((1200, 5)), "has shape [1200, 5]"),
    ],
)
def test_what_is_not_chance_is_refused(spikes, said):
    for seed in SEEDS:
        group = chances(lambda data: {"spikes": spikes(data)}, seed)
        assert group.score == 0.0
        assert said in group.failure.sentence


@pytest.mark.parametrize(
    ("question", "name", "answer", "said"),
    [
        ("ps1.event_records", "decode_events", lambda raw: (1, 2, 3), "not enough values to unpack"),
        ("ps1.latency_code", "latency_encode", lambda *args, **kwargs: None, "NoneType"),
        ("ps1.lapicque", "euler_step", lambda v, current, dt, tau, resistance: v[:1], "has shape [1]; expected [6]"),
        ("ps1.mystery_neuron", "identify", lambda recordings: (0.9, 1.0, True), "the reset must be 'soft' or 'hard'"),
    ],
)  # fmt: skip
def test_answers_of_the_wrong_kind_get_a_line_that_says_so(question, name, answer, said):
    result = grade(question, {name: answer})
    assert any(group.failure is not None and said in group.failure.sentence for group in result.groups)


def test_time_at_the_rheobase_is_infinite():
    data = {
        "part": "times",
        "current": np.array([1.0, 2.0]),
        "tau": 10.0,
        "threshold": 1.0,
        "resistance": 1.0,
    }
    arrays = ps1._latencies(data)
    assert arrays["never fires"].tolist() == [True, False]
    assert arrays["time"][1] == pytest.approx(10 * math.log(2))
