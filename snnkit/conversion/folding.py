"""BatchNorm in evaluation mode is affine, so it is folded into the layer in front of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Affine", "BatchNorm", "ConversionError", "WithWeight", "batchnorm_affine", "fold_batchnorm"]


class ConversionError(ValueError):
    """A part of the network that cannot become spiking; the message names it and says what to do."""


class Affine(nn.Module):
    """y = scale x + bias per channel: a BatchNorm in evaluation mode that no layer in front can take up.

    Args:
        scale: [C].
        bias: [C].
    """

    def __init__(self, scale: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Apply to [N, C, ...]."""
        shape = (1, -1, *[1] * (x.dim() - 2))
        return torch.addcmul(self.bias.view(shape), x, self.scale.view(shape))

    def extra_repr(self) -> str:
        return f"channels={self.scale.numel()}"


BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
WithWeight = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


def batchnorm_affine(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """Scale and bias [C] of a BatchNorm in evaluation mode: gamma / sqrt(var + eps), beta - mean scale.

    Raises:
        ConversionError: If it keeps no running statistics.

    Source: Ioffe & Szegedy, ICML 2015, algorithm 2.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ConversionError(
            "a BatchNorm without running statistics depends on the batch; set track_running_stats=True"
        )
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.detach().double()
    bias = -norm.running_mean.double() * scale
    if norm.bias is not None:
        bias = bias + norm.bias.detach().double()
    return scale, bias


def fold_batchnorm(layer: WithWeight, norm: BatchNorm) -> None:
    r"""Fold a BatchNorm that follows ``layer`` into its weight and bias, in place.

    :math:`\bar W = \frac{\gamma}{\sqrt{\mathrm{var}+\epsilon}} W`,
    :math:`\bar b = \frac{\gamma}{\sqrt{\mathrm{var}+\epsilon}} (b - \mu) + \beta`.

    Source: Rueckauer et al., Front. Neurosci. 2017, eq. (7), with epsilon.
    """
    scale, bias = batchnorm_affine(norm)
    if layer.weight.shape[0] != scale.numel():
        raise ConversionError(
            f"a BatchNorm of {scale.numel()} channels follows a layer with {layer.weight.shape[0]} outputs"
        )
    weight = layer.weight.detach().double() * scale.view(-1, *[1] * (layer.weight.dim() - 1))
    if layer.bias is not None:
        bias = bias + scale * layer.bias.detach().double()
    dtype = layer.weight.dtype
    layer.weight = nn.Parameter(weight.to(dtype))
    layer.bias = nn.Parameter(bias.to(dtype))
