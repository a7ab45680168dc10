"""A network of two layers and its rates, to go on with."""

from spikingjelly.activation_based import functional, neuron
from torch import nn


def two_layer_snn(inputs, hidden, classes, surrogate):
    """Linear, neurons, linear, neurons, on frames [T, N, ...]."""
    settings = {"v_threshold": 1.0, "v_reset": None, "detach_reset": True, "step_mode": "m"}
    first, second = (
        neuron.LIFNode(2.0, decay_input=False, surrogate_function=surrogate, **settings) for _ in range(2)
    )
    into, out = nn.Linear(inputs, hidden, bias=False), nn.Linear(hidden, classes, bias=False)
    return nn.Sequential(nn.Flatten(start_dim=2), into, first, out, second)


def firing_rates(network, frames):
    """Mean over time of the output spikes [N, classes], starting from potential 0."""
    functional.reset_net(network)
    return network(frames).mean(dim=0)
