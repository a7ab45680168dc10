"""Runs beside the student's code: a BatchNorm and the layer in front of it, folded."""

import torch


def folded(answer, weight, bias, gamma, beta, mean, var, eps):
    """What the answer makes of the two, and the norm afterwards."""
    kind = torch.nn.BatchNorm2d if weight.dim() == 4 else torch.nn.BatchNorm1d
    norm = kind(len(weight), eps=eps).to(weight.dtype).eval()
    state = {"weight": gamma, "bias": beta, "running_mean": mean, "running_var": var}
    norm.load_state_dict(state, strict=False)
    return answer["fold_batchnorm"](weight, bias, norm), norm


def folded_weight(answer, **asked):
    return {"weight": folded(answer, **asked)[0][0]}


def folded_bias(answer, **asked):
    return {"bias": folded(answer, **asked)[0][1]}


def left_alone(answer, weight, **asked):
    """What became of what was given, and how many results there are."""
    found, norm = folded(answer, weight, **asked)
    given = {"weight you were given": weight, "norm.weight": norm.weight, "norm.bias": norm.bias}
    same = norm.eps == asked["eps"] and norm.momentum == 0.1
    return {
        **given,
        "number of results": len(found),
        "norm.training": norm.training,
        "norm is what it was": same,
    }
