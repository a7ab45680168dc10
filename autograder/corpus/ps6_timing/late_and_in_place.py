# %% response_answer
def kernel(elapsed, tau):
    s = elapsed.clamp(min=0) / tau
    return s * torch.exp(1 - s)


def kernel_slope(elapsed, tau):
    s = elapsed.clamp(min=0) / tau
    return torch.where(elapsed >= 0, torch.exp(1 - s) * (s - 1) / tau, 0.0)


def potential(time, weight, inputs, tau):
    elapsed = inputs - time[:, None, None]
    s = elapsed.clamp(min=0) / tau
    slope = torch.where(elapsed >= 0, torch.exp(1 - s) * (1 - s) / tau, 0.0)
    return (s * torch.exp(1 - s)) @ weight.T, slope @ weight.T


# %% firing_time_answer
def first_crossing(trace, times, threshold):
    above = trace >= threshold
    before = torch.cat([torch.zeros_like(above[:1]), above[:-1]])
    rises = above & ~before
    place = torch.arange(len(times)).reshape(-1, *[1] * (trace.dim() - 1))
    at = torch.where(rises, place, -1).max(0).values.clamp(min=0)
    earlier = (at - 1).clamp(min=0)
    low, high = (trace.gather(0, one[None]).squeeze(0) for one in (earlier, at))
    share = torch.where(at > 0, (threshold - low) / torch.where(high > low, high - low, 1.0), 0.0)
    found = times[earlier] + share * (times[at] - times[earlier])
    return torch.where(rises.any(0), found, math.inf)


def firing_time(weight, inputs, tau, threshold=1.0, *, window, dt):
    grid = dt * torch.arange(round(window / dt) + 1, dtype=weight.dtype)
    s = (grid[:, None, None] - inputs).clamp(min=0) / tau
    trace = (s * torch.exp(1 - s)) @ weight.T
    reached = trace >= threshold
    at = reached.to(torch.uint8).argmax(0)
    low, high = (trace.gather(0, one[None]).squeeze(0) for one in ((at - 1).clamp(min=0), at))
    found = grid[at] - (high - threshold) / torch.where(high > low, high - low, 1.0) * dt
    return torch.where(reached.any(0), found, math.inf)


# %% spikeprop_answer
def firing_gradients(weight, inputs, times, tau, min_slope):
    fired = torch.isfinite(times)[:, :, None]
    elapsed = torch.where(fired, times[:, :, None], 0.0) - inputs[:, None, :]
    s = elapsed.clamp(min=0) / tau
    pull = weight * torch.where(elapsed >= 0, torch.exp(1 - s) * (1 - s) / tau, 0.0)
    slope = pull.sum(-1, keepdim=True) + min_slope
    return torch.where(fired, -s * torch.exp(1 - s) / slope, 0.0), torch.where(fired, pull / slope, 0.0)


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
    seen = torch.where(torch.isinf(times), silent_time, times)
    return F.cross_entropy(-seen, labels)


def first_to_fire(times):
    seen = torch.where(torch.isinf(times), -1.0, times)
    return torch.where(torch.isinf(times).all(1), -1, seen.argmax(1))


# %% stdp_pairs_answer
def stdp_window(gap, a_plus, a_minus, tau_plus, tau_minus):
    later = a_plus * torch.exp(-gap.clamp(min=0) / tau_plus)
    earlier = -a_minus * torch.exp(gap.clamp(max=0) / tau_minus)
    return torch.where(gap > 0, later, earlier)


def pair_stdp(pre, post, a_plus, a_minus, tau_plus, tau_minus, dt=1.0):
    change = torch.zeros(post.shape[2], pre.shape[2], dtype=pre.dtype)
    last_pre = torch.full(pre.shape[1:], -math.inf, dtype=pre.dtype)
    last_post = torch.full(post.shape[1:], -math.inf, dtype=pre.dtype)
    for t in range(len(pre)):
        since_pre, since_post = t * dt - last_pre, t * dt - last_post
        change += a_plus * post[t].T @ torch.exp(-since_pre / tau_plus)
        change -= a_minus * torch.exp(-since_post / tau_minus).T @ pre[t]
        last_pre = torch.where(pre[t] > 0, t * dt, last_pre)
        last_post = torch.where(post[t] > 0, t * dt, last_post)
    return change


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
        self.pre_trace = self.keep_pre * self.pre_trace
        self.post_trace = self.keep_post * self.post_trace
        change = self.a_plus * post.T @ self.pre_trace - self.a_minus * self.post_trace.T @ pre
        self.pre_trace, self.post_trace = self.pre_trace + pre, self.post_trace + post
        return change

    def learn(self, weight, pre, post, low=-math.inf, high=math.inf):
        self.reset()
        for pre_now, post_now in zip(pre, post):
            weight += self.step(pre_now, post_now)
            weight.clamp_(low, high)
        return weight


# %% perturbation_answer
def perturb(objective, theta, *, steps, scale, generator):
    value = float(objective(theta))
    history = [value]
    for _ in range(steps):
        noise = scale * torch.randn(theta.shape, generator=generator, dtype=theta.dtype)
        theta += noise
        proposed = float(objective(theta))
        if proposed < value:
            value = proposed
        else:
            theta -= noise
        history.append(value)
    return theta, history


def directional_gradient(objective, theta, directions, scale):
    total = torch.zeros_like(theta)
    for direction in directions:
        rise = float(objective(theta + scale * direction)) - float(objective(theta - scale * direction))
        total = total + rise / (2 * scale) * direction
    return total


# %% bayes_answer
def posterior(seen, values, grid, length, noise):
    def covariance(a, b):
        return torch.exp(-((a[:, None] - b[None, :]) ** 2) / length**2)

    across = covariance(grid, seen)
    observed = covariance(seen, seen) + noise**2 * torch.eye(len(seen), dtype=seen.dtype)
    solved = torch.linalg.solve(observed, across.T)
    return solved.T @ values, (1 - (across * solved.T).sum(1)).clamp(min=0).sqrt()


def expected_improvement(mean, std, best):
    gain = best - mean
    z = gain / torch.where(std > 0, std, 1.0)
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return torch.where(std > 0, gain + std * density, gain.clamp(min=0))


def next_point(grid, seen, values, length, noise):
    def covariance(a, b):
        return torch.exp(-((a[:, None] - b[None, :]) ** 2) / (2 * length**2))

    across = covariance(grid, seen)
    observed = covariance(seen, seen) + noise**2 * torch.eye(len(seen), dtype=seen.dtype)
    solved = torch.linalg.solve(observed, across.T)
    mean, std = solved.T @ values, (1 - (across * solved.T).sum(1)).clamp(min=0).sqrt()
    z = (values.min() - mean) / std
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return grid[((values.min() - mean) * torch.special.ndtr(z) + std * density).argmin()]
