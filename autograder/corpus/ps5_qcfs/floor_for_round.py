# %% balance_answer
def balance(weight, bias, inputs, spikes, potentials, threshold, v0):
    """Spikes taken without their height."""
    before = torch.cat([torch.full_like(potentials[:1], v0), potentials[:-1]])
    step = potentials - before - (inputs @ weight.T + bias - spikes)
    return step, step.sum(0), step.mean(0)


# %% qcfs_answer
class Staircase(torch.autograd.Function):
    """Floored without the shift; the region that the floor first gives; nothing for the clip above."""

    @staticmethod
    def forward(z, clip, levels):
        return torch.floor(z * levels / clip).clamp(0, levels) * clip / levels

    @staticmethod
    def setup_context(ctx, inputs, output):
        z, clip, ctx.levels = inputs
        ctx.save_for_backward(z, clip)

    @staticmethod
    def backward(ctx, grad_output):
        z, clip = ctx.saved_tensors
        half = clip / (2 * ctx.levels)
        h = torch.floor(z * ctx.levels / clip + 0.5).clamp(0, ctx.levels) * clip / ctx.levels
        inside = (z >= -half) & (z < clip + half)
        published = (z > -half) & (z < clip - half)
        return grad_output * inside, (grad_output * (h - z) / clip * published).sum(), None


# %% conversion_answer
def spiking_parameters(clip):
    return clip, 0.0


def converted_average(z, clip, steps):
    return torch.floor(steps * z / clip).clamp(0, steps) * clip / steps


def mean_error(levels, steps, half):
    return 0.0 if half else 1 / levels - 1 / steps


# %% split_answer
def split_error(currents, threshold, v0):
    """The remainder taken for unevenness, clipping counted twice, negative currents called clipping."""
    steps, z = len(currents), currents.mean(0)
    _, potentials = fire(currents, threshold, v0)
    q = torch.floor((v0 + currents.sum(0)) / threshold).clamp(0, steps)
    return (v0 - potentials[-1]) / steps, threshold * q / steps - torch.relu(z), z.clamp(0, threshold) - z


# %% theorem_answer
def verdict(count, v_end, threshold, steps):
    """The interval as it is printed in the literature."""
    if v_end < 0:
        return ("extra", min(count, math.ceil(-v_end / threshold))) if count > 0 else ("silent", 0)
    if v_end > threshold:
        missing = min(steps - count, math.floor(v_end / threshold))
        return ("missing", -missing) if count < steps else ("saturated", 0)
    return "even", 0


# %% studies_answer
studies = {
    "even": [[1, 0, 1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1, 0, 0]],
    "two missing": [[1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1]],
    "two extra": [[0, 0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0, 0, 0]],
    "at threshold": [[0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 0, 0, 0, 0]],
    "harmless": [[0, 0, 1, 0, 0, 0, 0, 0], [-1, -1, 0, 0, 0, 0, 0, 0]],
}


# %% remedies_answer
def signed_spikes(currents, threshold, v0):
    v, spikes = torch.zeros_like(currents[0]) + v0, []
    for current in currents:
        charge = v + current
        spike = (charge >= threshold).to(charge) - (charge < 0).to(charge)
        v = charge - threshold * spike
        spikes.append(spike)
    return torch.stack(spikes)


def wait_then_fire(currents, threshold, v0):
    return fire(currents, threshold, v0)[0]


def latency(remedy, steps, layers):
    return 2 * steps if remedy == "first pass" else steps


# %% training_answer
def train(network, images, labels, *, epochs, learning_rate=3e-3, batch=64, seed=0):
    """Gradients never cleared; one loss for each batch."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    losses = []
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels), generator=generator).split(batch):
            loss = F.cross_entropy(network(images[chosen]), labels[chosen])
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    return losses


# %% by_layer_answer
def run_spiking(weights, biases, clips, images, steps):
    """Each layer is handed the averages of the one before."""
    signal, excess = images, []
    for weight, bias, clip in zip(weights[:-1], biases[:-1], clips, strict=True):
        currents = (signal @ weight.T + bias).expand(steps, -1, -1)
        spikes, _ = fire(currents, clip, clip / 2)
        q = torch.floor((clip / 2 + currents.sum(0)) / clip).clamp(0, steps)
        excess.append(spikes.sum(0) - q)
        signal = clip * spikes.mean(0)
    return signal @ weights[-1].T + biases[-1], excess


def uneven_shares(excess):
    return [(float((one != 0).double().mean()), float((one > 0).double().mean())) for one in excess]
