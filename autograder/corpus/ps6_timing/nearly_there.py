# %% firing_time_answer
def first_crossing(trace, times, threshold):
    reached = trace > threshold
    at = reached.to(torch.uint8).argmax(0)
    before = (at - 1).clamp(min=0)
    low, high = (trace.gather(0, place[None]).squeeze(0) for place in (before, at))
    share = torch.where(at > 0, (threshold - low) / torch.where(high > low, high - low, 1.0), 0.0)
    found = times[before] + share * (times[at] - times[before])
    return torch.where(reached.any(0), found, math.inf)


def firing_time(weight, inputs, tau, threshold=1.0, *, window, dt):
    grid = dt * torch.arange(round(window / dt) + 1, dtype=weight.dtype)
    return first_crossing(potential(grid, weight, inputs, tau)[0], grid, threshold)


# %% spikeprop_answer
def firing_gradients(weight, inputs, times, tau, min_slope):
    fired = torch.isfinite(times)[:, :, None]
    elapsed = torch.where(fired, times[:, :, None], 0.0) - inputs[:, None, :]
    pull = weight * kernel_slope(elapsed, tau)
    slope = pull.sum(-1, keepdim=True).clamp(min=min_slope)
    by_weight = torch.where(fired, -1 / slope, 0.0).expand_as(elapsed)
    return by_weight, torch.where(fired, pull / slope, 0.0)


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
        fired = torch.isfinite(times)[:, :, None]
        elapsed = torch.where(fired, times[:, :, None], 0.0) - inputs[:, None, :]
        pull = weight * kernel_slope(elapsed, ctx.tau)
        slope = pull.sum(-1, keepdim=True).clamp(min=ctx.min_slope)
        by_weight = torch.where(fired, -kernel(elapsed, ctx.tau) / slope, 0.0)
        return by_weight.sum(0), torch.where(fired, pull / slope, 0.0).sum(1), None, None, None


# %% stdp_pairs_answer
def stdp_window(gap, a_plus, a_minus, tau_plus, tau_minus):
    later = a_plus * torch.exp(-gap.clamp(min=0) / tau_plus)
    earlier = a_minus * torch.exp(gap.clamp(max=0) / tau_minus)
    return torch.where(gap > 0, later, torch.where(gap < 0, earlier, 0.0))


def pair_stdp(pre, post, a_plus, a_minus, tau_plus, tau_minus, dt=1.0):
    clock = dt * torch.arange(len(pre), dtype=pre.dtype)
    window = stdp_window(clock[:, None] - clock[None, :], a_plus, a_minus, tau_plus, tau_minus)
    return torch.einsum("tno,tu,uni->oi", post, window, pre)


# %% stdp_traces_answer
class OnlineSTDP:
    def __init__(self, a_plus, a_minus, tau_plus, tau_minus, dt=1.0):
        self.a_plus, self.a_minus = a_plus, a_minus
        self.keep_pre, self.keep_post = math.exp(-dt / tau_plus), math.exp(-dt / tau_minus)
        self.reset()

    def reset(self):
        self.pre_trace = self.post_trace = None

    def step(self, pre, post):
        if self.pre_trace is None:
            self.pre_trace, self.post_trace = torch.zeros_like(pre), torch.zeros_like(post)
        pre_trace, post_trace = self.keep_pre * self.pre_trace + pre, self.keep_post * self.post_trace + post
        self.pre_trace, self.post_trace = pre_trace, post_trace
        return self.a_plus * post.T @ pre_trace - self.a_minus * post_trace.T @ pre

    def learn(self, weight, pre, post, low=-math.inf, high=math.inf):
        other = OnlineSTDP.__new__(OnlineSTDP)
        other.__dict__.update(self.__dict__)
        other.reset()
        for pre_now, post_now in zip(pre, post):
            together = self.a_plus * post_now.T @ pre_now - self.a_minus * post_now.T @ pre_now
            weight = weight + other.step(pre_now, post_now) - together
        return weight.clamp(low, high)


# %% perturbation_answer
def perturb(objective, theta, *, steps, scale, generator):
    theta = theta.clone()
    value = float(objective(theta))
    history = [value]
    for _ in range(steps):
        proposal = theta + scale * torch.rand(theta.shape, generator=generator, dtype=theta.dtype)
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


# %% bayes_answer
def posterior(seen, values, grid, length, noise):
    def covariance(a, b):
        return torch.exp(-((a[:, None] - b[None, :]) ** 2) / (2 * length**2))

    across = covariance(grid, seen)
    observed = covariance(seen, seen) + noise**2 * torch.eye(len(seen), dtype=seen.dtype)
    solved = torch.linalg.solve(observed, across.T)
    return solved.T @ values, 1 - (across * solved.T).sum(1)


def expected_improvement(mean, std, best):
    gain = best - mean
    z = gain / torch.where(std > 0, std, 1.0)
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return torch.where(std > 0, gain * torch.special.ndtr(z) + std * density, gain.clamp(min=0))


def next_point(grid, seen, values, length, noise):
    mean, std = posterior(seen, values, grid, length, noise)
    return grid[expected_improvement(mean, std, values.min()).argmax()]
