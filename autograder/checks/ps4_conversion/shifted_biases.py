"""The bias shift."""

import numpy as np

import snnkit.conversion
from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .shift_probe import of_neurons, of_readout, trained


def by_library(theta, steps):
    neuron = snnkit.conversion.SpikingActivation(theta)
    snnkit.conversion.BiasShift(steps).apply(neuron)
    return neuron.shift


def half_of_first(thresholds, steps):
    return [thresholds[0][0] / (2 * steps) for _ in thresholds]


def answer(shift=by_library, shifts=None, readout=False):
    """The right answer, and those that go wrong in one of their parts."""

    def raised(biases, thresholds, steps):
        added = shifts(thresholds, steps) if shifts else [shift(theta, steps) for theta in thresholds]
        *hidden, last = biases
        return [*map(sum, zip(hidden, added, strict=True)), last + added[-1] if readout else last]

    return {"shifted_biases": raised}


def cases(rng):
    for label, sizes, steps, dtype in (
        ("three layers of neurons, T = 4", (3, 3, 3, 3), 4, np.float32),
        ("one layer of neurons, T = 16", (5, 5), 16, np.float32),
        ("two layers of neurons, T = 1, float64", (4, 4, 4), 1, np.float64),
    ):
        asked = {
            "biases": [rng.normal(size=size).astype(dtype) for size in sizes],
            "thresholds": [rng.uniform(0.5, 4, size=size).astype(dtype) for size in sizes[:-1]],
            "steps": steps,
        }
        for group, probe in (("shift", of_neurons), ("readout", of_readout), ("ann", trained)):
            yield Case(group, label, call(probe, **asked))


QUESTION = Question(
    "ps4.shifted_biases",
    "The bias shift",
    (
        Group("shift", 1.0, "the layers of neurons are shifted by half a level"),
        Group("readout", 0.5, "the read-out is not shifted"),
        Group("ann", 0.5, "the trained network keeps its biases"),
    ),
    cases,
    answer(),
    within=Tolerance(0.0001, 1e-06, "one float32 rounding per operation, a few operations deep"),
    slips=(
        Slip(
            "both_networks",
            "The trained network's biases have changed as well: a shift in both networks moves them together, and "
            "the loss between them stays. Make new tensors (`bias + shift`, not `bias += shift`) for the spiking "
            "network.",
            seen=lambda got, asked: any(key.startswith("trained") for key in got),
        ),
        Slip(
            "whole_level",
            "This is what you get when the bias is raised by threshold / T. Flooring loses half a level on average, "
            "so the shift is threshold / (2 T).",
            answer(lambda theta, steps: theta / steps),
        ),
        Slip(
            "initial_for_shift",
            "This adds threshold / 2 in every step. That is the charge of the whole run: a step gets its T-th part.",
            answer(lambda theta, steps: theta / 2),
        ),
        Slip(
            "lowered",
            "The biases are lowered. Flooring loses charge, so the neurons need more.",
            answer(lambda theta, steps: -theta / (2 * steps)),
        ),
        Slip(
            "one_threshold_for_all",
            "Every layer is shifted by the threshold of the first. Each layer and channel has its own.",
            answer(shifts=half_of_first),
        ),
        Slip(
            "readout_shifted",
            "The read-out is shifted too. It has no neurons, so nothing is floored there.",
            answer(readout=True),
        ),
        Slip(
            "readout_dropped",
            "The list is shorter than the list of biases. The read-out's bias belongs to it, unshifted.",
            error=r"gave \d+ biases for \d+ layers",
        ),
    ),
    hints=(
        "One bin of the staircase is threshold / T wide. How much does flooring lose in it at most, and how much "
        "on average?",
        "Each layer of neurons gets threshold / (2 T) more; the last bias has no threshold and stays.",
        "`[bias + threshold / (2 * steps) for bias, threshold in zip(biases[:-1], thresholds)]`, and a copy of "
        "the last bias behind it.",
    ),
    withheld=("snnkit.conversion.neuron.BiasShift",),
)
