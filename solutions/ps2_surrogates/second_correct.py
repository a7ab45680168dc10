# %% answer="sine_derivative"
def sine_derivative(x, alpha):
    """Slope of S at each element of x, one element at a time."""
    slopes = []
    for value in x.double().flatten().tolist():
        if -alpha < value < alpha:
            slopes.append(0.25 * math.pi / alpha * math.cos(0.5 * math.pi * value / alpha))
        else:
            slopes.append(0.0)
    return torch.tensor(slopes, dtype=x.dtype).reshape(x.shape)


# %% answer="sine_surrogate"
class SineStep(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, half_width):
        ctx.save_for_backward(x)
        ctx.half_width = half_width
        return torch.ge(x, 0.0).type_as(x)

    @staticmethod
    def backward(ctx, upstream):
        x = ctx.saved_tensors[0]
        frequency = 0.5 * math.pi / ctx.half_width
        bounded = torch.clip(x, -ctx.half_width, ctx.half_width)
        return upstream * torch.cos(bounded * frequency) * frequency * 0.5, None


class Sine(SurrogateFunctionBase):
    def __init__(self, alpha=1.0, spiking=True):
        super().__init__(spiking, alpha=alpha)

    @staticmethod
    def spiking_function(x, alpha):
        return SineStep.apply(x, alpha)

    @staticmethod
    def primitive_function(x, alpha):
        middle = (1 + torch.sin(math.pi * x / 2 / alpha)) / 2
        return torch.where(x > alpha, 1.0, torch.where(x < -alpha, 0.0, middle)).to(x.dtype)


# %% answer="power_surrogate"
class PowerStep(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, exponent, floor):
        near = torch.maximum(x.abs(), torch.full_like(x, floor))
        slope = 0.5 * exponent / near.pow(1 - exponent)
        ctx.save_for_backward(torch.where(x.abs() > 1, torch.zeros_like(x), slope))
        return (~(x < 0)).to(x)

    @staticmethod
    def backward(ctx, upstream):
        (slope,) = ctx.saved_tensors
        return slope.mul(upstream), None, None


class Power(SurrogateFunctionBase):
    def __init__(self, alpha=0.5, floor=0.01, spiking=True):
        super().__init__(spiking=spiking, alpha=alpha, floor=floor)

    @staticmethod
    def spiking_function(x, alpha, floor):
        return PowerStep.apply(x, alpha, floor)

    @staticmethod
    def primitive_function(x, alpha, floor):
        size = torch.minimum(x.abs(), torch.ones_like(x)) ** alpha
        return torch.where(x < 0, 1 - size, 1 + size) / 2


# %% answer="two_layer_snn"
class TwoLayers(nn.Module):
    """One time step after the other, and the state forgotten at the start of each sequence."""

    def __init__(self, inputs, hidden, classes, surrogate):
        super().__init__()
        settings = {
            "tau": 2.0,
            "decay_input": False,
            "v_reset": None,
            "detach_reset": True,
            "surrogate_function": surrogate,
        }
        self.first = nn.Linear(inputs, hidden, bias=False)
        self.middle = neuron.LIFNode(**settings)
        self.second = nn.Linear(hidden, classes, bias=False)
        self.last = neuron.LIFNode(**settings)

    def forward(self, frames):
        functional.reset_net(self)
        spikes = []
        for frame in frames:
            hidden = self.middle(self.first(frame.reshape(len(frame), -1)))
            spikes.append(self.last(self.second(hidden)))
        return torch.stack(spikes)


def two_layer_snn(inputs, hidden, classes, surrogate):
    return TwoLayers(inputs, hidden, classes, surrogate)


def firing_rates(network, frames):
    return network(frames).sum(dim=0) / len(frames)


# %% answer="training"
def train(network, frames, labels, *, epochs, learning_rate=1e-3, batch=64, seed=0):
    draw = torch.Generator()
    draw.manual_seed(seed)
    adam = torch.optim.Adam(network.parameters(), learning_rate)
    targets = torch.eye(10)[labels]
    history = []
    for _ in range(epochs):
        order = torch.randperm(labels.numel(), generator=draw).numpy()
        squared = 0.0
        for start in range(0, labels.numel(), batch):
            chosen = order[start : start + batch]
            network.zero_grad()
            error = firing_rates(network, frames[:, chosen]) - targets[chosen]
            error.pow(2).mean().backward()
            adam.step()
            squared += float(error.detach().pow(2).sum())
        history.append(squared / targets.numel())
    return torch.tensor(history)


# %% answer="summarise"
def summarise(results):
    answer = {}
    for key in sorted({(row["surrogate"], row["parameter"]) for row in results}):
        runs = torch.tensor(
            [row["accuracy"] for row in results if (row["surrogate"], row["parameter"]) == key],
            dtype=torch.double,
        )
        answer[key] = runs.mean(), runs.std() / len(runs) ** 0.5
    return answer


# %% answer="sweep"
settings = [("Sine", 1.0, Sine()), ("Power", 0.5, Power())]
settings += [("Sine", 0.4, Sine(0.4))]
settings += [("ATan", sharpness, surrogate.ATan(sharpness)) for sharpness in (1.0, 4.0)]
settings += [("Erf", sharpness, surrogate.Erf(alpha=sharpness)) for sharpness in (1.0, 3.0)]
results = []
for name, parameter, family in settings:
    for seed in SEEDS:
        results.append(
            dict(surrogate=name, parameter=parameter, seed=seed, accuracy=accuracy_of(family, seed=seed))
        )


# %% answer="sparse_gradient"
def zero_gradient_share(family, x):
    points = torch.tensor(x.tolist(), requires_grad=True)
    family(points).sum().backward()
    return 1 - torch.count_nonzero(points.grad).item() / points.numel()


class Triangle(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, width, peak):
        ctx.slope = torch.relu(peak - peak / width * torch.abs(x))
        return heaviside(x)

    @staticmethod
    def backward(ctx, upstream):
        return upstream * ctx.slope, None, None


class FixedPeak(nn.Module):
    """No base class of SpikingJelly's: any callable module serves."""

    def __init__(self, width=1.0, peak=1.0):
        super().__init__()
        self.width, self.peak = width, peak

    def forward(self, x):
        return Triangle.apply(x, self.width, self.peak)
