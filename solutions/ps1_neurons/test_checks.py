"""The questions on neurons and codes against formulas, SpikingJelly and independent counts, and what seeds may not change."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron

from autograder.checks.ps1_neurons import (
    decoding,
    delta_code,
    event_records,
    fi_curve,
    lapicque,
    latency_code,
    lif,
    mystery_neuron,
    rate_code,
)
from autograder.in_notebook import find
from autograder.judging import computed, right_values, run
from autograder.question import call
from snnkit import dynamics

SEEDS = range(4)


def cases(module, *groups):
    """Cases over a few seeds, their arguments and their right arrays; of some groups only."""
    question = module.QUESTION
    for seed in SEEDS:
        for case in question.draw(seed):
            if not groups or case.group in groups:
                yield case, question.asked(case.call), right_values(question, case.call)


def agree(module, answer, *groups, tolerance=1e-9):
    """Whether the question's functions with no mistake put into them give what is right, which is the library's."""
    pairs = [
        (computed(module.QUESTION, case.call, answer), right) for case, _, right in cases(module, *groups)
    ]
    assert pairs
    return all(np.allclose(got[key], right[key], atol=tolerance) for got, right in pairs for key in right)


def test_membrane_of_the_library_is_the_formula_of_the_question():
    assert agree(lapicque, lapicque.both(lapicque.euler, lapicque.exact))
    for case, asked, right in cases(lapicque, "gradient"):
        ratio = asked["dt"] / asked["tau"]
        keep, gain = (lapicque.euler if case.call.of == "euler_step" else lapicque.exact)(ratio)
        factor = keep if case.call.by == (0,) else gain * asked["resistance"]
        assert np.allclose(right["gradient"], factor * case.call.upstream)


def test_runs_agree_with_the_library_and_with_spikingjelly():
    """SpikingJelly's integrate-and-fire neuron where nothing leaks; the library's step for every decay."""
    for _, asked, right in cases(lif, "run"):
        currents, v0 = torch.from_numpy(asked["currents"]), asked.get("v0", 0.0)
        reset = dynamics.SoftReset() if asked["reset"] == "soft" else dynamics.HardReset()
        v, spikes, potentials = torch.full_like(currents[0], v0), [], []
        for x in currents:
            spike, v = dynamics.lif_step(
                v, x, decay=asked["decay"], threshold=asked["threshold"], reset=reset
            )
            spikes.append(spike)
            potentials.append(v)
        assert np.array_equal(torch.stack(spikes), right["spikes"])
        assert np.allclose(torch.stack(potentials), right["v"], atol=1e-12)
        if asked["decay"] == 1.0:
            node = neuron.IFNode(
                v_threshold=asked["threshold"],
                v_reset=None if asked["reset"] == "soft" else 0.0,
                step_mode="m",
            )
            assert np.array_equal(node(currents), right["spikes"])


def test_gradient_of_a_run_is_that_of_its_recursion():
    """From the last step back to the first; no spike has a derivative."""
    for case, asked, right in cases(lif, "gradient"):
        spikes = lif.answer()["run"](*map(torch.from_numpy, case.call.args), **case.call.kwargs)[0].numpy()
        slopes = np.ones_like(spikes) if asked["reset"] == "soft" else 1 - spikes
        later, wanted = 0.0, []
        for upstream, slope in zip(case.call.upstream[::-1], slopes[::-1], strict=True):
            wanted.append((upstream + later) * slope)
            later = asked["decay"] * wanted[-1]
        assert np.allclose(right["gradient"], wanted[::-1])


def test_soft_and_hard_reset_of_the_example_of_the_notebook():
    run, currents = lif.answer()["run"], torch.full((16, 1), 11 / 16)
    counts = {reset: int(run(currents, 1.0, 1.0, reset)[0].sum()) for reset in ("soft", "hard")}
    assert counts == {"soft": 11, "hard": 8}


def test_rates_and_latencies_of_the_library_are_the_formulas_of_the_questions():
    for _, asked, right in cases(fi_curve, "above", "below", "shapes"):
        constants = {name: asked[name] for name in ("tau", "threshold", "resistance")}
        rate = dynamics.firing_rate(torch.from_numpy(asked["current"]), **constants)
        assert np.allclose(rate, right["rate"], rtol=1e-4)
    time = latency_code.formula(lambda u, tau: tau * torch.log(u / (u - 1)))
    assert agree(latency_code, {"latency_encode": time})


def test_counts_are_those_of_the_period_in_steps():
    """One spike in every ``first_spike_step`` steps, which is another way to the count than a simulation."""
    for _, asked, right in cases(fi_curve, "counted"):
        neuron = {name: asked[name] for name in ("dt", "tau", "threshold", "resistance")}
        duration = asked["steps"] * asked["dt"]
        # In a step that long the charge is R I, as far as doubles tell: the threshold itself fires.
        if asked["dt"] > 30 * asked["tau"]:
            every = asked["steps"] * (asked["resistance"] * asked["current"] >= asked["threshold"])
            assert np.allclose(right["rate"], every / duration)
            continue
        period = dynamics.first_spike_step(torch.from_numpy(asked["current"]), **neuron).numpy()
        assert np.allclose(right["rate"], np.floor(asked["steps"] / period) / duration)


def test_gradient_of_the_latency_is_its_derivative_and_0_where_nothing_fires():
    for _, asked, right in cases(latency_code, "gradient"):
        current, theta = asked["current"], asked["threshold"]
        above = asked["resistance"] * current > theta
        safe = np.where(above, current, 2 * theta / asked["resistance"])
        slope = -asked["tau"] * theta / (safe * (asked["resistance"] * safe - theta))
        assert np.allclose(right["gradient"], np.where(above, slope, 0.0) * asked["upstream"])


def test_time_at_the_rheobase_is_infinite():
    made = call("latency_encode", np.array([1.0, 2.0]), tau=10.0, threshold=1.0, resistance=1.0)
    time = right_values(latency_code.QUESTION, made)["time"]
    assert time.tolist() == [math.inf, pytest.approx(10 * math.log(2))]


def test_classes_and_delta_codes_of_the_library_are_those_of_the_questions():
    assert agree(decoding, decoding.decoders())
    assert agree(delta_code, delta_code.encoder(), "gentle", "jump", "edges", tolerance=0)
    for _, asked, right in cases(delta_code, "decode"):
        level, levels = asked["start"], []
        for on, off in zip(asked["on"], asked["off"], strict=True):
            level = level + asked["threshold"] * (on - off)
            levels.append(level)
        assert np.allclose(right["level"], levels)


def test_decoded_records_are_the_digits_of_forty_bit_numbers():
    for _, asked, right in cases(event_records, "place", "polarity", "time"):
        words = [int.from_bytes(word.tobytes(), "big") for word in asked["raw"].reshape(-1, 5)]
        wanted = {
            "x": [word >> 32 for word in words],
            "y": [word >> 24 & 255 for word in words],
            "p": [word >> 23 & 1 for word in words],
            "t": [word % (1 << 23) for word in words],
        }
        assert all(right[name].tolist() == wanted[name] for name in asked["wanted"])


def test_neurons_are_identified_within_half_the_tolerance():
    """From the recordings alone, against the parameters that they were made with."""
    within = mystery_neuron.QUESTION.within.atol / 2
    for seed in range(300):
        decay, threshold, reset = mystery_neuron.draw_neuron(np.random.default_rng(seed))
        found, steady, soft = mystery_neuron.read(mystery_neuron.record(decay, threshold, reset))
        assert found == pytest.approx(threshold, abs=within)
        assert 1 - steady / found == pytest.approx(decay, abs=within)
        assert soft == (reset == "soft")


@pytest.mark.parametrize("seed", range(20))
def test_recordings_hold_no_parameter_and_both_resets_occur(seed):
    drawn = mystery_neuron.QUESTION.draw(seed)
    for case in drawn:
        assert set(case.call.kwargs) == {"recordings", "wanted"}
        assert set(case.call.kwargs["recordings"]) == {"pulse", "steady", "after"}
        for currents, spikes in case.call.kwargs["recordings"].values():
            assert currents.shape == spikes.shape
    values = [right_values(mystery_neuron.QUESTION, case.call) for case in drawn if case.group == "reset"]
    assert {bool(one["reset is soft"]) for one in values} == {True, False}
    pulses = [
        mystery_neuron.QUESTION.draw(one)[0].call.kwargs["recordings"]["pulse"][1] for one in (seed, seed + 1)
    ]
    assert not np.array_equal(*pulses)


def asked_for_chances(seed):
    (case,) = (case for case in rate_code.QUESTION.draw(seed) if case.group == "chances")
    return case.call.kwargs


def test_independent_chances_are_accepted_whatever_is_drawn():
    for seed in range(200):
        asked = asked_for_chances(seed)
        draws = np.random.default_rng([seed, 1]).random((asked["steps"], *asked["values"].shape))
        assert rate_code.not_chance({"spikes": (draws < asked["values"]) * 1.0}, asked) is None


def regular(values, steps):
    """A spike whenever the sum of the value reaches a whole number: the right rate, and no chance in it."""
    total = np.cumsum(np.broadcast_to(values, (steps, *values.shape)), 0) + 1e-9
    return np.diff(np.floor(total), axis=0, prepend=0.0)


def sticky(values, steps):
    """Each draw is used for two steps."""
    draws = np.random.default_rng(0).random((steps // 2, *values.shape)).repeat(2, 0)
    return (draws < values) * 1.0


def paired(values, steps):
    """Neurons side by side share a draw, those of one column do not."""
    return (np.random.default_rng(0).random((steps, len(values), 1)) < values) * 1.0


@pytest.mark.parametrize(
    ("spikes", "said"),
    [
        (regular, "more closely than independent chances"),
        (sticky, "one step and the next are not independent"),
        (paired, "two values are not independent"),
        (lambda p, steps: (np.random.default_rng(0).random((steps, *p.shape)) < p**2) * 1.0, "fires in"),
        (lambda p, steps: np.broadcast_to(p, (steps, *p.shape)), "other numbers than 0 and 1"),
        (lambda p, steps: np.zeros((steps, 5)), "has shape [5000, 5]"),
    ],
)
def test_what_is_not_chance_is_refused(spikes, said):
    for seed in SEEDS:
        asked = asked_for_chances(seed)
        assert said in rate_code.not_chance({"spikes": spikes(asked["values"], asked["steps"])}, asked)


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
    result = run(find(question), {name: answer})
    assert any(group.failure is not None and said in group.failure.sentence for group in result.groups)
