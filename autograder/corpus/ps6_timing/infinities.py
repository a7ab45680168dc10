# %% response_answer
def kernel(elapsed, tau):
    return elapsed.clamp(min=0) * torch.exp(1 - elapsed.clamp(min=0) / tau)


def kernel_slope(elapsed, tau):
    s = elapsed.clamp(min=0) / tau
    return torch.where(elapsed >= 0, torch.exp(1 - s) / tau, 0.0)


def potential(time, weight, inputs, tau):
    elapsed = time[:, None, None] - inputs
    return kernel(elapsed, tau) @ weight, kernel_slope(elapsed, tau) @ weight


# %% firing_time_answer
def first_crossing(trace, times, threshold):
    above = trace >= threshold
    rises = above[1:] & ~above[:-1]
    at = rises.to(torch.uint8).argmax(0)
    low, high = (trace.gather(0, place[None]).squeeze(0) for place in (at, at + 1))
    found = times[at] + (threshold - low) / (high - low) * (times[at + 1] - times[at])
    return torch.where(rises.any(0), found, math.inf)


def firing_time(weight, inputs, tau, threshold=1.0, *, window, dt):
    def parts(elapsed):
        s = elapsed.clamp(min=0) / tau
        return s * torch.exp(1 - s), torch.where(elapsed >= 0, torch.exp(1 - s) * (1 - s) / tau, 0.0)

    grid = dt * torch.arange(round(window / dt) + 1, dtype=weight.dtype)
    times = first_crossing(parts(grid[:, None, None] - inputs)[0] @ weight.T, grid, threshold)
    for _ in range(5):
        value, slope = ((weight * one).sum(-1) for one in parts(times[:, :, None] - inputs[:, None, :]))
        times = times - (value - threshold) / slope
    return times


# %% spikeprop_answer
def firing_gradients(weight, inputs, times, tau, min_slope):
    elapsed = times[:, :, None] - inputs[:, None, :]
    s = elapsed.clamp(min=0) / tau
    slopes = torch.where(elapsed >= 0, torch.exp(1 - s) * (1 - s) / tau, 0.0)
    slope = (weight * slopes).sum(-1, keepdim=True).clamp(min=min_slope)
    return -s * torch.exp(1 - s) / slope, slopes / slope


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


# %% latency_loss_answer
def latency_loss(times, labels, silent_time):
    return F.cross_entropy(-times, labels)


def first_to_fire(times):
    last = times.shape[1] - 1 - times.flip(1).argmin(1)
    return torch.where(torch.isinf(times).all(1), -1, last)


# %% stdp_pairs_answer
def stdp_window(gap, a_plus, a_minus, tau_plus, tau_minus):
    later = a_plus * torch.exp(-gap / tau_plus)
    earlier = -a_minus * torch.exp(gap / tau_minus)
    return (gap > 0) * later + (gap < 0) * earlier


def pair_stdp(pre, post, a_plus, a_minus, tau_plus, tau_minus, dt=1.0):
    clock = dt * torch.arange(len(pre), dtype=pre.dtype)
    window = stdp_window(clock[:, None] - clock[None, :], a_plus, a_minus, tau_plus, tau_minus)
    return torch.einsum("tno,tu,uni->oi", post, window, pre) / max(pre.shape[1], 1)


# %% stdp_traces_answer
class OnlineSTDP:
    def __init__(self, a_plus, a_minus, tau_plus, tau_minus, dt=1.0):
        self.a_plus, self.a_minus = a_plus, a_minus
        self.keep_pre, self.keep_post = math.exp(-dt / tau_plus), math.exp(-dt / tau_minus)
        self.pre_trace = None

    def reset(self):
        self.pre_trace = None

    def step(self, pre, post):
        if self.pre_trace is None:
            self.pre_trace, self.post_trace = torch.zeros_like(pre), torch.zeros_like(post)
        self.pre_trace = self.keep_pre * self.pre_trace
        self.post_trace = self.keep_post * self.post_trace
        change = self.a_plus * post.T @ self.pre_trace - self.a_minus * self.post_trace.T @ pre
        self.pre_trace, self.post_trace = self.pre_trace + pre, self.post_trace + post
        return change

    def learn(self, weight, pre, post, low=-math.inf, high=math.inf):
        for pre_now, post_now in zip(pre, post):
            weight = weight + self.step(pre_now, post_now)
        return weight


# %% perturbation_answer
def perturb(objective, theta, *, steps, scale, generator):
    theta = theta.clone()
    best = float(objective(theta))
    history = [best]
    for _ in range(steps):
        theta = theta + scale * torch.randn(theta.shape, generator=generator, dtype=theta.dtype)
        best = min(best, float(objective(theta)))
        history.append(best)
    return theta, history


def directional_gradient(objective, theta, directions, scale):
    total = torch.zeros_like(theta)
    for direction in directions:
        rise = float(objective(theta + scale * direction)) - float(objective(theta - scale * direction))
        total = total + rise / (2 * scale)
    return total / len(directions)


# %% bayes_answer
def posterior(seen, values, grid, length, noise):
    def covariance(a, b):
        return torch.exp(-((a[:, None] - b[None, :]) ** 2) / (2 * length**2))

    across = covariance(grid, seen)
    observed = covariance(seen, seen) + noise * torch.eye(len(seen), dtype=seen.dtype)
    solved = torch.linalg.solve(observed, across.T)
    return solved.T @ values, (1 - (across * solved.T).sum(1)).clamp(min=0).sqrt()


def expected_improvement(mean, std, best):
    z = (best - mean) / std
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return (best - mean) * density + std * torch.special.ndtr(z)


def next_point(grid, seen, values, length, noise):
    def covariance(a, b):
        return torch.exp(-((a[:, None] - b[None, :]) ** 2) / (2 * length**2))

    across = covariance(grid, seen)
    observed = covariance(seen, seen) + noise**2 * torch.eye(len(seen), dtype=seen.dtype)
    solved = torch.linalg.solve(observed, across.T)
    return grid[(1 - (across * solved.T).sum(1)).argmax()]
