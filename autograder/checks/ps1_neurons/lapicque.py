"""Two steps of the membrane, Euler's and the exact one, and their gradients."""

import math

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call
from snnkit import dynamics


def of_the_library(step):
    return lambda v, current, dt, tau, resistance: step(v, current, dt=dt, tau=tau, resistance=resistance)


def both(euler, exact=None, resists=True):
    """Both functions, from the factors of v and of R I for ``dt / tau``; one for both where one is given."""

    def moving(factors):
        def moved(v, current, dt, tau, resistance):
            keep, gain = factors(dt / tau)
            return keep * v + gain * (resistance if resists else 1.0) * current

        return moved

    return {"euler_step": moving(euler), "exact_step": moving(exact or euler)}


def euler(ratio):
    return 1 - ratio, ratio


def exact(ratio):
    return math.exp(-ratio), 1 - math.exp(-ratio)


def cases(rng):
    def drawn(step, ratio, shape, kind=np.float32):
        """A call and a gradient from above."""
        tau, resistance = float(np.round(rng.uniform(8, 30), 1)), float(np.round(rng.uniform(4, 12), 1))
        v, current, upstream = (rng.uniform(-most, most, shape).astype(kind) for most in (20, 3, 2))
        return call(step, v, current, dt=tau * ratio, tau=tau, resistance=resistance), upstream

    for ratio in (0.02, 0.25, 0.9):
        made, _ = drawn("euler_step", ratio, 6)
        yield Case("euler", f"Euler's step, dt / tau = {ratio:g}", made)
    for ratio in (0.02, 0.9, 1.7, 6.0):
        made, _ = drawn("exact_step", ratio, 6)
        yield Case("exact", f"exact step, dt / tau = {ratio:g}", made)
    for step in ("euler_step", "exact_step"):
        for label, shape, kind in (
            ("a batch [2, 3, 4]", (2, 3, 4), np.float32),
            ("float64", 5, np.float64),
            ("no elements", (0, 2), np.float32),
            ("a single number", (), np.float32),
        ):
            made, _ = drawn(step, 0.3, shape, kind)
            yield Case("shapes", f"{step}, {label}, dt / tau = 0.3", made, keeps_dtype=True, intact=True)
        made, upstream = drawn(step, 0.4, (3, 2))
        for place, name in enumerate(("v", "the current")):
            yield Case("gradient", f"{step} by {name}, dt / tau = 0.4", made.gradient(upstream, by=place))


QUESTION = Question(
    "ps1.lapicque",
    "Two steps of the membrane",
    (
        Group("euler", 0.75, "`euler_step`"),
        Group("exact", 1.0, "`exact_step`, for steps of any length"),
        Group("shapes", 0.5, "any shape and floating-point dtype"),
        Group("gradient", 0.75, "gradients with respect to v and to the current"),
    ),
    cases,
    {
        "euler_step": of_the_library(dynamics.lapicque_euler),
        "exact_step": of_the_library(dynamics.lapicque_exact),
    },
    right_in_torch=True,
    gives={"euler_step": ("v",), "exact_step": ("v",)},
    within=Tolerance(1e-4, 1e-5, "one float32 rounding per operation, a few operations deep"),
    slips=(
        Slip(
            "mixed_gain",
            "The old potential decays by exp(-dt/tau), but the current enters with Euler's dt/tau. With v = R I nothing "
            "may change; so the two factors add up to 1.",
            both(lambda ratio: (math.exp(-ratio), ratio)),
        ),
        Slip(
            "euler_for_exact",
            "This is Euler's step where the exact one is asked for. Solve the equation for a constant current: the "
            "decay is exp(-dt/tau).",
            both(euler),
        ),
        Slip(
            "exact_for_euler",
            "This is the exact step where Euler's is asked for: replace the derivative by a quotient, and nothing else.",
            both(exact),
        ),
        Slip(
            "whole_input",
            "Here all of R I enters in each step. Only the share that the decay leaves free does: 1 - decay.",
            both(lambda ratio: (1 - ratio, 1.0), lambda ratio: (math.exp(-ratio), 1.0)),
        ),
        Slip(
            "resistance_missing",
            "The current enters without the resistance: the potential moves towards R I.",
            both(euler, exact, resists=False),
        ),
        Slip(
            "leak_sign",
            "The leak has the wrong sign: without a current the potential must shrink, not grow.",
            both(lambda ratio: (1 + ratio, ratio), lambda ratio: (math.exp(ratio), 1 - math.exp(-ratio))),
        ),
        Slip(
            "tau_over_dt",
            "This divides tau by dt. A short step changes little: what counts is dt / tau.",
            both(lambda ratio: euler(1 / ratio), lambda ratio: exact(1 / ratio)),
        ),
    ),
    hints=(
        "Both steps have the form decay * v + (1 - decay) * R * I. Which decay belongs to which step?",
        "Euler: v + dt * dV/dt, with dV/dt from the membrane equation, so the decay is 1 - dt/tau. Exact: the solution "
        "for a constant current, evaluated at t = dt, so the decay is exp(-dt/tau).",
        "`decay = math.exp(-dt / tau)` and `return decay * v + (1 - decay) * resistance * current`; for Euler the same "
        "with `decay = 1 - dt / tau`.",
    ),
    withheld=(
        "snnkit.dynamics.lapicque_euler",
        "snnkit.dynamics.lapicque_exact",
        "snnkit.dynamics.membrane",
        "snnkit.dynamics.euler_decay",
        "snnkit.dynamics.exact_decay",
    ),
)
