"""The class that spikes tell: by their number, and by who is first."""

import numpy as np
import torch

from autograder.question import Case, Group, Question, Slip, Tolerance, call
from snnkit import encoding


def highest(score):
    """The highest class of those that tie."""
    return score.shape[-1] - 1 - score.flip(-1).argmax(-1)


def last_spike(spikes):
    """Step of the last spike; infinity for none."""
    from_the_end = encoding.spikes_to_times(spikes.flip(0))
    return torch.where(torch.isinf(from_the_end), from_the_end, len(spikes) - 1 - from_the_end)


def decoders(when=encoding.spikes_to_times, choose=lambda score: score.argmax(-1), silent=-1):
    """Both functions; ``when`` tells the times of which the smallest wins."""

    def decoding(score):
        def decode(spikes):
            return torch.where((spikes > 0).any(0).any(-1), choose(score(spikes)), silent)

        return decode

    return {
        "rate_decode": decoding(encoding.spike_rate),
        "latency_decode": decoding(lambda spikes: -when(spikes)),
    }


def trains(rng, steps, rows, classes, kind):
    """Spikes without ties, in which one neuron of each row is silent and the first, the last and the busiest differ."""
    spikes = np.zeros((steps, rows, classes))
    for row in range(rows):
        first, last, busy, silent = rng.permutation(classes)[:4]
        start = int(rng.integers(0, 3))
        spikes[start, row, first] = 1
        spikes[start + 2 : start + 9, row, busy] = 1
        spikes[[start + 4, steps - 1], row, last] = 1
        spikes[start + 6, row, first] = 1
        spikes[[start + 3, start + 5, start + 8], row, first] = 1
        rest = [one for one in range(classes) if one not in (first, last, busy, silent)]
        spikes[start + 1, row, rest] = 1
    return spikes.astype(kind)


def cases(rng):
    ties = np.zeros((6, 4, 3), dtype=np.float32)
    ties[[1, 1], 0, [1, 2]] = 1.0
    ties[[2, 5, 2, 4], 1, [0, 0, 2, 2]] = 1.0
    ties[3, 2, :] = 1.0
    ties[0, 3, :] = 1.0
    nothing = np.zeros((5, 3, 4), dtype=np.float32)
    for code in ("rate", "latency"):
        name = f"{code}_decode"
        for kind in (np.float64, np.float32):
            yield Case(code, f"`{name}`, spikes [20, 12, 5]", call(name, trains(rng, 20, 12, 5, kind)))
        yield Case("ties", f"`{name}`, neurons that tie", call(name, ties), intact=True)
        quiet = trains(rng, 15, 6, 5, np.float32)
        quiet[:, [1, 2, 4]] = 0.0
        quiet[-1, 2, 4] = 1.0  # later than any other, and yet before those that never fire
        for label, spikes in (
            ("some rows without a spike", quiet),
            ("no spike at all", nothing),
            ("no rows", nothing[:, :0]),
        ):
            yield Case("silence", f"`{name}`, {label}", call(name, spikes), whole=spikes.size > 0)


QUESTION = Question(
    "ps1.decoding",
    "Reading the answer",
    (
        Group("rate", 0.5, "`rate_decode`: who fired most often"),
        Group("latency", 1.0, "`latency_decode`: who fired first"),
        Group("ties", 0.5, "the lowest class among those that tie"),
        Group("silence", 0.5, "-1 where no neuron fired"),
    ),
    cases,
    {"rate_decode": encoding.rate_decode, "latency_decode": encoding.latency_decode},
    right_in_torch=True,
    gives={"rate_decode": ("class",), "latency_decode": ("class",)},
    within=Tolerance(0.0, 1e-9, "classes are exact"),
    slips=(
        Slip(
            "silence_is_class_0",
            "A row without a spike is read as class 0: `argmax` of equal numbers is 0. No answer is no answer: -1.",
            decoders(silent=0),
        ),
        *(
            Slip(
                f"silence_is_class_0_in_{code}",
                f"`{code}_decode` reads a row without a spike as class 0: the index of the largest, or the smallest, of "
                "equal numbers is 0. No answer is no answer: -1.",
                {f"{code}_decode": decoders(silent=0)[f"{code}_decode"]},
            )
            for code in ("rate", "latency")
        ),
        Slip(
            "silent_wins",
            "A neuron that never fires is taken for the first to fire: `argmax` of a train without a spike is 0. Whoever "
            "never fires comes after all others.",
            decoders(when=lambda spikes: spikes.argmax(0), silent=0),
        ),
        Slip(
            "last_for_first",
            "This is the neuron whose spike comes last. Asked for is the one that fires first.",
            decoders(when=last_spike),
        ),
        Slip(
            "latest_for_first",
            "This is the neuron whose first spike comes latest. Asked for is the earliest.",
            decoders(when=lambda spikes: -encoding.spikes_to_times(spikes).nan_to_num(posinf=-1.0)),
        ),
        Slip(
            "count_for_latency",
            "`latency_decode` gives the neuron that fired most often. Time, not number, decides.",
            {"latency_decode": encoding.rate_decode},
        ),
        Slip(
            "highest_of_ties",
            "Among neurons that tie this takes the highest class. Asked for is the lowest.",
            decoders(choose=highest),
        ),
        Slip(
            "per_step",
            "This has an entry for each step. The whole train gives one class: sum or search over time, the first axis.",
            seen=lambda got, asked: got["class"].shape == asked["spikes"].shape[:2],
        ),
        Slip(
            "scores_for_class",
            "This is a number for each class. Asked for is the class itself: take its index, along the last axis.",
            seen=lambda got, asked: got["class"].shape == asked["spikes"].shape[1:],
        ),
    ),
    hints=(
        "Which number does each neuron get, its count or its first time, and which class wins? What number does a neuron "
        "get that never fires?",
        "Counts: `spikes.sum(0)`. First times: the index of the first 1 along time, and infinity (or the number of steps) "
        "for a neuron without a spike. Where a whole row is silent the answer is -1.",
        "`fired = (spikes > 0).any(0)`; `first = torch.where(fired, (spikes > 0).to(torch.uint8).argmax(0), len(spikes))`; "
        "`torch.where(fired.any(-1), first.argmin(-1), -1)`. `argmin` and `argmax` take the lowest index of equal numbers.",
    ),
    withheld=(
        "snnkit.encoding.rate_decode",
        "snnkit.encoding.latency_decode",
        "snnkit.encoding.spikes_to_times",
        "snnkit.losses.latency_steps",
    ),
)
