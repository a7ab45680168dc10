# %% sine_surrogate_answer
def sine_backward(grad_output, x, alpha):
    return grad_output * sine_derivative(x, alpha), None


class sine(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, alpha):
        if x.requires_grad:
            ctx.save_for_backward(x)
            ctx.alpha = alpha
        return heaviside(x)

    @staticmethod
    def backward(ctx, grad_output):
        return sine_backward(grad_output, ctx.saved_tensors[0], ctx.alpha)


class Sine(SurrogateFunctionBase):
    def __init__(self, alpha=1.0, spiking=True):
        super().__init__(alpha, spiking)

    @staticmethod
    def spiking_function(x, alpha):
        return sine.apply(x, alpha)

    @staticmethod
    def primitive_function(x, alpha):
        return torch.sin(math.pi / (2 * alpha) * x.clamp(-alpha, alpha)) / 2 + 0.5


# %% power_surrogate_answer
class power(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, alpha, floor):
        ctx.save_for_backward(x)
        ctx.alpha, ctx.floor = alpha, floor
        return heaviside(x)

    @staticmethod
    def backward(ctx, grad_output):
        x = ctx.saved_tensors[0]
        slope = ctx.alpha / 2 * x.abs().clamp(min=ctx.floor) ** (ctx.alpha - 1) * (x.abs() <= 1)
        return grad_output * slope


class Power(SurrogateFunctionBase):
    def __init__(self, alpha=0.5, floor=0.01, spiking=True):
        super().__init__(spiking=spiking, alpha=alpha, floor=floor)

    @staticmethod
    def spiking_function(x, alpha, floor):
        return power.apply(x, alpha, floor)

    @staticmethod
    def primitive_function(x, alpha, floor):
        return x.abs().clamp(max=1) ** alpha / 2 + 0.5


# %% sweep_answer
settings = [
    ("ATan", 1.0, surrogate.ATan(alpha=1.0)),
    ("ATan", 2.0, surrogate.ATan(alpha=2.0)),
    ("ATan", 4.0, surrogate.ATan(alpha=4.0)),
    ("Sigmoid", 4.0, surrogate.Sigmoid(alpha=4.0)),
]
results = [
    {"surrogate": name, "parameter": parameter, "seed": seed, "accuracy": accuracy_of(family, seed=seed)}
    for name, parameter, family in settings
    for seed in SEEDS
]
