"""How often a surrogate passes nothing, and a triangle of fixed height, to go on with."""

import torch
from spikingjelly.activation_based.surrogate import SurrogateFunctionBase, heaviside


def zero_gradient_share(family, x):
    """Share of the elements of x at which the surrogate passes no gradient."""
    at = x.detach().clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(family(at).sum(), at)
    return float((slope == 0).double().mean())


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(x, width, peak):
        return heaviside(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.width, ctx.peak = inputs[1:]

    @staticmethod
    def backward(ctx, grad_output):
        inside = (ctx.width - ctx.saved_tensors[0].abs()).clamp(min=0) / ctx.width
        return ctx.peak * inside * grad_output, None, None


class FixedPeak(SurrogateFunctionBase):
    """The step forward, a triangle of given width and height backward."""

    def __init__(self, width=1.0, peak=1.0, spiking=True):
        super().__init__(width=width, peak=peak, spiking=spiking)

    @staticmethod
    def spiking_function(x, width, peak):
        return _Spike.apply(x, width, peak)
