# %% sine_surrogate_answer
class Sine(SurrogateFunctionBase):
    def __init__(self, alpha=1.0, spiking=True):
        super().__init__(spiking=spiking, alpha=alpha)

    @staticmethod
    def spiking_function(x, alpha):
        return heaviside(x)

    @staticmethod
    def primitive_function(x, alpha):
        return torch.sin(math.pi / (2 * alpha) * x.clamp(-alpha, alpha)) / 2 + 0.5


# %% power_surrogate_answer
class Power(SurrogateFunctionBase):
    def __init__(self, alpha=0.5, floor=0.01, spiking=True):
        super().__init__(spiking=spiking, alpha=alpha, floor=floor)

    @staticmethod
    def spiking_function(x, alpha, floor):
        return (x >= 0).float()

    @staticmethod
    def primitive_function(x, alpha, floor):
        x = x.clamp(-1, 1)
        return torch.sign(x) * x.abs() ** alpha / 2 + 0.5


# %% two_layer_snn_answer
def two_layer_snn(inputs, hidden, classes, surrogate):
    """Linear, neurons, linear, neurons, on frames [T, N, ...]."""
    lif = neuron.LIFNode(
        tau=2.0,
        decay_input=False,
        v_reset=None,
        detach_reset=True,
        surrogate_function=surrogate,
        step_mode="m",
    )
    first, second = nn.Linear(inputs, hidden, bias=False), nn.Linear(hidden, classes, bias=False)
    return nn.Sequential(nn.Flatten(2), first, lif, second, lif)


def firing_rates(network, frames):
    """Mean over time of the output spikes [N, classes], starting from potential 0."""
    functional.reset_net(network)
    return network(frames).mean(0)


# %% training_answer
def train(network, frames, labels, *, epochs, learning_rate=1e-3, batch=64, seed=0):
    """Train on frames [T, N, ...] and labels [N]; the mean loss of each epoch."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    losses = []
    for _ in range(epochs):
        frames = frames[:, torch.randperm(len(labels), generator=generator)]
        total = 0.0
        for start in range(0, len(labels), batch):
            target = F.one_hot(labels[start : start + batch], 10).float()
            loss = F.mse_loss(firing_rates(network, frames[:, start : start + batch]), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(target)
        losses.append(total / len(labels))
    return losses


# %% sparse_gradient_answer
def zero_gradient_share(family, x):
    """Share of the elements of x at which the surrogate passes no gradient."""
    return 1.0 - (slope_of(family, x) == 0).double().mean().item()


class FixedPeakSpike(torch.autograd.Function):
    """The step forward, a triangle of given width and height backward."""

    @staticmethod
    def forward(x, width, peak):
        return heaviside(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.width, ctx.peak = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * ctx.peak * (1 - 2 * x.abs() / ctx.width).clamp(min=0), None, None


class FixedPeak(SurrogateFunctionBase):
    def __init__(self, width=1.0, peak=1.0, spiking=True):
        super().__init__(spiking=spiking, width=width, peak=peak)

    @staticmethod
    def spiking_function(x, width, peak):
        return FixedPeakSpike.apply(x, width, peak)
