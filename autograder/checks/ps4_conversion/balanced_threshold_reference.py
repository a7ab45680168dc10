"""Threshold balancing, to go on with."""

import torch


def balanced_threshold(batches, percent):
    """Percentile of all activations of a layer."""
    values = torch.cat([batch.reshape(-1) for batch in batches])
    return values.quantile(percent / 100)
