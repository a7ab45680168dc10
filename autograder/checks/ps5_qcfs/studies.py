"""Case studies of the student's own: spike trains that make a neuron do what their name says."""

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .neurons import even_count, run

WEIGHTS, STEPS, START = (2.0, -1.5), 8, 0.5
ORDERS = {"even": 0, "two extra": 2, "two missing": -2}


def trains_of(answer, names):
    """Spike trains of the studies that a case is about."""
    absent = [name for name in names if name not in answer["studies"]]
    if absent:
        raise ValueError(f"`studies` has no entry {absent[0]!r}")
    return {name: answer["studies"][name] for name in names}


def ran(trains, v0=START):
    """Count, final potential and excess of the neuron of the studies."""
    currents = np.asarray(WEIGHTS) @ trains.astype(np.float64)
    spikes, potentials = run(currents, 1.0, v0)
    count = int(spikes.sum())
    return count, float(potentials[-1]), count - int(even_count(currents, 1.0, v0))


def is_trains(trains):
    return trains.shape == (2, STEPS) and bool(np.isin(trains, (0, 1)).all())


def form(got):
    for name, trains in got.items():
        if trains.shape != (2, STEPS):
            return f"{name!r} has shape {list(trains.shape)}; expected [2, {STEPS}], one train for each input"
        if not is_trains(trains):
            return f"{name!r} holds something else than zeros and ones"
    return None


def judge_orders(got, asked):
    if problem := form(got):
        return problem
    for name, wanted in ORDERS.items():
        count, v_end, excess = ran(got[name])
        if excess != wanted:
            return (
                f"{name!r} sends {count} spikes and ends at v(T) = {v_end:g}, so N - q is {excess}; "
                f"expected {wanted}"
            )
    numbers = {name: tuple(int(n) for n in trains.sum(1)) for name, trains in got.items()}
    if len(set(numbers.values())) > 1:
        return f"the inputs fire {numbers} times; the three studies may differ in the order only"
    if min(numbers["even"]) == 0:
        return "one of the inputs never fires, so there is no order to change"
    return None


def judge_threshold(got, asked):
    if problem := form(got):
        return problem
    count, v_end, excess = ran(got["at threshold"])
    if v_end != 1.0:
        return f"'at threshold' ends at v(T) = {v_end:g}; expected exactly 1"
    return f"'at threshold' sends {count} spikes and misses none" if excess >= 0 else None


def judge_harmless(got, asked):
    if problem := form(got):
        return problem
    count, v_end, excess = ran(got["harmless"])
    if 0 <= v_end < 1:
        return f"'harmless' ends at v(T) = {v_end:g}, inside the interval"
    if excess != 0:
        return f"'harmless' sends {count} spikes and ends at {v_end:g}: N - q is {excess}; expected 0"
    if got["harmless"].sum(1).min() == 0:
        return "in 'harmless' one of the inputs never fires; let both fire"
    return None


def as_named(name, trains, v0):
    """Whether a study does what its name says, for another start."""
    _, v_end, excess = ran(trains, v0)
    if name == "at threshold":
        return v_end == 1.0 and excess < 0
    if name == "harmless":
        return excess == 0 and not 0 <= v_end < 1
    return excess == ORDERS[name]


def all_as_named(got, v0):
    """Whether every study does what its name says, for a given start."""
    return all(is_trains(trains) and as_named(name, trains, v0) for name, trains in got.items())


def exchanged(got, asked):
    extra, missing = got["two extra"], got["two missing"]
    return is_trains(extra) and is_trains(missing) and ran(extra)[2] < 0 < ran(missing)[2]


def other_rates(got, asked):
    return (
        "two extra" in got
        and all_as_named(got, START)
        and len({tuple(trains.sum(1)) for trains in got.values()}) > 1
    )


QUESTION = Question(
    "ps5.studies",
    "Case studies of your own",
    (
        Group(
            "orders",
            1.5,
            "the same inputs in three orders: exact, two spikes too many, two too few",
            judge=judge_orders,
        ),
        Group("threshold", 0.75, "a spike missing at v(T) = theta exactly", judge=judge_threshold),
        Group("harmless", 0.75, "v(T) outside the interval, and no error", judge=judge_harmless),
    ),
    lambda rng: [
        Case("orders", "your studies", call(trains_of, names=list(ORDERS))),
        Case("threshold", "your study", call(trains_of, names=["at threshold"])),
        Case("harmless", "your study", call(trains_of, names=["harmless"])),
    ],
    ("studies",),
    tensors=False,
    within=Tolerance(0.0, 0.0, "weights, threshold and start are multiples of 1/2: the simulation is exact"),
    slips=(
        Slip(
            "started_at_zero",
            "With v(0) = 0 these trains would do what is asked. The neuron of this question starts at "
            "theta/2.",
            seen=lambda got, asked: all_as_named(got, 0.0) and not all_as_named(got, START),
        ),
        Slip(
            "turned",
            "Extra and missing are exchanged. Excitation before inhibition gives extra spikes, inhibition "
            "first gives missing ones.",
            seen=exchanged,
        ),
        Slip(
            "other_rates",
            "The three studies have other numbers of input spikes. Then a part of the difference is not the "
            "order: move spikes in time, and neither add nor remove any.",
            seen=other_rates,
        ),
        Slip(
            "above_for_at",
            "v(T) lies above the threshold here. The question asks for the edge of the interval, which the "
            "half-open bracket of [0, theta) is about.",
            seen=lambda got, asked: is_trains(got["at threshold"]) and ran(got["at threshold"])[1] > 1,
        ),
        Slip(
            "signed_input",
            "An input spike is 0 or 1; that it inhibits is the sign of its weight.",
            seen=lambda got, asked: any((trains < 0).any() for trains in got.values()),
        ),
    ),
    hints=(
        "Start from the three orders of the chapter: in turn, excitation first, inhibition first. What "
        "makes the count run ahead of the charge, and what makes it fall behind?",
        "Four spikes of the first input and three of the second leave room for all three orders. For a "
        "spike missing at the threshold, add up the charge: 1/2 + 2a - 1.5b - N must be 1. For a "
        "harmless one, think of N = 0.",
        "Search: draw random orders with `torch.randperm(8)`, run `fire` and `verdict`, and keep what "
        "you are looking for. All 2^16 pairs of trains can be tried in a few seconds, too.",
    ),
)
