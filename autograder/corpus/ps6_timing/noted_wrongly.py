# %% response_answer
def kernel(elapsed, tau):
    s = elapsed.double().clamp(min=0) / tau
    return s * torch.exp(1 - s)


def kernel_slope(elapsed, tau):
    s = elapsed.double().clamp(min=0) / tau
    return torch.where(elapsed >= 0, torch.exp(1 - s) * (1 - s) / tau, 0.0)


def potential(time, weight, inputs, tau):
    s = time[:, None, None] - inputs
    u = s.clamp(min=0) / tau
    slope = torch.where(s >= 0, torch.exp(1 - u) * (1 - u) / tau, 0.0)
    return (u * torch.exp(1 - u)) @ weight.T, slope @ weight.T


# %% perturbation_answer
def perturb(objective, theta, *, steps, scale, generator):
    theta = theta.clone()
    value = float(objective(theta))
    history = [value]
    for _ in range(steps):
        proposal = theta + scale * torch.randn(theta.shape, generator=generator, dtype=theta.dtype)
        proposed = float(objective(proposal))
        history.append(proposed)
        if proposed < value:
            theta, value = proposal, proposed
    return theta, history


def directional_gradient(objective, theta, directions, scale):
    total = torch.zeros_like(theta)
    for direction in directions:
        rise = float(objective(theta + scale * direction)) - float(objective(theta - scale * direction))
        total = total + rise / (2 * scale) * direction
    return total / len(directions)


# %% bayes_answer
def posterior(seen, values, grid, length, noise):
    def covariance(a, b):
        return torch.exp(-((a[:, None] - b[None, :]) ** 2) / (2 * length**2))

    across = covariance(grid, seen)
    observed = covariance(seen, seen) + noise**2 * torch.eye(len(seen), dtype=seen.dtype)
    solved = torch.linalg.solve(observed, across.T)
    return solved.T @ values, (1 - (across * solved.T).sum(1)).clamp(min=0).sqrt()


def expected_improvement(mean, std, best):
    gain = best - mean
    z = gain / torch.where(std > 0, std, 1.0)
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return torch.where(std > 0, gain * torch.special.ndtr(z) + std * density, gain.clamp(min=0))


def next_point(grid, seen, values, length, noise):
    mean, std = posterior(seen, values, grid, length, noise)
    return expected_improvement(mean, std, values.min()).argmax()
