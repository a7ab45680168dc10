# %% answer="dspike"
def dspike(u, b):
    """One element at a time, with exponentials in the place of hyperbolic functions."""

    def tanh(z):
        return (1 - math.exp(-2 * z)) / (1 + math.exp(-2 * z)) if z >= 0 else -tanh(-z)

    values = []
    for one in u.double().flatten().tolist():
        if one < 0:
            values.append(0.0)
        elif one > 1:
            values.append(1.0)
        else:
            values.append((tanh(b * (one - 0.5)) / tanh(b / 2) + 1) / 2)
    return torch.tensor(values, dtype=u.dtype).reshape(u.shape)


def dspike_slope(u, b):
    far = torch.cosh((b * (u - 0.5)).clamp(-40, 40))
    slope = b / (torch.exp(torch.tensor(b)) - 1) * (torch.exp(torch.tensor(b)) + 1) / 2 / far.square()
    return torch.where((u < 0) | (u > 1), torch.zeros_like(u), slope.to(u.dtype))


# %% answer="any_threshold"
def dspike_at(v, b, threshold):
    width = 2.0 * threshold
    return dspike(v / width, b), dspike_slope(v / width, b) / width


def dspike_limits(v, threshold):
    line = torch.minimum(torch.maximum(v / threshold, torch.zeros_like(v)), torch.full_like(v, 2.0)) / 2
    step = torch.where(v < threshold, torch.zeros_like(v), torch.ones_like(v))
    return line, step


# %% answer="surrogate"
class Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, b):
        inside = x.abs() <= 0.5
        middle = b / (2 * math.tanh(b / 2)) * (1 - torch.tanh(b * x).square())
        ctx.save_for_backward(torch.where(inside, middle, torch.zeros_like(x)))
        return torch.ge(x, 0).to(x)

    @staticmethod
    def backward(ctx, upstream):
        (slope,) = ctx.saved_tensors
        return slope * upstream, None


class Dspike(nn.Module):
    """Any callable module serves; b is read at each call."""

    def __init__(self, b=3.0, spiking=True):
        super().__init__()
        self.b, self.spiking = b, spiking

    def forward(self, x):
        if self.spiking:
            return Step.apply(x, self.b)
        return 0.5 + torch.tanh(self.b * x.clamp(-0.5, 0.5)) / math.tanh(self.b / 2) / 2


# %% answer="finite_difference"
def finite_difference(loss, weight, coordinates, step, seed=0):
    """Moved in place, and put back."""
    flat = weight.data.view(-1)
    found = torch.zeros(len(coordinates), dtype=torch.float64)

    def evaluate():
        torch.manual_seed(seed)
        return float(loss(weight.data))

    for at, place in enumerate(coordinates):
        kept = flat[place].item()
        flat[place] = kept + step
        above = evaluate()
        flat[place] = kept - step
        below = evaluate()
        flat[place] = kept
        found[at] = (above - below) / step / 2
    return found


# %% answer="similarity"
def cosine_similarity(a, b):
    a, b = a.reshape(-1).tolist(), b.reshape(-1).tolist()
    lengths = math.hypot(*a) * math.hypot(*b)
    return sum(x * y for x, y in zip(a, b)) / lengths if lengths else math.nan


def sample_coordinates(weight, count, generator):
    drawn = torch.rand(weight.numel(), generator=generator)
    return drawn.argsort()[: min(count, weight.numel())]


def forward_passes(shape, count, temperatures, epochs):
    weights = 1
    for size in shape:
        weights *= size
    passes = 0
    for _ in range(epochs):
        passes += temperatures + 2 * (count if count < weights else weights)
    return passes


# %% answer="choice"
def candidates(b, change, minimum):
    lower = b - change
    if lower < minimum:
        lower = minimum
    return [b, lower, b + change]


def choose_temperature(b, change, minimum, similarity_at):
    tried = [(similarity_at(one), one) for one in candidates(b, change, minimum)]
    tried = [pair for pair in tried if not math.isnan(pair[0])]
    return max(tried, key=lambda pair: pair[0])[1] if tried else b


# %% answer="training"
def train(network, pixels, labels, *, epochs, choose, b=3.0, learning_rate=5e-3, batch=32, seed=0):
    draw = torch.Generator()
    draw.manual_seed(seed)
    adam = torch.optim.Adam(network.parameters(), learning_rate)
    history = torch.zeros(epochs)
    chosen_temperatures = [b]
    for epoch in range(epochs):
        order = torch.randperm(len(labels), generator=draw)
        first = order[:batch]
        chosen_temperatures.append(choose(network, pixels[first], labels[first], chosen_temperatures[-1]))
        network.set_temperature(chosen_temperatures[-1])
        for start in range(0, len(labels), batch):
            part = order[start : start + batch]
            network.zero_grad()
            loss = F.cross_entropy(network(pixels[part]), labels[part], reduction="sum")
            (loss / len(part)).backward()
            adam.step()
            history[epoch] += loss.detach()
    return history / len(labels), chosen_temperatures[1:]
