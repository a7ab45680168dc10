"""Runs beside the student's code: three small layers, and what remains of them after a correction."""

import torch


class Layer:
    """A pointwise convolution and neurons with soft reset."""

    def __init__(self, weight, bias, threshold):
        self.weight, self.bias, self.threshold = weight, bias, threshold
        self.initial = threshold.reshape(-1, 1, 1) / 2

    def run(self, inputs):
        theta, v, outputs = self.threshold.reshape(-1, 1, 1), self.initial, []
        for x in inputs:
            charge = v + torch.einsum("oi,nihw->nohw", self.weight, x) + torch.reshape(self.bias, (-1, 1, 1))
            output = theta * (charge >= theta)
            v = charge - output
            outputs.append(output)
        return torch.stack(outputs)


def corrected(answer, correct, keeps, weights, biases, thresholds, images, activations, steps):
    """Three layers in a row, corrected by a function of the answer: their biases or initial potentials."""
    layers = [Layer(*values) for values in zip(weights, biases, thresholds, strict=True)]
    answer[correct](layers, images, activations, steps)
    return {f"layer {at}": getattr(layer, keeps) for at, layer in enumerate(layers, start=1)}
