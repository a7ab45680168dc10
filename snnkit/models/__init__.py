"""Networks of the course."""

from __future__ import annotations

from snnkit.models.small import (
    FiringRate,
    LogCounts,
    MeanOverTime,
    small_cnn,
    small_spiking_cnn,
    two_layer_event_snn,
    two_layer_snn,
)

__all__ = [
    "FiringRate",
    "LogCounts",
    "MeanOverTime",
    "small_cnn",
    "small_spiking_cnn",
    "two_layer_event_snn",
    "two_layer_snn",
]
