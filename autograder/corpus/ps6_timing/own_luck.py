# %% perturbation_answer
def perturb(objective, theta, *, steps, scale, generator):
    theta = theta.clone()
    value = float(objective(theta))
    history = [value]
    for _ in range(steps):
        proposal = theta + scale * torch.randn(theta.shape, dtype=theta.dtype)
        proposed = float(objective(proposal))
        if proposed < value:
            theta, value = proposal, proposed
        history.append(value)
    return theta, history


def directional_gradient(objective, theta, directions, scale):
    total = torch.zeros_like(theta)
    for direction in directions:
        rise = float(objective(theta + scale * direction)) - float(objective(theta - scale * direction))
        total = total + rise / (2 * scale) * direction
    return total / len(directions)


# %% latency_loss_answer
def latency_loss(times, labels, silent_time):
    seen = torch.where(times < silent_time, times, silent_time)
    return F.cross_entropy(-seen, labels, reduction="sum")


def first_to_fire(times):
    return times.argmin(1)


# %% bayes_answer
def posterior(seen, values, grid, length, noise):
    def covariance(a, b):
        return torch.exp(-((a[:, None] - b[None, :]) ** 2) / (2 * length**2))

    across = covariance(grid, seen)
    observed = covariance(seen, seen) + noise**2 * torch.eye(len(seen), dtype=seen.dtype)
    solved = torch.linalg.solve(observed, across.T)
    return solved.T @ values, (1 + noise**2 - (across * solved.T).sum(1)).clamp(min=0).sqrt()


def expected_improvement(mean, std, best):
    gain = best - mean
    z = gain / torch.where(std > 0, std, 1.0)
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return torch.where(std > 0, gain * torch.special.ndtr(z) + std * density, gain.clamp(min=0))


def next_point(grid, seen, values, length, noise):
    def covariance(a, b):
        return torch.exp(-((a[:, None] - b[None, :]) ** 2) / (2 * length**2))

    across = covariance(grid, seen)
    observed = covariance(seen, seen) + noise**2 * torch.eye(len(seen), dtype=seen.dtype)
    solved = torch.linalg.solve(observed, across.T)
    std = (1 - (across * solved.T).sum(1)).clamp(min=0).sqrt()
    return grid[expected_improvement(solved.T @ values, std, values.max()).argmax()]


# %% firing_time_answer
def first_crossing(trace, times, threshold):
    reached = trace >= threshold
    at = reached.to(torch.uint8).argmax(0)
    before = (at - 1).clamp(min=0)
    low, high = (trace.gather(0, place[None]).squeeze(0) for place in (before, at))
    share = torch.where(at > 0, (threshold - low) / torch.where(high > low, high - low, 1.0), 0.0)
    found = times[before] + share * (times[at] - times[before])
    return torch.where(reached.any(0), found, times[-1])


def firing_time(weight, inputs, tau, threshold=1.0, *, window, dt):
    grid = dt * torch.arange(round(window / dt) + 1, dtype=weight.dtype)
    trace = potential(grid, weight, inputs, tau)[0]
    fired = (trace >= threshold).any(0)
    times = first_crossing(trace, grid, threshold)
    for _ in range(5):
        elapsed = times[:, :, None] - inputs[:, None, :]
        value = (weight * kernel(elapsed, tau)).sum(-1)
        slope = (weight * kernel_slope(elapsed, tau)).sum(-1)
        times = torch.where(fired, times + (threshold - value) / slope, times)
    return times


# %% spikeprop_answer
def firing_gradients(weight, inputs, times, tau, min_slope):
    fired = torch.isfinite(times)[:, :, None]
    elapsed = torch.where(fired, times[:, :, None], 0.0) - inputs[:, None, :]
    pull = weight * kernel_slope(elapsed, tau)
    slope = pull.sum(-1, keepdim=True).clamp(min=min_slope)
    return torch.where(fired, -kernel(elapsed, tau) / slope, 0.0), torch.where(fired, -pull / slope, 0.0)


class FiringTime(torch.autograd.Function):
    @staticmethod
    def forward(weight, inputs, times, tau, min_slope):
        return times.clone()

    @staticmethod
    def setup_context(ctx, arguments, output):
        weight, inputs, times, ctx.tau, ctx.min_slope = arguments
        ctx.save_for_backward(weight, inputs, times)

    @staticmethod
    def backward(ctx, grad):
        weight, inputs, times = ctx.saved_tensors
        by_weight, by_inputs = firing_gradients(weight, inputs, times, ctx.tau, ctx.min_slope)
        weight_grad = torch.einsum("no,noi->oi", grad, by_weight)
        inputs_grad = torch.einsum("no,noi->ni", grad, by_inputs)
        return weight_grad, inputs_grad, None, None, None
