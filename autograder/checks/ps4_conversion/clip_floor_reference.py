"""The clip-floor relation, to go on with."""


def clip_floor(z, threshold, steps, initial=0.0):
    """Average output of a neuron under a constant current z."""
    spikes = ((steps * z + initial) / threshold).floor().clamp(min=0, max=steps)
    return spikes * threshold / steps
