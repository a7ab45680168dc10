# %% balance_answer
def balance(weight, bias, inputs, spikes, potentials, threshold, v0):
    """The equation of the averages given for that of the sums."""
    before = torch.cat([torch.full_like(potentials[:1], v0), potentials[:-1]])
    step = potentials - before - (inputs @ weight.T + bias - threshold * spikes)
    return step, step.mean(0), step.mean(0)


# %% qcfs_answer
class Staircase(torch.autograd.Function):
    """The gradient of the floor itself."""

    @staticmethod
    def forward(z, clip, levels):
        return torch.floor(z * levels / clip + 0.5).clamp(0, levels) * clip / levels

    @staticmethod
    def setup_context(ctx, inputs, output):
        z, clip, ctx.levels = inputs
        ctx.save_for_backward(z, clip, output)

    @staticmethod
    def backward(ctx, grad_output):
        z, clip, h = ctx.saved_tensors
        return torch.zeros_like(z), (grad_output * h / clip).sum(), None


# %% conversion_answer
def spiking_parameters(clip):
    # your code here
    raise NotImplementedError


def converted_average(z, clip, steps):
    # your code here
    raise NotImplementedError


def mean_error(levels, steps, half):
    # your code here
    raise NotImplementedError


# %% split_answer
def split_error(currents, threshold, v0):
    # your code here
    raise NotImplementedError


# %% theorem_answer
def verdict(count, v_end, threshold, steps):
    """Names of its own."""
    if 0 <= v_end < threshold:
        return "ok", 0
    return ("extra", math.ceil(-v_end / threshold)) if v_end < 0 else ("missing", -1)


# %% studies_answer
studies = {}


# %% remedies_answer
def signed_spikes(currents, threshold, v0):
    # your code here
    raise NotImplementedError


def wait_then_fire(currents, threshold, v0):
    """The input added a second time while the neuron fires."""
    return fire(currents, threshold, v0 + currents.sum(0))[0]


def latency(remedy, steps, layers):
    # your code here
    raise NotImplementedError


# %% training_answer
def train(network, images, labels, *, epochs, learning_rate=3e-3, batch=64, seed=0):
    # your code here
    raise NotImplementedError


# %% by_layer_answer
def run_spiking(weights, biases, clips, images, steps):
    # your code here
    raise NotImplementedError


def uneven_shares(excess):
    # your code here
    raise NotImplementedError
