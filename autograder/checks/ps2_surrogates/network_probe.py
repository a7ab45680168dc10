"""Runs beside the student's code: the two-layer network with given weights."""

import torch
from spikingjelly.activation_based import surrogate


def built(answer, first, second, alpha):
    """The network with these weights and without biases, and its weight matrices."""
    hidden, inputs = first.shape
    classes = len(second)
    network = answer["two_layer_snn"](inputs, hidden, classes, surrogate.ATan(alpha=alpha))
    matrices = [parameter for parameter in network.parameters() if parameter.dim() == 2]
    shapes = [list(matrix.shape) for matrix in matrices]
    if shapes != [[hidden, inputs], [classes, hidden]]:
        raise ValueError(
            f"the network's weight matrices have shapes {shapes}; expected "
            f"[{hidden}, {inputs}] (hidden, inputs) and [{classes}, {hidden}] (classes, hidden)"
        )
    with torch.no_grad():
        for matrix, values in zip(matrices, (first, second), strict=True):
            matrix.copy_(values)
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.zero_()
    return network, matrices


def rates(answer, first, second, alpha, frames):
    """Firing rates of one batch, and whether two networks start with the same weights."""
    starts = [
        answer["two_layer_snn"](first.shape[1], len(first), len(second), surrogate.ATan()) for _ in range(2)
    ]
    weights = [torch.cat([one.detach().flatten() for one in start.parameters()]) for start in starts]
    network, _ = built(answer, first, second, alpha)
    return {
        "parameters": len(list(network.parameters())),
        "rates": answer["firing_rates"](network, frames),
        "two networks start alike": torch.equal(*weights),
    }


def again(answer, first, second, alpha, frames, other):
    """Firing rates of a batch, of another one, of the first once more, and after the network was run without them."""
    network, _ = built(answer, first, second, alpha)
    found = {
        "first call": answer["firing_rates"](network, frames),
        "other batch": answer["firing_rates"](network, other),
        "again": answer["firing_rates"](network, frames),
    }
    with torch.no_grad():
        network(frames)
    return found | {"after a run": answer["firing_rates"](network, other)}


def gradients(answer, first, second, alpha, frames, weighting):
    """Gradients of the weights."""
    network, matrices = built(answer, first, second, alpha)
    loss = (answer["firing_rates"](network, frames) * weighting).sum()
    of_first, of_second = torch.autograd.grad(loss, matrices)
    return {"gradient of the first layer": of_first, "gradient of the second layer": of_second}
