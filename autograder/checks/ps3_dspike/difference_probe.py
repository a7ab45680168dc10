"""Runs beside the student's code: differences of a loss that is a polynomial, a staircase or noisy."""

import torch


def differences(answer, kind, weight, power, linear, places, step, seed, parameter, gives):
    """Of a loss that is far from 0; without a seed the answer's own default.

    The differences, how often the loss was asked for, the weight afterwards, and the noise of each evaluation.
    """
    weight = torch.nn.Parameter(weight) if parameter else weight
    noises = []

    def loss(w):
        noises.append(float(torch.rand((), dtype=torch.float64)) if kind == "noisy" else 0.0)
        w = w.detach().reshape(-1).to(torch.float64)
        if kind == "stairs":
            return 1000 + (linear * torch.floor(4 * w)).sum()
        smooth = (w @ power @ w) / 2 + (linear * (w**3 if kind == "cubic" else w)).sum()
        return 1000 + smooth + noises[-1] * (3 + linear @ w)

    seeded = {} if seed is None else {"seed": seed}
    found = answer["finite_difference"](loss, weight, places, step, **seeded)
    everything = {
        "difference": found,
        "evaluations": len(noises),
        "weight afterwards": weight,
        "result is float64": bool(getattr(found, "dtype", None) == torch.float64),
    }
    return {name: everything[name] for name in gives} | ({"noise": noises} if kind == "noisy" else {})
