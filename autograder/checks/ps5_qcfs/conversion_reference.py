"""From QCFS to a neuron, to go on with."""

import torch


def spiking_parameters(clip):
    """Threshold and v(0) of the neuron that a QCFS activation becomes."""
    return clip, 0.5 * clip


def converted_average(z, clip, steps):
    """Average output of the converted neuron under the constant current z."""
    count = torch.floor(steps * z / clip + 0.5).clamp(min=0, max=steps)
    return clip * count / steps


def mean_error(levels, steps, half):
    """Mean of neuron minus activation over z uniform on [0, clip], in units of the clip."""
    return 0.0 if half else (1 / levels - 1 / steps) / 2
