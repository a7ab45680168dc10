# %% balanced_threshold_answer
def balanced_threshold(batches, percent):
    """The largest of the maxima; a percentile of everything."""
    if percent == 100:
        return max(batch.max() for batch in batches)
    return torch.quantile(torch.cat([batch.flatten() for batch in batches]), percent)


# %% bias_correction_answer
def bias_correction(activation, average):
    """The mean error of each image."""
    return (activation - average).flatten(1).mean(1)


def correct_biases(layers, images, activations, steps):
    """Correct the bias of each layer in place, each after the layers before it."""
    inputs = images.expand(steps, *images.shape)
    for layer, activation in zip(layers, activations):
        error = activation - layer.run(inputs).mean(0)
        layer.bias = layer.bias + error.mean(dim=(0, 2, 3))
        inputs = layer.run(inputs)


# %% weight_calibration_answer
def floor_ste(x):
    """Rounds."""
    return x + (x.round() - x).detach()


def clip_floor_ste(z, threshold, steps, initial=0.0):
    """Clip-floor relation that passes gradients through its floor."""
    count = floor_ste((z * steps + initial) / threshold).clamp(0, steps)
    return count * threshold / steps


def calibrate_weights(weight, bias, inputs, activation, threshold, steps, initial):
    """Weight and bias whose staircase is closest to the activation."""
    weight, bias = (value.detach().clone().requires_grad_() for value in (weight, bias))
    optimiser = torch.optim.Adam([weight, bias], lr=0.01)
    for _ in range(200):
        loss = F.mse_loss(clip_floor_ste(inputs @ weight.T + bias, threshold, steps, initial), activation)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return weight.detach(), bias.detach()
