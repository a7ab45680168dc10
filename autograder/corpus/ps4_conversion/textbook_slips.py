# %% fold_batchnorm_answer
def fold_batchnorm(weight, bias, norm):
    """Weight and bias of one layer that does what the layer and the norm after it do."""
    scale = norm.weight / torch.sqrt(norm.running_var)
    before = 0 if bias is None else bias
    return weight * scale.view(-1, *[1] * (weight.dim() - 1)), scale * (
        before - norm.running_mean
    ) + norm.bias


# %% balanced_threshold_answer
def balanced_threshold(batches, percent):
    """A maximum per batch, averaged."""
    batches = [batch for batch in batches if len(batch)]
    return sum(torch.quantile(batch.flatten(), percent / 100) for batch in batches) / len(batches)


# %% clip_floor_answer
def clip_floor(z, threshold, steps, initial=0.0):
    """Average output of a neuron under a constant current z."""
    return threshold * (z / threshold).floor().clamp(0, 1)


# %% shifted_biases_answer
def shifted_biases(biases, thresholds, steps):
    """Biases raised by a whole level."""
    return [bias + theta / steps for bias, theta in zip(biases, thresholds)] + [biases[-1].clone()]


# %% adaptive_threshold_answer
def adaptive_threshold(activation, steps, offset):
    """The threshold with the smallest difference."""
    rows = activation.transpose(0, 1).flatten(1)
    largest = rows.amax(1)
    candidates = largest * torch.arange(1, 101, dtype=rows.dtype)[:, None] / 100
    level = candidates[:, :, None].clamp(min=1e-12) / steps
    loss = (level * (rows / level + offset).floor().clamp(0, steps) - rows).sum(2)
    best = candidates.gather(0, loss.argmin(0, keepdim=True))[0]
    alive = largest > 0
    return torch.where(alive, best, best[alive].max() if alive.any() else torch.ones(()).to(best))


# %% bias_correction_answer
def bias_correction(activation, average):
    """The error of the spiking network."""
    error = average - activation
    return error.mean(dim=[d for d in range(error.dim()) if d != 1])


def correct_biases(layers, images, activations, steps):
    """Correct the bias of each layer in place."""
    inputs = images.expand(steps, *images.shape)
    for layer, activation in zip(layers, activations):
        layer.bias = layer.bias + bias_correction(activation, layer.run(inputs).mean(0))
        inputs = layer.run(inputs)


# %% potential_correction_answer
def potential_correction(activation, average, steps):
    """v(0) of each neuron."""
    return (activation - average).mean(0)


def correct_potentials(layers, images, activations, steps):
    """Overwrite v(0) of each layer in place."""
    inputs = images.expand(steps, *images.shape)
    for layer, activation in zip(layers, activations):
        layer.initial = 0.0
        layer.initial = potential_correction(activation, layer.run(inputs).mean(0), steps)
        inputs = layer.run(inputs)


# %% weight_calibration_answer
def floor_ste(x):
    """Floor."""
    return torch.floor(x)


def clip_floor_ste(z, threshold, steps, initial=0.0):
    """Clip-floor relation."""
    return floor_ste((z * steps + initial) / threshold).clamp(0, steps) * threshold / steps


def calibrate_weights(weight, bias, inputs, activation, threshold, steps, initial):
    """Weight and bias whose staircase is closest to the activation."""
    weight, bias = (value.clone().requires_grad_() for value in (weight, bias))
    optimiser = torch.optim.Adam([weight, bias], lr=0.01)
    for _ in range(200):
        loss = F.mse_loss(clip_floor_ste(inputs @ weight.T + bias, threshold, steps, initial), activation)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return weight.detach(), bias.detach()


# %% accuracy_answer
def accuracy_against_steps(logits, labels):
    """Share of right answers at each step."""
    return (logits.argmax(2) == labels).double().mean(1)


def convert(model, images, steps):
    """The three spiking layers of a trained network."""
    layers, activation = [], images
    for block in list(model)[:3]:
        activation = block(activation)
        theta = activation.amax(dim=(0, 2, 3)).clamp(min=1e-3)
        layers.append(
            SpikingLayer(block.conv.weight, torch.zeros(len(theta)), theta, stride=block.conv.stride)
        )
    return layers
