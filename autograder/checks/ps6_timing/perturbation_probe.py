"""Runs beside the student's code: objectives that note where they were evaluated."""

import torch


class Noted:
    """An objective, and the weights at which it was asked."""

    def __init__(self, value):
        self.value, self.asked = value, []

    def __call__(self, w):
        self.asked.append(w.detach().clone())
        return self.value(w)


def bowl(centre, power, cubic, bottom):
    """A sum of powers of the distance from a centre, nowhere below its bottom."""

    def value(w):
        away = w.detach().to(torch.float64) - centre
        return float(max((power * away**2).sum() + cubic * (away**3).sum(), bottom))

    return Noted(value)


def neuron(spikes, wanted):
    """The squared difference between the spikes of a neuron and those that are wanted."""

    def value(w):
        v, count = torch.zeros(len(wanted), dtype=w.dtype), 0.0
        for current in spikes @ w:
            charge = 0.9 * v + current
            spike = (charge >= 1).to(w.dtype)
            v = charge - spike
            count = count + spike
        return float(((count - wanted) ** 2).mean())

    return Noted(value)


def on_a_bowl(answer, start, centre, power, cubic, bottom, steps, scale, seed):
    """A run with all that was asked of the objective, and a second run from a generator in the same state."""
    objective, untouched = bowl(centre, power, cubic, bottom), start.clone()

    def run(theta):
        generator = torch.Generator().manual_seed(seed)
        return answer["perturb"](objective, theta, steps=steps, scale=scale, generator=generator)

    theta, history = run(start)
    if theta.shape != start.shape:
        raise ValueError(
            f"theta came back in the shape {list(theta.shape)}; it went in as {list(start.shape)}"
        )
    found = {"history": history, "theta": theta, "value": objective.value(theta)}
    found |= {"asked": torch.stack(objective.asked), "weights before": start}
    torch.manual_seed(12345)
    return {**found, "again": run(untouched)[0]}


def on_a_neuron(answer, spikes, wanted, start, steps, scale, seed):
    """A run in which a spiking neuron learns to answer with the wanted number of spikes."""
    objective, generator = neuron(spikes, wanted), torch.Generator().manual_seed(seed)
    theta, history = answer["perturb"](objective, start, steps=steps, scale=scale, generator=generator)
    found = {"theta": theta, "history": history, "weights before": start}
    return {**found, "asked": torch.stack(objective.asked), "value": objective.value(theta)}


def directional(answer, start, centre, power, cubic, bottom, directions, scale):
    """An estimated gradient, and how often the objective was evaluated."""
    objective = bowl(centre, power, cubic, bottom)
    found = answer["directional_gradient"](objective, start, directions, scale)
    return {"gradient": found, "evaluations": len(objective.asked), "weights before": start}
