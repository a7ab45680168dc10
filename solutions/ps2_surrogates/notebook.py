# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Problem set 2: surrogate gradients
#
# A spike is a step, and a step has no useful derivative.
# In this problem set you write two surrogates of that derivative, train a two-layer spiking network with them on
# event-camera recordings of digits, compare surrogates, and find out what a sparse surrogate gradient does.
#
# | | |
# |---|---|
# | **You will be able to** | write a surrogate gradient for SpikingJelly 2.0 (SUR-1, SUR-3); build, reset and train a multi-step spiking network; compare settings with a mean and its standard error; tell the sparsity of a surrogate from its height, and recognise a network that cannot start (SUR-3, SUR-4) |
# | **Points** | {points by checks} by checks, {points by readers} for two discussions read by a person |
# | **Your time** | about 6 hours |
# | **Computing** | about 45 s on one core with the simulated recordings, about 150 s with the real ones |
# | **You need** | the chapter on the LIF neuron; derivatives; PyTorch tensors, `nn.Module` and autograd |
#
# Work from top to bottom.
# Write your code where it says `raise NotImplementedError`, run the cell, and then run the check below it.
# The check says what is right and what is not yet; `check("ps2.sine_derivative", hint=1)` shows a hint, and there
# are three.
# Grading may draw other numbers than the checks show you, so a green check is a good sign and not the grade itself.
# A check may use {seconds of check} of processor time, and grading allows {seconds of grading}; what other programs use is not counted.
# No question pays for an earlier one: what rests on a function of yours that is not right yet is checked with the course's own in its place.
# Take that one yourself to go on, `firing_rates = use_reference("firing_rates")`: it costs nothing later and gets no points in its own question.
# Cells that are given are restored before grading: put your experiments into cells of your own.
# What you are asked to write yourself is switched off in the library while your work is graded.

# %% given="setup"
import logging
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from spikingjelly.activation_based.surrogate import SurrogateFunctionBase, heaviside
from torch import nn
from torch.nn import functional as F

import snnkit.layers
import snnkit.plot
import snnkit.surrogate
from autograder import check, use_reference
from snnkit import datasets

# SpikingJelly looks for Triton, which exists for graphics cards only, and logs that it is absent.
logging.getLogger("torch._library.triton").setLevel(logging.ERROR)

# %% [markdown]
# ## 1. The recordings
#
# N-MNIST shows the digits of MNIST to an event camera that makes three short movements (saccades).
# A pixel reports an event when its brightness changes: ON (brighter) or OFF (darker).
# The events of one recording of about 300 ms are summed into $T$ frames with two channels each.
#
# With a folder of real recordings in the environment variable `SNNKIT_DATA` this notebook uses them.
# Without it, it uses a simulation of such a camera in front of 8 × 8 digits, which needs no download.
# The code is the same for both.

# %% given="recordings"
real = datasets.available("nmnist") is not None
LEARN, HELD_OUT, STEPS = (800, 200, 10) if real else (300, 150, 5)
digits = datasets.event_digits(train=LEARN + HELD_OUT, test=100, steps=STEPS)
print(digits.source)


def as_input(frames):
    """Counts [N, T, 2, H, W] as the network's input [T, N, 2, H, W]; the logarithm tames large counts."""
    return torch.log1p(torch.as_tensor(frames).float()).transpose(0, 1).contiguous()


frames, labels = as_input(digits.train_frames), torch.as_tensor(digits.train_labels)
train_frames, train_labels = frames[:, :LEARN], labels[:LEARN]
held_out_frames, held_out_labels = frames[:, LEARN:], labels[LEARN:]
test_frames, test_labels = as_input(digits.test_frames), torch.as_tensor(digits.test_labels)
print("training frames [T, N, channels, height, width]:", list(train_frames.shape))
print("held-out frames:", list(held_out_frames.shape))
snnkit.plot.event_frames(digits.train_frames[0])
plt.show()

# %% [markdown]
# Each picture is one time step of one recording: ON events in blue, OFF events in orange.
#
# The training part is divided: the network learns from the first recordings, and what you compare and choose is
# measured on the held-out ones after them.
# The test part is looked at once, at the end of section 6.
#
# ## 2. Warm-up: a surrogate in SpikingJelly 2.0
#
# A neuron fires when its potential before the spike, the charge, reaches the threshold $\theta$.
# With $x$ = charge − $\theta$ that is the Heaviside step
#
# $$\Theta(x) = \begin{cases} 1, & x \ge 0 \\ 0, & x < 0. \end{cases}$$
#
# A neuron exactly at threshold fires: $\Theta(0) = 1$.
# Forward the neuron uses $\Theta$; backward it uses the derivative of a smooth function that looks like it.
# For the sigmoid $\sigma(x) = 1 / (1 + e^{-\alpha x})$ that derivative is $\alpha\,\sigma(x)\,(1 - \sigma(x))$.
#
# SpikingJelly 2.0 wants two parts, shown below:
# an autograd function (`forward` gives spikes, `setup_context` keeps what `backward` needs, `backward` gives the
# surrogate gradient), and a class that names the parameters.
# Parameters go to the base class **by keyword**, and `spiking_function` and `primitive_function` receive them by
# keyword.
# Examples on the web for older versions write `super().__init__(alpha, spiking)`, which no longer works.


# %% given="warm_up"
class SigmoidSpike(torch.autograd.Function):
    """The step forward, the derivative of the sigmoid backward."""

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
        s = torch.sigmoid(ctx.alpha * x)
        return grad_output * ctx.alpha * s * (1 - s), None  # one value for x, one for alpha


class Sigmoid(SurrogateFunctionBase):
    def __init__(self, alpha=4.0, spiking=True):
        super().__init__(spiking=spiking, alpha=alpha)

    @staticmethod
    def spiking_function(x, alpha):
        return SigmoidSpike.apply(x, alpha)

    @staticmethod
    def primitive_function(x, alpha):
        return torch.sigmoid(alpha * x)


# %% [markdown]
# `slope_of` asks a surrogate for its slope, by backpropagation through the spikes.
# The figure shows step, primitive and slope; predict before you look: how high is the slope of the sigmoid at
# $x = 0$ for $\alpha = 5$?


# %% given="slopes"
def slope_of(family, x):
    """The surrogate slope at each element of x."""
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(family(x).sum(), x)[0]


def show(families, span=2.0):
    """Primitive (left) and slope (right) of surrogates, given as {label: class instance made with spiking=True}."""
    x = torch.linspace(-span, span, 801)
    with snnkit.plot.style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
        for label, family in families.items():
            right.plot(x, slope_of(family, x))
            family.set_spiking_mode(False)
            left.plot(x, family(x).detach(), label=label)
            family.set_spiking_mode(True)
        left.plot(x, heaviside(x), color="grey", linestyle="-", label="step")
        left.set(xlabel="x = charge − threshold", ylabel="forward")
        right.set(xlabel="x = charge − threshold", ylabel="slope used backward")
        figure.legend(loc="outside upper center", ncols=4)
    plt.show()


show({"Sigmoid, alpha = 5": Sigmoid(alpha=5.0)})

# %% [markdown]
# It is $\alpha / 4 = 1.25$.
#
# ## 3. A surrogate from the sine
#
# $$S(x) = \begin{cases} 1, & x > \alpha \\ \tfrac12 \sin\!\left(\dfrac{\pi x}{2\alpha}\right) + \tfrac12, & -\alpha \le x \le \alpha \\ 0, & x < -\alpha \end{cases}$$
#
# Here $\alpha > 0$ is a half-width: a larger $\alpha$ makes $S$ wider and flatter, the other way round than in
# SpikingJelly's own families.
#
# **Question 1 ({points of sine_derivative}).** Differentiate $S$ and write `sine_derivative(x, alpha)`: the slope at each element of
# the tensor `x`, with the shape and dtype of `x`.


# %% answer="sine_derivative"
def sine_derivative(x, alpha):
    """Slope of S at each element of x."""
    ### BEGIN SOLUTION
    middle = math.pi / (4 * alpha) * torch.cos(math.pi * x / (2 * alpha))
    return torch.where(x.abs() <= alpha, middle, torch.zeros_like(x))
    ### END SOLUTION


# %% check="sine_derivative"

# %% [markdown]
# **Question 2 ({points of sine_surrogate}).** Write the surrogate `Sine(alpha=1.0, spiking=True)` after the pattern of `Sigmoid`.
# With `spiking=True` it gives spikes, and backward the slope times the gradient from above.
# With `spiking=False` it gives $S(x)$ itself.


# %% answer="sine_surrogate"
class SineSpike(torch.autograd.Function):
    """The step forward, the slope of S backward."""

    @staticmethod
    def forward(x, alpha):
        ### BEGIN SOLUTION
        return heaviside(x)
        ### END SOLUTION

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.alpha = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        ### BEGIN SOLUTION
        return grad_output * sine_derivative(x, ctx.alpha), None
        ### END SOLUTION


class Sine(SurrogateFunctionBase):
    def __init__(self, alpha=1.0, spiking=True):
        ### BEGIN SOLUTION
        super().__init__(spiking=spiking, alpha=alpha)
        ### END SOLUTION

    @staticmethod
    def spiking_function(x, alpha):
        return SineSpike.apply(x, alpha)

    @staticmethod
    def primitive_function(x, alpha):
        ### BEGIN SOLUTION
        return torch.sin(math.pi / (2 * alpha) * x.clamp(-alpha, alpha)) / 2 + 0.5
        ### END SOLUTION


# %% check="sine_surrogate"

# %%
show({"S, alpha = 1": Sine(1.0), "S, alpha = 0.5": Sine(0.5), "Sigmoid, alpha = 4": Sigmoid()})

# %% [markdown]
# ## 4. A surrogate from a power
#
# $$P(x) = \begin{cases} 1, & x > 1 \\ \tfrac12\,\mathrm{sgn}(x)\,|x|^{\alpha} + \tfrac12, & -1 \le x \le 1 \\ 0, & x < -1 \end{cases} \qquad 0 < \alpha < 1$$
#
# Its slope is infinite at $x = 0$, exactly where a neuron at threshold stands, and one infinite (or undefined)
# number spoils every weight it reaches.
# So backward $|x|$ is replaced by $\max(|x|, \varepsilon)$ with a small floor $\varepsilon$, a second parameter.
# Forward, and with `spiking=False`, nothing changes: $P(x)$ is as written above.
#
# **Question 3 ({points of power_surrogate}).** Write the surrogate `Power(alpha=0.5, floor=0.01, spiking=True)`.
# Its slope is that of $P$ with $|x|$ floored, and 0 for $|x| > 1$.
# Both parameters are handed to the base class, and both arrive in `spiking_function` and `primitive_function`.


# %% answer="power_surrogate"
class PowerSpike(torch.autograd.Function):
    """The step forward, the floored slope of P backward."""

    @staticmethod
    def forward(x, alpha, floor):
        ### BEGIN SOLUTION
        return heaviside(x)
        ### END SOLUTION

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.alpha, ctx.floor = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        ### BEGIN SOLUTION
        magnitude = x.abs()
        slope = ctx.alpha / 2 * magnitude.clamp(min=ctx.floor) ** (ctx.alpha - 1)
        return grad_output * slope * (magnitude <= 1), None, None
        ### END SOLUTION


class Power(SurrogateFunctionBase):
    def __init__(self, alpha=0.5, floor=0.01, spiking=True):
        ### BEGIN SOLUTION
        super().__init__(spiking=spiking, alpha=alpha, floor=floor)
        ### END SOLUTION

    @staticmethod
    def spiking_function(x, alpha, floor):
        return PowerSpike.apply(x, alpha, floor)

    @staticmethod
    def primitive_function(x, alpha, floor):
        ### BEGIN SOLUTION
        inside = x.clamp(-1, 1)
        return inside.sign() * inside.abs() ** alpha / 2 + 0.5
        ### END SOLUTION


# %% check="power_surrogate"

# %%
show({"P, floor 0.01": Power(0.5, 0.01), "P, floor 0.1": Power(0.5, 0.1), "S, alpha = 1": Sine(1.0)})

# %% [markdown]
# ## 5. A two-layer spiking network
#
# The network has two linear layers, each followed by leaky integrate-and-fire neurons:
#
# $$m(t) = \tfrac12\, v(t-1) + W x(t), \qquad s(t) = \Theta(m(t) - 1), \qquad v(t) = m(t) - s(t).$$
#
# In SpikingJelly's `neuron.LIFNode` that is
#
# | argument | value | meaning |
# |---|---|---|
# | `tau` | `2.0` | decay $1 - 1/\tau = 1/2$ |
# | `decay_input` | `False` | the input is not divided by $\tau$ |
# | `v_threshold` | `1.0` | threshold |
# | `v_reset` | `None` | soft reset: subtract the threshold |
# | `detach_reset` | `True` | no gradient through the reset |
# | `surrogate_function` | `surrogate` | the surrogate handed to you |
# | `step_mode` | `"m"` | multi-step: takes all $T$ steps at once, time first |
#
# The network's answer is the firing rate of each output neuron: its spikes, averaged over the $T$ steps.
# A neuron keeps its potential until it is told to forget it, so a new batch must start with
# `functional.reset_net(network)`.
#
# **Question 4 ({points of two_layer_snn}).** Write
# `two_layer_snn(inputs, hidden, classes, surrogate)`, which returns an `nn.Module` that maps frames
# `[T, N, channels, height, width]` to spikes `[T, N, classes]`, with linear layers **without bias**; and
# `firing_rates(network, frames)`, which forgets the batch before and returns the rates `[N, classes]`.
# `nn.Flatten(2)` flattens all axes from the third on, and `nn.Linear` acts on the last axis.


# %% answer="two_layer_snn"
def two_layer_snn(inputs, hidden, classes, surrogate):
    """Linear, neurons, linear, neurons, on frames [T, N, ...]."""

    ### BEGIN SOLUTION
    def lif():
        return neuron.LIFNode(
            tau=2.0,
            decay_input=False,
            v_threshold=1.0,
            v_reset=None,
            detach_reset=True,
            surrogate_function=surrogate,
            step_mode="m",
        )

    return nn.Sequential(
        nn.Flatten(2),
        nn.Linear(inputs, hidden, bias=False),
        lif(),
        nn.Linear(hidden, classes, bias=False),
        lif(),
    )
    ### END SOLUTION


def firing_rates(network, frames):
    """Mean over time of the output spikes [N, classes], starting from potential 0."""
    ### BEGIN SOLUTION
    functional.reset_net(network)
    return network(frames).mean(0)
    ### END SOLUTION


# %% check="two_layer_snn"

# %% [markdown]
# The course's library has such a neuron as well, `snnkit.layers.LIF`.
# It keeps no state between calls, so there is nothing to reset, and its backward pass is written by hand.
# With the same weights both give the same rates:

# %% given="side_by_side"
own = two_layer_snn(train_frames[0, 0].numel(), 32, 10, surrogate.ATan())
first, second = (module for module in own.modules() if isinstance(module, nn.Linear))
library = nn.Sequential(
    nn.Flatten(2),
    first,
    snnkit.layers.LIF(decay=0.5, surrogate=surrogate.ATan(), detach_reset=True),
    second,
    snnkit.layers.LIF(decay=0.5, surrogate=surrogate.ATan(), detach_reset=True),
)
with torch.no_grad():
    for weight in own.parameters():
        weight *= 4  # larger than PyTorch's initial weights, so that the neurons fire
    rates, library_rates = firing_rates(own, held_out_frames), library(held_out_frames).mean(0)
print(f"mean rate {rates.mean():.3f}; largest difference of a rate {(rates - library_rates).abs().max():.6f}")

# %% [markdown]
# ## 6. Training
#
# **Question 5 ({points of training}).** Write `train`: it changes `network` in place and returns a list with the mean loss of
# each epoch.
#
# - Loss: the mean squared difference between the firing rates and the one-hot labels (`F.mse_loss`, `F.one_hot`, which
#   needs the number of classes: a batch may lack some).
# - Optimiser: `torch.optim.Adam` with the given learning rate.
# - In each epoch the recordings are visited in a random order, in batches of `batch` recordings (the last one may be
#   smaller). The order comes from `torch.Generator().manual_seed(seed)`, made once before the first epoch, so that
#   the same seed gives the same training.
# - The mean loss of an epoch is taken over recordings: weight each batch by its size.


# %% answer="training"
def train(network, frames, labels, *, epochs, learning_rate=1e-3, batch=64, seed=0):
    """Train on frames [T, N, ...] and labels [N]; the mean loss of each epoch."""
    ### BEGIN SOLUTION
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(labels), generator=generator).split(batch):
            rates = firing_rates(network, frames[:, chosen])
            loss = F.mse_loss(rates, F.one_hot(labels[chosen], 10).float())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(chosen)
        losses.append(total / len(labels))
    return losses
    ### END SOLUTION


# %% check="training"

# %% [markdown]
# Now train with your two surrogates, $\alpha = 1$ for $S$ and $\alpha = 0.5$ for $P$; a check calls these two settings
# *the lab*. `LAB_BUDGET` is for these two runs, `SWEEP_BUDGET`, a smaller one, for the comparisons after them.
# The real recordings get a larger network than the simulated ones.

# %% given="budgets"
LAB_BUDGET = dict(hidden=800, epochs=20) if real else dict(hidden=64, epochs=12)
SWEEP_BUDGET = dict(hidden=100 if real else 64, epochs=5, learning_rate=2e-3)
SEEDS = (0, 1, 2)


def accuracy(network, frames, labels):
    """Share of recordings whose largest firing rate is that of their label."""
    with torch.no_grad():
        return (firing_rates(network, frames).argmax(1) == labels).double().mean().item()


def trained(family, *, hidden, seed, **budget):
    """A network trained from seed, with its losses."""
    torch.manual_seed(seed)
    network = two_layer_snn(train_frames[0, 0].numel(), hidden, 10, family)
    return network, train(network, train_frames, train_labels, seed=seed, **budget)


def accuracy_of(family, *, seed):
    """Held-out accuracy of a network trained with this surrogate from this seed, on the small budget."""
    network, _ = trained(family, **SWEEP_BUDGET, seed=seed)
    return accuracy(network, held_out_frames, held_out_labels)


# %% given="lab_run"
for name, family in {"S, alpha = 1": Sine(1.0), "P, alpha = 0.5": Power(0.5)}.items():
    network, losses = trained(family, **LAB_BUDGET, seed=0)
    held_out = accuracy(network, held_out_frames, held_out_labels)
    spread = (held_out * (1 - held_out) / HELD_OUT) ** 0.5
    plt.plot(range(1, len(losses) + 1), losses, label=name)
    print(f"{name}: held-out accuracy {held_out:.1%} ± {spread:.1%} (standard error of a share), ", end="")
    print(f"test accuracy {accuracy(network, test_frames, test_labels):.1%}")
plt.xlabel("epoch")
plt.ylabel("mean squared error of the rates")
plt.legend()
plt.show()

# %% [markdown]
# ## 7. A sweep
#
# Which surrogate, and which parameter?
# One run per setting cannot tell: another seed gives another accuracy.
# So each setting is run with several seeds, and what is compared is the mean and its standard error.
# A standard deviation from $n$ runs is itself uncertain, by a share of about $1/\sqrt{2(n - 1)}$: from the three runs here
# by half its size, from two by 71 %, and from nine by a quarter.
#
# `accuracy_of(family, seed=...)`, defined above, trains on the small budget and returns the held-out accuracy.

# %% [markdown]
# **Question 6 ({points of sweep}), first part.**
# Write `summarise(results)`.
# `results` is a list of dictionaries, one for each run, with the keys `"surrogate"` (a name), `"parameter"`, `"seed"`
# and `"accuracy"`.
# The function returns a dictionary that maps each pair `(surrogate, parameter)` to a pair
# `(mean accuracy, standard error of the mean)`.
# For $n$ runs with standard deviation $s$ (with $n - 1$ below) the standard error is $s / \sqrt n$.

# %% answer="summarise"


def summarise(results):
    """{(surrogate, parameter): (mean accuracy, standard error of the mean)}"""
    ### BEGIN SOLUTION
    runs = {}
    for row in results:
        runs.setdefault((row["surrogate"], row["parameter"]), []).append(row["accuracy"])
    return {
        setting: (float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))
        for setting, values in runs.items()
    }
    ### END SOLUTION


# %% [markdown]
# **Second part.**
# Make a list `settings` of triples `(name, parameter, surrogate)`, such as `("Sine", 1.0, Sine(1.0))`: the name of the
# class, its `alpha`, and the surrogate that has it.
# Compare at least four families, at least three of them with two or more parameters, among them `"Sine"` with
# parameter 1.0 and `"Power"` with parameter 0.5.
# SpikingJelly has `surrogate.PiecewiseQuadratic`, `PiecewiseExp`, `SoftSign`, `ATan`, `Erf`, `Sigmoid` and more, all
# with an argument `alpha`.
#
# Then make the list `results`: one row for each setting and each seed of `SEEDS`, with the accuracy that
# `accuracy_of` returns.

# %% answer="sweep"
### BEGIN SOLUTION
settings = [
    ("Sine", 0.5, Sine(0.5)),
    ("Sine", 1.0, Sine(1.0)),
    ("Sine", 2.0, Sine(2.0)),
    ("Power", 0.3, Power(0.3)),
    ("Power", 0.5, Power(0.5)),
    ("PiecewiseQuadratic", 1.0, surrogate.PiecewiseQuadratic(alpha=1.0)),
    ("PiecewiseQuadratic", 4.0, surrogate.PiecewiseQuadratic(alpha=4.0)),
    ("ATan", 2.0, surrogate.ATan(alpha=2.0)),
    ("ATan", 8.0, surrogate.ATan(alpha=8.0)),
    ("Sigmoid", 4.0, surrogate.Sigmoid(alpha=4.0)),
]
results = [
    {"surrogate": name, "parameter": parameter, "seed": seed, "accuracy": accuracy_of(family, seed=seed)}
    for name, parameter, family in settings
    for seed in SEEDS
]
### END SOLUTION

# %% check="sweep"

# %% given="sweep_figure"
summary = summarise(results)
with snnkit.plot.style():
    _, axes = plt.subplots(figsize=(6, 0.35 * len(summary) + 0.8), layout="constrained")
    for row, (mean, error) in enumerate(summary.values()):
        axes.errorbar(mean, row, xerr=error, fmt="o", color="C0", capsize=3)
    axes.set_yticks(range(len(summary)), [f"{name}, {parameter:g}" for name, parameter in summary])
    axes.set(xlabel="held-out accuracy, mean ± standard error", xlim=(0, 1))
    axes.invert_yaxis()
plt.show()

# %% [markdown]
# **Discussion 1 ({points of discussion_sweep}, read by a person).**
# Report what your sweep shows, in about 200 words.
# Which differences are larger than their uncertainty, and which are not?
# For one family, explain what the parameter does to the slope, and connect it with what you measured.
# Name one setting that trains badly and say what you would look at to find out why.

# %% [markdown] read="discussion_sweep" points=4
# Many settings lie within two standard errors of each other: with three seeds and 150 held-out recordings a difference of
# a few points of accuracy says little. P with $\alpha = 0.3$ and $0.5$, S with $\alpha = 2$, ATan with $\alpha = 2$ and
# Sigmoid with $\alpha = 4$ cannot be told apart. What does differ is that S with $\alpha = 0.5$ and
# PiecewiseQuadratic with $\alpha = 4$ stay at chance, and that S and PiecewiseQuadratic of half-width 1 learn later: on
# this short budget their three seeds lie far apart.
#
# In $S(x)$ the parameter is the half-width: the slope reaches 0 at $|x| = \alpha$ and its peak is $\pi / (4\alpha)$.
# At the start most charges are near 0, so $x$ is near $-1$: with $\alpha = 0.5$ nothing is within reach of a gradient,
# with $\alpha = 1$ about half of it, with $\alpha = 2$ all. The accuracies follow that order. P, ATan and Sigmoid
# have a slope at $x = -1$ and do not have this problem.
#
# PiecewiseQuadratic with $\alpha = 4$ trains badly: its slope is 0 unless the charge is within 1/4 of the threshold. To find
# out, I would look at the share of zero slopes in each layer at the first step, and at the firing rate of the hidden layer.

# %% [markdown] tags=["instructor"]
# **Rubric of discussion 1 (instructor only).**
#
# | points | criterion |
# |---|---|
# | 1 | reports mean and uncertainty for the settings, not the best run alone |
# | 1 | says which differences exceed about two standard errors, and draws no conclusion from the others |
# | 1 | explains what the parameter does to width **and** height of the slope ($\alpha$ of $S$ is a half-width, of SpikingJelly's families a sharpness) and connects it with a measured number |
# | 1 | names a bad setting and a measurement that would find the reason (zero-slope share by layer, firing rates, size of the gradient), rather than "unsuitable" |
#
# A ranking of the families by mean accuracy without uncertainty gets at most 1 point.

# %% [markdown]
# ## 8. Is a sparse surrogate gradient good?
#
# The slope of SpikingJelly's `PiecewiseQuadratic` is a triangle,
#
# $$g'(x) = \begin{cases} \alpha - \alpha^2 |x|, & |x| \le 1/\alpha \\ 0, & |x| > 1/\alpha, \end{cases}$$
#
# so a neuron whose charge is farther than $1/\alpha$ from the threshold passes no gradient at all.
# Raising $\alpha$ makes this part larger, and the peak, which is $\alpha$, higher.
# An experiment that changes $\alpha$ changes both, and cannot say which of the two made the difference.
# So the triangle's height and width are separated here.
#
# **Question 7 ({points of sparse_gradient}).** Write
# `zero_gradient_share(family, x)`, the share (a number from 0 to 1) of the elements of `x` at which the slope of the
# surrogate `family` is exactly 0; it must work for any surrogate, and may use `slope_of` from above.
# Then write the surrogate `FixedPeak(width=1.0, peak=1.0)`: its slope falls linearly from `peak` at $x = 0$ to 0 at
# $|x|$ = `width` and is 0 outside.
# (`spiking=False` is not needed here.)


# %% answer="sparse_gradient"
def zero_gradient_share(family, x):
    """Share of the elements of x at which the surrogate passes no gradient."""
    ### BEGIN SOLUTION
    return (slope_of(family, x) == 0).double().mean().item()
    ### END SOLUTION


class FixedPeakSpike(torch.autograd.Function):
    """The step forward, a triangle of given width and height backward."""

    @staticmethod
    def forward(x, width, peak):
        ### BEGIN SOLUTION
        return heaviside(x)
        ### END SOLUTION

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.width, ctx.peak = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        ### BEGIN SOLUTION
        return grad_output * ctx.peak * (1 - x.abs() / ctx.width).clamp(min=0), None, None
        ### END SOLUTION


class FixedPeak(SurrogateFunctionBase):
    def __init__(self, width=1.0, peak=1.0, spiking=True):
        ### BEGIN SOLUTION
        super().__init__(spiking=spiking, width=width, peak=peak)
        ### END SOLUTION

    @staticmethod
    def spiking_function(x, width, peak):
        return FixedPeakSpike.apply(x, width, peak)


# %% check="sparse_gradient"

# %% [markdown]
# ### The experiment
#
# Four tables, each with the share of zero slopes among the hidden neurons before and after training, the share of
# hidden spikes before training, and the held-out accuracy for each seed.
#
# - **A** varies $\alpha$ of PiecewiseQuadratic, with PyTorch's initial weights.
# - **B** does the same with initial weights four times as large, so that the hidden neurons fire from the start.
# - **C** varies the width as B does, with the peak held at 1.
# - **D** varies the peak by a factor of 16, with the width held.
#
# Write down before you run the cell which of B, C and D you expect to differ from which.
# `hidden_charge` computes the hidden layer's charge $m(t)$ by itself, in a plain loop.


# %% given="sparse_experiment"
def hidden_charge(network, frames):
    """Charge of the hidden neurons before each possible spike, [T, N, hidden]."""
    weight = next(parameter for parameter in network.parameters() if parameter.dim() == 2)
    with torch.no_grad():
        currents, v, charges = frames.flatten(2) @ weight.T, 0.0, []
        for current in currents:
            charge = 0.5 * v + current
            v = charge - heaviside(charge - 1.0)
            charges.append(charge)
    return torch.stack(charges)


def sparse_study(title, families, gain):
    """One row for each surrogate: zero slopes before and after, spikes before, accuracy by seed."""
    hidden, budget = SWEEP_BUDGET["hidden"], {key: SWEEP_BUDGET[key] for key in ("epochs", "learning_rate")}
    print(f"{title}, initial weights times {gain:g}")
    print(f"{'':26}zero slopes before    after   spikes before   accuracy by seed")
    for label, family in families.items():
        before, after, spikes, accuracies = [], [], [], []
        for seed in SEEDS:
            torch.manual_seed(seed)
            network = two_layer_snn(train_frames[0, 0].numel(), hidden, 10, family)
            with torch.no_grad():
                for weight in network.parameters():
                    weight *= gain
            x = hidden_charge(network, held_out_frames) - 1.0
            before.append(zero_gradient_share(family, x))
            spikes.append(heaviside(x).mean().item())
            train(network, train_frames, train_labels, seed=seed, **budget)
            after.append(zero_gradient_share(family, hidden_charge(network, held_out_frames) - 1.0))
            accuracies.append(accuracy(network, held_out_frames, held_out_labels))
        shares = f"{np.mean(before):18.1%} {np.mean(after):8.1%} {np.mean(spikes):15.2%}"
        print(f"{label:26}{shares}   {', '.join(f'{value:.1%}' for value in accuracies)}")
    print()


WIDTHS = (2.0, 0.5, 0.2)
quadratic = {
    f"alpha {1 / width:g} (width {width:g})": surrogate.PiecewiseQuadratic(1 / width) for width in WIDTHS
}
sparse_study("A. PiecewiseQuadratic", quadratic, gain=1.0)
sparse_study("B. PiecewiseQuadratic", quadratic, gain=4.0)
sparse_study(
    "C. FixedPeak, peak 1", {f"width {width:g}": FixedPeak(width, 1.0) for width in WIDTHS}, gain=4.0
)
sparse_study(
    "D. FixedPeak, width 0.5", {f"peak {peak:g}": FixedPeak(0.5, peak) for peak in (0.25, 4.0)}, gain=4.0
)

# %% [markdown]
# **Discussion 2 ({points of discussion_sparsity}, read by a person).**
# Do you think sparsity is important for a surrogate function? Answer in about 300 words, from your measurements.
#
# - Describe where PiecewiseQuadratic's slope is 0, and how $\alpha$ changes it.
# - Compare B with C, and look at D: what does the width do, and what does the height do by itself?
#   What does Adam do to a gradient that is multiplied by a constant?
# - Compare A with B: is a network that stays at chance a matter of a bad surrogate, or of a network in which no neuron
#   is within reach of a gradient? Which number tells?
# - Sparse gradients can also save work, because zeros need not be computed.
#   Say under which conditions you would want them.

# %% [markdown] read="discussion_sparsity" points=6
# PiecewiseQuadratic's slope is 0 on two half-lines, $x < -1/\alpha$ and $x > 1/\alpha$, and nowhere else. A larger
# $\alpha$ moves their ends towards the threshold and raises the peak, which is $\alpha$.
#
# B and C have the same widths and other heights, and nearly the same accuracies; in D the height changes 16-fold and the
# accuracy does not change by more than it does from seed to seed. So the height by itself hardly matters here: Adam divides
# each gradient by its own recent size, so a constant factor cancels (with plain gradient descent it would act like a
# learning rate). What matters is the width: the narrower the triangle, the larger the share of zero slopes, and the lower
# the accuracy on this budget.
#
# In A the networks with narrow triangles stay at chance. The share of zero slopes was above 95 % before training, the
# hidden layer hardly fires, and the share is the same after training: no weight has moved. The same
# surrogates do learn in B, so this was a dead network and not the surrogate's shape alone. The share of zero slopes before
# training tells, and its not changing confirms it.
#
# Sparsity as such is not what makes a surrogate good: enough neurons near enough to threshold must pass a
# gradient. Some sparsity costs little, and zeros can then be skipped, as in sparse spiking gradient descent. I would want it
# for large networks whose layers are active, with the width chosen by the measured share of zeros. These are small
# networks, three seeds, a short budget and one data set; longer training may narrow the gap.

# %% [markdown] tags=["instructor"]
# **Rubric of discussion 2 (instructor only).**
#
# | points | criterion |
# |---|---|
# | 1 | two zero half-lines, $|x| > 1/\alpha$; a larger $\alpha$ widens them **and** raises the peak |
# | 2 | uses C and D to tell sparsity from height, with numbers of the student's own (1 point when only A or B is discussed); 1 of the 2 for saying why the height hardly matters with Adam |
# | 1 | tells a dead network (share of zero slopes near 1 from the start and unchanged) from a poor surrogate, by A against B |
# | 1 | names a condition under which sparse gradients pay: saved computation, given layers that are active enough |
# | 1 | takes a position that follows from the measurements and names a limit of them (small networks, few seeds, short budget, one data set) |
#
# Strong: all of these. Middling: describes the tables well, but explains a dead network as "too sparse to learn".
# Weak: repeats that sparse gradients are an advantage, without a measurement.

# %% [markdown]
# ## Hand in
#
# Run everything once from the top (menu *Kernel*, *Restart Kernel and Run All Cells*), look at the checks, save, and
# hand in this notebook under its own name.
#
# ## Sources
#
# E. O. Neftci, H. Mostafa and F. Zenke, Surrogate gradient learning in spiking neural networks, IEEE Signal
# Processing Magazine 36(6), 2019.
# N. Perez-Nieves and D. F. M. Goodman, Sparse spiking gradient descent, NeurIPS 2021.
# G. Orchard, A. Jayawant, G. K. Cohen and N. Thakor, Converting static image datasets to spiking neuromorphic
# datasets using saccades, Frontiers in Neuroscience 9:437, 2015.
