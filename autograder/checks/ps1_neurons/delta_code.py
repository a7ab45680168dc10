"""The delta code: changes as ON and OFF spikes, and the level that they tell."""

import numpy as np
import torch

from autograder.question import Case, Group, Question, Slip, Tolerance, call
from snnkit import encoding

from .inputs import grid


def encode_by_library(signal, threshold):
    return encoding.delta_encode(signal, threshold=threshold)


def decode_by_library(on, off, threshold, start):
    return encoding.delta_decode(encoding.OnOff(on, off), threshold=threshold, start=start)


def encoder(
    *,
    told=lambda level, sample, move: level + move,
    spikes=lambda gap, threshold: (gap >= threshold).to(gap.dtype),
    start=lambda first: first,
    turned=False,
):
    """A code with the ways in which it can go wrong; ``told`` is the level after a step, ``start`` the one before all."""

    def encode(signal, threshold):
        level, both = start(signal[0]), []
        for sample in signal:
            on, off = spikes(sample - level, threshold), spikes(level - sample, threshold)
            level = told(level, sample, threshold * (on - off))
            both.append((off, on) if turned else (on, off))
        return tuple(torch.stack(one) for one in zip(*both, strict=True))

    return {"delta_encode": encode}


def decoder(level):
    return {"delta_decode": level}


def cases(rng):
    def encoded(group, label, signal, threshold, kind=np.float64):
        made = call("delta_encode", signal.astype(kind), threshold)
        in_form = group == "edges"
        return Case(group, f"{label}, threshold {threshold:g}", made, keeps_dtype=in_form, intact=in_form)

    for threshold, kind in ((0.25, np.float64), (0.5, np.float32)):
        moves = grid(rng, -threshold, threshold, (40, 3))
        drift = np.concatenate([np.full((20, 1), threshold / 8), np.full((20, 1), -threshold / 4)])
        signal = grid(rng, -1, 1, (1, 4)) + np.concatenate([moves, drift], 1).cumsum(0)
        yield encoded("gentle", "gentle signals [40, 4]", signal, threshold, kind)
    jump = np.full((16, 2), 0.125)
    jump[:6, 0] += 0.1875 * np.arange(6)  # a drift, which adds up to one threshold
    jump[6:, 0], jump[6:, 1] = 3.1875, -1.3125
    yield encoded("jump", "a jump of several thresholds", jump, 0.5)
    moves = np.concatenate([grid(rng, -2, 2, (1, 3)) + 1 / 128, grid(rng, -2, 2, (19, 3))])
    yield encoded("jump", "large moves in every step", moves, 0.25)
    at_threshold = np.array([1.0, 1.5, 1.5, 1.0, 0.5, 1.0, 1.5, 2.0 - 2.0**-20])
    yield encoded("edges", "moves of exactly one threshold", at_threshold, 0.5)
    yield encoded("edges", "a constant that is not 0", np.full((6, 2), 3.0), 0.5)
    yield encoded("edges", "one step", np.array([[2.0, -1.0]]), 0.5)
    yield encoded("edges", "no pixels", np.zeros((5, 0)), 0.5)
    for label, shape, threshold in (("codes [15, 3]", (15, 3), 0.25), ("one code [9]", (9,), 0.5)):
        kinds = rng.integers(-1, 2, shape)
        on, off = (kinds > 0).astype(np.float64), (kinds < 0).astype(np.float64)
        start = np.asarray(grid(rng, 1, 2, shape[1:]))
        yield Case("decode", label, call("delta_decode", on, off, threshold, start), intact=True)


QUESTION = Question(
    "ps1.delta_code",
    "The delta code",
    (
        Group("gentle", 1.0, "`delta_encode` follows a gentle signal"),
        Group("jump", 0.5, "`delta_encode` after a jump: one spike in each step"),
        Group("edges", 0.5, "`delta_encode` exactly at the threshold, at rest, one step"),
        Group("decode", 0.5, "`delta_decode`: the level from the spikes"),
    ),
    cases,
    {"delta_encode": encode_by_library, "delta_decode": decode_by_library},
    right_in_torch=True,
    gives={"delta_encode": ("on", "off"), "delta_decode": ("level",)},
    within=Tolerance(0.0, 1e-9, "spikes, and sums of multiples of powers of two, are exact"),
    slips=(
        Slip(
            "against_first",
            "This compares with the first sample all the time. Compare with the level that has been told so far: it moves "
            "by one threshold with each spike.",
            encoder(told=lambda level, sample, move: level),
        ),
        Slip(
            "against_previous",
            "This compares each sample with the one before, and slow changes never add up to a spike. Compare with the "
            "level that has been told so far.",
            encoder(told=lambda level, sample, move: sample),
        ),
        Slip(
            "level_set_to_sample",
            "After a spike the level is set to the sample. The receiver cannot know the sample; it knows that the level "
            "moved by one threshold.",
            encoder(told=lambda level, sample, move: torch.where(move != 0, sample, level)),
        ),
        Slip(
            "strict_threshold",
            "A signal exactly one threshold away from the level sends a spike: `>=` and `<=`.",
            encoder(spikes=lambda gap, threshold: (gap > threshold).to(gap.dtype)),
        ),
        Slip(
            "on_and_off_swapped",
            "ON and OFF are swapped: ON says that the signal has risen.",
            encoder(turned=True),
        ),
        Slip(
            "many_in_a_step",
            "After a jump this sends several spikes in one step. A neuron sends at most one, and is late for a while.",
            encoder(spikes=lambda gap, threshold: (gap / threshold).floor().clamp(min=0)),
        ),
        Slip(
            "level_starts_at_zero",
            "The level starts at 0. It starts at the first sample, which the receiver is given.",
            encoder(start=torch.zeros_like),
        ),
        Slip(
            "start_forgotten",
            "The level starts at `start`, which is missing here.",
            decoder(lambda on, off, threshold, start: threshold * (on - off).cumsum(0)),
        ),
        Slip(
            "threshold_forgotten",
            "Each spike moves the level by 1 here. It moves it by one threshold.",
            decoder(lambda on, off, threshold, start: start + (on - off).cumsum(0)),
        ),
        Slip(
            "off_raises",
            "An OFF spike raises the level here. It lowers it.",
            decoder(lambda on, off, threshold, start: start + threshold * (on + off).cumsum(0)),
        ),
        Slip(
            "one_step_late",
            "The level is one step late: a spike moves it in its own step.",
            decoder(
                lambda on, off, threshold, start: start + threshold * ((on - off).cumsum(0) - (on - off))
            ),
        ),
    ),
    hints=(
        "Which level does the receiver believe in before the step, and what does a spike change about it?",
        "Start with `level = signal[0]`. In each step: rose = signal - level >= threshold, fell = level - signal >= "
        "threshold, then the level moves by threshold * (rose - fell).",
        "`rose = (sample - level >= threshold).to(signal.dtype)`, `fell` alike, `level = level + threshold * (rose - fell)`, "
        "append both and stack them. Decode: `start + threshold * (on - off).cumsum(0)`.",
    ),
    withheld=("snnkit.encoding.delta_encode", "snnkit.encoding.delta_decode"),
)
