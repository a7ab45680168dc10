"""Bias correction: the mean error of each channel, and layer after layer."""

import numpy as np

import snnkit.conversion
from autograder.judging import apart
from autograder.question import Group, Question, Slip, Tolerance, call

from . import layers


def by_library(error):
    return layers.corrected_by(snnkit.conversion.BiasCorrection(), error)


def answer(correction=by_library, sequential=True, add=True, fed_on=False):
    """Both functions, with the ways in which they can go wrong."""

    def of_layer(activation, average):
        return correction(activation - average)

    def of_layers(spiking, images, activations, steps):
        inputs = images.expand(steps, *images.shape)
        for layer, activation in zip(spiking, activations, strict=True):
            before = layer.run(inputs)
            error = of_layer(activation, before.mean(0))
            layer.bias = layer.bias + error if add else error
            inputs = layer.run(inputs) if sequential else before
            if fed_on:
                inputs = activation.expand(steps, *activation.shape)

    return {"bias_correction": of_layer, "correct_biases": of_layers}


def cases(rng):
    yield from layers.formula_cases(rng, lambda a, average, steps: call("bias_correction", a, average))
    wrong = answer(sequential=False), answer(fed_on=True)
    yield from layers.layer_cases(rng, "correct_biases", "bias", lambda case: apart(QUESTION, case, *wrong))


def over_space(error):
    return error.mean(dim=tuple(range(2, error.dim()))) if error.dim() > 2 else error


def other_axes(got, asked):
    """Whether one axis other than the channels' was kept, or a pair of axes in its place."""
    error = asked["activation"].astype(np.float64) - asked["average"]
    for kept in ((0,), (2,), (3,), (0, 1), (1, 2), (1, 3), (2, 3)):
        if max(kept) < error.ndim:
            wrong = error.mean(axis=tuple(a for a in range(error.ndim) if a not in kept))
            if wrong.shape == got["correction"].shape and np.allclose(wrong, got["correction"], 1e-4, 1e-6):
                return True
    return False


QUESTION = Question(
    "ps4.bias_correction",
    "Bias correction",
    (
        Group("formula", 1.0, "`bias_correction`: the mean error of each channel"),
        Group("layers", 1.0, "`correct_biases`: layer after layer"),
    ),
    cases,
    answer(),
    right_in_torch=True,
    gives={"bias_correction": ("correction",)},
    within=Tolerance(0.0001, 1e-06, "one float32 rounding per operation, a few operations deep"),
    slips=(
        Slip(
            "axes_used_up",
            "After the first `.mean(0)` the remaining axes have moved up, so a later `.mean(3)` finds none. Give all "
            "axes at once: `.mean(dim=(0, 2, 3))`; for [N, C] only the first is there.",
            error=r"Dimension out of range|out of bounds for array",
        ),
        Slip(
            "sign_turned",
            "The sign is turned. Where the spiking layer transmits too little, e = activation - average is positive "
            "and has to be added.",
            answer(lambda error: -layers.per_channel(error)),
        ),
        Slip(
            "batch_only",
            "There is one number for every neuron. A channel has one bias for all its places: average over the "
            "images and over space.",
            answer(lambda error: error.mean(0)),
        ),
        Slip(
            "space_only",
            "There is one number for every image. The bias cannot depend on the image: average over the images as "
            "well.",
            answer(over_space),
        ),
        Slip(
            "one_number",
            "This is one number for the whole layer. Each channel has its own mean error.",
            answer(lambda error: error.mean()),
        ),
        Slip(
            "wrong_axes",
            "The average is over the wrong axes. The channels are axis 1, and that one is kept.",
            seen=other_axes,
        ),
        Slip(
            "not_sequential",
            "Every layer is measured with the spikes of the uncorrected layers before it. Run a layer again once it "
            "is corrected, and hand its spikes to the next: a later layer then mends what the earlier ones still do "
            "wrong.",
            answer(sequential=False),
        ),
        Slip(
            "activations_handed_on",
            "The next layer is measured on the trained network's activations. It will receive spikes: hand on what the "
            "corrected layer sends.",
            answer(fed_on=True),
        ),
        Slip(
            "bias_overwritten",
            "The bias is replaced by the correction. The correction is added to it.",
            answer(add=False),
        ),
    ),
    hints=(
        "One bias serves all images and all places of a channel. Over what, then, do you average? And which "
        "spikes does the second layer see once the first is corrected?",
        "mu_c is the mean of `activation - average` over every axis but 1. In the loop: measure, correct, run "
        "again, and hand the new spikes on.",
        "`error.mean(dim=[axis for axis in range(error.dim()) if axis != 1])`; in the loop `layer.bias = "
        "layer.bias + bias_correction(activation, layer.run(inputs).mean(0))`, then `inputs = layer.run(inputs)`.",
    ),
    withheld=(
        "snnkit.conversion.calibration.BiasCorrection",
        "snnkit.conversion.calibration.calibrate",
        "snnkit.conversion.layerwise.Layer",
    ),
)
