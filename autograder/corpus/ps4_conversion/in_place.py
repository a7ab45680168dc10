# %% fold_batchnorm_answer
def fold_batchnorm(weight, bias, norm):
    """Scale the layer's own weight."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    with torch.no_grad():
        weight *= scale.reshape(-1, *[1] * (weight.dim() - 1))
    before = 0 if bias is None else bias
    return weight, before - scale * norm.running_mean + norm.bias


# %% balanced_threshold_answer
def balanced_threshold(batches, percent):
    """A running average of the batches' thresholds."""
    kept = None
    for batch in batches:
        if batch.numel() == 0:
            continue
        now = torch.quantile(batch.flatten(), percent / 100)
        kept = now if kept is None else 0.9 * kept + 0.1 * now
    return kept


# %% clip_floor_answer
def clip_floor(z, threshold, steps, initial=0.0):
    """Spikes divided by time."""
    return ((z * steps + initial) / threshold).floor().clamp(0, steps) / steps


# %% shifted_biases_answer
def shifted_biases(biases, thresholds, steps):
    """Shift every bias."""
    for bias, threshold in zip(biases, thresholds):
        bias += threshold / (2 * steps)
    return biases


# %% adaptive_threshold_answer
def adaptive_threshold(activation, steps, offset):
    """The grid from 0 to the maximum."""
    rows = activation.transpose(0, 1).flatten(1)
    candidates = rows.amax(1) * torch.linspace(0, 1, 101, dtype=rows.dtype)[:, None]
    level = candidates[:, :, None] / steps
    loss = ((level * (rows / level + offset).floor().clamp(0, steps) - rows) ** 2).sum(2)
    return candidates.gather(0, loss.argmin(0, keepdim=True))[0]


# %% bias_correction_answer
def bias_correction(activation, average):
    """The mean over the batch."""
    return (activation - average).mean(0)


def correct_biases(layers, images, activations, steps):
    """Measure all layers, then correct all of them."""
    inputs, errors = images.expand(steps, *images.shape), []
    for layer, activation in zip(layers, activations):
        inputs = layer.run(inputs)
        errors.append((activation - inputs.mean(0)).mean(dim=(0, 2, 3)))
    for layer, error in zip(layers, errors):
        layer.bias = layer.bias + error


# %% potential_correction_answer
def potential_correction(activation, average, steps):
    """One start for each channel."""
    error = activation - average
    return steps * error.mean(dim=[d for d in range(error.dim()) if d != 1])


def correct_potentials(layers, images, activations, steps):
    """Measure with the start that is there, and overwrite it."""
    inputs = images.expand(steps, *images.shape)
    for layer, activation in zip(layers, activations):
        error = activation - layer.run(inputs).mean(0)
        layer.initial = steps * error.mean(0)
        inputs = layer.run(inputs)


# %% weight_calibration_answer
def floor_ste(x):
    """Floor forward, identity backward."""
    return x + (x.floor() - x).detach()


def clip_floor_ste(z, threshold, steps, initial=0.0):
    """Everything straight through."""
    return z + (clip_floor_exact(z, threshold, steps, initial) - z).detach()


def clip_floor_exact(z, threshold, steps, initial):
    return ((z * steps + initial) / threshold).floor().clamp(0, steps) * threshold / steps


def calibrate_weights(weight, bias, inputs, activation, threshold, steps, initial):
    """Train the tensors that were given."""
    weight.requires_grad_(), bias.requires_grad_()
    optimiser = torch.optim.Adam([weight, bias], lr=0.01)
    for _ in range(200):
        loss = F.mse_loss(clip_floor_ste(inputs @ weight.T + bias, threshold, steps, initial), activation)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return weight.detach(), bias.detach()


# %% accuracy_answer
def accuracy_against_steps(logits, labels):
    """Per cent of right answers after each number of steps."""
    return 100 * (logits.cumsum(0).argmax(2) == labels).double().mean(1)


def convert(model, images, steps):
    """Thresholds of half a maximum, neurons that start at 0."""
    layers, activation = [], images
    for block in list(model)[:3]:
        scale = block.norm.weight / torch.sqrt(block.norm.running_var + block.norm.eps)
        weight, bias = (
            block.conv.weight * scale.view(-1, 1, 1, 1),
            block.norm.bias - scale * block.norm.running_mean,
        )
        activation = block(activation)
        theta = activation.amax().expand(len(bias)) / 2
        layers.append(SpikingLayer(weight, bias, theta, stride=block.conv.stride))
    return layers
