# %% balance_answer
def balance(weight, bias, inputs, spikes, potentials, threshold, v0):
    """As if every neuron started at 0."""
    before = torch.cat([torch.zeros_like(potentials[:1]), potentials[:-1]])
    step = potentials - before - (inputs @ weight.T + bias - threshold * spikes)
    return step, step.sum(0), step.mean(0)


# %% qcfs_answer
class Staircase(torch.autograd.Function):
    """The region closed at its ends; the clip moved from above only."""

    @staticmethod
    def forward(z, clip, levels):
        return torch.floor(z * levels / clip + 0.5).clamp(min=0) * clip / levels

    @staticmethod
    def setup_context(ctx, inputs, output):
        z, clip, ctx.levels = inputs
        ctx.save_for_backward(z, clip)

    @staticmethod
    def backward(ctx, grad_output):
        z, clip = ctx.saved_tensors
        half = clip / (2 * ctx.levels)
        inside = (z >= -half) & (z <= clip - half)
        return grad_output * inside, (grad_output * (z >= clip - half)).sum(), None


# %% conversion_answer
def spiking_parameters(clip):
    return clip, clip


def converted_average(z, clip, steps):
    return torch.floor(steps * z / clip + 0.5).clamp(min=0) * clip / steps


def mean_error(levels, steps, half):
    return 0.0 if half else -1 / (2 * steps)


# %% split_answer
def split_error(currents, threshold, v0):
    """Spikes counted instead of averages; q without its bounds."""
    steps, z = len(currents), currents.mean(0)
    spikes, _ = fire(currents, threshold, v0)
    q = torch.floor((v0 + currents.sum(0)) / threshold)
    even = q.clamp(0, steps)
    return (
        threshold * (spikes.sum(0) - even),
        threshold / steps * q - z.clamp(0, threshold),
        -torch.relu(z - threshold),
    )


# %% theorem_answer
def verdict(count, v_end, threshold, steps):
    """More spikes taken back than were sent."""
    if v_end < 0:
        return ("extra", math.ceil(-v_end / threshold)) if count else ("silent", 0)
    if v_end >= threshold:
        return ("missing", -math.floor(v_end / threshold)) if count < steps else ("saturated", 0)
    return "even", 0


# %% studies_answer
studies = {
    "even": [[1, 0, 1, 0, 1, 0, 0, 0], [0, 1, 0, 1, 0, 0, 0, 0]],
    "two extra": [[1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1]],
    "two missing": [[0, 0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0, 0, 0]],
    "at threshold": [[0, 0, 0, 0, 1, 1, 0, 1], [0, 0, 1, 0, 0, 0, 0, 0]],
}


# %% remedies_answer
def signed_spikes(currents, threshold, v0):
    v = torch.zeros_like(currents[0]) + v0
    count, spikes = torch.zeros_like(v), []
    for current in currents:
        charge = v + current
        spike = (charge >= threshold).to(charge) - ((charge <= 0) & (count > 0)).to(charge)
        v, count = charge - threshold * spike, count + spike
        spikes.append(spike)
    return torch.stack(spikes)


def wait_then_fire(currents, threshold, v0):
    spikes = torch.zeros_like(currents)
    spikes[0] = torch.floor((v0 + currents.sum(0)) / threshold).clamp(0, len(currents))
    return spikes


def latency(remedy, steps, layers):
    return {"none": steps, "signed": steps, "first pass": 2 * steps}.get(remedy, (layers + 1) * steps)


# %% training_answer
def train(network, images, labels, *, epochs, learning_rate=3e-3, batch=64, seed=0):
    """The clips left out of the optimiser; batches from the global generator."""
    weights = [parameter for parameter in network.parameters() if parameter.dim() > 0]
    optimiser = torch.optim.Adam(weights, lr=learning_rate)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(labels)).split(batch):
            loss = F.cross_entropy(network(images[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(chosen)
        losses.append(total / len(labels))
    return losses


# %% by_layer_answer
def run_spiking(weights, biases, clips, images, steps):
    """Every neuron starts at 0; logits summed over the steps."""
    signal, excess = images.expand(steps, *images.shape), []
    for weight, bias, clip in zip(weights[:-1], biases[:-1], clips, strict=True):
        currents = signal @ weight.T + bias
        spikes, _ = fire(currents, clip, 0.0)
        excess.append(spikes.sum(0) - torch.floor(currents.sum(0) / clip).clamp(0, steps))
        signal = clip * spikes
    return (signal @ weights[-1].T + biases[-1]).mean(0), excess


def uneven_shares(excess):
    return [
        (float(one.abs().double().mean()), int((one > 0).sum()) / max(int((one != 0).sum()), 1))
        for one in excess
    ]
