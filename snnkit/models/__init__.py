"""Networks of the course."""

from __future__ import annotations

from snnkit.models.resnet import load_weights, normalise, resnet20
from snnkit.models.small import (
    FiringRate,
    LogCounts,
    MeanOverTime,
    small_cnn,
    small_spiking_cnn,
    two_layer_event_snn,
    two_layer_snn,
)
from snnkit.models.trained import ModelCard, pretrained, pretrained_card, pretrained_names
from snnkit.models.wideresnet import wide_resnet

__all__ = [
    "FiringRate",
    "LogCounts",
    "MeanOverTime",
    "ModelCard",
    "load_weights",
    "normalise",
    "pretrained",
    "pretrained_card",
    "pretrained_names",
    "resnet20",
    "small_cnn",
    "small_spiking_cnn",
    "two_layer_event_snn",
    "two_layer_snn",
    "wide_resnet",
]
