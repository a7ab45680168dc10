"""The bias shift, to go on with."""


def shifted_biases(biases, thresholds, steps):
    """Biases of the spiking network, each shifted by half of what flooring loses at most."""
    shifts = [threshold / steps / 2 for threshold in thresholds]
    return [*(bias + shift for bias, shift in zip(biases, shifts, strict=False)), biases[-1].clone()]
