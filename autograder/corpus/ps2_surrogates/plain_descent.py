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
        return grad_output * sine_derivative(x, ctx.alpha)


class Sine(SurrogateFunctionBase):
    def __init__(self, alpha=1.0, spiking=True):
        super().__init__(spiking=spiking, alpha=alpha)

    @staticmethod
    def spiking_function(x, alpha):
        return SineSpike.apply(x, alpha)

    @staticmethod
    def primitive_function(x, alpha):
        return heaviside(x)


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
    def __init__(self, alpha=0.5, floor=0.01):
        super().__init__(spiking=True, alpha=alpha, floor=floor)

    @staticmethod
    def spiking_function(x, alpha, floor):
        return PowerSpike.apply(x, alpha, floor)

    @staticmethod
    def primitive_function(x, alpha, floor):
        x = x.clamp(-1, 1)
        return torch.sign(x) * x.abs() ** alpha / 2 + 0.5


# %% training_answer
def train(network, frames, labels, *, epochs, learning_rate=1e-3, batch=64, seed=0):
    """Train on frames [T, N, ...] and labels [N]; the mean loss of each epoch."""
    optimiser = torch.optim.SGD(network.parameters(), lr=learning_rate)
    losses = []
    for _ in range(epochs):
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
        total = 0.0
        for chosen in order.split(batch):
            rates = firing_rates(network, frames[:, chosen])
            loss = F.mse_loss(rates, F.one_hot(labels[chosen], 10).float())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(chosen)
        losses.append(total / len(labels))
    return losses


# %% summarise_answer
def summarise(results):
    """{(surrogate, parameter): (mean accuracy, standard error of the mean)}"""
    runs = {}
    for row in results:
        runs.setdefault((row["surrogate"], row["parameter"]), []).append(row["accuracy"])
    return {setting: (np.mean(values), np.std(values)) for setting, values in runs.items()}


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
        return grad_output * ctx.peak * (1 - x.abs() / ctx.width).clamp(min=0)


class FixedPeak(SurrogateFunctionBase):
    def __init__(self, width=1.0, peak=1.0, spiking=True):
        super().__init__(spiking=spiking, width=width, peak=peak)

    @staticmethod
    def spiking_function(x, width, peak):
        return FixedPeakSpike.apply(x, width, peak)
