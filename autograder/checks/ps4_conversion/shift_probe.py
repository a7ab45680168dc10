"""Runs beside the student's code: shifted biases of the neurons and of the read-out, and the trained ones afterwards."""


def shifted(answer, biases, thresholds, steps):
    found = answer["shifted_biases"](biases, thresholds, steps)
    if len(found) != len(biases):
        raise ValueError(f"`shifted_biases` gave {len(found)} biases for {len(biases)} layers")
    return found


def of_neurons(answer, **asked):
    return {f"bias of layer {at}": bias for at, bias in enumerate(shifted(answer, **asked)[:-1], start=1)}


def of_readout(answer, **asked):
    return {"bias of the read-out": shifted(answer, **asked)[-1]}


def trained(answer, biases, thresholds, steps):
    """The trained network's biases, also after the shifted ones are changed further: they must not be the same tensors."""
    found = answer["shifted_biases"](biases, thresholds, steps)
    found[0][0] += 1.0
    return {f"trained network's bias {at}": bias for at, bias in enumerate(biases, start=1)}
