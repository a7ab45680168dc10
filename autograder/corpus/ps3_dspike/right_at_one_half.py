# %% dspike_answer
def dspike(u, b):
    middle = (torch.tanh(b * (u - 0.5)) + math.tanh(b / 2)) / math.tanh(b / 2)
    return torch.where(u < 0, 0.0, torch.where(u > 1, 1.0, middle)).to(u.dtype)


def dspike_slope(u, b):
    return b / math.tanh(b / 2) * (1 - torch.tanh(b * (u - 0.5)) ** 2) * ((u >= 0) & (u <= 1))


# %% any_threshold_answer
def dspike_at(v, b, threshold):
    value = torch.tanh(b * (v.clamp(0, 1) - 0.5)) / (2 * math.tanh(b / 2)) + 0.5
    slope = b / (2 * math.tanh(b / 2)) * (1 - torch.tanh(b * (v - 0.5)) ** 2)
    return value, slope * ((v >= 0) & (v <= 1))


def dspike_limits(v, threshold):
    return v.clamp(0, 1), heaviside(v - 0.5)


# %% surrogate_answer
class DspikeSpike(torch.autograd.Function):
    @staticmethod
    def forward(x, b):
        return (x > 0).to(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.b = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        slope = ctx.b / (2 * math.tanh(ctx.b / 2)) * (1 - torch.tanh(ctx.b * (x - 0.5)) ** 2)
        return grad_output * slope * ((x >= 0) & (x <= 1)), None


class Dspike(SurrogateFunctionBase):
    def __init__(self, b=3.0, spiking=True):
        super().__init__(spiking=spiking, b=b)

    @staticmethod
    def spiking_function(x, b):
        return DspikeSpike.apply(x, b)

    @staticmethod
    def primitive_function(x, b):
        return torch.tanh(b * (x.clamp(0, 1) - 0.5)) / (2 * math.tanh(b / 2)) + 0.5


# %% finite_difference_answer
def finite_difference(loss, weight, coordinates, step, seed=0):
    differences = []
    for _ in coordinates:
        torch.manual_seed(seed)
        above = float(loss(weight.detach() + step))
        torch.manual_seed(seed)
        below = float(loss(weight.detach() - step))
        differences.append((above - below) / (2 * step))
    return torch.tensor(differences, dtype=torch.float64)


# %% similarity_answer
def cosine_similarity(a, b):
    a, b = a.double().flatten(), b.double().flatten()
    if not a.any() or not b.any():
        return math.nan
    return float(a @ b)


def sample_coordinates(weight, count, generator):
    return torch.randperm(weight.numel())[:count]


def forward_passes(shape, count, temperatures, epochs):
    return epochs * 2 * min(count, math.prod(shape))


# %% choice_answer
def candidates(b, change, minimum):
    return [one for one in (b, b - change, b + change) if one >= minimum]


def choose_temperature(b, change, minimum, similarity_at):
    return min((max(one, minimum) for one in (b, b - change, b + change)), key=similarity_at)


# %% training_answer
def train(network, pixels, labels, *, epochs, choose, b=3.0, learning_rate=5e-3, batch=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    losses, temperatures = [], []
    for _ in range(epochs):
        order = torch.randperm(len(labels), generator=generator)[:batch]
        b = choose(network, pixels[order], labels[order], b)
        temperatures.append(b)
        loss = F.cross_entropy(network(pixels[order]), labels[order])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses, temperatures
