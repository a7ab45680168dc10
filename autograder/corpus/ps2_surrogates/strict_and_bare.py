# %% sine_derivative_answer
def sine_derivative(x, alpha):
    """Slope of S at each element of x."""
    slope = math.pi / 4 * torch.cos(math.pi * x / (2 * alpha))
    slope[x.abs() > alpha] = 0
    return slope


# %% sine_surrogate_answer
class SineSpike(torch.autograd.Function):
    """The step forward, the slope of S backward."""

    @staticmethod
    def forward(x, alpha):
        return (x > 0).to(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.alpha = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        slope = math.pi / (4 * ctx.alpha) * torch.cos(math.pi * x / (2 * ctx.alpha)) * (x.abs() <= ctx.alpha)
        return slope, None


class Sine(SurrogateFunctionBase):
    def __init__(self, alpha=1.0, spiking=True):
        super().__init__(spiking=spiking, alpha=alpha)

    @staticmethod
    def spiking_function(x, alpha):
        return SineSpike.apply(x, alpha)

    @staticmethod
    def primitive_function(x, alpha):
        return torch.sin(math.pi / (2 * alpha) * x.clamp(-alpha, alpha)) / 2


# %% power_surrogate_answer
class PowerSpike(torch.autograd.Function):
    """The step forward, the slope of P backward."""

    @staticmethod
    def forward(x, alpha, floor):
        return (x > 0).to(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.alpha, ctx.floor = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        magnitude = x.abs()
        return grad_output * ctx.alpha / 2 * magnitude ** (ctx.alpha - 1) * (magnitude <= 1), None, None


class Power(SurrogateFunctionBase):
    def __init__(self, alpha=0.5, floor=0.01, spiking=True):
        super().__init__(spiking=spiking, alpha=alpha, floor=floor)

    @staticmethod
    def spiking_function(x, alpha, floor):
        return PowerSpike.apply(x, alpha, floor)

    @staticmethod
    def primitive_function(x, alpha, floor):
        inside = x.clamp(-1, 1)
        return inside.sign() * inside.abs() ** alpha / 2 + 0.5


# %% sparse_gradient_answer
def zero_gradient_share(family, x):
    """Share of the elements of x at which the surrogate passes no gradient."""
    return (family(x) == 0).float().mean()


class FixedPeakSpike(torch.autograd.Function):
    """The step forward, a triangle backward."""

    @staticmethod
    def forward(x, width, peak):
        return (x > 0).to(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.width, ctx.peak = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (1 / ctx.width - x.abs() / ctx.width**2).clamp(min=0), None, None


class FixedPeak(SurrogateFunctionBase):
    def __init__(self, width=1.0, peak=1.0, spiking=True):
        super().__init__(spiking=spiking, width=width, peak=peak)

    @staticmethod
    def spiking_function(x, width, peak):
        return FixedPeakSpike.apply(x, width, peak)
