# %% answer="fold_batchnorm"
def fold_batchnorm(weight, bias, norm):
    """By asking the norm itself what it does to 0 and to 1."""
    channels = weight.shape[0]
    scales, offsets, rows = [], [], []
    for c in range(channels):
        deviation = (float(norm.running_var[c]) + norm.eps) ** 0.5
        scale = float(norm.weight[c]) / deviation
        own = 0.0 if bias is None else float(bias[c])
        scales.append(scale)
        offsets.append(scale * (own - float(norm.running_mean[c])) + float(norm.bias[c]))
        rows.append(scale * weight[c].detach())
    return torch.stack(rows), torch.tensor(offsets, dtype=weight.dtype)


# %% answer="balanced_threshold"
def balanced_threshold(batches, percent):
    """By sorting, and interpolating between two neighbours."""
    values = sorted(v for batch in batches for v in batch.double().flatten().tolist())
    place = percent / 100 * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])


# %% answer="clip_floor"
def clip_floor(z, threshold, steps, initial=0.0):
    """Clip first, floor second."""
    charge = (steps * z + initial) / threshold
    spikes = torch.floor(
        torch.minimum(torch.maximum(charge, torch.zeros_like(charge)), torch.full_like(charge, steps))
    )
    return spikes / steps * threshold


# %% answer="shifted_biases"
def shifted_biases(biases, thresholds, steps):
    """With a loop and an index."""
    result = []
    for index in range(len(biases)):
        bias = biases[index].clone()
        if index < len(thresholds):
            bias += 0.5 * thresholds[index] / steps
        result.append(bias)
    return result


# %% answer="adaptive_threshold"
def adaptive_threshold(activation, steps, offset):
    """Channel by channel, in double precision."""
    chosen = []
    for c in range(activation.shape[1]):
        x = activation[:, c].double().flatten()
        largest = float(x.max())
        best, lowest = None, float("inf")
        for k in range(100, 0, -1):
            theta = largest * k / 100
            if theta <= 0:
                continue
            loss = float(((clip_floor(x, theta, steps, offset * theta) - x) ** 2).mean())
            if loss < lowest:
                best, lowest = theta, loss
        chosen.append(best)
    alive = [theta for theta in chosen if theta is not None]
    spare = max(alive) if alive else 1.0
    return torch.tensor([spare if theta is None else theta for theta in chosen], dtype=activation.dtype)


# %% answer="bias_correction"
def bias_correction(activation, average):
    """By flattening everything but the channels."""
    e = (activation - average).transpose(0, 1)
    return e.reshape(e.shape[0], -1).mean(1)


def correct_biases(layers, images, activations, steps):
    """Runs the whole stack up to the layer, again and again."""
    for k, target in enumerate(activations):
        signal = torch.stack([images] * steps)
        for layer in layers[: k + 1]:
            signal = layer.run(signal)
        layers[k].bias = layers[k].bias + bias_correction(target, signal.sum(0) / steps)


# %% answer="potential_correction"
def potential_correction(activation, average, steps):
    """A sum over the images, written out."""
    total = torch.zeros_like(activation[0])
    for a, phi in zip(activation, average):
        total += steps * (a - phi)
    return total / len(activation)


def correct_potentials(layers, images, activations, steps):
    """Runs the whole stack up to the layer, again and again."""
    for k, target in enumerate(activations):
        layers[k].initial = torch.zeros_like(target[0])
        signal = torch.stack([images] * steps)
        for layer in layers[: k + 1]:
            signal = layer.run(signal)
        layers[k].initial = potential_correction(target, signal.mean(0), steps)


# %% answer="weight_calibration"
class Floor(torch.autograd.Function):
    """The straight-through floor as an autograd function."""

    @staticmethod
    def forward(ctx, x):
        return torch.floor(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def floor_ste(x):
    return Floor.apply(x)


def clip_floor_ste(z, threshold, steps, initial=0.0):
    """Clip first, floor second."""
    return threshold / steps * floor_ste(torch.clamp((z * steps + initial) / threshold, 0, steps))


def calibrate_weights(weight, bias, inputs, activation, threshold, steps, initial):
    """With a linear layer as the thing that is trained."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.01)
    for _ in range(200):
        optimiser.zero_grad()
        error = clip_floor_ste(layer(inputs), threshold, steps, initial) - activation
        (error**2).sum().backward()
        optimiser.step()
    return layer.weight.detach(), layer.bias.detach()


# %% answer="accuracy"
def accuracy_against_steps(logits, labels):
    """Step by step, with a running mean."""
    mean, shares = torch.zeros_like(logits[0]), []
    for t, now in enumerate(logits, start=1):
        mean = mean + (now - mean) / t
        shares.append(float((mean.argmax(-1) == labels).float().mean()))
    return shares


def convert(model, images, steps):
    """Adaptive thresholds and no correction."""
    blocks = [part for part in model if hasattr(part, "conv")]
    layers, activation = [], images
    with torch.no_grad():
        for block in blocks:
            weight, bias = fold_batchnorm(block.conv.weight, block.conv.bias, block.norm)
            activation = block(activation)
            theta = adaptive_threshold(activation, steps, 0.5)
            start = (theta / 2).view(-1, 1, 1).expand(activation.shape[1:])
            layers.append(SpikingLayer(weight, bias, theta, stride=block.conv.stride[0], initial=start))
    return layers
