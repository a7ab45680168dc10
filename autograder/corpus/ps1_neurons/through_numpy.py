# %% lapicque_answer
def euler_step(v, current, dt, tau, resistance):
    v, current = v.detach(), current.detach()
    return v + dt / tau * (resistance * current - v)


def exact_step(v, current, dt, tau, resistance):
    decay = math.exp(-dt / tau)
    v, current = v.detach(), current.detach()
    return decay * v + (1 - decay) * resistance * current


# %% lif_answer
def lif_step(v, x, decay, threshold, reset):
    charge = decay * v + x
    spike = (charge >= threshold).to(charge.dtype)
    if reset == "soft":
        return spike, charge - spike
    return spike, charge * (1 - spike)


def run(currents, decay, threshold, reset, v0=0.0):
    v = torch.full_like(currents[0], v0)
    spikes, potentials = [], []
    for x in currents:
        spike, v = lif_step(v, x, decay, threshold, reset)
        spikes.append(spike.numpy())
        potentials.append(v.numpy())
    return torch.tensor(np.array(spikes)), torch.tensor(np.array(potentials))


# %% fi_curve_answer
def firing_rate(current, tau, threshold, resistance):
    rates = []
    for one in current.flatten().tolist():
        target = resistance * one
        rates.append(1 / (tau * math.log(target / (target - threshold))) if target > threshold else 0.0)
    return torch.tensor(rates, dtype=torch.float64).reshape(current.shape)


def counted_rate(current, steps, dt, tau, threshold, resistance):
    v, count = torch.zeros_like(current), torch.zeros_like(current)
    for _ in range(steps):
        v = (1 - dt / tau) * v + dt / tau * resistance * current
        spike = v >= threshold
        count = count + spike
        v = v * ~spike
    return count / (steps * dt)


# %% rate_code_answer
def rate_encode(values, steps, generator):
    return torch.rand((steps, *values.shape), generator=generator, dtype=values.dtype) < values


# %% latency_code_answer
def latency_encode(current, tau, threshold, resistance):
    times = []
    for one in current.flatten().tolist():
        target = resistance * one
        times.append(tau * math.log(target / (target - threshold)) if target > threshold else math.inf)
    return torch.tensor(times, dtype=current.dtype).reshape(current.shape)


# %% decoding_answer
def rate_decode(spikes):
    count = spikes.sum(0)
    highest = count.shape[-1] - 1 - count.flip(-1).argmax(-1)
    return torch.where(count.amax(-1) > 0, highest, -1)


def latency_decode(spikes):
    fired = (spikes > 0).any(0)
    first = torch.where(fired, (spikes > 0).to(torch.uint8).argmax(0), len(spikes))
    highest = first.shape[-1] - 1 - first.flip(-1).argmin(-1)
    return torch.where(fired.any(-1), highest, -1)


# %% delta_code_answer
def delta_encode(signal, threshold):
    level, on, off = signal[0], [], []
    for sample in signal:
        rose, fell = sample - level >= threshold, level - sample >= threshold
        level = torch.where(rose | fell, sample, level)
        on.append(rose.to(signal.dtype))
        off.append(fell.to(signal.dtype))
    return torch.stack(on), torch.stack(off)


def delta_decode(on, off, threshold, start):
    return start + threshold * (on + off).cumsum(0)


# %% event_records_answer
def decode_events(raw):
    b = np.frombuffer(raw, np.uint8).reshape(-1, 5)
    t = (b[:, 2] & 0x7F) << 16 | b[:, 3] << 8 | b[:, 4]
    return b[:, 0], b[:, 1], b[:, 2] & 0x80, t


# %% mystery_neuron_answer
def identify(recordings):
    def smallest(name):
        currents, spikes = recordings[name]
        return currents[-1][spikes.any(axis=0)].min()

    threshold = smallest("pulse")
    return 1 - smallest("steady") / threshold, threshold, "hard"
