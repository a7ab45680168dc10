"""Runs beside the student's code: a converted network with given weights, or shares of given errors."""


def excess(answer, weights, biases, clips, images, steps):
    """N - q of each hidden layer."""
    _, found = answer["run_spiking"](weights, biases, clips, images, steps)
    if len(found) != len(clips):
        raise ValueError(
            f"there are {len(found)} tensors of N - q; expected one for each of {len(clips)} hidden layers"
        )
    return {f"layer {place}": one for place, one in enumerate(found, start=1)}


def shares(answer, excess):
    """Shares of uneven neurons, and of extra spikes among them."""
    rows = answer["uneven_shares"](excess)
    return {"uneven": [row[0] for row in rows], "extra": [row[1] for row in rows]}
