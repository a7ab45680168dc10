# %% sine_surrogate_answer
class SineSpike(torch.autograd.Function):
    """The step forward, the slope of S backward."""

    @staticmethod
    def forward(x, alpha):
        return heaviside(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.alpha = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * sine_derivative(x, ctx.alpha), None


class Sine(SurrogateFunctionBase):
    def __init__(self, alpha=1.0):
        super().__init__(spiking=True, alpha=alpha)

    @staticmethod
    def spiking_function(x, alpha):
        return SineSpike.apply(x, alpha)

    @staticmethod
    def primitive_function(x, alpha):
        return torch.sin(math.pi / (2 * alpha) * x.clamp(-alpha, alpha)) / 2 + 0.5


# %% power_surrogate_answer
class PowerSpike(torch.autograd.Function):
    """The step forward, the floored slope of P backward."""

    @staticmethod
    def forward(x, alpha, floor):
        return heaviside(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.alpha, ctx.floor = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        slope = ctx.alpha / 2 * x.abs().clamp(min=ctx.floor) ** (ctx.alpha - 1)
        return grad_output * slope * (x.abs() <= 1), None, None


class Power(SurrogateFunctionBase):
    def __init__(self, alpha=0.5, floor=0.01, spiking=True):
        super().__init__(alpha, floor, spiking)

    @staticmethod
    def spiking_function(x, alpha, floor):
        return PowerSpike.apply(x, alpha, floor)

    @staticmethod
    def primitive_function(x, alpha, floor):
        return torch.sign(x) * x.abs().clamp(max=1) ** alpha / 2 + 0.5


# %% two_layer_snn_answer
def two_layer_snn(inputs, hidden, classes, surrogate):
    """Linear, neurons, linear, neurons, on frames [T, N, ...]."""
    lif = dict(tau=2.0, decay_input=False, v_reset=None, detach_reset=True, step_mode="m")
    return nn.Sequential(
        nn.Flatten(2),
        nn.Linear(inputs, hidden),
        neuron.LIFNode(surrogate_function=surrogate, **lif),
        nn.Linear(hidden, classes),
        neuron.LIFNode(surrogate_function=surrogate, **lif),
    )


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
        total = 0.0
        for chosen in torch.randperm(len(labels), generator=generator).split(batch):
            optimiser.zero_grad()
            loss = F.mse_loss(firing_rates(network, frames[:, chosen]), F.one_hot(labels[chosen], 10).float())
            loss.backward()
            total += loss.item() * len(chosen)
        losses.append(total / len(labels))
    return losses


# %% summarise_answer
def summarise(results):
    """{(surrogate, parameter): (mean accuracy, standard error of the mean)}"""
    summary = {}
    for name in {row["surrogate"] for row in results}:
        values = [row["accuracy"] for row in results if row["surrogate"] == name]
        summary[name] = (np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values)))
    return summary


# %% sparse_gradient_answer
def zero_gradient_share(family, x):
    """Share of the elements of x at which the surrogate passes no gradient."""
    return (slope_of(family, x) == 0).double().mean().item()


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
        return grad_output * ctx.peak * (1 - x.abs() / ctx.width).clamp(min=0), None, None


class FixedPeak(SurrogateFunctionBase):
    def __init__(self, width=1.0, peak=1.0, spiking=True):
        super().__init__(width, peak, spiking)

    @staticmethod
    def spiking_function(x, width, peak):
        return FixedPeakSpike.apply(x, width, peak)
