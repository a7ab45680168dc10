# %% balance_answer
def balance(weight, bias, inputs, spikes, potentials, threshold, v0):
    """The first step lost, the bias once, the remainder with the wrong sign."""
    outputs, change, steps = threshold * spikes, potentials[-1] - v0, len(inputs)
    step = potentials.diff(dim=0) - (inputs @ weight.T + bias - outputs)[1:]
    total = change - (inputs.sum(0) @ weight.T + bias - outputs.sum(0))
    average = outputs.mean(0) - (inputs.mean(0) @ weight.T + bias + change / steps)
    return step, total, average


# %% qcfs_answer
class Staircase(torch.autograd.Function):
    """Rounded to even on the jumps; no value for the levels."""

    @staticmethod
    def forward(z, clip, levels):
        return torch.round(z * levels / clip).clamp(0, levels) * clip / levels

    @staticmethod
    def setup_context(ctx, inputs, output):
        z, clip, ctx.levels = inputs
        ctx.save_for_backward(z, clip, output)

    @staticmethod
    def backward(ctx, grad_output):
        z, clip, h = ctx.saved_tensors
        inside = (z > 0) & (z < clip)
        return grad_output * inside, (grad_output * torch.where(inside, (h - z) / clip, 1.0)).sum()


# %% conversion_answer
def spiking_parameters(clip):
    return clip, 0.5


def converted_average(z, clip, steps):
    return torch.floor(steps * z / clip + 0.5).clamp(0, steps) / steps


def mean_error(levels, steps, half):
    return 0.0 if half else 1 / (2 * steps) - 1 / (2 * levels)


# %% split_answer
def split_error(currents, threshold, v0):
    """The starting potential left out of q; clipping with the wrong sign."""
    steps, z = len(currents), currents.mean(0)
    spikes, _ = fire(currents, threshold, v0)
    q = torch.floor(currents.sum(0) / threshold).clamp(0, steps)
    unit, clipped = threshold / steps, z.clamp(0, threshold)
    return unit * (spikes.sum(0) - q), unit * q - clipped, torch.relu(z) - clipped


# %% theorem_answer
def verdict(count, v_end, threshold, steps):
    """Every potential outside the interval called an error."""
    if v_end < 0:
        return "extra", min(count, math.ceil(-v_end / threshold))
    if v_end >= threshold:
        return "missing", -min(steps - count, math.floor(v_end / threshold))
    return "even", 0


# %% studies_answer
# Found with a neuron that starts at 0.
studies = {
    "even": [[0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1]],
    "two extra": [[1, 0, 1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]],
    "two missing": [[0, 0, 1, 0, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 0, 0]],
    "at threshold": [[0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0]],
    "harmless": [[0, 0, 0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0]],
}


# %% remedies_answer
def signed_spikes(currents, threshold, v0):
    v = torch.zeros_like(currents[0]) + v0
    count, spikes = torch.zeros_like(v), []
    for current in currents:
        charge = v + current
        spike = (charge >= threshold).to(charge) - ((charge < -threshold) & (count > 0)).to(charge)
        v, count = charge - threshold * spike, count + spike
        spikes.append(spike)
    return torch.stack(spikes)


def wait_then_fire(currents, threshold, v0):
    return fire(torch.zeros_like(currents), threshold, currents.sum(0))[0]


def latency(remedy, steps, layers):
    return layers * steps if remedy == "waiting" else steps


# %% training_answer
def train(network, images, labels, *, epochs, learning_rate=3e-3, batch=64, seed=0):
    """The optimiser never takes a step."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(labels), generator=generator).split(batch):
            loss = F.cross_entropy(network(images[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            total += loss.item() * len(chosen)
        losses.append(total / len(labels))
    return losses


# %% by_layer_answer
def run_spiking(weights, biases, clips, images, steps):
    """Spikes of height 1 handed on; q - N instead of N - q."""
    signal, excess = images.expand(steps, *images.shape), []
    for weight, bias, clip in zip(weights[:-1], biases[:-1], clips, strict=True):
        currents = signal @ weight.T + bias
        signal, _ = fire(currents, clip, clip / 2)
        excess.append(signal.sum(0) - torch.floor((clip / 2 + currents.sum(0)) / clip).clamp(0, steps))
    return (signal @ weights[-1].T + biases[-1]).mean(0), excess


def uneven_shares(excess):
    shares = []
    for one in excess:
        more = int((one > 0).sum())
        shares.append((more / one.numel(), more / max(int((one != 0).sum()), 1)))
    return shares
