# %% sine_derivative_answer
def sine_derivative(x, alpha):
    """Slope of S at each element of x."""
    return math.pi / (4 * alpha) * torch.cos(math.pi * x / (2 * alpha))


# %% two_layer_snn_answer
def two_layer_snn(inputs, hidden, classes, surrogate):
    """Linear, neurons, linear, neurons, on frames [T, N, ...]."""

    def lif():
        return neuron.LIFNode(
            tau=2.0, decay_input=False, v_reset=None, surrogate_function=surrogate, step_mode="m"
        )

    return nn.Sequential(
        nn.Flatten(2),
        nn.Linear(inputs, hidden, bias=False),
        lif(),
        nn.Linear(hidden, classes, bias=False),
        lif(),
    )


def firing_rates(network, frames):
    """Mean over time of the output spikes [N, classes]."""
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
            functional.reset_net(network)
            rates = firing_rates(network, frames[:, chosen])
            loss = F.mse_loss(rates, F.one_hot(labels[chosen], 10).float())
            loss.backward()
            optimiser.step()
            total += loss.item() * len(chosen)
        losses.append(total / len(labels))
    return losses


# %% sparse_gradient_answer
def zero_gradient_share(family, x):
    """Share of the elements of x at which the surrogate passes no gradient."""
    return (slope_of(family, x) > 0).double().mean().item()


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
        return grad_output * ctx.peak * (1 - x.abs() / ctx.width), None, None


class FixedPeak(SurrogateFunctionBase):
    def __init__(self, width=1.0, peak=1.0, spiking=True):
        super().__init__(spiking=spiking, width=width, peak=peak)

    @staticmethod
    def spiking_function(x, width, peak):
        return FixedPeakSpike.apply(x, width, peak)
