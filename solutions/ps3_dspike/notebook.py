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
# # Problem set 3: Dspike and the finite-difference gradient
#
# Dspike is a surrogate with one parameter, the temperature $b$, that leads from a straight line to the step.
# In this problem set you write it, correct three things that are often said about it, measure with finite differences
# which way the loss of a spiking network really goes, and let that measurement choose $b$ while a network trains.
#
# | | |
# |---|---|
# | **You will be able to** | write Dspike, its slope and both of its limits, at any threshold and in SpikingJelly 2.0 (DSP-1, DSP-2); take a finite-difference gradient of a spiking network and say what its step does (DSP-3); choose the temperature by it and train with it (DSP-4); count what that costs and weigh it (DSP-5) |
# | **Points** | {points by checks} by checks, {points by readers} for a discussion read by a person |
# | **Your time** | about 4 hours |
# | **Computing** | about 25 s on one core |
# | **You need** | the chapters *Surrogate gradients* and *Dspike and the finite-difference gradient*; autograd in PyTorch |
#
# Work from top to bottom.
# Write your code where it says `raise NotImplementedError`, run the cell, and then run the check below it.
# The check says what is right and what is not yet; `check("ps3.dspike", hint=1)` shows a hint, and there are three.
# Grading may draw other numbers than the checks show you, so a green check is a good sign and not the grade itself.
# A check may use {seconds of check} of processor time, and grading allows {seconds of grading}; what other programs use is not counted.
# No question pays for an earlier one: what rests on a function of yours that is not right yet is checked with the course's own in its place.
# Take that one yourself to go on, `dspike_slope = use_reference("dspike_slope")`: it costs nothing later and gets no points in its own question.
# Cells that are given are restored before grading: put your experiments into cells of your own.
# What you are asked to write yourself is switched off in the library while your work is graded.

# %% given="setup"
import math

import matplotlib.pyplot as plt
import torch
from spikingjelly.activation_based.surrogate import SurrogateFunctionBase, heaviside
from torch import nn
from torch.nn import functional as F

import snnkit.plot
from autograder import check, use_reference
from snnkit import datasets

# %% [markdown]
# ## 1. The function
#
# A neuron with threshold $\theta = \tfrac12$ has the potential $u$ (before its spike) in the unit interval most of the
# time.
# On that interval Dspike is a piece of the hyperbolic tangent, moved and stretched so that it runs from 0 to 1:
#
# $$\mathrm{Dspike}_b(u) = \begin{cases} 0, & u < 0 \\[2pt]
#   \dfrac{\tanh\bigl(b\,(u - \tfrac12)\bigr) + \tanh(b/2)}{2 \tanh(b/2)}, & 0 \le u \le 1 \\[6pt] 1, & u > 1 \end{cases}$$
#
# with the temperature $b > 0$ (chapter *Dspike and the finite-difference gradient*, section *The function*).
# The middle line alone is not Dspike: outside $[0, 1]$ it goes on, for $b = 1$ down to −0.58 and up to 1.58.
#
# **Question 1 ({points of dspike}).** Write `dspike(u, b)`, the value at each element of the tensor `u`, and
# `dspike_slope(u, b)`, the derivative with respect to `u`: that of the middle line for $0 \le u \le 1$ (both ends
# belong to it) and 0 outside.
# Shape and dtype are those of `u`.
# Remember that $\tanh' = \mathrm{sech}^2 = 1/\cosh^2 = 1 - \tanh^2$.


# %% answer="dspike"
def dspike(u, b):
    """Dspike of temperature b at each element of u, for the threshold 1/2."""
    ### BEGIN SOLUTION
    return torch.tanh(b * (u.clamp(0, 1) - 0.5)) / (2 * math.tanh(b / 2)) + 0.5
    ### END SOLUTION


def dspike_slope(u, b):
    """Derivative of Dspike with respect to u, at each element of u."""
    ### BEGIN SOLUTION
    slope = b / (2 * math.tanh(b / 2)) * (1 - torch.tanh(b * (u - 0.5)) ** 2)
    return slope * ((u >= 0) & (u <= 1))
    ### END SOLUTION


# %% check="dspike"

# %% given="dspike_figure"
u = torch.linspace(-0.5, 1.5, 801)
with snnkit.plot.style():
    _, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
    for b in (0.5, 3.0, 10.0):
        left.plot(u, dspike(u, b), label=f"b = {b:g}")
        right.plot(u, dspike_slope(u, b), label=f"b = {b:g}")
    left.set(xlabel="potential u", ylabel="Dspike")
    right.set(xlabel="potential u", ylabel="slope")
    left.legend()
plt.show()

# %% [markdown]
# Whatever $b$ is, the area under the slope is 1: the function rises from 0 to 1.
#
# ## 2. Other thresholds, and both ends of the temperature
#
# For a threshold $\theta$ other than $\tfrac12$ the potential is first measured in units of $2\theta$, so that the
# threshold comes to lie at $\tfrac12$:
#
# $$\mathrm{Dspike}_{b,\theta}(v) = \mathrm{Dspike}_b\!\left(\frac{v}{2\theta}\right).$$
#
# The window is then $0 \le v \le 2\theta$.
# By the chain rule the slope with respect to $v$ has one more factor.
#
# Now let $b$ go to its ends.
# For $b \to 0$ both hyperbolic tangents become their arguments, and for $b \to \infty$ they become signs.
# You will read that the first limit is the identity and the second the sign function.
# Work out what they are, **inside and outside the window**, for any $\theta$.
# (At $v = \theta$ itself every $b$ gives ½; that point will not be asked for.)
#
# **Question 2 ({points of any_threshold}).** Write
#
# - `dspike_at(v, b, threshold)`, which returns the pair (value, slope with respect to `v`);
# - `dspike_limits(v, threshold)`, which returns the pair (limit of the value for $b \to 0$, limit of the value for
#   $b \to \infty$), each with the shape and dtype of `v`.


# %% answer="any_threshold"
def dspike_at(v, b, threshold):
    """Value and slope with respect to v of Dspike for any threshold."""
    ### BEGIN SOLUTION
    u = v / (2 * threshold)
    return dspike(u, b), dspike_slope(u, b) / (2 * threshold)
    ### END SOLUTION


def dspike_limits(v, threshold):
    """Limits of the value at v, for b to 0 and for b to infinity."""
    ### BEGIN SOLUTION
    return (v / (2 * threshold)).clamp(0, 1), heaviside(v - threshold)
    ### END SOLUTION


# %% check="any_threshold"

# %% [markdown]
# ## 3. A surrogate for SpikingJelly 2.0
#
# A surrogate is handed $x = $ charge − threshold, so the threshold lies at $x = 0$.
# With the window $[-\tfrac12, \tfrac12]$ around it, Dspike of $x$ is $\mathrm{Dspike}_b(x + \tfrac12)$: the function of
# question 1, moved.
# (For a neuron with the threshold ½ this is exact; for another threshold it keeps the width of the window at 1.)
#
# Below is the pattern of problem set 2, for the sigmoid: an autograd function with the spikes forward and the
# surrogate slope backward, and a class that names the parameters **by keyword**.


# %% given="pattern"
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
# **Question 3 ({points of surrogate}).** Write the surrogate `Dspike(b=3.0, spiking=True)` after this pattern.
# With `spiking=True` it gives spikes (one at $x = 0$ too), and backward the slope times the gradient from above.
# With `spiking=False` it gives $\mathrm{Dspike}_b(x + \tfrac12)$ itself.
# Training will change the temperature with `surrogate.b = 5.0`; from then on the new one must count.
# The base class takes care of that if `b` is one of its parameters.


# %% answer="surrogate"
class DspikeSpike(torch.autograd.Function):
    """The step forward, the slope of Dspike backward."""

    @staticmethod
    def forward(x, b):
        ### BEGIN SOLUTION
        return heaviside(x)
        ### END SOLUTION

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.b = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        ### BEGIN SOLUTION
        return grad_output * dspike_slope(x + 0.5, ctx.b), None
        ### END SOLUTION


class Dspike(SurrogateFunctionBase):
    def __init__(self, b=3.0, spiking=True):
        ### BEGIN SOLUTION
        super().__init__(spiking=spiking, b=b)
        ### END SOLUTION

    @staticmethod
    def spiking_function(x, b):
        return DspikeSpike.apply(x, b)

    @staticmethod
    def primitive_function(x, b):
        ### BEGIN SOLUTION
        return dspike(x + 0.5, b)
        ### END SOLUTION


# %% check="surrogate"

# %% [markdown]
# ## 4. A network, and its loss as a staircase
#
# The network of the rest of this set sees a digit of 8 × 8 pixels for four steps.
# Hidden neurons with leak (decay ½, threshold ½, soft reset) turn it into spikes, and a linear layer reads out their
# mean: no output neuron spikes, so everything that is not smooth happens in the hidden layer.


# %% given="network"
class Network(nn.Module):
    """Linear, neurons with leak, linear read-out of their mean spikes; from pixels [N, 64] to [N, 10]."""

    def __init__(self, surrogate, hidden=32, steps=4):
        super().__init__()
        self.first = nn.Linear(64, hidden, bias=False)
        self.second = nn.Linear(hidden, 10, bias=False)
        self.surrogate, self.steps = surrogate, steps

    def set_temperature(self, b):
        self.surrogate.b = b

    def forward(self, pixels, first=None):
        """Class scores; `first` stands in for the weight of the first layer where it is given."""
        current = pixels @ (self.first.weight if first is None else first).T
        v, total = 0.0, 0.0
        for _ in range(self.steps):
            charge = 0.5 * v + current
            spike = self.surrogate(charge - 0.5)
            v = charge - 0.5 * spike.detach()
            total = total + spike
        return self.second(total / self.steps)


pixels, labels = datasets.digits("train").tensors()
pixels = pixels.flatten(1)
train_pixels, train_labels = pixels[:800], labels[:800]
held_out_pixels, held_out_labels = pixels[800:1200], labels[800:1200]
print("training digits", list(train_pixels.shape), "held-out digits", list(held_out_pixels.shape))

# %% [markdown]
# The loss as a function of one weight of the first layer is a staircase: flat almost everywhere, with jumps where a
# spike comes or goes.

# %% given="staircase"
torch.manual_seed(0)
network = Network(Dspike())
shift = torch.linspace(-0.6, 0.6, 241)
with torch.no_grad():
    steps = []
    for change in shift:
        first = network.first.weight.clone()
        first[0, 20] += change
        steps.append(F.cross_entropy(network(train_pixels[:40], first), train_labels[:40]))
with snnkit.plot.style():
    _, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
    axes.step(shift, torch.stack(steps), where="mid")
    axes.set(xlabel="change of one weight", ylabel="loss of 40 digits")
plt.show()

# %% [markdown]
# Its derivative is 0 and says nothing.
# A difference over a step $h$ that is not small does say something: it is the slope of the loss averaged over a window
# of half-width $h$ (section *The slope of a staircase*).
# For the weight with the number $i$,
#
# $$\hat g_i = \frac{E(w + h\,e_i) - E(w - h\,e_i)}{2h},$$
#
# where $w$ holds **all** weights of the first layer and $e_i$ is 1 at place $i$ and 0 elsewhere.
# Every evaluation must see the same batch and the same noise, or the difference measures luck.
#
# **Question 4 ({points of finite_difference}).** Write `finite_difference(loss, weight, coordinates, step, seed)`.
#
# - `loss(weight)` takes a tensor of the shape of `weight` and returns the loss: a number, or a tensor with one element.
#   It may draw random numbers from torch's global generator: call `torch.manual_seed(seed)` before **each** evaluation.
# - `weight` has any shape and may be a parameter that requires gradients. It has the same values afterwards as before.
# - `coordinates` is a tensor of whole numbers `[n]`: places in `weight.flatten()`.
# - Return a float64 tensor `[n]` of the differences, in the order of `coordinates`; no place at all gives shape `[0]`.
# - Evaluate the loss exactly twice for each coordinate.


# %% answer="finite_difference"
def finite_difference(loss, weight, coordinates, step, seed=0):
    """Central differences of the loss in the given places of the weight."""
    ### BEGIN SOLUTION
    differences = []
    for place in coordinates.tolist():
        values = []
        for sign in (1, -1):
            moved = weight.detach().clone()
            moved.view(-1)[place] += sign * step
            torch.manual_seed(seed)
            with torch.no_grad():
                values.append(float(loss(moved)))
        differences.append((values[0] - values[1]) / (2 * step))
    return torch.tensor(differences, dtype=torch.float64)
    ### END SOLUTION


# %% check="finite_difference"

# %% [markdown]
# ## 5. How alike are two gradients, and what does it cost to know?
#
# Two gradients point the same way if their cosine similarity is near 1:
#
# $$\cos(g, \hat g) = \frac{\sum_i g_i\,\hat g_i}{\sqrt{\sum_i g_i^2}\,\sqrt{\sum_i \hat g_i^2}},$$
#
# one number for the whole gradient, all rows of the weight together.
#
# A finite difference needs two forward passes for each weight.
# So a few weights are drawn at random, and the similarity is measured on them.
# Each temperature that is tried adds one forward pass (and a backward pass) for its surrogate gradient.
#
# **Question 5 ({points of similarity}).** Write
#
# - `cosine_similarity(a, b)` for two tensors of equally many elements and any shape, as a Python float; if one of the
#   two is zero everywhere there is no direction to compare, and the answer is `math.nan`. The dtypes may differ: your
#   finite difference is float64, the gradient of the network float32;
# - `sample_coordinates(weight, count, generator)`: `count` **distinct** random places in `weight.flatten()`, from the
#   given `torch.Generator`; every place once if the weight has no more than `count` elements;
# - `forward_passes(shape, count, temperatures, epochs)`: the number of forward passes that the choice of the
#   temperature takes in a training of `epochs` epochs, if it is made once per epoch among `temperatures` candidates, on
#   `count` sampled weights of a layer whose weight has the shape `shape` (on all of them, if it has fewer).


# %% answer="similarity"
def cosine_similarity(a, b):
    """Cosine of the angle between two gradients, each one vector; nan if one is zero."""
    ### BEGIN SOLUTION
    a, b = a.double().flatten(), b.double().flatten()
    sizes = float(a.norm() * b.norm())
    return float(a @ b) / sizes if sizes > 0 else math.nan
    ### END SOLUTION


def sample_coordinates(weight, count, generator):
    """Distinct random places in the flattened weight."""
    ### BEGIN SOLUTION
    return torch.randperm(weight.numel(), generator=generator)[:count]
    ### END SOLUTION


def forward_passes(shape, count, temperatures, epochs):
    """Forward passes that choosing the temperature takes in a whole training."""
    ### BEGIN SOLUTION
    return epochs * (2 * min(count, math.prod(shape)) + temperatures)
    ### END SOLUTION


# %% check="similarity"

# %% [markdown]
# Predict before you run the next cell: for a step $h$ ten times as wide, is the best temperature higher or lower?

# %% given="similarity_figure"
batch_pixels, batch_labels = train_pixels[:200], train_labels[:200]
places = sample_coordinates(network.first.weight, 60, torch.Generator().manual_seed(0))


def surrogate_gradient(network, pixels, labels, b):
    """Gradient of the loss in the weight of the first layer, with the surrogate at temperature b."""
    network.set_temperature(b)
    loss = F.cross_entropy(network(pixels), labels)
    return torch.autograd.grad(loss, network.first.weight)[0].flatten()


TEMPERATURES = (0.3, 1.0, 3.0, 6.0, 10.0, 20.0, 50.0)
with snnkit.plot.style():
    _, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    for h in (0.003, 0.03, 0.3):
        reference = finite_difference(
            lambda first: F.cross_entropy(network(batch_pixels, first), batch_labels),
            network.first.weight,
            places,
            h,
        )
        axes.plot(
            TEMPERATURES,
            [
                cosine_similarity(
                    surrogate_gradient(network, batch_pixels, batch_labels, b)[places], reference
                )
                for b in TEMPERATURES
            ],
            marker="o",
            label=f"h = {h:g}",
        )
    axes.set(xlabel="temperature b", xscale="log", ylabel="cosine similarity")
    axes.legend()
plt.show()

# %% [markdown]
# ## 6. Choosing the temperature
#
# Once per epoch the temperature may move by $\Delta b$: the candidates are $b$, $b - \Delta b$ and $b + \Delta b$.
# Dspike exists for $b > 0$ only, so a candidate below a smallest temperature `minimum` is replaced by `minimum`.
# The candidate whose surrogate gradient has the **largest** cosine similarity to the finite difference wins.
# A similarity that is `nan` never wins; if two are equal, the one named first above wins; if all are `nan`, the
# temperature stays.
#
# **Question 6 ({points of choice}).** Write `candidates(b, change, minimum)`, a list of three numbers in the order above, and
# `choose_temperature(b, change, minimum, similarity_at)`, where `similarity_at(b)` returns the cosine similarity, a
# float, of the surrogate gradient at a temperature to the finite difference.
# It returns the temperature that wins.


# %% answer="choice"
def candidates(b, change, minimum):
    """The temperatures to compare: b, b - change and b + change, none below the minimum."""
    ### BEGIN SOLUTION
    return [max(one, minimum) for one in (b, b - change, b + change)]
    ### END SOLUTION


def choose_temperature(b, change, minimum, similarity_at):
    """The candidate whose gradient is most like the finite difference."""
    ### BEGIN SOLUTION
    best, highest = b, -math.inf
    for one in candidates(b, change, minimum):
        similarity = similarity_at(one)
        if similarity > highest:  # never true for nan
            best, highest = one, similarity
    return best
    ### END SOLUTION


# %% check="choice"

# %% [markdown]
# ## 7. Training with an adaptive temperature
#
# **Question 7 ({points of training}).** Write `train`.
# It changes `network` in place and returns the pair of two lists, one entry per epoch each: the mean losses and the
# temperatures.
#
# - In each epoch the digits are visited in a random order, in batches of `batch` digits (the last one may be smaller).
#   The order is `torch.randperm(len(labels), generator=generator)`, with a generator
#   `torch.Generator().manual_seed(seed)` made once.
# - **Before** the first batch of an epoch is learnt, `b = choose(network, pixels, labels, b)` is called, with the pixels
#   and labels of that first batch and the temperature so far; then `network.set_temperature(b)`. The next epoch goes on
#   from this `b`.
# - The loss of a batch is `F.cross_entropy(network(pixels), labels)`, the optimiser `torch.optim.Adam` with the given
#   learning rate.
# - The mean loss of an epoch is taken over digits: weight each batch by its size.


# %% answer="training"
def train(network, pixels, labels, *, epochs, choose, b=3.0, learning_rate=5e-3, batch=32, seed=0):
    """Train, choosing the temperature once per epoch; the mean losses and the temperatures of the epochs."""
    ### BEGIN SOLUTION
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
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(chosen)
        losses.append(total / len(labels))
        temperatures.append(b)
    return losses, temperatures
    ### END SOLUTION


# %% check="training"

# %% [markdown]
# Now everything together: fixed temperatures against chosen ones, with three seeds each, and what the choice costs.
# `adaptive(h)` makes a `choose` from your functions.
# One epoch of learning takes as many forward passes as there are batches.

# %% given="experiment"
SEEDS, EPOCHS, COUNT = (0, 1, 2), 6, 24


def fixed(network, pixels, labels, b):
    return b


def adaptive(h):
    """A `choose` that compares with finite differences of step h."""

    def choose(network, pixels, labels, b):
        weight = network.first.weight
        places = sample_coordinates(weight, COUNT, torch.Generator().manual_seed(round(1000 * b)))
        reference = finite_difference(
            lambda first: F.cross_entropy(network(pixels, first), labels), weight, places, h
        )

        def similarity_at(one):
            return cosine_similarity(surrogate_gradient(network, pixels, labels, one)[places], reference)

        return choose_temperature(b, 1.0, 0.2, similarity_at)

    return choose


def accuracy(network):
    with torch.no_grad():
        return (network(held_out_pixels).argmax(1) == held_out_labels).double().mean().item()


print(
    "                        held-out accuracy by seed     last loss   last temperatures   passes to choose"
)
for title, choose, start in (
    ("fixed b = 0.5", fixed, 0.5),
    ("fixed b = 3", fixed, 3.0),
    ("fixed b = 50", fixed, 50.0),
    ("adaptive, h = 0.03", adaptive(0.03), 3.0),
    ("adaptive, h = 0.3", adaptive(0.3), 3.0),
):
    accuracies, losses, ends = [], [], []
    for seed in SEEDS:
        torch.manual_seed(seed)
        network = Network(Dspike())
        course, temperatures = train(
            network, train_pixels, train_labels, epochs=EPOCHS, choose=choose, b=start, seed=seed
        )
        accuracies.append(accuracy(network))
        losses.append(course[-1])
        ends.append(temperatures[-1])
    passes = 0 if choose is fixed else forward_passes(network.first.weight.shape, COUNT, 3, EPOCHS)
    shown = ", ".join(f"{value:.1%}" for value in accuracies)
    print(
        f"{title:22}  {shown:28}  {sum(losses) / 3:9.3f}   {', '.join(f'{b:g}' for b in ends):18}  {passes:6}"
    )
print(f"forward passes to learn: {EPOCHS * math.ceil(len(train_labels) / 32)}")

# %% [markdown]
# **Discussion ({points of discussion}, read by a person).**
# Is an adaptive temperature worth its cost? Answer in about 250 words, from the figure of section 5 and your table.
#
# - The finite difference is the reference here. What is it the gradient of, and what does $h$ do to it? What happens
#   for $h \to 0$?
# - Relate $h$ to the temperature that wins. Is there one best $b$?
# - Compare accuracies with their spread over the seeds, and passes with passes. What would the cost be with every weight
#   of a first convolution of 64 filters on 3 channels, 3 × 3?
# - What does a high similarity at the start of an epoch promise for the epoch, and what does it not?

# %% [markdown] read="discussion" points=6
# The finite difference is exactly the derivative of the loss averaged over a window of half-width $h$ in that weight.
# The loss itself has derivative 0 almost everywhere, so for $h \to 0$ the difference of nearly every weight becomes 0, and
# the few that jump become huge: in the figure the similarities for $h = 0.003$ are the lowest at every $b$.
#
# A wide step averages over a wide range of potentials, and its best surrogate is wide, that is, of low temperature; a narrow
# step asks for a high one. The maximum for $h = 0.3$ lies at a lower $b$ than the one for $h = 0.03$, and in the table the
# chosen temperatures stay low for the first and rise for the second. So there is no one best $b$: the search hands the
# question on to $h$, which has to be chosen as well.
#
# Between $b = 0.5$, $b = 3$ and both adaptive runs, the accuracies differ by less than the seeds do; $b = 50$ is worse in
# its loss. On this task the choice buys nothing that a reasonable fixed $b$ does not give, and it takes 306 passes
# against 150 to learn. (They are passes of one batch each, without a backward pass, so time is saved by that.) All
# weights of a 3 × 3 convolution from 3 to 64 channels are 1728, that is 3456 passes and three more in every epoch.
#
# A high similarity says that a small step along the surrogate's direction, in these weights, on this batch, lowers
# the averaged loss. It says nothing about the other layer, other batches, or the end of the epoch. Three seeds, one data
# set and one small network: where fixed surrogates fail, the choice may pay.

# %% [markdown] tags=["instructor"]
# **Rubric of the discussion (instructor only).**
#
# | points | criterion |
# |---|---|
# | 1 | the finite difference is the derivative of the loss averaged over $\pm h$, not "the true gradient" |
# | 1 | $h \to 0$ gives 0 almost everywhere (and rare huge values), so $h$ is a width and not an error to be made small |
# | 1 | relates a wide $h$ to a low $b$ and says that the best $b$ depends on $h$, with the figure or the table |
# | 1 | compares accuracies with the spread over seeds, and draws no conclusion from a difference within it |
# | 1 | compares passes with passes, and gets 3456 (+ 3) per epoch for 1728 weights |
# | 1 | names a limit of the similarity (one layer, sampled weights, one batch, start of the epoch) |
#
# **Strong (6).** The answer above.
#
# **Middling (3).** "The finite difference smooths the loss over $2h$. For $h = 0.3$ the best $b$ is about 3 and for $h = 0.03$
# about 20, so a sharper surrogate fits a smaller step. The adaptive runs have 94 % and the fixed ones 93 %, so adapting
# helps a little. The cost is twice the number of weights, so for 1728 weights it is 3456 passes per epoch." (Width,
# dependence and cost are right; the difference lies within the seeds, $h \to 0$ and the limit of the similarity are
# missing.)
#
# **Weak (1).** "Finite differences give the true gradient, so the temperature that is closest to them is the best one.
# It costs more time: 3456 passes instead of 1728. It is worth it because the method was published with better
# results." (Only the cost can be given a point.)

# %% [markdown]
# ## Hand in
#
# Run everything once from the top (menu *Kernel*, *Restart Kernel and Run All Cells*), look at the checks, save, and
# hand in this notebook under its own name.
#
# ## Source
#
# Y. Li, Y. Guo, S. Zhang, S. Deng, Y. Hai and S. Gu, Differentiable spike: rethinking gradient-descent for training
# spiking neural networks, NeurIPS 2021.
