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
        # your code here
        raise NotImplementedError


class Power(SurrogateFunctionBase):
    def __init__(self, alpha=0.5, floor=0.01, spiking=True):
        super().__init__(spiking=spiking, alpha=alpha, floor=floor)

    @staticmethod
    def spiking_function(x, alpha, floor):
        return PowerSpike.apply(x, alpha, floor)

    @staticmethod
    def primitive_function(x, alpha, floor):
        return 0.5 * torch.sign(x) * torch.abs(x) ** alpha + 0.5


# %% two_layer_snn_answer
def two_layer_snn(inputs, hidden, classes, surrogate):
    """Linear, neurons, linear, neurons, on frames [T, N, ...]."""
    lif = dict(tau=2.0, decay_input=False, v_reset=None, detach_reset=True, surrogate_function=surrogate)
    return nn.Sequential(
        nn.Flatten(2),
        nn.Linear(inputs, hidden, bias=False),
        neuron.LIFNode(**lif),
        nn.Linear(hidden, classes, bias=False),
        neuron.LIFNode(**lif),
    )


def firing_rates(network, frames):
    """Mean over time of the output spikes [N, classes], starting from potential 0."""
    functional.reset_net(network)
    return network(frames).mean(0)


# %% training_answer
def train(network, frames, labels, *, epochs, learning_rate=1e-3, batch=64, seed=0):
    """Train on frames [T, N, ...] and labels [N]; the mean loss of each epoch."""
    # your code here
    raise NotImplementedError


# %% summarise_answer
def summarise(results):
    """{(surrogate, parameter): (mean accuracy, standard error of the mean)}"""
    # your code here
    raise NotImplementedError


# %% sweep_answer
# your code here
raise NotImplementedError


# %% sparse_gradient_answer
def zero_gradient_share(family, x):
    """Share of the elements of x at which the surrogate passes no gradient."""
    return int((slope_of(family, x) == 0).sum())


class FixedPeak(SurrogateFunctionBase):
    def __init__(self, width=1.0, peak=1.0, spiking=True):
        super().__init__(spiking=spiking, width=width, peak=peak)

    @staticmethod
    def spiking_function(x, width, peak):
        return heaviside(x)
