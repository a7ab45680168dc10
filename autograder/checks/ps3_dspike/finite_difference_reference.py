"""The finite difference, to go on with."""

import torch


def finite_difference(loss, weight, coordinates, step, seed=0):
    """Central differences of the loss in the given places of the weight."""

    def at(place, shift):
        moved = weight.detach().flatten().clone()
        moved[place] += shift
        torch.manual_seed(seed)
        with torch.no_grad():
            return float(loss(moved.reshape(weight.shape)))

    rises = [at(int(place), step) - at(int(place), -step) for place in coordinates]
    return torch.tensor(rises, dtype=torch.float64) / (2 * step)
