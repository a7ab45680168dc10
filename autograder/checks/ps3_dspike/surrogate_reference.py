"""Dspike as a surrogate of SpikingJelly, to go on with."""

import math

import torch
from spikingjelly.activation_based.surrogate import SurrogateFunctionBase, heaviside


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(x, b):
        return heaviside(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.b = inputs[1]

    @staticmethod
    def backward(ctx, grad_output):
        x = ctx.saved_tensors[0]
        slope = ctx.b / (2 * math.tanh(ctx.b / 2)) * (1 - torch.tanh(ctx.b * x).square())
        return torch.where(x.abs() <= 0.5, grad_output * slope, 0.0), None


class Dspike(SurrogateFunctionBase):
    """The step forward, the slope of Dspike backward."""

    def __init__(self, b=3.0, spiking=True):
        super().__init__(b=b, spiking=spiking)

    @staticmethod
    def spiking_function(x, b):
        return _Spike.apply(x, b)

    @staticmethod
    def primitive_function(x, b):
        return 0.5 + torch.tanh(b * x.clamp(-0.5, 0.5)) / (2 * math.tanh(b / 2))
