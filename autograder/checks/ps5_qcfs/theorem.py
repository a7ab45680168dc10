"""The theorem as a function."""

import math
from functools import partial

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .neurons import quarters, run


def verdicts(answer, count, v_end, threshold, steps):
    """Name (as its place in the list) and number of spikes for each pair of count and potential."""
    names = ("even", "silent", "saturated", "extra", "missing")  # in the order of NAMES
    cases, numbers = [], []
    for n, v in zip(count.tolist(), v_end.tolist(), strict=True):
        name, number = answer["verdict"](n, v, threshold, steps)
        if name not in names:
            raise ValueError(f"the case is called {name!r}; expected one of {', '.join(names)}")
        cases.append(names.index(name))
        numbers.append(float(number))
    return {"case": cases, "excess": numbers}


NAMES = ("even", "silent", "saturated", "extra", "missing")
EVEN, SILENT, SATURATED, EXTRA, MISSING = range(5)


def values(
    asked,
    *,
    closed=False,
    converse=False,
    capped=True,
    floored=False,
    unit=False,
    turned=False,
    single=False,
):
    """Case and excess of each pair, with the ways in which the theorem is misread."""
    cases, numbers = [], []
    steps, threshold = asked["steps"], 1.0 if unit else asked["threshold"]
    for count, v in zip(asked["count"].tolist(), asked["v_end"].tolist(), strict=True):
        above = v > threshold if closed else v >= threshold
        if v < 0 and (count > 0 or converse):
            number = math.floor(-v / threshold) if floored else math.ceil(-v / threshold)
            number = min(count, number) if capped else number
            cases.append(EXTRA)
            numbers.append(1 if single else number)
        elif above and (count < steps or converse):
            number = math.floor(v / threshold)
            number = min(steps - count, number) if capped else number
            cases.append(MISSING)
            numbers.append((1 if single else number) * (1 if turned else -1))
        else:
            cases.append(SILENT if v < 0 else SATURATED if above else EVEN)
            numbers.append(0)
    return {"case": np.array(cases), "excess": np.array(numbers)}


def cases(rng):
    def case(group, label, count, v_end, threshold, steps):
        pairs = {"count": np.asarray(count, dtype=np.int64), "v_end": np.asarray(v_end, dtype=np.float64)}
        asked = call(verdicts, **pairs, threshold=threshold, steps=steps)
        return Case(group, f"{label}, theta = {threshold:g}, T = {steps}", asked)

    for threshold, steps in ((1.0, 5), (2.0, 8), (0.5, 3)):
        currents = quarters(rng, -4 * threshold, 5 * threshold, steps, 60)
        currents[0] += (
            1 / 8
        )  # so that no potential ends on a multiple of the threshold: that is another group
        spikes, potentials = run(currents, threshold, threshold / 2)
        count, v_end = spikes.sum(0).astype(int), potentials[-1]
        wrong = (v_end < 0) & (count > 0) | (v_end >= threshold) & (count < steps)
        for group, chosen in (("errors", wrong), ("harmless", ~wrong)):
            yield case(group, "neurons that ran", count[chosen], v_end[chosen], threshold, steps)
    count = [2, 2, 4, 3, 1, 2, 0, 1, 4, 0, 0, 3, 4]
    ends = np.array([0, 1, 1, 2, 3, -1, -1, -2.5, 0, 0, 1, -2, 5])
    for threshold in (1.0, 2.0):
        label = "potentials on a multiple of the threshold"
        yield case("edges", label, count, ends * threshold, threshold, 4)


QUESTION = Question(
    "ps5.theorem",
    "The theorem as a function",
    (
        Group("errors", 1.0, "neurons with extra or missing spikes"),
        Group("harmless", 1.0, "neurons without an error, inside the interval and outside"),
        Group("edges", 1.0, "final potentials exactly at 0, at the threshold and at its multiples"),
    ),
    cases,
    ("verdict",),
    values,
    words={"case": NAMES},
    tensors=False,
    within=Tolerance(0.0, 1e-09, "names and whole numbers"),
    slips=(
        Slip(
            "closed_interval",
            "This takes the interval for closed, [0, theta]. A neuron that ends exactly at its threshold "
            "misses a spike, unless it fired at every step: the interval is [0, theta).",
            gives=partial(values, closed=True),
        ),
        Slip(
            "converse",
            "Every potential outside the interval is called an error here. A neuron that never fired has "
            "nothing to take back, and one that fired at every step had no room for more.",
            gives=partial(values, converse=True),
        ),
        Slip(
            "not_capped",
            "There cannot be more extra spikes than were sent, nor more missing ones than steps without a "
            "spike: take the smaller of the two.",
            gives=partial(values, capped=False),
        ),
        Slip(
            "floor_for_ceil",
            "Extra spikes are rounded up: half a threshold below 0 is one spike too many.",
            gives=partial(values, floored=True),
        ),
        Slip(
            "threshold_forgotten",
            "The potential is measured in units of 1 here. It has to be compared with, and divided by, the "
            "threshold.",
            gives=partial(values, unit=True),
        ),
        Slip(
            "missing_positive",
            "N - q is negative where spikes are missing.",
            gives=partial(values, turned=True),
        ),
        Slip(
            "always_one",
            "The error can be more than one spike: its number is read from how far the potential lies "
            "outside.",
            gives=partial(values, single=True),
        ),
        Slip("unknown_name", "The case is one of the five words, as a string.", error=r"the case is called"),
    ),
    hints=(
        "Ask three questions in turn: is v(T) below 0, is it at or above the threshold, or in between? "
        "In the first two, one value of N makes the difference between an error and none.",
        "Below 0: silent for N = 0, otherwise min(N, ceil(-v(T)/theta)) extra spikes. At or above theta: "
        "saturated for N = T, otherwise min(T - N, floor(v(T)/theta)) missing spikes, counted as "
        "negative.",
        '`if v_end < 0: return ("extra", min(count, math.ceil(-v_end / threshold))) if count else '
        '("silent", 0)`, and the mirror image for `v_end >= threshold`; everything else is even.',
    ),
    withheld=("snnkit.conversion.unevenness.classify", "snnkit.conversion.unevenness.classify_one"),
)
