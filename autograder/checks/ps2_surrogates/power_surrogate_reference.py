"""P(x) as a surrogate of SpikingJelly, to go on with."""

import torch
from spikingjelly.activation_based.surrogate import SurrogateFunctionBase, heaviside


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(x, alpha, floor):
        return heaviside(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.alpha, ctx.floor = inputs[1:]

    @staticmethod
    def backward(ctx, grad_output):
        size = ctx.saved_tensors[0].abs()
        slope = 0.5 * ctx.alpha * torch.clamp(size, min=ctx.floor).pow(ctx.alpha - 1)
        return torch.where(size <= 1, grad_output * slope, 0.0), None, None


class Power(SurrogateFunctionBase):
    """The step forward, the floored slope of P backward."""

    def __init__(self, alpha=0.5, floor=0.01, spiking=True):
        super().__init__(alpha=alpha, floor=floor, spiking=spiking)

    @staticmethod
    def spiking_function(x, alpha, floor):
        return _Spike.apply(x, alpha, floor)

    @staticmethod
    def primitive_function(x, alpha, floor):
        return 0.5 + 0.5 * x.sign() * x.abs().clamp(max=1).pow(alpha)
