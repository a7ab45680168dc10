# %% sine_derivative_answer
def sine_derivative(x, alpha):
    """Slope of S at each element of x."""
    slope = math.pi * alpha / 4 * torch.cos(math.pi * alpha * x / 2)
    return torch.where(x.abs() <= 1 / alpha, slope, torch.zeros_like(x))


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
        magnitude = x.abs().clamp(min=ctx.floor)
        return grad_output * ctx.alpha * magnitude ** (ctx.alpha - 1) * (x.abs() <= 1), None, None


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


# %% summarise_answer
def summarise(results):
    runs = {}
    for row in results:
        runs.setdefault((row["surrogate"], row["parameter"]), []).append(row["accuracy"])
    return {
        setting: (np.mean(values), np.std(values) / np.sqrt(len(values))) for setting, values in runs.items()
    }
