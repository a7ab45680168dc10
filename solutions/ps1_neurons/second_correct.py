# %% answer="lapicque"
def euler_step(v, current, dt, tau, resistance):
    slope = (resistance * current - v) / tau
    return v + slope * dt


def exact_step(v, current, dt, tau, resistance):
    target = current * resistance
    return target + (v - target) / math.exp(dt / tau)


# %% answer="lif"
def lif_step(v, x, decay, threshold, reset):
    charge = v * decay + x
    below = charge < threshold
    spike = torch.ones_like(charge).masked_fill(below, 0.0)
    after = charge - threshold if reset == "soft" else torch.zeros_like(charge)
    return spike, torch.where(below, charge, after)


def run(currents, decay, threshold, reset, v0=0.0):
    v = torch.zeros_like(currents[:1]).squeeze(0) + v0
    pairs = []
    for t in range(currents.shape[0]):
        pairs.append(lif_step(v, currents[t], decay, threshold, reset))
        v = pairs[-1][1]
    return torch.stack([pair[0] for pair in pairs]), torch.stack([pair[1] for pair in pairs])


# %% answer="fi_curve"
def firing_rate(current, tau, threshold, resistance):
    rates = []
    for one in current.flatten().tolist():
        share = threshold / (resistance * one) if one > 0 else 2.0
        rates.append(-1 / (tau * math.log1p(-share)) if share < 1 else 0.0)
    return torch.tensor(rates, dtype=current.dtype).reshape(current.shape)


def counted_rate(current, steps, dt, tau, threshold, resistance):
    rates = []
    for one in current.tolist():
        v, count = 0.0, 0
        for _ in range(steps):
            v = one * resistance + (v - one * resistance) * math.exp(-dt / tau)
            if v >= threshold:
                v, count = 0.0, count + 1
        rates.append(count / steps / dt)
    return np.array(rates)


# %% answer="rate_code"
def rate_encode(values, steps, generator):
    chances = values.unsqueeze(0).expand(steps, *values.shape)
    return torch.bernoulli(chances, generator=generator)


# %% answer="latency_code"
def latency_encode(current, tau, threshold, resistance):
    times = torch.full_like(current, math.inf)
    fires = current * resistance > threshold
    share = threshold / (resistance * current[fires])
    return times.masked_scatter(fires, -tau * torch.log1p(-share))


# %% answer="decoding"
def rate_decode(spikes):
    counts = spikes.sum(0).tolist()
    return [row.index(max(row)) if max(row) > 0 else -1 for row in counts]


def latency_decode(spikes):
    steps, rows, classes = spikes.shape
    answer = np.full(rows, -1)
    for row in range(rows):
        for step in reversed(range(steps)):
            for neuron in reversed(range(classes)):
                if spikes[step, row, neuron] > 0:
                    answer[row] = neuron
    return answer


# %% answer="delta_code"
def delta_encode(signal, threshold):
    moves = torch.zeros_like(signal[0])
    on, off = torch.zeros_like(signal), torch.zeros_like(signal)
    for t in range(len(signal)):
        far = (signal[t] - signal[0]) / threshold - moves
        on[t][far >= 1] = 1
        off[t][far <= -1] = 1
        moves = moves + on[t] - off[t]
    return on, off


def delta_decode(on, off, threshold, start):
    levels, level = [], start
    for up, down in zip(on, off):
        level = level + up * threshold - down * threshold
        levels.append(level)
    return torch.stack(levels)


# %% answer="event_records"
def decode_events(raw):
    if len(raw) != len(raw) // 5 * 5:
        raise ValueError("the last record is not complete")
    x, y, p, t = [], [], [], []
    for at in range(0, len(raw), 5):
        word = int.from_bytes(raw[at : at + 5], "big")
        x.append(word >> 32)
        y.append(word >> 24 & 255)
        p.append(word >> 23 & 1)
        t.append(word & (1 << 23) - 1)
    return tuple(np.array(column, dtype=int) for column in (x, y, p, t))


# %% answer="mystery_neuron"
def identify(recordings):
    currents, spikes = recordings["pulse"]
    rungs = currents[0]
    theta = (rungs[spikes[0] == 0].max() + rungs[spikes[0] == 1].min()) / 2

    # the decay for which as many copies reach the threshold in the end as did
    currents, spikes = recordings["steady"]
    steps, rungs = len(currents), currents[0]
    decays = np.arange(0.6, 0.9605, 0.0005)
    ends = rungs[:, None] * (1 - decays**steps) / (1 - decays)
    decay = decays[np.abs((ends >= theta).sum(0) - spikes.any(0).sum()).argmin()]

    # the reset with which more of the copies do what they did
    currents, spikes = recordings["after"]
    first, second = currents
    agree = {
        name: ((decay * rest + second >= theta) == (spikes[1] > 0)).mean()
        for name, rest in (("soft", first - theta), ("hard", 0 * first))
    }
    return decay, theta, max(agree, key=agree.get)
