# %% lif_answer
def lif_step(v, x, decay, threshold, reset):
    spike = (v >= threshold).to(x.dtype)
    charge = decay * v + x
    if reset == "soft":
        return spike, charge - spike * threshold
    return spike, charge * (1 - spike)


def run(currents, decay, threshold, reset, v0=0.0):
    v = torch.full_like(currents[0], v0)
    spikes, potentials = [], []
    for x in currents:
        v = decay * v + x
        potentials.append(v)
        spike = (v >= threshold).to(x.dtype)
        spikes.append(spike)
        v = v - spike * threshold if reset == "soft" else v * (1 - spike)
    return torch.stack(spikes), torch.stack(potentials)


# %% rate_code_answer
def rate_encode(values, steps, generator):
    trains = [
        torch.rand(values.shape, generator=generator, dtype=values.dtype) < values for _ in range(steps)
    ]
    return torch.stack(trains, -1).to(values.dtype)


# %% latency_code_answer
def latency_encode(current, tau, threshold, resistance):
    target = resistance * current
    fires = target > threshold
    return torch.where(fires, tau * threshold / torch.where(fires, target, 1.0), math.inf)
