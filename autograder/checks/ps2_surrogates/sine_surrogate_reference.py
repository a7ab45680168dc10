"""S(x) as a surrogate of SpikingJelly, to go on with."""

import math

import torch
from spikingjelly.activation_based.surrogate import SurrogateFunctionBase, heaviside


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(x, alpha):
        return heaviside(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.rate, ctx.alpha = math.pi / (2 * inputs[1]), inputs[1]

    @staticmethod
    def backward(ctx, grad_output):
        x = ctx.saved_tensors[0]
        slope = ctx.rate / 2 * torch.cos(ctx.rate * x)
        return torch.where(x.abs() <= ctx.alpha, grad_output * slope, 0.0), None


class Sine(SurrogateFunctionBase):
    """The step forward, the slope of S backward."""

    def __init__(self, alpha=1.0, spiking=True):
        super().__init__(alpha=alpha, spiking=spiking)

    @staticmethod
    def spiking_function(x, alpha):
        return _Spike.apply(x, alpha)

    @staticmethod
    def primitive_function(x, alpha):
        return 0.5 + 0.5 * torch.sin(math.pi / 2 * (x / alpha).clamp(-1, 1))
