# %% fold_batchnorm_answer
def fold_batchnorm(weight, bias, norm):
    """Divides by the variance."""
    scale = norm.weight / (norm.running_var + norm.eps)
    return weight * scale.view(-1, *[1] * (weight.dim() - 1)), scale * (bias - norm.running_mean) + norm.bias


# %% balanced_threshold_answer
def balanced_threshold(batches, percent):
    """The percentile of the activations that are not 0."""
    values = torch.cat([batch.flatten() for batch in batches])
    return torch.quantile(values[values > 0], percent / 100)


# %% clip_floor_answer
def clip_floor(z, threshold, steps, initial=0.0):
    """v(0) in every step, and no end to the spikes."""
    return (steps * (z + initial) / threshold).floor().clamp(min=0) * threshold / steps


# %% shifted_biases_answer
def shifted_biases(biases, thresholds, steps):
    """Half a threshold in every step, for the read-out too."""
    thresholds = [*thresholds, thresholds[-1]]
    return [bias + theta / 2 for bias, theta in zip(biases, thresholds)]


# %% adaptive_threshold_answer
def adaptive_threshold(activation, steps, offset):
    """The best threshold of a neuron that starts at 0, for every channel."""
    rows = activation.transpose(0, 1).flatten(1)
    largest = rows.amax(1)
    candidates = largest * torch.arange(1, 101, dtype=rows.dtype)[:, None] / 100
    level = candidates[:, :, None] / steps
    loss = ((level * (rows / level).floor().clamp(0, steps) - rows) ** 2).sum(2)
    return candidates.gather(0, loss.argmin(0, keepdim=True))[0]


# %% bias_correction_answer
def bias_correction(activation, average):
    """The mean over batch and space, axis after axis."""
    return (activation - average).mean(0).mean(2).mean(3)


def correct_biases(layers, images, activations, steps):
    """Correct the bias of each layer in place."""
    inputs = images.expand(steps, *images.shape)
    for layer, activation in zip(layers, activations):
        outputs = layer.run(inputs)
        layer.bias = layer.bias + (activation - outputs.mean(0)).mean(dim=(0, 2, 3))
        inputs = outputs


# %% potential_correction_answer
def potential_correction(activation, average, steps):
    """T times the error of each image."""
    return steps * (activation - average)


def correct_potentials(layers, images, activations, steps):
    """Adds to the start that is there."""
    inputs = images.expand(steps, *images.shape)
    for layer, activation in zip(layers, activations):
        start = layer.initial
        layer.initial = 0.0
        layer.initial = start + steps * (activation - layer.run(inputs).mean(0)).mean(0)
        inputs = layer.run(inputs)


# %% weight_calibration_answer
def floor_ste(x):
    """The floor without a gradient."""
    return (x + (x.floor() - x)).detach()


def clip_floor_ste(z, threshold, steps, initial=0.0):
    """Clip-floor relation."""
    return floor_ste((z * steps + initial) / threshold).clamp(0, steps) * threshold / steps


def calibrate_weights(weight, bias, inputs, activation, threshold, steps, initial):
    """Fits the ReLU, as the staircase would not train."""
    weight, bias = (value.clone().requires_grad_() for value in (weight, bias))
    optimiser = torch.optim.Adam([weight, bias], lr=0.01)
    for _ in range(200):
        loss = F.mse_loss(F.relu(inputs @ weight.T + bias), activation)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return weight.detach(), bias.detach()


# %% accuracy_answer
def accuracy_against_steps(logits, labels):
    """Share of right answers of the whole run."""
    return (logits.mean(0).argmax(1) == labels).double().mean().expand(len(logits))


def convert(model, images, steps):
    """The largest activation of each layer for a threshold."""
    layers, activation = [], images
    for block in list(model)[:3]:
        scale = block.norm.weight / torch.sqrt(block.norm.running_var + block.norm.eps)
        weight, bias = (
            block.conv.weight * scale.view(-1, 1, 1, 1),
            block.norm.bias - scale * block.norm.running_mean,
        )
        activation = block(activation)
        theta = activation.amax().expand(len(bias))
        layers.append(
            SpikingLayer(weight, bias, theta, stride=block.conv.stride, initial=float(theta[0]) / 2)
        )
    return layers
