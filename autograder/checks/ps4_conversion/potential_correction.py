"""Potential correction: T times the mean error of each neuron, and layer after layer."""

import snnkit.conversion
from autograder.judging import apart
from autograder.question import Group, Question, Slip, Tolerance, call

from . import layers

WAYS = ("sequential", "rerun", "overwrite", "from_zero", "spikes_on")


def by_library(error, steps):
    return layers.corrected_by(snnkit.conversion.PotentialCorrection(), error, steps)


def no_steps(error, steps):
    return error.mean(0)


def answer(
    correction=by_library, sequential=True, rerun=True, overwrite=True, from_zero=True, spikes_on=True
):
    """Both functions, with the ways in which they can go wrong."""

    def of_layer(activation, average, steps):
        return correction(activation - average, steps)

    def of_layers(spiking, images, activations, steps):
        inputs = plain = images.expand(steps, *images.shape)
        for layer, activation in zip(spiking, activations, strict=True):
            start, uncorrected = layer.initial, layer.run(plain)
            layer.initial = 0.0 if from_zero else start
            before = layer.run(inputs if sequential else plain)
            error = of_layer(activation, before.mean(0), steps)
            layer.initial = error if overwrite else start + error
            inputs, plain = layer.run(inputs) if rerun else before, uncorrected
            if not spikes_on:
                inputs = activation.expand(steps, *activation.shape)

    return {"potential_correction": of_layer, "correct_potentials": of_layers}


def cases(rng):
    yield from layers.formula_cases(rng, lambda *asked: call("potential_correction", *asked))
    wrong = [*(answer(**{way: False}) for way in WAYS), answer(no_steps)]
    yield from layers.layer_cases(
        rng, "correct_potentials", "initial", lambda case: apart(QUESTION, case, *wrong)
    )


QUESTION = Question(
    "ps4.potential_correction",
    "Potential correction",
    (
        Group("formula", 1.0, "`potential_correction`: T times the mean error of each neuron"),
        Group("layers", 1.0, "`correct_potentials`: layer after layer"),
    ),
    cases,
    answer(),
    right_in_torch=True,
    gives={"potential_correction": ("correction",)},
    within=Tolerance(0.0001, 1e-06, "one float32 rounding per operation, a few operations deep"),
    slips=(
        Slip(
            "sign_turned",
            "The sign is turned. Where the spiking layer transmits too little, e = activation - average is positive "
            "and has to be added.",
            answer(lambda error, steps: -steps * no_steps(error, steps)),
        ),
        Slip(
            "no_steps",
            "The factor T is missing. v(0) enters the average as v(0) / T, so it takes T times the error to mend it.",
            answer(no_steps),
        ),
        Slip(
            "one_per_channel",
            "There is one number for each channel. Every neuron has its own potential: average over the images only.",
            answer(lambda error, steps: steps * layers.per_channel(error)),
        ),
        Slip(
            "one_per_channel_no_steps",
            "This is the bias correction. The potential takes T times the error, and there is one for every neuron.",
            answer(lambda error, steps: layers.per_channel(error)),
        ),
        Slip(
            "one_per_image",
            "The potential depends on the image. At test time the image is another one: average over the images.",
            answer(lambda error, steps: steps * error),
        ),
        Slip(
            "added_not_overwritten",
            "The correction is added to the old v(0). Measured from v(0) = 0 it is the whole of it: overwrite.",
            answer(overwrite=False),
        ),
        Slip(
            "measured_from_old_start",
            "The error is measured with the old v(0) and then the old v(0) is overwritten, so that what it had put "
            "right is lost. Set `layer.initial = 0.0` before you measure.",
            answer(from_zero=False),
        ),
        Slip(
            "added_to_old_start",
            "The error is measured with the old v(0) and added to it. Asked for is to measure with v(0) = 0 and to "
            "overwrite.",
            answer(from_zero=False, overwrite=False),
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
            answer(spikes_on=False),
        ),
        Slip(
            "old_spikes_handed_on",
            "The next layer gets the spikes from before the correction. Run the layer again after you have changed "
            "it.",
            answer(rerun=False),
        ),
    ),
    hints=(
        "How does v(0) appear in the average output after T steps? By how much must it be raised to raise the "
        "average by e? And how many potentials does a layer have?",
        "v(0) is T times the mean of `activation - average` over axis 0. In the loop: set the old start to 0, "
        "measure, overwrite, run again, hand on.",
        "`steps * (activation - average).mean(0)`; in the loop `layer.initial = 0.0`, then `layer.initial = "
        "potential_correction(activation, layer.run(inputs).mean(0), steps)`, then `inputs = layer.run(inputs)`.",
    ),
    withheld=(
        "snnkit.conversion.calibration.PotentialCorrection",
        "snnkit.conversion.calibration.calibrate",
        "snnkit.conversion.layerwise.Layer",
    ),
)
