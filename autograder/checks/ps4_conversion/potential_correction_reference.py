"""Potential correction, to go on with."""


def potential_correction(activation, average, steps):
    """v(0) of each neuron."""
    return (activation - average).mean(0) * steps


def correct_potentials(layers, images, activations, steps):
    """Overwrite v(0) of each layer in place, each after the layers before it."""
    signal = images.expand(steps, *images.shape)
    for layer, wanted in zip(layers, activations, strict=True):
        layer.initial = 0.0
        layer.initial = potential_correction(wanted, layer.run(signal).mean(0), steps)
        signal = layer.run(signal)
