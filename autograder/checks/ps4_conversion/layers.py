"""What the questions on corrections share: their cases, and the library's corrections of an error that was measured."""

import numpy as np

from autograder.question import Case, call

from .dyadic import dyadic
from .layers_probe import corrected


class Measured:
    """What a correction of the library asks of a layer with this error [N, C, ...], and what it sets."""

    neuron = readout = True

    def __init__(self, error, steps):
        self.error, self.steps = error, steps

    def mean_error(self):
        return self.error.mean(0)

    def set_initial(self, value):
        self.correction = value

    add_bias = set_initial


def corrected_by(rule, error, steps=1):
    layer = Measured(error, steps)
    rule.correct(layer)
    return layer.correction


def per_channel(error):
    return error.mean(dim=[axis for axis in range(error.dim()) if axis != 1])


def formula_cases(rng, formula):
    """``formula(activation, average, steps)`` gives the call."""
    for label, shape, steps, dtype in (
        ("[6, 3, 4, 5]", (6, 3, 4, 5), 8, np.float32),
        ("[3, 3, 3, 3], float64", (3, 3, 3, 3), 4, np.float64),
        ("[7, 4], a linear layer", (7, 4), 16, np.float32),
        ("one image [1, 2, 3, 3]", (1, 2, 3, 3), 2, np.float32),
    ):
        activation = rng.uniform(0, 2, size=shape).astype(dtype)
        asked = formula(activation, rng.uniform(0, 1, size=shape).astype(dtype), steps)
        yield Case("formula", label, asked, intact=True)


def layer_cases(rng, correct, keeps, tells):
    """Three layers each, drawn again until ``tells(case)``: the right way and the wrong ones differ there."""
    for steps in (4, 8):
        for _ in range(50):
            weights = [dyadic(rng, -6, 10, shape) for shape in ((3, 2), (3, 3), (2, 3))]
            asked = {
                "correct": correct,
                "keeps": keeps,
                "steps": steps,
                "images": dyadic(rng, 0, 8, (4, 2, 2, 2)),
                "weights": weights,
                "biases": [dyadic(rng, -2, 4, (len(weight),)) for weight in weights],
                "thresholds": [dyadic(rng, 8, 16, (len(weight),)) for weight in weights],
                "activations": [dyadic(rng, 0, 12, (4, len(weight), 2, 2)) for weight in weights],
            }
            case = Case("layers", f"three layers, T = {steps}", call(corrected, **asked))
            if tells(case):
                break
        yield case
