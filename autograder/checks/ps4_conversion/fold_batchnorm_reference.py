"""Folding a BatchNorm, to go on with."""


def fold_batchnorm(weight, bias, norm):
    """Weight and bias of one layer that does what the layer and the norm after it do."""
    gain = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
    shift = norm.bias.detach() - gain * norm.running_mean
    folded = weight.detach() * gain.reshape(len(gain), *[1] * (weight.dim() - 1))
    return folded, shift if bias is None else shift + gain * bias.detach()
