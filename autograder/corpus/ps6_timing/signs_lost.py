# %% response_answer
def kernel(elapsed, tau):
    s = elapsed / tau
    return s * torch.exp(1 - s)


def kernel_slope(elapsed, tau):
    s = elapsed / tau
    return torch.exp(1 - s) * (1 - s) / tau


def potential(time, weight, inputs, tau):
    elapsed = time[:, None, None] - inputs
    return kernel(elapsed, tau) @ weight.T, kernel_slope(elapsed, tau) @ weight.T


# %% firing_time_answer
def first_crossing(trace, times, threshold):
    return times[trace.argmax(0)]


def firing_time(weight, inputs, tau, threshold=1.0, *, window, dt):
    grid = dt * torch.arange(round(window / dt) + 1, dtype=weight.dtype)
    s = (grid[:, None, None] - inputs).clamp(min=0) / tau
    return first_crossing((s * torch.exp(1 - s)) @ weight.T, grid, threshold)


# %% spikeprop_answer
def firing_gradients(weight, inputs, times, tau, min_slope):
    fired = torch.isfinite(times)[:, :, None]
    elapsed = torch.where(fired, times[:, :, None], 0.0) - inputs[:, None, :]
    s = elapsed.clamp(min=0) / tau
    pull = weight * torch.where(elapsed >= 0, torch.exp(1 - s) * (1 - s) / tau, 0.0)
    slope = pull.sum(-1, keepdim=True).clamp(min=min_slope)
    return torch.where(fired, s * torch.exp(1 - s) / slope, 0.0), torch.where(fired, pull / slope, 0.0)


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
    seen = torch.where(times < silent_time, times, silent_time)
    return F.cross_entropy(seen, labels)


def first_to_fire(times):
    return times.argmax(1)


# %% stdp_pairs_answer
def stdp_window(gap, a_plus, a_minus, tau_plus, tau_minus):
    later = -a_minus * torch.exp(-gap.clamp(min=0) / tau_minus)
    earlier = a_plus * torch.exp(gap.clamp(max=0) / tau_plus)
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
        pre_trace, post_trace = self.keep_pre * self.pre_trace, self.keep_post * self.post_trace
        change = self.a_plus * post_trace.T @ pre - self.a_minus * post.T @ pre_trace
        self.pre_trace, self.post_trace = pre_trace + pre, post_trace + post
        return change

    def learn(self, weight, pre, post, low=-math.inf, high=math.inf):
        self.reset()
        for pre_now, post_now in zip(pre, post):
            weight = (weight + self.step(pre_now, post_now)).clamp(low, high)
        return weight


# %% perturbation_answer
def perturb(objective, theta, *, steps, scale, generator):
    theta = theta.clone()
    value = float(objective(theta))
    history = [value]
    for _ in range(steps):
        proposal = theta + scale * torch.randn(theta.shape, generator=generator, dtype=theta.dtype)
        proposed = float(objective(proposal))
        if proposed > value:
            theta, value = proposal, proposed
        history.append(value)
    return theta, history


def directional_gradient(objective, theta, directions, scale):
    total = torch.zeros_like(theta)
    for direction in directions:
        rise = float(objective(theta - scale * direction)) - float(objective(theta + scale * direction))
        total = total + rise / (2 * scale) * direction
    return total / len(directions)


# %% bayes_answer
def posterior(seen, values, grid, length, noise):
    def covariance(a, b):
        return torch.exp(-((a[:, None] - b[None, :]) ** 2) / (2 * length**2))

    across = covariance(grid, seen)
    observed = covariance(seen, seen) + noise**2 * torch.eye(len(seen), dtype=seen.dtype)
    solved = torch.linalg.solve(observed, across.T)
    return solved.T @ values, (across * solved.T).sum(1).clamp(min=0).sqrt()


def expected_improvement(mean, std, best):
    gain = mean - best
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
    return grid[expected_improvement(solved.T @ values, std, values.min()).argmax()]
