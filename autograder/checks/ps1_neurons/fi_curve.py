"""The firing rate of a neuron under constant current, by the formula and counted."""

import itertools
import math

import numpy as np

from autograder.judging import apart
from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .inputs import around_the_rheobase


def formula(rate=lambda u, tau: 1 / (tau * np.log(u / (u - 1)))):
    """``rate`` of u = R I / threshold and tau where u > 1, else 0."""

    def of_current(current, tau, threshold, resistance):
        u = current.astype(np.float64) * resistance / threshold
        return np.where(u > 1, rate(np.where(u > 1, u, 2.0), tau), 0.0)

    return {"firing_rate": of_current}


def counted(
    decay=lambda ratio: math.exp(-ratio),
    soft=False,
    duration=lambda steps, dt: steps * dt,
    fires=np.greater_equal,
):
    """Spikes of a simulation, divided by its ``duration``."""

    def of_current(current, steps, dt, tau, threshold, resistance):
        alpha, target = decay(dt / tau), resistance * current.astype(np.float64)
        v, count = np.zeros(current.shape), np.zeros(current.shape)
        for _ in range(steps):
            charge = alpha * v + (1 - alpha) * target
            spike = fires(charge, threshold)
            count += spike
            v = charge - spike * threshold if soft else charge * ~spike
        return count / duration(steps, dt)

    return {"counted_rate": of_current}


BY_EULER = counted(decay=lambda ratio: 1 - ratio)
WITH_SOFT = counted(soft=True)


def clear_of_steps(rng, ratio):
    """Currents, in rheobases, whose charge stays away from the threshold at the end of every step."""
    currents = [0.6]
    while len(currents) < 7:
        u = rng.uniform(1.1, 4.0)
        if 0.05 < math.log(u / (u - 1)) / ratio % 1 < 0.95:
            currents.append(float(u))
    return np.array(currents)


def cases(rng):
    resistances = itertools.cycle(rng.permutation([4.0, 8.0]).tolist())  # the cases of a group meet both

    def drawn(u, kind=np.float64):
        """Currents, from rheobases, and the constants of a neuron."""
        tau = float(np.round(rng.uniform(8, 30), 1))
        threshold, resistance = float(rng.integers(10, 21)), next(resistances)
        current = (np.asarray(u) * threshold / resistance).astype(kind)
        return current, {"tau": tau, "threshold": threshold, "resistance": resistance}

    def rate(group, label, *of):
        current, neuron = drawn(*of)
        in_form = group == "shapes"
        return Case(group, label, call("firing_rate", current, **neuron), keeps_dtype=in_form, intact=in_form)

    def count(label, u, steps, ratio):
        current, neuron = drawn(u)
        made = call("counted_rate", current, steps=steps, dt=ratio * neuron["tau"], **neuron)
        return Case("counted", label, made, intact=True)

    yield rate("above", "currents up to 5 rheobases", rng.uniform(1.05, 5, 8))
    yield rate("above", "close to the rheobase and far above it", [1.001, 1.02, 50.0])
    yield rate("below", "below the rheobase", rng.uniform(0.1, 0.95, 5))
    yield rate("below", "exactly at the rheobase", [1.0, 1.0])
    yield rate("below", "no current, and negative ones", [0.0, -0.5, -1.0, -3.0])
    yield rate("shapes", "a batch [2, 3], float32", around_the_rheobase(rng), np.float32)
    yield rate("shapes", "no elements", np.zeros((0, 3)))
    for ratio in (0.1, 0.4):
        case = None
        while case is None or not apart(QUESTION, case, BY_EULER, WITH_SOFT):
            u, steps = clear_of_steps(rng, ratio), int(rng.integers(150, 250))
            case = count(f"steps of {ratio:g} tau", u, steps, ratio)
        yield case
    label = "a step so long that the charge is R I itself, here the threshold"
    yield count(label, [1.0, 0.6, 2.0, 0.9999], 5, 40)


QUESTION = Question(
    "ps1.fi_curve",
    "The firing rate, derived and counted",
    (
        Group("above", 1.0, "`firing_rate` above the rheobase"),
        Group("below", 0.5, "`firing_rate` at and below the rheobase"),
        Group("shapes", 0.5, "`firing_rate` for any shape and floating-point dtype"),
        Group("counted", 1.0, "`counted_rate`: the same by simulation"),
    ),
    cases,
    {**formula(), **counted()},
    gives={"firing_rate": ("rate",), "counted_rate": ("rate",)},
    uses={"exact_step": "ps1.lapicque"},
    within=Tolerance(1e-4, 1e-7, "float32 near the rheobase, where R I - threshold loses digits"),
    slips=(
        Slip(
            "not_a_number_below",
            "At and below the rheobase the formula divides by 0 or takes the logarithm of a negative number. There the "
            "neuron is silent: its rate is 0.",
            seen=lambda got, asked: not np.isfinite(got["rate"]).all(),
        ),
        Slip(
            "period_for_rate",
            "This is the time from spike to spike. The rate is 1 over it.",
            formula(lambda u, tau: tau * np.log(u / (u - 1))),
        ),
        Slip(
            "quotient_upside_down",
            "The rates are negative: a minus is too much, or the quotient in the logarithm is upside down. It is R I / (R I - threshold), which "
            "is larger than 1.",
            formula(lambda u, tau: -1 / (tau * np.log(u / (u - 1)))),
        ),
        Slip(
            "tau_missing",
            "The time constant is missing: the period is tau times the logarithm.",
            formula(lambda u, tau: 1 / np.log(u / (u - 1))),
        ),
        Slip(
            "leak_ignored",
            "This is the rate without a leak, R I / (tau threshold). The leak makes it smaller, and 0 up to the rheobase.",
            formula(lambda u, tau: u / tau),
        ),
        Slip(
            "straight_line",
            "This is the straight line that the curve approaches for strong currents, not the curve.",
            formula(lambda u, tau: (u - 0.5) / tau),
        ),
        Slip(
            "strict_threshold",
            "A neuron whose potential is exactly the threshold at the end of a step fires: `>=`.",
            counted(fires=np.greater),
        ),
        Slip(
            "count_for_rate",
            "This is a number of spikes. Divide by the duration, steps times dt.",
            counted(duration=lambda steps, dt: 1),
        ),
        Slip(
            "rate_per_step",
            "These are spikes per step. A step lasts dt: divide by steps times dt.",
            counted(duration=lambda steps, dt: steps),
        ),
        Slip(
            "soft_reset",
            "This is counted with the soft reset. The formula starts each interval at 0, and so must the simulation: "
            "hard reset.",
            WITH_SOFT,
        ),
        Slip(
            "euler_step",
            "This is counted with Euler's step. Take the exact one, which makes no error but the waiting for the end of "
            "a step.",
            BY_EULER,
        ),
    ),
    hints=(
        "How long does the potential take from 0 to the threshold, and what if it never gets there? For the count: which "
        "of your functions moves the membrane by one step, and what happens to a neuron that fires?",
        "The period is tau ln(R I / (R I - threshold)) for R I > threshold. `torch.where` evaluates both of its branches; "
        "that does no harm to values, as long as the branch for silence gives 0.",
        "`target = resistance * current`, `period = tau * torch.log(target / (target - threshold))`, "
        "`torch.where(target > threshold, 1 / period, torch.zeros_like(period))`. Count: `v = exact_step(v, current, dt, "
        "tau, resistance)`, `spike = v >= threshold`, `v = v * ~spike` in a loop, and the sum over `(steps * dt)`.",
    ),
    withheld=(
        "snnkit.dynamics.firing_rate",
        "snnkit.dynamics.firing_rate_discrete",
        "snnkit.dynamics.first_spike_time",
        "snnkit.dynamics.first_spike_step",
    ),
)
