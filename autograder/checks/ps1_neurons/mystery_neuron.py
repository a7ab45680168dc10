"""A neuron that answers only by spikes: its threshold, its decay and its reset from three experiments.

A case holds the recordings; the neuron's parameters are in none of them. Right is what the recordings tell.
"""

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

FIRST_PULSE = 1.6
STEADY_STEPS = 120


def identified(answer, recordings, wanted):
    """One of the three things that the answer reads from the recordings."""
    decay, threshold, reset = answer["identify"](recordings)
    if wanted != "reset is soft":
        return {wanted: {"decay": decay, "threshold": threshold}[wanted]}
    if reset not in ("soft", "hard"):
        raise ValueError(f"the reset must be 'soft' or 'hard'; got {reset!r}")
    return {wanted: reset == "soft"}


def fired(currents, decay, threshold, soft):
    """Spikes [T, K] of copies that start at 0."""
    v, spikes = np.zeros(currents.shape[1]), []
    for x in currents:
        charge = decay * v + x
        spikes.append((charge >= threshold).astype(np.float64))
        v = charge - spikes[-1] * threshold if soft else charge * (1 - spikes[-1])
    return np.array(spikes)


def record(decay, threshold, reset):
    """The three experiments on one neuron: ladders of currents [T, K], and its spikes [T, K]."""
    second = np.arange(-1.0, 1.5001, 0.01)
    experiments = {
        "pulse": np.arange(0.5, 1.5001, 0.005)[None],
        "steady": np.tile(np.arange(0.0, 0.6001, 0.002), (STEADY_STEPS, 1)),
        "after": np.stack([np.full_like(second, FIRST_PULSE), second]),
    }
    return {
        name: (currents, fired(currents, decay, threshold, reset == "soft"))
        for name, currents in experiments.items()
    }


def draw_neuron(rng, quickest=0.65):
    """Decay, threshold (away from 1) and reset of a neuron, none of them on a rung of a ladder."""
    threshold = rng.uniform(0.7, 0.9) if rng.random() < 0.5 else rng.uniform(1.1, 1.4)
    return float(rng.uniform(quickest, 0.95)), float(threshold), str(rng.choice(["soft", "hard"]))


def smallest(recordings, name):
    """The smallest current of the last step that makes a copy fire there."""
    currents, spikes = recordings[name]
    return currents[-1][spikes[-1] > 0].min()


def soft_near_miss(rng):
    """Recordings of a soft reset whose rungs make the potential after it look smaller than what exceeded the threshold."""
    while True:
        decay, threshold, _ = draw_neuron(rng)
        recorded = record(decay, threshold, "soft")
        pulse, again = smallest(recorded, "pulse"), smallest(recorded, "after")
        if pulse - again < decay * (FIRST_PULSE - pulse):
            return recorded


def cases(rng):
    neurons = [
        draw_neuron(rng, quickest) for quickest in (0.92, 0.65, 0.65)
    ]  # one needs nearly all of the steps
    resets = [reset for *_, reset in neurons]
    if len(set(resets)) == 1:  # both resets occur
        neurons[2] = (*neurons[2][:2], "hard" if resets[0] == "soft" else "soft")
    recorded = [record(*neuron) for neuron in neurons]
    for group, wanted in (("threshold", "threshold"), ("decay", "decay"), ("reset", "reset is soft")):
        for number, recordings in enumerate(recorded, start=1):
            yield Case(group, f"neuron {number}", call(identified, recordings=recordings, wanted=wanted))
    near_miss = soft_near_miss(rng)
    yield Case("reset", "neuron 4", call(identified, recordings=near_miss, wanted="reset is soft"))


def rung(recordings, name, steps=slice(None)):
    """The middle between the largest current that leaves the neuron silent and the smallest that makes it fire."""
    currents, spikes = recordings[name]
    loud = spikes[steps].any(0)
    return float(currents[-1][loud].min() + currents[-1][~loud].max()) / 2


def read(recordings):
    """Threshold, smallest steady current, and whether the reset is soft."""
    threshold, steady = rung(recordings, "pulse"), rung(recordings, "steady")
    rest = threshold - rung(recordings, "after", slice(1, None))
    kept = (1 - steady / threshold) * (FIRST_PULSE - threshold)
    return threshold, steady, abs(rest - kept) < abs(rest)


def told(found):
    """The array that a case asks for, from functions of what :func:`read` gives; KeyError where there is none."""
    return lambda asked: {asked["wanted"]: found[asked["wanted"]](*read(asked["recordings"]))}


QUESTION = Question(
    "ps1.mystery_neuron",
    "A mystery neuron",
    (
        Group("threshold", 1.0, "its threshold"),
        Group("decay", 1.5, "its decay"),
        Group("reset", 1.0, "its reset"),
    ),
    cases,
    ("identify",),
    values=told(
        {
            "threshold": lambda threshold, steady, soft: threshold,
            "decay": lambda threshold, steady, soft: 1 - steady / threshold,
            "reset is soft": lambda threshold, steady, soft: soft,
        }
    ),
    tensors=False,
    facts={
        "reset is soft": (
            'you called the reset "hard"; it is "soft"',
            'you called the reset "soft"; it is "hard"',
        )
    },
    within=Tolerance(
        0.0,
        0.01,
        "the currents of the ladders are 0.005 and 0.002 apart, which leaves threshold and decay open by about 0.005",
    ),
    slips=(
        Slip(
            "threshold_of_one",
            "This is 1 minus the smallest steady current that makes the neuron fire, which is the decay of a neuron whose "
            "threshold is 1. The potential approaches x / (1 - decay), and that must reach the threshold of this neuron.",
            gives=told({"decay": lambda threshold, steady, soft: 1 - steady}),
        ),
        Slip(
            "leak_for_decay",
            "This is 1 - decay, the share that is lost in a step. Asked for is the share that is kept.",
            gives=told({"decay": lambda threshold, steady, soft: steady / threshold}),
        ),
        Slip(
            "difference_for_quotient",
            "This is the threshold minus the smallest steady current. It is the quotient of the two that tells 1 - decay.",
            gives=told({"decay": lambda threshold, steady, soft: threshold - steady}),
        ),
        Slip(
            "threshold_from_steady_current",
            "This is the smallest steady current that makes the neuron fire. A steady current adds up over time: use the "
            "single pulse to find the threshold.",
            gives=told({"threshold": lambda threshold, steady, soft: steady}),
        ),
        Slip(
            "always_soft",
            "Every neuron is said to have the soft reset. The second current of `after` tells.",
            gives=told({"reset is soft": lambda threshold, steady, soft: True}),
        ),
        Slip(
            "always_hard",
            "Every neuron is said to have the hard reset. The second current of `after` tells.",
            gives=told({"reset is soft": lambda threshold, steady, soft: False}),
        ),
        Slip(
            "reset_turned",
            "Soft and hard are turned round. A neuron that kept its overshoot needs less of the second current.",
            gives=told({"reset is soft": lambda threshold, steady, soft: not soft}),
        ),
    ),
    hints=(
        "Take the experiments one by one, and write down for each what the neuron's equations say about the smallest "
        "current that makes it fire.",
        "`pulse`: the charge is the current itself, so the smallest is the threshold. `steady`: the potential approaches "
        "x / (1 - decay), so the smallest is (1 - decay) threshold. `after`: the neuron fires at once, is reset, and "
        "fires again if decay * rest + x >= threshold, where rest is 0 or what exceeded the threshold.",
        "`smallest = currents[-1][spikes.any(0)].min()` for `pulse` and `steady` (for `after` use `spikes[1]`). Then "
        "decay = 1 - steady / threshold, and rest = (threshold - after) / decay is near 0 for the hard reset and near "
        "1.6 - threshold for the soft one.",
    ),
    withheld=("snnkit.dynamics.lif_step", "snnkit.dynamics.simulate"),
)
