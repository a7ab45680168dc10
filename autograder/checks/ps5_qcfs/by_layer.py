"""Unevenness, layer by layer."""

from itertools import pairwise

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .layers_probe import excess, shares
from .neurons import even_count, run


def network(
    weights,
    biases,
    clips,
    images,
    steps,
    *,
    height=True,
    start=0.5,
    total=False,
    averages=False,
    bias_once=False,
    turned=False,
    bounded=True,
    trained=False,
):
    """Mean logits and N - q of each hidden layer, with the ways in which a run goes wrong."""
    weights, biases = ([np.asarray(one, dtype=np.float64) for one in many] for many in (weights, biases))
    signal = np.repeat(np.asarray(images, dtype=np.float64)[None], steps, axis=0)
    smooth, times = signal, np.ones((steps, 1, 1))
    if bias_once:
        times[1:] = 0
    found = []
    for weight, bias, clip in zip(weights[:-1], biases[:-1], clips, strict=True):
        currents = signal @ weight.T + times * bias
        spikes, _ = run(currents, clip, start * clip)
        if averages:
            spikes = np.repeat(spikes.mean(0, keepdims=True), steps, axis=0)
        q = even_count(smooth @ weight.T + bias if trained else currents, clip, start * clip, bounded)
        smooth = np.repeat(q[None] * clip / steps, steps, axis=0)
        more = spikes.sum(0) - q
        found.append(-more if turned else more)
        signal = spikes * (clip if height else 1.0)
    logits = signal @ weights[-1].T + times * biases[-1]
    return logits.sum(0) if total else logits.mean(0), found


def row(one, among, mean, extra_only):
    wrong, more = int((one != 0).sum()), int((one > 0).sum())
    uneven = np.abs(one).mean() if mean else (more if extra_only else wrong) / one.size
    return uneven, more / (max(wrong, 1) if among else one.size)


def rows(excess, *, among=True, mean=False, extra_only=False):
    """The two shares of each layer, with the ways in which they go wrong."""
    return [row(np.asarray(one), among, mean, extra_only) for one in excess]


def running(**ways):
    """An answer whose run goes wrong in some way."""
    return {"run_spiking": lambda *asked: network(*asked, **ways)}


def sharing(**ways):
    """An answer whose shares go wrong in some way."""
    return {"uneven_shares": lambda excess: rows(excess, **ways)}


def telling(asked):
    """Whether each layer behind the first is uneven in both directions, so that deeper ones differ from the trained."""
    _, found = network(*asked)
    _, smooth = network(*asked, trained=True)
    return all((one > 0).sum() > 2 and (one < 0).sum() > 2 for one in found[1:]) and all(
        (one != other).any() for one, other in zip(found[2:], smooth[2:], strict=True)
    )


def drawn(rng, steps, samples, sizes, clips):
    """Arguments of a run."""
    pairs = list(pairwise(sizes))
    while True:
        images = rng.integers(0, 5, (samples, sizes[0])).astype(np.float32) / 4
        weights = [rng.integers(-6, 8, (out, width)).astype(np.float32) / 8 for width, out in pairs]
        biases = [rng.integers(-2, 3, out).astype(np.float32) / 4 for _, out in pairs]
        asked = weights, biases, clips, images, steps
        if steps == 1 or not samples or telling(asked):
            return asked


def cases(rng):
    for steps, samples, sizes, clips in (
        (4, 12, (8, 12, 12, 12, 5), [1.0, 2.0, 0.5]),
        (8, 10, (8, 10, 10, 4), [2.0, 1.0]),
        (1, 3, (6, 8, 8, 3), [0.5, 2.0]),
        (5, 4, (6, 8, 3), [4.0]),
        (3, 0, (6, 8, 3), [1.0]),
    ):
        label = f"T = {steps}, N = {samples}, {len(clips)} hidden layers"
        asked = drawn(rng, steps, samples, sizes, clips)
        names = "weights", "biases", "clips", "images", "steps"
        yield Case("logits", label, call("run_spiking", *asked).only(0, "logits"))
        yield Case("excess", label, call(excess, **dict(zip(names, asked, strict=True))))
    some = [rng.integers(-2, 4, (7, 9)), rng.integers(-1, 3, (7, 4)), np.zeros((7, 5), int)]
    one = [np.eye(3, dtype=int) * np.array([2, 0, 0]), -np.eye(1, 5, dtype=int)]
    for label, given in (
        ("three layers", some),
        ("one layer", [rng.integers(-3, 2, (4, 6))]),
        ("one uneven neuron in each layer", one),
    ):
        yield Case("shares", label, call(shares, excess=[array.astype(np.int64) for array in given]))


QUESTION = Question(
    "ps5.by_layer",
    "Unevenness, layer by layer",
    (
        Group("logits", 1.0, "the spiking network's logits"),
        Group("excess", 1.0, "extra and missing spikes of each neuron"),
        Group("shares", 1.0, "share of uneven neurons, and of extra spikes among them"),
    ),
    cases,
    {"run_spiking": network, "uneven_shares": rows},
    within=Tolerance(0.0001, 1e-05, "all numbers are multiples of powers of two; only the means round"),
    slips=(
        Slip(
            "averages_passed_on",
            "Each layer is handed the averages of the one before, spread evenly over time: that is the "
            "network without unevenness. Hand on the spikes of each step.",
            running(averages=True),
        ),
        Slip(
            "height_missing",
            "The spikes have lost their height: layer l transmits spikes of height theta.",
            running(height=False),
        ),
        Slip(
            "start_at_zero",
            "The neurons start at 0. A converted QCFS layer starts at half of its threshold.",
            running(start=0.0),
        ),
        Slip(
            "bias_once",
            "The bias is a current of every step, not of the first alone.",
            running(bias_once=True),
        ),
        Slip(
            "logits_summed",
            "These logits are sums over the steps. Take their mean, so that runs of different length compare.",
            running(total=True),
        ),
        Slip(
            "excess_turned", "The sign is turned: N - q is positive for extra spikes.", running(turned=True)
        ),
        Slip(
            "q_of_trained_network",
            "q is that of the trained network, whose layers hand on what flooring leaves. Asked for is q of the "
            "charge that the neuron did receive: an error of an earlier layer is not counted again.",
            running(trained=True),
        ),
        Slip("q_not_bounded", "q is not kept between 0 and T.", running(bounded=False)),
        Slip(
            "extra_of_all",
            "The second share is the part of all neurons that have extra spikes. Asked for is their part "
            "among the uneven ones (0 where none is uneven).",
            sharing(among=False),
        ),
        Slip(
            "size_for_share",
            "The first share is the mean size of the error. Count neurons: those with an excess other than 0.",
            sharing(mean=True),
        ),
        Slip(
            "missing_overlooked",
            "The first share counts neurons with extra spikes only. Missing spikes are unevenness too.",
            sharing(extra_only=True),
        ),
    ),
    hints=(
        "The signal has a time axis from the start: the image, repeated T times. Each layer turns "
        "currents [T, N, in] into spikes [T, N, out] with `fire`, and what it hands on has the height of "
        "its threshold.",
        "`currents = signal @ weight.T + bias` works on all steps at once. N - q comes from the count "
        "and q = clip(floor((v(0) + sum of the currents)/theta), 0, T). The last layer has no neurons: "
        "average its currents over the steps.",
        "`signal = images.expand(steps, *images.shape)`; for each hidden layer `spikes, _ = "
        "fire(currents, clip, clip / 2)` and `signal = clip * spikes`; at the end `(signal @ "
        "weights[-1].T + biases[-1]).mean(0)`. Shares: `wrong = (excess != 0).sum()`, then `wrong / "
        "excess.numel()` and `(excess > 0).sum() / max(wrong, 1)`.",
    ),
    withheld=("snnkit.conversion.monitor.record", "snnkit.conversion.errors.measure_errors"),
)
