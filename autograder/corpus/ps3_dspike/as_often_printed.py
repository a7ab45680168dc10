# %% dspike_answer
def dspike(u, b):
    return (torch.tanh(b * (u - 0.5)) + math.tanh(b / 2)) / (2 * math.tanh(b / 2))


def dspike_slope(u, b):
    return b / (2 * math.tanh(b / 2)) / torch.cosh(b * (u - 0.5)) ** 2


# %% any_threshold_answer
def dspike_at(v, b, threshold):
    u = (v / (2 * threshold)).clamp(0, 1)
    value = (torch.tanh(b * (u - 0.5)) + math.tanh(b / 2)) / (2 * math.tanh(b / 2))
    slope = b / (2 * math.tanh(b / 2)) / torch.cosh(b * (u - 0.5)) ** 2
    return value, slope * (v >= 0) * (v <= 2 * threshold)


def dspike_limits(v, threshold):
    return v, torch.sign(v - threshold)


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
        return grad_output * dspike_slope(x + 0.5, ctx.b), None


class Dspike(SurrogateFunctionBase):
    def __init__(self, b=3.0, spiking=True):
        super().__init__(b, spiking)

    @staticmethod
    def spiking_function(x, b):
        return DspikeSpike.apply(x, b)

    @staticmethod
    def primitive_function(x, b):
        return dspike(x + 0.5, b)


# %% finite_difference_answer
def finite_difference(loss, weight, coordinates, step, seed=0):
    differences = []
    for place in coordinates.tolist():
        moved = weight.detach().clone()
        moved.view(-1)[place] += step
        torch.manual_seed(seed)
        above = float(loss(moved))
        torch.manual_seed(seed)
        differences.append((above - float(loss(weight))) / step)
    return torch.tensor(differences, dtype=torch.float64)


# %% similarity_answer
def cosine_similarity(a, b):
    return float(F.cosine_similarity(a.double(), b.double(), dim=-1).mean())


def sample_coordinates(weight, count, generator):
    return torch.randint(0, weight.numel(), (count,), generator=generator)


def forward_passes(shape, count, temperatures, epochs):
    return epochs * (min(count, math.prod(shape)) + temperatures)


# %% choice_answer
def candidates(b, change, minimum):
    return [b, b - change, b + change]


def choose_temperature(b, change, minimum, similarity_at):
    best, highest = b, -math.inf
    for one in candidates(b, change, minimum):
        if similarity_at(one) > highest:
            best, highest = one, similarity_at(one)
    return best


# %% training_answer
def train(network, pixels, labels, *, epochs, choose, b=3.0, learning_rate=5e-3, batch=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    losses, temperatures = [], []
    for _ in range(epochs):
        order = torch.randperm(len(labels), generator=generator).split(batch)
        b = choose(network, pixels[order[0]], labels[order[0]], b)
        network.set_temperature(b)
        total = 0.0
        for chosen in order:
            loss = F.cross_entropy(network(pixels[chosen]), labels[chosen])
            loss.backward()
            optimiser.step()
            total += loss.item()
        losses.append(total / len(order))
        temperatures.append(b)
    return losses, temperatures
