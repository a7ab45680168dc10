# %% response_answer
def kernel(elapsed, tau):
    s = elapsed / tau
    return s * torch.exp(1 - s) * (elapsed >= 0)


def kernel_slope(elapsed, tau):
    s = elapsed / tau
    return torch.exp(1 - s) * (1 - s) / tau * (elapsed >= 0)


def potential(time, weight, inputs, tau):
    elapsed = time[:, None, None] - inputs
    return kernel(elapsed, tau) @ weight.T, kernel_slope(elapsed, tau) @ weight.T


# %% firing_time_answer
def first_crossing(trace, times, threshold):
    at = (trace >= threshold).to(torch.uint8).argmax(0)
    before = (at - 1).clamp(min=0)
    low, high = (trace.gather(0, place[None]).squeeze(0) for place in (before, at))
    share = torch.where(at > 0, (threshold - low) / torch.where(high > low, high - low, 1.0), 0.0)
    return times[before] + share * (times[at] - times[before])


def firing_time(weight, inputs, tau, threshold=1.0, *, window, dt):
    def parts(elapsed):
        s = elapsed.clamp(min=0) / tau
        return s * torch.exp(1 - s), torch.where(elapsed >= 0, torch.exp(1 - s) * (1 - s) / tau, 0.0)

    grid = dt * torch.arange(round(window / dt) + 1, dtype=weight.dtype)
    times = first_crossing(parts(grid[:, None, None] - inputs)[0] @ weight.T, grid, threshold)
    for _ in range(5):
        value, slope = ((weight * one).sum(-1) for one in parts(times[:, :, None] - inputs[:, None, :]))
        times = torch.where(times > 0, times - (value - threshold) / slope, times)
    return times


# %% spikeprop_answer
def firing_gradients(weight, inputs, times, tau, min_slope):
    times = torch.where(torch.isfinite(times), times, 0.0)
    elapsed = times[:, :, None] - inputs[:, None, :]
    s = elapsed.clamp(min=0) / tau
    pull = weight * torch.where(elapsed >= 0, torch.exp(1 - s) * (1 - s) / tau, 0.0)
    slope = pull.sum(-1, keepdim=True)
    slope = torch.where(slope.abs() < 1e-12, 1.0, slope)
    return -s * torch.exp(1 - s) / slope, pull / slope


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
        weight_grad = torch.einsum("no,noi->oi", grad, by_weight) / len(grad)
        inputs_grad = torch.einsum("no,noi->ni", grad, by_inputs)
        return weight_grad, inputs_grad, None, None, None


# %% latency_loss_answer
def latency_loss(times, labels, silent_time):
    seen = torch.where(times < silent_time, times, 0.0)
    return F.cross_entropy(-seen, labels)


def first_to_fire(times):
    return torch.where(torch.isinf(times), 0.0, times).argmin(1)


# %% stdp_pairs_answer
def stdp_window(gap, a_plus, a_minus, tau_plus, tau_minus):
    later = a_plus * torch.exp(-gap.clamp(min=0) / tau_plus)
    earlier = -a_minus * torch.exp(gap.clamp(max=0) / tau_minus)
    return torch.where(gap >= 0, later, earlier)


def pair_stdp(pre, post, a_plus, a_minus, tau_plus, tau_minus, dt=1.0):
    clock = dt * torch.arange(len(pre), dtype=pre.dtype)
    window = stdp_window(clock[:, None] - clock[None, :], a_plus, a_minus, tau_plus, tau_minus)
    return torch.einsum("tno,tu,uni->oi", post, window, pre)


# %% stdp_traces_answer
class OnlineSTDP:
    def __init__(self, a_plus, a_minus, tau_plus, tau_minus, dt=1.0):
        self.a_plus, self.a_minus = a_plus, a_minus
        self.keep_pre, self.keep_post = math.exp(-dt / tau_plus), math.exp(-dt / tau_minus)
        self.pre_trace = self.post_trace = 0.0

    def reset(self):
        pass

    def step(self, pre, post):
        pre_trace = self.keep_pre * self.pre_trace + torch.zeros_like(pre)
        post_trace = self.keep_post * self.post_trace + torch.zeros_like(post)
        change = self.a_plus * post.T @ pre_trace - self.a_minus * post_trace.T @ pre
        self.pre_trace, self.post_trace = pre_trace + pre, post_trace + post
        return change

    def learn(self, weight, pre, post, low=-math.inf, high=math.inf):
        for pre_now, post_now in zip(pre, post):
            weight = (weight + self.step(pre_now, post_now)).clamp(low, high)
        return weight


# %% perturbation_answer
def perturb(objective, theta, *, steps, scale, generator):
    theta = theta.clone()
    history = [float(objective(theta))]
    for _ in range(steps):
        theta = theta + scale * torch.randn(theta.shape, generator=generator, dtype=theta.dtype)
        history.append(float(objective(theta)))
    return theta, history


def directional_gradient(objective, theta, directions, scale):
    total = torch.zeros_like(theta)
    for direction in directions:
        rise = float(objective(theta + scale * direction)) - float(objective(theta - scale * direction))
        total = total + rise / scale * direction
    return total / len(directions)


# %% bayes_answer
def posterior(seen, values, grid, length, noise):
    def covariance(a, b):
        return torch.exp(-((a[:, None] - b[None, :]) ** 2) / (2 * length**2))

    across = covariance(grid, seen)
    solved = torch.linalg.solve(covariance(seen, seen), across.T)
    return solved.T @ values, (1 - (across * solved.T).sum(1)).clamp(min=0).sqrt()


def expected_improvement(mean, std, best):
    z = (best - mean) / std
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return (best - mean) * torch.special.ndtr(z) + std * density


def next_point(grid, seen, values, length, noise):
    def covariance(a, b):
        return torch.exp(-((a[:, None] - b[None, :]) ** 2) / (2 * length**2))

    observed = covariance(seen, seen) + noise**2 * torch.eye(len(seen), dtype=seen.dtype)
    mean = covariance(grid, seen) @ torch.linalg.solve(observed, values)
    return grid[mean.argmin()]
