"""Bias correction, to go on with."""


def bias_correction(activation, average):
    """What to add to the bias of each channel."""
    return (activation - average).transpose(0, 1).flatten(1).mean(1)


def correct_biases(layers, images, activations, steps):
    """Correct the bias of each layer in place, each after the layers before it."""
    signal = images.expand(steps, *images.shape)
    for layer, wanted in zip(layers, activations, strict=True):
        layer.bias = layer.bias + bias_correction(wanted, layer.run(signal).mean(0))
        signal = layer.run(signal)
