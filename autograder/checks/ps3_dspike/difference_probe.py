"""Runs beside the student's code: differences of a loss that is a polynomial, a staircase or noisy."""

import torch


def differences(answer, kind, weight, power, linear, places, step, seed, parameter, gives):
    """The differences, how often the loss was asked for, and the weight afterwards."""
    weight = torch.nn.Parameter(weight) if parameter else weight
    evaluations = []

    def loss(w):
        evaluations.append(1)
        w = w.detach().reshape(-1).to(torch.float64)
        if kind == "stairs":
            return (linear * torch.floor(4 * w)).sum()
        smooth = (w @ power @ w) / 2 + (linear * (w**3 if kind == "cubic" else w)).sum()
        return smooth + 3 * torch.rand((), dtype=torch.float64) if kind == "noisy" else smooth

    found = answer["finite_difference"](loss, weight, places, step, seed=seed)
    everything = {
        "difference": found,
        "evaluations": len(evaluations),
        "weight afterwards": weight,
        "result is float64": bool(getattr(found, "dtype", None) == torch.float64),
    }
    return {name: everything[name] for name in gives}
