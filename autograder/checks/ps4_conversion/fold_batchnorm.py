"""BatchNorm folded into the layer before it."""

import numpy as np

import snnkit.conversion.folding
from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .norm_probe import folded_bias, folded_weight, left_alone


def by_library(norm):
    return snnkit.conversion.folding.batchnorm_affine(norm)[0]


def by_output(scale, weight):
    return scale.reshape(-1, *[1] * (weight.dim() - 1))


def by_input(scale, weight):
    return scale.reshape(1, -1, *[1] * (weight.dim() - 2))


def through(scale, before, norm):
    """A bias on its way through the norm."""
    return scale * (before - norm.running_mean) + norm.bias


def answer(scale=by_library, along=by_output, bias_of=through):
    """The right answer, and those that go wrong in one of their parts."""

    def folding(weight, bias, norm):
        factor = scale(norm)
        return weight * along(factor, weight), bias_of(factor, 0.0 if bias is None else bias, norm)

    return {"fold_batchnorm": folding}


def cases(rng):
    for label, shape, has_bias, dtype, eps, dead in (
        ("a convolution without bias", (6, 6, 3, 3), False, np.float32, 1e-5, False),
        ("a convolution with bias", (4, 4, 3, 3), True, np.float32, 1e-3, False),
        ("a linear layer", (5, 5), True, np.float32, 1e-5, False),
        ("a linear layer in float64", (3, 3), True, np.float64, 1e-2, False),
        ("a channel that never varied (var = 0)", (4, 4, 3, 3), True, np.float32, 1e-2, True),
    ):
        channels = shape[0]
        var = rng.uniform(0.2, 2.0, size=channels)
        var[:2] = rng.uniform(1, 3, size=2) * eps  # epsilon matters in two channels
        if dead:
            var[-1] = 0.0
        gamma = rng.uniform(0.5, 1.5, size=channels) * rng.choice([-1, 1], size=channels)
        asked = {
            "weight": rng.normal(size=shape).astype(dtype),
            "bias": rng.uniform(0.5, 1.5, size=channels).astype(dtype) if has_bias else None,
            "gamma": gamma.astype(dtype),
            "beta": rng.uniform(0.5, 1.5, size=channels).astype(dtype),
            "mean": rng.uniform(0.5, 1.5, size=channels).astype(dtype),
            "var": var.astype(dtype),
            "eps": eps,
        }
        for group, probe in (("weight", folded_weight), ("bias", folded_bias), ("unchanged", left_alone)):
            yield Case(group, label, call(probe, **asked))


def written_into(got, asked):
    found = got.get("weight you were given", asked["weight"])
    return not np.allclose(found, asked["weight"])


QUESTION = Question(
    "ps4.fold_batchnorm",
    "BatchNorm folded into the layer before it",
    (
        Group("weight", 0.75, "the folded weight"),
        Group("bias", 0.75, "the folded bias"),
        Group("unchanged", 0.5, "two results, and what was given is left as it is"),
    ),
    cases,
    answer(),
    facts={
        "norm.training": (
            "the norm was left in evaluation mode",
            "the norm is in training mode afterwards, so that the network's next run changes its statistics",
        ),
        "norm is what it was": (
            "a number of the norm is another than before, such as its momentum or epsilon",
            "the norm is what it was",
        ),
    },
    within=Tolerance(0.0001, 1e-06, "one float32 rounding per operation, a few operations deep"),
    slips=(
        Slip(
            "no_epsilon",
            "Epsilon is missing: the norm divides by sqrt(var + eps). Where the variance is small that is another "
            "number, and where it is 0 yours is infinite.",
            answer(lambda norm: norm.weight / norm.running_var.sqrt()),
        ),
        Slip(
            "variance_for_deviation",
            "This divides by the variance. The norm divides by its square root.",
            answer(lambda norm: norm.weight / (norm.running_var + norm.eps)),
        ),
        Slip(
            "gamma_missing",
            "gamma is missing: after dividing by the deviation the norm multiplies by `norm.weight`.",
            answer(lambda norm: 1 / (norm.running_var + norm.eps).sqrt()),
        ),
        Slip(
            "wrong_axis",
            "The weight is scaled along its inputs. gamma and var belong to the outputs, the first axis of the "
            "weight: view the factor as [C, 1] or [C, 1, 1, 1].",
            answer(along=by_input),
        ),
        Slip(
            "bias_of_layer_lost",
            "The layer's own bias is lost. It is scaled like the weight: scale (b - mean) + beta.",
            answer(bias_of=lambda scale, before, norm: through(scale, 0.0, norm)),
        ),
        Slip(
            "bias_of_layer_not_scaled",
            "The layer's own bias is added as it is. It goes through the norm too: scale (b - mean) + beta.",
            answer(bias_of=lambda scale, before, norm: before + through(scale, 0.0, norm)),
        ),
        Slip(
            "mean_not_scaled",
            "The mean is subtracted after scaling. The norm subtracts it first: scale (b - mean) + beta.",
            answer(bias_of=lambda scale, before, norm: scale * before - norm.running_mean + norm.bias),
        ),
        Slip(
            "mean_forgotten",
            "The mean is missing: the norm subtracts `norm.running_mean` before it scales.",
            answer(bias_of=lambda scale, before, norm: scale * before + norm.bias),
        ),
        Slip(
            "beta_missing",
            "beta is missing: the last thing that the norm does is to add `norm.bias`.",
            answer(bias_of=lambda scale, before, norm: scale * (before - norm.running_mean)),
        ),
        Slip(
            "no_bias_no_answer",
            "A convolution in front of a BatchNorm usually has no bias, and then `bias` is None. Take 0 in its place.",
            error=r"NoneType",
        ),
        Slip(
            "changed_in_place",
            "What you were given has changed. `weight *= ...` and `weight.mul_(...)` write into the trained network; "
            "compute a new tensor instead.",
            seen=written_into,
        ),
    ),
    hints=(
        "Write the norm as y = scale z + something, then put z = W x + b in. What multiplies x now, and what is "
        "left?",
        "scale = gamma / sqrt(var + eps), one number for each output channel. The weight becomes scale W, the "
        "bias scale (b - mean) + beta, with b = 0 where the layer has none.",
        "`scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)`; a weight of any number of axes is "
        "scaled by `weight * scale.reshape(-1, *[1] * (weight.dim() - 1))`.",
    ),
    withheld=("snnkit.conversion.folding.fold_batchnorm", "snnkit.conversion.folding.batchnorm_affine"),
)
