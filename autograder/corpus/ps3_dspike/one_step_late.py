# %% dspike_answer
def dspike(u, b):
    middle = torch.tanh(b * (u - 0.5)) / 2 + 0.5
    return torch.where(u < 0, 0.0, torch.where(u > 1, 1.0, middle)).to(u.dtype)


def dspike_slope(u, b):
    slope = b / (2 * math.tanh(b / 2)) / torch.cosh(b * (u.clamp(0, 1) - 0.5))
    return slope * ((u >= 0) & (u <= 1))


# %% any_threshold_answer
def dspike_at(v, b, threshold):
    u = v - threshold + 0.5
    value = torch.tanh(b * (u.clamp(0, 1) - 0.5)) / (2 * math.tanh(b / 2)) + 0.5
    slope = b / (2 * math.tanh(b / 2)) * (1 - torch.tanh(b * (u - 0.5)) ** 2)
    return value, slope * ((u >= 0) & (u <= 1))


def dspike_limits(v, threshold):
    return (v - threshold + 0.5).clamp(0, 1), heaviside(v - threshold)


# %% surrogate_answer
class DspikeSpike(torch.autograd.Function):
    @staticmethod
    def forward(x, b):
        return heaviside(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.b = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * ctx.b * (1 - torch.tanh(ctx.b * x) ** 2)


class Dspike(SurrogateFunctionBase):
    def __init__(self, b=3.0, spiking=True):
        super().__init__(spiking=spiking, b=b)

    @staticmethod
    def spiking_function(x, b):
        return DspikeSpike.apply(x, b)

    @staticmethod
    def primitive_function(x, b):
        return torch.tanh(b * x) / (2 * math.tanh(b / 2)) + 0.5


# %% finite_difference_answer
def finite_difference(loss, weight, coordinates, step, seed=0):
    flat = weight.data.view(-1)
    differences = []
    for place in coordinates.tolist():
        flat[place] += step
        torch.manual_seed(seed)
        above = float(loss(weight.data))
        flat[place] -= 2 * step
        torch.manual_seed(seed)
        differences.append((above - float(loss(weight.data))) / (2 * step))
    return torch.tensor(differences, dtype=torch.float64)


# %% similarity_answer
def cosine_similarity(a, b):
    a, b = a.double().flatten(), b.double().flatten()
    return float(a @ b / a.norm()) if a.any() and b.any() else math.nan


def sample_coordinates(weight, count, generator):
    return torch.arange(min(count, weight.numel()))


def forward_passes(shape, count, temperatures, epochs):
    return epochs * (2 * count + temperatures)


# %% choice_answer
def candidates(b, change, minimum):
    return sorted(max(one, minimum) for one in (b, b - change, b + change))


def choose_temperature(b, change, minimum, similarity_at):
    best, highest = b, -math.inf
    for one in (b, max(b - change, minimum), b + change):
        if similarity_at(one) >= highest:
            best, highest = one, similarity_at(one)
    return best


# %% training_answer
def train(network, pixels, labels, *, epochs, choose, b=3.0, learning_rate=5e-3, batch=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    losses, temperatures = [], []
    for _ in range(epochs):
        order = torch.randperm(len(labels), generator=generator).split(batch)
        total = 0.0
        for chosen in order:
            loss = F.cross_entropy(network(pixels[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(chosen)
        losses.append(total / len(labels))
        b = choose(network, pixels[order[0]], labels[order[0]], b)
        network.set_temperature(b)
        temperatures.append(b)
    return losses, temperatures
