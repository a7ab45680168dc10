"""Layers to calibrate, and where Adam leads their weights."""

import numpy as np

STEPS, RATE = 200, 0.01
FINE = 64.0
"""Threshold of the layer with fine steps."""


def staircase(z, threshold, steps, initial, whole=np.floor):
    charge = (steps * z.astype(np.float64) + initial) / threshold
    return threshold / steps * np.clip(whole(charge), 0, steps)


def average(layer, asked):
    """What the neurons of a layer transmit, in double precision."""
    current = asked["inputs"].astype(np.float64) @ layer["weight"].T + layer["bias"]
    return staircase(current, asked["threshold"], asked["steps"], asked["initial"])


def error_of(output, asked):
    return float(((output - asked["activation"]) ** 2).mean())


def course(asked, *, steps=STEPS, rate=RATE, start=True, whole=np.floor):
    """Weight and bias after each step of Adam on the squared error, with ways to go wrong."""
    inputs, wanted = (asked[name].astype(np.float64) for name in ("inputs", "activation"))
    threshold, count, initial = asked["threshold"], asked["steps"], asked["initial"] if start else 0.0
    values = [asked["weight"].astype(np.float64), asked["bias"].astype(np.float64)]
    means, squares = ([np.zeros_like(one) for one in values] for _ in range(2))
    for step in range(1, steps + 1):
        charge = whole((count * (inputs @ values[0].T + values[1]) + initial) / threshold)
        error = threshold / count * np.clip(charge, 0, count) - wanted
        slope = 2 * error / error.size * ((charge >= 0) & (charge <= count))
        for at, gradient in enumerate((slope.T @ inputs, slope.sum(0))):
            means[at] = 0.9 * means[at] + 0.1 * gradient
            squares[at] = 0.999 * squares[at] + 0.001 * gradient**2
            size = np.sqrt(squares[at] / (1 - 0.999**step)) + 1e-8
            values[at] = values[at] - rate * means[at] / (1 - 0.9**step) / size
        yield {"weight": values[0], "bias": values[1]}


def led(asked, **ways):
    """Where it leads in the end."""
    *_, last = course(asked, **ways)
    return last


def far(layer, other):
    """Largest difference of two layers."""
    return max(float(np.abs(layer[key] - other[key]).max()) for key in ("weight", "bias"))


def coarse_layer(rng, initial):
    """A layer whose inputs are floored, and too small by another share in each channel.

    Drawn again until half of the steps reach the bar of the question, and steps of a tenth of the size do not.
    """
    threshold, level = 2.0, 0.25
    while True:
        exact = np.maximum(rng.normal(0.5, 0.6, size=(128, 12)), 0)
        weight = np.abs(rng.normal(0, 0.35, size=(6, 12))) * rng.choice([-1, 1, 1], size=(6, 12))
        bias = rng.uniform(0.2, 0.5, size=6)
        layer = {
            "weight": weight,
            "bias": bias,
            "inputs": level * np.floor(exact / level) * rng.uniform(0.3, 1.0, size=12),
            "activation": np.clip(exact @ weight.T + bias, 0, threshold),
        }
        arrays = {key: value.astype(np.float32) for key, value in layer.items()}
        asked = {**arrays, "threshold": threshold, "steps": 4, "initial": initial}
        half, slow = led(asked, steps=STEPS // 2), led(asked, rate=RATE / 10)
        if error_of(average(half, asked), asked) < 0.045 and error_of(average(slow, asked), asked) > 0.055:
            return asked


def fine_layer(rng):
    """A layer of fine steps, far from what is wanted, whose neurons are nowhere clipped.

    No rounding turns Adam aside there, and each of its steps is seen.
    """
    size = np.exp(rng.normal(0, 0.5, size=(80, 1))).clip(0.3, 1.5)
    inputs = rng.integers(0, 9, (80, 5)) / 4 * size
    weight, bias = rng.uniform(0.5, 1.5, (3, 5)), rng.uniform(1, 3, 3)
    wanted = inputs @ (weight + rng.uniform(0, 6, (3, 5))).T + bias + rng.uniform(4, 8, 3)
    layer = {"weight": weight, "bias": bias, "inputs": inputs, "activation": np.clip(wanted, 0, 60)}
    arrays = {key: value.astype(np.float32) for key, value in layer.items()}
    return {**arrays, "threshold": FINE, "steps": 64, "initial": 8 * FINE}
