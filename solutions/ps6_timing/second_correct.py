# %% answer="response"
def kernel(elapsed, tau):
    """One number at a time, with the formula as it is printed."""

    def response(u):
        return u / tau * math.exp(1 - u / tau) if u > 0 else 0.0

    values = [response(u) for u in elapsed.double().flatten().tolist()]
    return torch.tensor(values, dtype=elapsed.dtype).reshape(elapsed.shape)


def kernel_slope(elapsed, tau):
    rate = 1 / tau
    u = torch.where(elapsed < 0, torch.full_like(elapsed, tau), elapsed)  # the slope at tau is 0
    return (rate - rate**2 * u) * (1 - rate * u).exp()


def potential(time, weight, inputs, tau):
    value = time.new_zeros(len(time), len(inputs), len(weight))
    slope = torch.zeros_like(value)
    for i in range(weight.shape[1]):
        late = time.reshape(-1, 1, 1) - inputs[:, i].reshape(1, -1, 1)
        value += weight[:, i] * kernel(late, tau)
        slope += weight[:, i] * kernel_slope(late, tau)
    return value, slope


# %% answer="firing_time"
def first_crossing(trace, times, threshold):
    """Go through the samples in order and note who is above for the first time."""
    found = torch.full(trace.shape[1:], float("inf"), dtype=trace.dtype)
    waiting = torch.ones(trace.shape[1:], dtype=torch.bool)
    for m in range(len(times)):
        new = waiting & (trace[m] >= threshold)
        if m == 0:
            found[new] = times[0]
        else:
            rise = (trace[m] - trace[m - 1])[new]
            found[new] = times[m] - (trace[m][new] - threshold) / rise * (times[m] - times[m - 1])
        waiting &= ~new
    return found


def firing_time(weight, inputs, tau, threshold=1.0, *, window, dt):
    """Bisection between the two samples that enclose the crossing."""

    def value(t):
        s = ((t[:, :, None] - inputs[:, None, :]) / tau).clamp(min=0)
        return torch.einsum("noi,oi->no", s * torch.exp(1 - s), weight)

    steps = int(window / dt + 0.5)
    low = torch.zeros(len(inputs), len(weight), dtype=weight.dtype)
    high = torch.full_like(low, math.inf)
    for k in range(steps + 1):
        now = torch.full_like(low, k * dt)
        new = torch.isinf(high) & (value(now) >= threshold)
        high[new] = k * dt
        low[new] = max(k - 1, 0) * dt
    fires = torch.isfinite(high)
    low, top = torch.where(fires, low, 0.0), torch.where(fires, high, 0.0)
    for _ in range(50):
        middle = (low + top) / 2
        above = value(middle) >= threshold
        low, top = torch.where(above, low, middle), torch.where(above, middle, top)
    return torch.where(fires, top, torch.inf)


# %% answer="spikeprop"
def firing_gradients(weight, inputs, times, tau, min_slope):
    """Pattern by pattern and neuron by neuron."""
    by_weight = weight.new_zeros(len(inputs), *weight.shape)
    by_inputs = weight.new_zeros(len(inputs), *weight.shape)
    for n in range(len(inputs)):
        for j in range(len(weight)):
            if math.isinf(float(times[n, j])):
                continue
            u = times[n, j] - inputs[n]
            pull = weight[j] * kernel_slope(u, tau)
            slope = max(float(pull.sum()), min_slope)
            by_weight[n, j] -= kernel(u, tau) / slope
            by_inputs[n, j] += pull / slope
    return by_weight, by_inputs


class FiringTime(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, inputs, times, tau, min_slope):
        ctx.derivatives = firing_gradients(weight, inputs, times, tau, min_slope)
        return times * 1.0

    @staticmethod
    def backward(ctx, grad):
        by_weight, by_inputs = ctx.derivatives
        return (
            (grad[:, :, None] * by_weight).sum(dim=0),
            (grad[:, :, None] * by_inputs).sum(dim=1),
            None,
            None,
            None,
        )


# %% answer="latency_loss"
def latency_loss(times, labels, silent_time):
    """log of the sum of exponentials, written out."""
    seen = times.masked_fill(~(times < silent_time), silent_time)
    early = seen.detach().min(dim=1, keepdim=True).values
    total = torch.log(torch.exp(early - seen).sum(1)) - early[:, 0]
    own = seen[range(len(labels)), labels]
    return (own + total).sum() / len(labels)


def first_to_fire(times):
    classes = []
    for row in times.tolist():
        first = min(row)
        classes.append(-1 if first == math.inf else row.index(first))
    return torch.tensor(classes, dtype=torch.int64)


# %% answer="stdp_pairs"
def stdp_window(gap, a_plus, a_minus, tau_plus, tau_minus):
    distance = gap.abs()
    change = torch.zeros_like(gap)
    change = torch.where(gap > 0, a_plus * torch.exp(-distance / tau_plus), change)
    return torch.where(gap < 0, -a_minus * torch.exp(-distance / tau_minus), change)


def pair_stdp(pre, post, a_plus, a_minus, tau_plus, tau_minus, dt=1.0):
    """Spike after spike of the receiver, all spikes of the sender at once."""
    change = torch.zeros(post.shape[2], pre.shape[2], dtype=torch.float64)
    clock = dt * torch.arange(pre.shape[0], dtype=torch.float64)
    for t, n, j in post.nonzero().tolist():
        window = stdp_window(clock[t] - clock, a_plus, a_minus, tau_plus, tau_minus)
        change[j] += window @ pre[:, n].double()
    return change.to(pre.dtype)


# %% answer="stdp_traces"
class OnlineSTDP:
    """Traces are kept scaled by their sizes, and spikes are added before the next decay."""

    def __init__(self, a_plus, a_minus, tau_plus, tau_minus, dt=1.0):
        self.sizes = (a_plus, a_minus)
        self.factors = [math.exp(-dt / tau) for tau in (tau_plus, tau_minus)]
        self.memory = None

    def reset(self):
        self.memory = None

    def step(self, pre, post):
        spikes = (self.sizes[0] * pre, self.sizes[1] * post)
        if self.memory is None:
            faded = [torch.zeros_like(one) for one in spikes]
        else:
            faded = [factor * one for factor, one in zip(self.factors, self.memory)]
        self.memory = [old + new for old, new in zip(faded, spikes)]
        grow = torch.einsum("no,ni->oi", post, faded[0])
        shrink = torch.einsum("no,ni->oi", faded[1], pre)
        return grow - shrink

    def learn(self, weight, pre, post, low=-math.inf, high=math.inf):
        self.memory = None
        learnt = weight.clone()
        for t in range(pre.shape[0]):
            learnt += self.step(pre[t], post[t])
            learnt = torch.clip(learnt, min=low, max=high)
        return learnt


# %% answer="perturbation"
def perturb(objective, theta, *, steps, scale, generator):
    kept = theta.clone().detach()
    losses = torch.zeros(steps + 1, dtype=torch.float64)
    losses[0] = float(objective(kept))
    for step in range(1, steps + 1):
        noise = torch.empty_like(kept).normal_(0.0, scale, generator=generator)
        candidate = kept + noise
        loss = float(objective(candidate))
        if loss >= losses[step - 1]:
            losses[step] = losses[step - 1]
        else:
            kept, losses[step] = candidate, loss
    return kept, losses.tolist()


def directional_gradient(objective, theta, directions, scale):
    slopes = torch.tensor(
        [
            (float(objective(theta + scale * e)) - float(objective(theta - scale * e))) / scale / 2
            for e in directions
        ],
        dtype=theta.dtype,
    )
    return slopes @ directions / len(directions)


# %% answer="bayes"
def posterior(seen, values, grid, length, noise):
    """With a Cholesky factor, in NumPy."""
    import numpy as np

    x, y, new = seen.numpy(), values.numpy(), grid.numpy()

    def k(a, b):
        return np.exp(-0.5 * np.subtract.outer(a, b) ** 2 / length**2)

    if len(x) == 0:
        return torch.zeros_like(grid), torch.ones_like(grid)
    factor = np.linalg.cholesky(k(x, x) + np.diag(np.full(len(x), noise**2)))
    half = np.linalg.solve(factor, k(x, new))
    mean = half.T @ np.linalg.solve(factor, y)
    return torch.from_numpy(mean), torch.from_numpy(np.sqrt(np.maximum(1 - (half**2).sum(0), 0)))


def expected_improvement(mean, std, best):
    best, found = float(best), []
    for mu, s in zip(mean.flatten().tolist(), std.flatten().tolist()):
        if s == 0:
            found.append(max(best - mu, 0.0))
            continue
        z = (best - mu) / s
        below = (1 + math.erf(z / math.sqrt(2))) / 2
        found.append(s * (z * below + math.exp(-z * z / 2) / math.sqrt(2 * math.pi)))
    return torch.tensor(found, dtype=mean.dtype).reshape(mean.shape)


def next_point(grid, seen, values, length, noise):
    mean, std = posterior(seen, values, grid, length, noise)
    promise = expected_improvement(mean, std, min(values.tolist())).tolist()
    return float(grid[promise.index(max(promise))])
