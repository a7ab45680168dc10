"""The exact three-way split."""

from functools import partial

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .neurons import even_count, quarters, run


def parts(
    currents,
    threshold,
    v0,
    *,
    bounded=True,
    start=True,
    divided=True,
    remainder=False,
    height=True,
    counts=False,
    turned=False,
    to_relu=False,
    no_relu=False,
):
    """Unevenness, quantisation and clipping, with the ways in which they go wrong."""
    steps = len(currents)
    spikes, potentials = run(currents, threshold, v0)
    count, z = spikes.sum(0), currents.mean(0)
    q = even_count(currents, threshold, (v0 if divided else v0 * threshold) if start else 0.0, bounded)
    unit = (threshold if height else 1.0) / steps
    clipped, relu = np.clip(z, 0, threshold), np.maximum(z, 0)
    uneven = (v0 - potentials[-1]) / steps if remainder else unit * (count - q) * (steps if counts else 1)
    sign = -1 if turned else 1
    return (
        sign * uneven,
        unit * q - (relu if to_relu else clipped),
        sign * (clipped - (z if no_relu else relu)),
    )


def cases(rng):
    given = [
        (f"T = 6, theta = {threshold:g}, v(0) = {v0:g}", quarters(rng, -2, 3, 6, 40), threshold, v0)
        for threshold, v0 in ((1.0, 0.5), (2.0, 0.0), (0.5, 0.25))
    ]
    orders = np.array([[2, -2, 2, -2, 2], [2, 2, 2, -2, -2], [-2, -2, 2, 2, 2]], "f4").T
    given += [
        ("T = 1", quarters(rng, -1, 3, 1, 12), 1.0, 0.5),
        ("a batch [2, 5], float64", quarters(rng, -2, 3, 5, 2, 5).astype(np.float64), 1.0, 0.0),
        ("constant currents", np.repeat(quarters(rng, -1, 2, 1, 12), 7, axis=0), 1.0, 0.5),
        ("the three orders", orders, 1.0, 0.0),
        ("no neurons", np.zeros((4, 0), np.float32), 1.0, 0.5),
    ]
    for place, part in enumerate(("unevenness", "quantisation", "clipping")):
        for label, *asked in given:
            yield Case(part, label, call("split_error", *asked).only(place, part))


QUESTION = Question(
    "ps5.split",
    "The exact three-way split",
    (
        Group("unevenness", 1.0, "what the order of the input does"),
        Group("quantisation", 1.0, "what whole spikes do"),
        Group("clipping", 1.0, "what at most T spikes do"),
    ),
    cases,
    {"split_error": parts},
    within=Tolerance(0.0001, 1e-05, "the currents are multiples of 1/4, so only the division by T rounds"),
    slips=(
        Slip(
            "q_not_bounded",
            "q is not kept between 0 and T: a neuron cannot send fewer than no spikes, nor more than one a "
            "step.",
            partial(parts, bounded=False),
        ),
        Slip(
            "start_forgotten",
            "The starting potential is missing in q: X = (v(0) + sum of the currents)/theta.",
            partial(parts, start=False),
        ),
        Slip(
            "start_not_divided",
            "v(0) is added behind the division by theta. It is a potential like the currents: X = (v(0) + sum of the "
            "currents)/theta.",
            partial(parts, divided=False),
        ),
        Slip(
            "remainder_for_unevenness",
            "This is the remainder (v(0) - v(T))/T of the balance of charge. It holds quantisation and "
            "unevenness together; a neuron with 0 <= v(T) < theta has a remainder and no unevenness.",
            partial(parts, remainder=True),
        ),
        Slip(
            "height_missing",
            "A spike has the height theta: the parts are multiples of theta/T, not of 1/T.",
            partial(parts, height=False),
        ),
        Slip(
            "spikes_for_average",
            "This counts spikes. Asked for is the error of the average: theta/T for each extra or missing "
            "spike.",
            partial(parts, counts=True),
        ),
        Slip(
            "turned",
            "The sign is turned. Extra spikes make the average too high (positive), clipping makes it too "
            "low.",
            partial(parts, turned=True),
        ),
        Slip(
            "clipping_in_quantisation",
            "Quantisation is measured against clip(z, 0, theta); against ReLU(z) it holds the clipping as "
            "well.",
            partial(parts, to_relu=True),
        ),
        Slip(
            "relu_forgotten",
            "Clipping is measured against ReLU(z): that negative z give 0 is no error.",
            partial(parts, no_relu=True),
        ),
    ),
    hints=(
        "You need three numbers for each neuron: N from `fire`, q from the total charge, and the mean "
        "current z. Each part is the difference of two neighbours in the chain theta N/T, theta q/T, "
        "clip(z, 0, theta), ReLU(z).",
        "X = (v(0) + sum of the currents)/theta, and q = clip(floor(X), 0, T).",
        "`count = fire(currents, threshold, v0)[0].sum(0)` and `q = torch.floor((v0 + currents.sum(0)) / "
        "threshold).clamp(0, steps)`; then `threshold / steps * (count - q)`, `threshold / steps * q - "
        "clipped` and `clipped - z.clamp(min=0)` with `clipped = z.clamp(0, threshold)`.",
    ),
    withheld=("snnkit.conversion.errors.split_errors", "snnkit.conversion.unevenness.expected_count"),
)
