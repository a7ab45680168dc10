"""The network of the problem set, trained; and what a network converted from it says, run on plain arrays."""

from functools import cache

import numpy as np
import torch
from torch.nn import functional

from snnkit import datasets

STRIDES = (1, 2, 2)


@cache
def trained(seed):
    """Its tensors, 256 calibration images, and the largest activations of each block [C]."""
    images, labels = datasets.digits("train").tensors()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = []
        for inputs, outputs, stride in zip((1, 8, 16), (8, 16, 16), STRIDES, strict=True):
            convolution = torch.nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
            parts += [convolution, torch.nn.BatchNorm2d(outputs), torch.nn.ReLU()]
        model = torch.nn.Sequential(*parts, torch.nn.Flatten(), torch.nn.Linear(64, 10))
        optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
        with torch.enable_grad():
            for _ in range(6):
                for chosen in torch.split(torch.randperm(len(labels)), 64):
                    loss = functional.cross_entropy(model(images[chosen]), labels[chosen])
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
    model.eval()
    blocks, largest, signal = [], [], images[:256]
    with torch.no_grad():
        for index, stride in enumerate(STRIDES):
            layer, norm = model[3 * index], model[3 * index + 1]
            signal = functional.relu(norm(layer(signal)))
            largest.append(signal.amax(dim=(0, 2, 3)).numpy().copy())
            statistics = {
                key: value.numpy().copy() for key, value in norm.state_dict().items() if value.dim()
            }
            weight = layer.state_dict()["weight"].numpy().copy()
            blocks.append({"weight": weight, "norm": statistics, "stride": stride})
        readout = [parameter.numpy().copy() for parameter in model[10].parameters()]
    return {"images": images[:256].numpy().copy(), "blocks": blocks, "readout": readout, "largest": largest}


def spiking_accuracy(layers, readout, steps):
    """Share of the test digits that a converted network names.

    Raises:
        ValueError: a tensor has a shape that does not fit.
    """
    images, labels = datasets.digits("test").tensors()
    signal = images.double().expand(steps, *images.shape)
    try:
        for index, stride in enumerate(STRIDES, start=1):
            weight, bias, theta, v = (
                torch.from_numpy(layers[f"{key} {index}"].astype(np.float64))
                for key in ("weight", "bias", "threshold", "initial")
            )
            if theta.dim() == 1:
                theta = theta.reshape(-1, 1, 1)
            outputs = []
            for x in signal:
                charge = v + functional.conv2d(x, weight, bias, stride, padding=1)
                output = theta * (charge >= theta)
                v = charge - output
                outputs.append(output)
            signal = torch.stack(outputs)
    except (RuntimeError, KeyError) as error:
        raise ValueError(str(error).split("\n")[0]) from error
    average = signal.mean(0).flatten(1).numpy()
    weight, bias = readout
    logits = average @ weight.T.astype(np.float64) + bias
    return float((logits.argmax(axis=1) == labels.numpy()).mean())
