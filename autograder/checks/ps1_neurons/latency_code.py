"""The latency code: the time at which a constant current brings the membrane to its threshold."""

import math

import numpy as np
import torch

from autograder.question import Case, Group, Question, Slip, Tolerance, call
from snnkit import encoding

from .inputs import around_the_rheobase


def gradient(answer, current, upstream, **neuron):
    """Gradient of the finite times; one that is not finite has no slope, whatever autograd makes of it."""
    import torch

    current.requires_grad_(True)
    times = answer["latency_encode"](current, **neuron)
    finite = torch.where(torch.isfinite(times), times, torch.zeros_like(times))
    return {"gradient": torch.autograd.grad((finite * upstream).sum(), current)[0]}


def formula(time, silent=math.inf):
    """``time`` of u = R I / threshold and tau where u > 1, else ``silent``."""

    def of_current(current, tau, threshold, resistance):
        u = current * resistance / threshold
        return torch.where(u > 1, time(torch.where(u > 1, u, 2.0), tau), silent)

    return of_current


def finite_but_silent(got, asked):
    """Whether currents too weak to fire got nothing but finite times."""
    time, target = got["time"], asked["current"] * asked["resistance"]
    late = time.size > 0 and np.isfinite(time).all() and (time >= 0).all()
    return late and (target <= asked["threshold"]).all()


def cases(rng):
    def drawn(group, label, u, kind=np.float64):
        tau = float(np.round(rng.uniform(5, 30), 1))
        threshold, resistance = float(rng.choice([0.5, 0.75, 1.5])), float(rng.choice([0.5, 2.0, 4.0]))
        neuron = {"tau": tau, "threshold": threshold, "resistance": resistance}
        current = (np.asarray(u) * threshold / resistance).astype(kind)
        upstream = rng.uniform(0.5, 2, current.shape).astype(kind)
        if group == "gradient":
            return Case(group, label, call(gradient, current=current, upstream=upstream, **neuron))
        in_form = group == "shapes"
        return Case(
            group, label, call("latency_encode", current, **neuron), keeps_dtype=in_form, intact=in_form
        )

    yield drawn("times", "currents that fire", rng.uniform(1.05, 5, 8))
    yield drawn("times", "close to the rheobase and far above it", [1.001, 1.05, 200.0])
    yield drawn("never", "too weak", rng.uniform(0.05, 0.95, 5))
    yield drawn("never", "exactly at the rheobase", [1.0, 1.0])
    yield drawn("never", "no current, and negative ones", [0.0, -0.5, -1.0, -3.0])
    yield drawn("shapes", "a batch [2, 3], float32", around_the_rheobase(rng), np.float32)
    yield drawn("gradient", "currents that fire", rng.uniform(1.1, 4, 6))
    some = np.concatenate([rng.uniform(1.1, 4, 3), [1.0, 0.5, 0.0, -1.0]])
    yield drawn("gradient", "some never fire", some)
    yield drawn("shapes", "a batch [3, 2], float64", around_the_rheobase(rng).T)


QUESTION = Question(
    "ps1.latency_code",
    "The latency code",
    (
        Group("times", 0.75, "times of those that fire"),
        Group("never", 0.75, "those that never fire"),
        Group("shapes", 0.25, "any shape and floating-point dtype"),
        Group("gradient", 0.75, "gradient with respect to the current, finite everywhere"),
    ),
    cases,
    {"latency_encode": encoding.latency_encode},
    right_in_torch=True,
    gives={"latency_encode": ("time",)},
    within=Tolerance(1e-4, 1e-6, "float32 near the rheobase, where R I - threshold loses digits"),
    slips=(
        Slip(
            "silent_is_zero",
            "A neuron that never fires gets the time 0, as if it were the very first. Its time is infinite.",
            formula(lambda u, tau: tau * torch.log(u / (u - 1)), silent=0.0),
        ),
        Slip(
            "silent_is_a_number",
            "A neuron that never fires gets a finite time here. Nothing that is finite is late enough: `math.inf`.",
            seen=finite_but_silent,
        ),
        Slip(
            "not_a_number_below",
            "Below the rheobase the logarithm is taken of a negative number. There the neuron never fires: infinity.",
            seen=lambda got, asked: not (got["time"] > -np.inf).all(),
        ),
        Slip(
            "gradient_not_a_number",
            "Where a neuron never fires the gradient is not a number: the logarithm was differentiated there although "
            "`torch.where` took the other branch, and 0 times infinity is not 0. Put a harmless number into the logarithm "
            "first, with a `torch.where` of its own.",
            seen=lambda got, asked: not np.isfinite(got["gradient"]).all(),
        ),
        Slip(
            "quotient_upside_down",
            "The times are negative: the quotient in the logarithm is upside down, or the minus before it is missing.",
            formula(lambda u, tau: -tau * torch.log(u / (u - 1))),
        ),
        Slip(
            "tau_missing",
            "The time constant is missing.",
            formula(lambda u, tau: torch.log(u / (u - 1))),
        ),
        Slip(
            "rate_for_time",
            "This is a rate, 1 over the time. Asked for is the time.",
            formula(lambda u, tau: 1 / (tau * torch.log(u / (u - 1)))),
        ),
        Slip(
            "linear_code",
            "This falls as 1 over the current. The membrane leaks while it charges, hence the logarithm.",
            formula(lambda u, tau: tau / u),
        ),
    ),
    hints=(
        "Solve the charging curve for the time at which it reaches the threshold. For which currents is there no such "
        "time? And what does `torch.where` do, on the way back, with the branch that it did not take?",
        "tau ln(R I / (R I - threshold)) for R I > threshold, else infinity. `torch.where` evaluates and differentiates "
        "both branches; so the logarithm must be fed with harmless numbers where its result is not used.",
        "`fires = target > threshold`, `safe = torch.where(fires, target, 2 * threshold)`, "
        "`time = tau * torch.log(safe / (safe - threshold))`, `return torch.where(fires, time, math.inf)`, with "
        "`target = resistance * current`.",
    ),
    withheld=("snnkit.encoding.latency_encode", "snnkit.dynamics.first_spike_time"),
)
