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
# # Problem set 5: QCFS and the unevenness error
#
# A trained network can be turned into a spiking one, and something is lost on the way.
# In this problem set you derive what holds exactly, train a network with the staircase that a spiking neuron
# computes, and convert it.
# Then you take apart what is still lost: the unevenness error, which comes from the order of the spikes.
#
# | | |
# |---|---|
# | **You will be able to** | derive the balance of charge and check each of its steps (QCFS-1, UNE-1); write QCFS, its gradients and the neuron that it becomes (QCFS-2, QCFS-4); say what is lost for any T and L (QCFS-3); split a conversion error exactly (ERR-1, ERR-2); read extra and missing spikes from the final potential (UNE-2, UNE-3, UNE-4); train, convert, measure layer by layer and count what a remedy costs (QCFS-5, UNE-5) |
# | **Points** | {points by checks} by checks, {points by readers} for a derivation and three discussions read by a person, and an optional experiment |
# | **Your time** | about 8 hours |
# | **Computing** | about 30 s on one core |
# | **You need** | the chapters on conversion errors, QCFS and unevenness; back-propagation; PyTorch's `autograd.Function` |
#
# Work from top to bottom.
# Write your code where it says `raise NotImplementedError`, run the cell, and then run the check below it.
# The check says what is right and what is not yet; `check("ps5.balance", hint=1)` shows a hint, and there are three.
# Grading may draw other numbers than the checks show you, so a green check is a good sign and not the grade itself.
# A check may use {seconds of check} of processor time, and grading allows {seconds of grading}; what other programs use is not counted.
# No question pays for an earlier one: what rests on a function of yours that is not right yet is checked with the course's own in its place.
# Take that one yourself to go on, `Staircase = use_reference("Staircase")`: it costs nothing later and gets no points in its own question.
# Cells that are given are restored before grading: put your experiments into cells of your own.
# What you are asked to write yourself is switched off in the library while your work is graded.

# %% given="setup"
import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

import snnkit.plot
from autograder import check, use_reference
from snnkit import datasets

torch.set_num_threads(1)

# %% [markdown]
# ## 1. What holds in every order
#
# The neurons of this problem set are integrate-and-fire neurons without leak, with the soft reset:
#
# $$m(t) = v(t-1) + z(t), \qquad s(t) = \Theta(m(t) - \theta), \qquad v(t) = m(t) - s(t)\,\theta, \qquad \Theta(0) = 1.$$
#
# $z(t)$ is the current of step $t$, and a neuron whose charge $m(t)$ reaches the threshold $\theta$ exactly fires.
# The function `fire` is given.
# Time is the first axis, whatever follows.


# %% given="neuron"
def fire(currents, threshold, v0):
    """Spikes [T, ...] (0 or 1) and potential after each step [T, ...] of neurons that receive currents [T, ...]."""
    v = torch.zeros_like(currents[0]) + v0
    spikes, potentials = [], []
    for current in currents:
        charge = v + current
        spike = (charge >= threshold).to(charge)
        v = charge - threshold * spike
        spikes.append(spike)
        potentials.append(v)
    return torch.stack(spikes), torch.stack(potentials)


# %% [markdown]
# Layer $l$ receives what the layer before it transmits, $x^{l-1}(t)$, through its weights and bias, and transmits
# spikes of height $\theta^l$:
#
# $$z^l(t) = W^l x^{l-1}(t) + b^l, \qquad x^l(t) = s^l(t)\,\theta^l.$$
#
# The next layer sees the potential nowhere.
# What it sees, averaged over $T$ steps, is the *average postsynaptic potential*
# $\phi^l(T) = \frac1T \sum_{t=1}^T x^l(t)$.
# For adjacent layers (chapter *QCFS*, equations 1 and 2)
#
# $$v^l(t) - v^l(t-1) = W^l x^{l-1}(t) + b^l - x^l(t) \tag{step}$$
# $$v^l(T) - v^l(0) = W^l \sum_{t=1}^T x^{l-1}(t) + T\,b^l - \sum_{t=1}^T x^l(t) \tag{total}$$
# $$\phi^l(T) = W^l \phi^{l-1}(T) + b^l - \frac{v^l(T) - v^l(0)}{T} \tag{average}$$
#
# **Derivation 1 ({points of derivation}, read by a person).**
# Derive the three equations from the dynamics above, one from the other, and say at each step what you used.
# Which of these would spoil the last equation, and where in your derivation: a leak, the reset to zero, irregular
# input?

# %% [markdown] read="derivation" points=4
# Put the charge $m(t) = v(t-1) + W x^{l-1}(t) + b$ into the reset $v(t) = m(t) - s(t)\theta$ and bring $v(t-1)$ to
# the left. With $x^l(t) = s(t)\theta$ this is (step). Used: no leak, so that $v(t-1)$ has the factor 1; the soft
# reset, so that exactly $\theta$ leaves with each spike; and the reset in the same step as the spike.
#
# Add (step) for $t = 1, \dots, T$. On the left $v(1) - v(0) + v(2) - v(1) + \dots$ telescopes to $v(T) - v(0)$. On
# the right $W$ does not depend on $t$ and can be taken out of the sum, and the bias appears $T$ times. This is
# (total).
#
# Divide by $T$, use the definition of $\phi$ twice, and solve for $\phi^l(T)$. This is (average). Nothing was
# approximated, and nothing was assumed about when the spikes come.
#
# A leak puts a factor in front of $v(t-1)$, so (step) gains a term $(1-\alpha)v(t-1)$ and the sum no longer
# telescopes. The reset to zero removes $m(t)$ and not $\theta$ with a spike: $x^l(t)$ in (step) is then not what the
# neuron lost. Irregular input spoils nothing.

# %% [markdown] tags=["instructor"]
# **Rubric of derivation 1 (instructor only).**
#
# | points | criterion |
# |---|---|
# | 1 | (step) from charge and reset, with the height $\theta$ of the transmitted spike |
# | 1 | (total) by telescoping, with the bias $T$ times |
# | 1 | (average) by dividing by $T$; says that the relation is exact, in any order of the input |
# | 1 | leak and reset to zero named, each with the step that fails; irregular input does not matter |
#
# Strong (4): all of these. Middling (2): "Sum the equation over time and divide by T, then the v terms cancel except
# the first and last", without the height, the bias or the conditions. Weak (0 to 1): "The output rate is the
# weighted input rate, because a neuron with soft reset is linear; the rest is an approximation error."

# %% [markdown]
# **Question 1 ({points of balance}).** Check your derivation with numbers.
# Write `balance(weight, bias, inputs, spikes, potentials, threshold, v0)`, which returns three tensors: **left side
# minus right side** of (step) `[T, N, out]`, of (total) `[N, out]` and of (average) `[N, out]`.
#
# `weight` is `[out, in]`, `bias` `[out]`, `inputs` $x^{l-1}(t)$ `[T, N, in]`, `spikes` $s^l(t)$ `[T, N, out]`,
# `potentials` $v^l(1), \dots, v^l(T)$ `[T, N, out]`; `threshold` and `v0` are numbers.
# For neurons as above all three are 0 up to rounding; the check also hands you neurons of other kinds, for which
# they are not.


# %% answer="balance"
def balance(weight, bias, inputs, spikes, potentials, threshold, v0):
    """Left side minus right side of (step), (total) and (average)."""
    ### BEGIN SOLUTION
    steps = len(inputs)
    outputs = threshold * spikes
    before = torch.cat([torch.full_like(potentials[:1], v0), potentials[:-1]])
    step = potentials - before - (inputs @ weight.T + bias - outputs)
    change = potentials[-1] - v0
    total = change - (inputs.sum(0) @ weight.T + steps * bias - outputs.sum(0))
    average = outputs.mean(0) - (inputs.mean(0) @ weight.T + bias - change / steps)
    return step, total, average
    ### END SOLUTION


# %% check="balance"

# %% [markdown]
# ## 2. The activation that a spiking neuron computes
#
# If the potential ends between 0 and the threshold, (average) says that the count is what flooring leaves of the
# charge.
# That function of the mean current can be trained with: the *quantisation clip-floor-shift* activation, QCFS
# (chapter *QCFS*, section *The activation*), with the trainable clip $\lambda$ and $L$ levels,
#
# $$h(z) = \frac{\lambda}{L} \operatorname{clip}\!\left( \left\lfloor \frac{zL}{\lambda} + \frac12 \right\rfloor, 0, L \right).$$
#
# Backwards the floor counts as the identity (straight through).
# The region in which it is used is a choice, and this course takes the published one (section *The gradients*):
#
# | | $\partial h/\partial z$ | $\partial h/\partial\lambda$ |
# |---|---|---|
# | inside, $-\dfrac{\lambda}{2L} < z < \lambda - \dfrac{\lambda}{2L}$ | 1 | $\dfrac{h(z) - z}{\lambda}$ |
# | above, $z \ge \lambda - \dfrac{\lambda}{2L}$ | 0 | 1 |
# | below, $z \le -\dfrac{\lambda}{2L}$ | 0 | 0 |
#
# **Question 2 ({points of qcfs}).** Complete `Staircase`.
# `z` is a tensor of any shape, `clip` a tensor with a single element and shape `[]`, `levels` an integer.
# `backward` returns the gradient of `z`, with the shape of `z`; that of `clip`, one number for all elements
# together; and `None` for `levels`.


# %% answer="qcfs"
class Staircase(torch.autograd.Function):
    """QCFS forward, straight-through gradients of z and of the clip backward."""

    @staticmethod
    def forward(z, clip, levels):
        ### BEGIN SOLUTION
        return torch.floor(z * levels / clip + 0.5).clamp(0, levels) * clip / levels
        ### END SOLUTION

    @staticmethod
    def setup_context(ctx, inputs, output):
        z, clip, ctx.levels = inputs
        ctx.save_for_backward(z, clip, output)

    @staticmethod
    def backward(ctx, grad_output):
        z, clip, h = ctx.saved_tensors
        ### BEGIN SOLUTION
        half = clip / (2 * ctx.levels)
        inside = (z > -half) & (z < clip - half)
        slope = torch.where(inside, (h - z) / clip, (z > 0).to(z))
        return grad_output * inside, (grad_output * slope).sum(), None
        ### END SOLUTION


# %% check="qcfs"


# %% [markdown]
# As a module, with the clip as a parameter:


# %% given="module"
class QCFS(nn.Module):
    def __init__(self, levels, clip=4.0):
        super().__init__()
        self.levels = levels
        self.clip = nn.Parameter(torch.tensor(float(clip)))

    def forward(self, z):
        return Staircase.apply(z, self.clip, self.levels)


def show_staircase(levels=4, clip=1.0):
    """The activation, and its two gradients."""
    z = torch.linspace(-0.5, 1.5, 801)
    height = Staircase.apply(z, torch.tensor(clip), levels)
    by_z, by_clip = [], []
    for point in z:
        pair = point.clone().requires_grad_(), torch.tensor(clip, requires_grad=True)
        gradients = torch.autograd.grad(Staircase.apply(*pair, levels), pair)
        by_z.append(float(gradients[0]))
        by_clip.append(float(gradients[1]))
    with snnkit.plot.style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
        left.plot(z, height)
        left.set(xlabel="z (clip = 1)", ylabel="h(z)")
        right.plot(z, by_z, label="gradient of z")
        right.plot(z, by_clip, linestyle="--", label="gradient of the clip")
        right.set(xlabel="z (clip = 1)", ylabel="gradient")
        figure.legend(loc="outside upper right", ncols=2)
    plt.show()


show_staircase()

# %% [markdown]
# Left the staircase; right the gradient of $z$ (solid) and that of the clip (dashed), a sawtooth inside and 1 above.
#
# ## 3. From the activation to the neuron
#
# A neuron with threshold $\theta$ that starts at $v(0)$ and receives the **constant** current $z$ has after $T$
# steps the average output (chapter *The conversion error, taken apart*, the clip-floor relation)
#
# $$\phi(T) = \frac{\theta}{T} \operatorname{clip}\!\left( \left\lfloor \frac{T z + v(0)}{\theta} \right\rfloor, 0, T \right).$$
#
# **Question 3 ({points of conversion}).** Write
#
# - `spiking_parameters(clip)`: the pair $(\theta, v(0))$, two numbers, with which this is QCFS for $T = L$;
# - `converted_average(z, clip, steps)`: the average output $\phi(T)$ of that neuron for each element of the tensor
#   `z`, taken as a constant current for `steps` steps;
# - `mean_error(levels, steps, half)`: the mean of (neuron − activation) for $z$ uniform on $[0, \lambda]$, in units
#   of $\lambda$. With `half=True` both are as above. With `half=False` the $\frac12$ of the activation is left out
#   and $v(0) = 0$. You may derive a formula or take the mean over a fine grid (a thousand points are enough).


# %% answer="conversion"
def spiking_parameters(clip):
    """Threshold and v(0) of the neuron that a QCFS activation becomes."""
    ### BEGIN SOLUTION
    return clip, clip / 2
    ### END SOLUTION


def converted_average(z, clip, steps):
    """Average output of the converted neuron under the constant current z."""
    ### BEGIN SOLUTION
    threshold, start = spiking_parameters(clip)
    return torch.floor((steps * z + start) / threshold).clamp(0, steps) * threshold / steps
    ### END SOLUTION


def mean_error(levels, steps, half):
    """Mean of neuron minus activation over z uniform on [0, clip], in units of the clip."""
    ### BEGIN SOLUTION
    return 0.0 if half else 1 / (2 * levels) - 1 / (2 * steps)
    ### END SOLUTION


# %% check="conversion"

# %% [markdown]
# ## 4. The error, split exactly
#
# With other than constant input the count $N$ need not be what the charge gives when it arrives evenly,
#
# $$q = \operatorname{clip}\bigl(\lfloor X \rfloor, 0, T\bigr), \qquad X = \frac1\theta\Bigl(v(0) + \sum_{t=1}^T z(t)\Bigr).$$
#
# Let $z$ be the mean current. Then (chapter *The unevenness error*, the split)
#
# $$\phi - \operatorname{ReLU}(z) = \underbrace{\frac{\theta}{T}(N - q)}_{\text{unevenness}} + \underbrace{\frac{\theta}{T}\,q - \operatorname{clip}(z, 0, \theta)}_{\text{quantisation}} + \underbrace{\operatorname{clip}(z, 0, \theta) - \operatorname{ReLU}(z)}_{\text{clipping}}.$$
#
# **Question 4 ({points of split}).** Write `split_error(currents, threshold, v0)` for currents `[T, ...]`: the three parts,
# in this order, each of the shape of one step.


# %% answer="split"
def split_error(currents, threshold, v0):
    """Unevenness, quantisation and clipping of each neuron."""
    ### BEGIN SOLUTION
    steps = len(currents)
    spikes, _ = fire(currents, threshold, v0)
    q = torch.floor((v0 + currents.sum(0)) / threshold).clamp(0, steps)
    z = currents.mean(0)
    clipped = z.clamp(0, threshold)
    unit = threshold / steps
    return unit * (spikes.sum(0) - q), unit * q - clipped, clipped - z.clamp(min=0)
    ### END SOLUTION


# %% check="split"

# %% [markdown]
# **Discussion 1 ({points of discussion_error}, read by a person).**
# Why does the conversion error occur?
# Answer in about 150 words from (average) and the split: where does each of the three parts come from, which of them
# does QCFS train away, and what do its two theorems ("no error for $T = L$", "no mean error for any $T$ and $L$")
# take for granted?

# %% [markdown] read="discussion_error" points=3
# By (average) the spiking layer computes the same weighted sum as the trained layer, minus (v(T) − v(0))/T, and
# without a ReLU. The remainder has to stand in for the nonlinearity, and it does so only roughly. Clipping: a neuron
# sends at most one spike a step, so nothing above the threshold gets through. Quantisation: only whole spikes of
# height theta/T count.
# Both depend on the mean current alone. Unevenness: the same charge in another order gives another count, because
# spikes cannot be taken back and at most one leaves in a step.
#
# QCFS trains the network with the clip and the levels, so that for T = L the first two are no longer errors but the
# function that was trained. Both theorems start from the clip-floor relation, which holds if and only if there is no
# unevenness error; the second also needs z uniform. In the first layer, with its constant current, that is so; in
# later layers it is an assumption and it is violated.

# %% [markdown] tags=["instructor"]
# **Rubric of discussion 1 (instructor only).**
#
# | points | criterion |
# |---|---|
# | 1 | the three parts, each with its cause (at most T spikes; whole spikes; the order of the input) |
# | 1 | QCFS trains clipping and quantisation away for $T = L$, not unevenness |
# | 1 | names the assumption of the theorems: the clip-floor relation, that is no unevenness error; uniform $z$ for the second |
#
# Strong (3): all of these. Middling (1.5): "The rate is quantised and clipped, and QCFS solves this, so for T = L
# the SNN equals the ANN", with causes but without the assumption. Weak (0 to 0.5): "Spikes are binary and lose
# information; more time steps solve it."

# %% [markdown]
# ## 5. The theorem
#
# The final potential and the count are enough to see what the order has done (chapter *The unevenness error*, the
# theorem):
#
# | name | when | $N - q$ |
# |---|---|---|
# | `"even"` | $0 \le v(T) < \theta$ | 0 |
# | `"silent"` | $v(T) < 0$ and $N = 0$ | 0 |
# | `"saturated"` | $v(T) \ge \theta$ and $N = T$ | 0 |
# | `"extra"` | $v(T) < 0$ and $N \ge 1$ | $\min(N, \lceil -v(T)/\theta \rceil)$ |
# | `"missing"` | $v(T) \ge \theta$ and $N \le T - 1$ | $-\min(T - N, \lfloor v(T)/\theta \rfloor)$ |
#
# The interval is half-open, $[0, \theta)$: where the literature writes $[0, \theta]$, one case is named wrongly.
#
# **Question 5 ({points of theorem}).** Write `verdict(count, v_end, threshold, steps)` for one neuron (all four are plain
# numbers): the pair of the name and of $N - q$, such as `("extra", 2)`.


# %% answer="theorem"
def verdict(count, v_end, threshold, steps):
    """Name of the case, and N - q."""
    ### BEGIN SOLUTION
    if v_end < 0:
        return ("extra", min(count, math.ceil(-v_end / threshold))) if count > 0 else ("silent", 0)
    if v_end >= threshold:
        missing = min(steps - count, math.floor(v_end / threshold))
        return ("missing", -missing) if count < steps else ("saturated", 0)
    return "even", 0
    ### END SOLUTION


# %% check="theorem"

# %% [markdown]
# ## 6. Case studies of your own
#
# A neuron with threshold 1 starts at $v(0) = \tfrac12$ and runs for $T = 8$ steps.
# It has two inputs, with the weights 2 and −1.5, which send spikes of height 1.
# `run_study` shows what it does with the trains that it is given: a list of two lists, one for each input, each with
# a 0 or a 1 for every step.


# %% given="run_study"
def run_study(trains):
    """Count N, final potential v(T) and current of each step, for the two input trains of a study."""
    currents = torch.tensor([2.0, -1.5], dtype=torch.float64) @ torch.tensor(trains, dtype=torch.float64)
    spikes, potentials = fire(currents, 1.0, 0.5)
    return int(spikes.sum()), float(potentials[-1]), currents


count, v_end, currents = run_study([[1, 0, 1, 0, 1, 0, 0, 0], [0, 1, 0, 1, 0, 0, 0, 0]])
print(f"currents {currents.tolist()}: {count} spikes, v(T) = {v_end}")

# %% [markdown]
# **Question 6 ({points of studies}).** Fill the dictionary `studies` with trains under these five names:
#
# - `"even"`, `"two extra"`, `"two missing"`: $N - q$ is 0, 2 and −2. In all three the first input fires equally
#   often, and so does the second: **only the order differs**. Both inputs fire.
# - `"at threshold"`: the run ends at $v(T) = \theta$ exactly, with a spike missing.
# - `"harmless"`: both inputs fire, the run ends with $v(T)$ outside $[0, \theta)$, and $N - q$ is 0.
#
# Try to find them by thinking about the running sum of the charge before you let the computer search.

# %% answer="studies"
### BEGIN SOLUTION
studies = {
    "even": [[1, 0, 1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1, 0, 0]],
    "two extra": [[1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1]],
    "two missing": [[0, 0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0, 0, 0]],
    "at threshold": [[0, 0, 0, 0, 1, 1, 0, 1], [0, 0, 1, 0, 0, 0, 0, 0]],
    "harmless": [[0, 0, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0]],
}
### END SOLUTION

# %% check="studies"

# %% given="studies_figure"
with snnkit.plot.style():
    _, panels = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True, layout="constrained")
    for axes, name in zip(panels, ("even", "two extra", "two missing"), strict=True):
        _, v_end, currents = run_study(studies[name])
        spikes, _ = fire(currents, 1.0, 0.5)
        axes.plot(range(9), [0.5, *(0.5 + currents.cumsum(0)).tolist()], "o-", label="charge X")
        axes.step(range(9), [0, *spikes.cumsum(0).tolist()], where="post", linestyle="--", label="count N")
        axes.set(title=f"{name}, v(T) = {v_end:g}", xlabel="time step")
    panels[0].legend()
plt.show()

# %% [markdown]
# The charge received (circles) ends at the same value in all three panels; the count (dashed) depends on the way.
#
# **Discussion 2 ({points of discussion_unevenness}, read by a person).**
# Discuss the unevenness error when $v(T)$ is not in $[0, \theta)$, in about 200 words, with your studies as the
# cases.
# What two mechanisms make it, and which of them needs a negative current and which a current above the threshold?
# When is a potential outside the interval *no* error?
# Why is the closed interval $[0, \theta]$, in which the literature states it, not right, and which of your studies
# shows it?

# %% [markdown] read="discussion_unevenness" points=4
# The count is a ratchet that follows the charge X(t): it goes up when X reaches N + 1, by one notch a step, and never
# down.
#
# "two extra": the four excitatory spikes come first, so X climbs to 8.5 and the count goes on rising while charge is
# left, until inhibition has taken it away. Spikes cannot be taken back, so v(T) = −2 and two spikes are too many.
# This needs a negative current: without one X never falls. "two missing": the inhibition comes first and X is at −4
# when excitation begins; it then rises by 2 a step, the count by at most 1, and the end comes too early. v(T) = 2,
# two spikes are missing. This needs a current above the threshold. In both N − q is read from v(T).
#
# Outside the interval and no error: "harmless" ends at −0.5 with N = 0 = q, because a neuron that never fired has
# nothing to take back. The mirror image is a neuron that fired at every step.
#
# "at threshold" ends with v(T) = θ exactly: one more spike would have fitted, since Θ(0) = 1, so X − N = 1 and q = N
# + 1. In the closed interval this would count as exact.

# %% [markdown] tags=["instructor"]
# **Rubric of discussion 2 (instructor only).**
#
# | points | criterion |
# |---|---|
# | 1 | extra spikes: cannot be taken back; needs a negative current; shown by a study with numbers |
# | 1 | missing spikes: at most one a step; needs a current above the threshold; shown by a study with numbers |
# | 1 | no error outside the interval for $N = 0$ below and $N = T$ above |
# | 1 | at $v(T) = \theta$ a spike is missing, so that the interval is half-open; points at the study |
#
# Strong (4): all of these. Middling (2): explains early excitation and late excitation with examples, takes every
# $v(T)$ outside for an error. Weak (0 to 1): "If v(T) < 0 the rate is too high and if v(T) > θ too low", without
# cause or case.

# %% [markdown]
# ## 7. Remedies
#
# Two remedies, for currents `[T, ...]` (chapter *The unevenness error*, section *Remedies, and what they cost*):
#
# - **Signed spikes.** A neuron whose charge is **below 0** and that has sent more positive spikes than negative ones
#   sends a spike of height $-\theta$, and its potential rises by $\theta$. Otherwise it is as before.
# - **Wait, then fire.** The neuron collects its whole input, on top of $v(0)$, without firing. Afterwards it fires
#   for $T$ steps without input, one spike a step at most.
#
# What a remedy costs is the number of time steps until the network's answer is known.
# Four kinds are compared, for a network with `layers` layers of neurons whose first layer has a constant current:
# `"none"` and `"signed"` answer after one run; `"first pass"` (silencing, SRP) runs the same image twice, $T$ steps
# each, because the first run shows which neurons should not fire; with `"waiting"` each layer waits until the one
# before it has finished, only the first layer need not wait.
# In a plain run all layers work in the same $T$ steps, and its answer is known after them.
#
# **Question 7 ({points of remedies}).** Write `signed_spikes(currents, threshold, v0)` and
# `wait_then_fire(currents, threshold, v0)`, which return the spikes `[T, ...]` that are sent (−1, 0 or 1); and
# `latency(remedy, steps, layers)`, the number of time steps for one of the four names.


# %% answer="remedies"
def signed_spikes(currents, threshold, v0):
    """Spikes [T, ...] in {-1, 0, 1}."""
    ### BEGIN SOLUTION
    v = torch.zeros_like(currents[0]) + v0
    count, spikes = torch.zeros_like(v), []
    for current in currents:
        charge = v + current
        spike = (charge >= threshold).to(charge) - ((charge < 0) & (count > 0)).to(charge)
        v = charge - threshold * spike
        count = count + spike
        spikes.append(spike)
    return torch.stack(spikes)
    ### END SOLUTION


def wait_then_fire(currents, threshold, v0):
    """Spikes [T, ...] of the T steps after the input has been collected."""
    ### BEGIN SOLUTION
    return fire(torch.zeros_like(currents), threshold, v0 + currents.sum(0))[0]
    ### END SOLUTION


def latency(remedy, steps, layers):
    """Time steps until the answer is known; remedy is "none", "signed", "first pass" or "waiting"."""
    ### BEGIN SOLUTION
    return {"none": steps, "signed": steps, "first pass": 2 * steps, "waiting": layers * steps}[remedy]
    ### END SOLUTION


# %% check="remedies"

# %% [markdown]
# ## 8. Train with the staircase
#
# The network has three hidden layers with a QCFS activation each, and sees digits of 8 × 8 pixels that come with the
# course.


# %% given="digits"
LEVELS = 4
images, labels = datasets.digits("train").tensors()
test_images, test_labels = datasets.digits("test").tensors()
images, test_images = images.flatten(1), test_images.flatten(1)


def qcfs_network(seed, hidden=48, layers=3):
    """Linear layers with QCFS between them; the clips begin at 4."""
    torch.manual_seed(seed)
    parts, width = [], images.shape[1]
    for _ in range(layers):
        parts += [nn.Linear(width, hidden), QCFS(LEVELS)]
        width = hidden
    return nn.Sequential(*parts, nn.Linear(width, 10))


# %% [markdown]
# **Question 8 ({points of training}).** Write `train`: for each epoch a random order of the images, drawn from a generator of
# its own that is seeded **once**, before the first epoch, with `seed`; for each batch the cross-entropy loss and a
# step of Adam on all of the network's parameters, the clips among them.
# It returns the mean loss of each epoch, a list of numbers: the losses of its batches, as they were learnt from, in
# a mean in which each image counts once.
# The same seed gives the same training, whatever the state of PyTorch's global generator.
#
# The check trains such a network on 1,000 of the digits for 10 epochs, converts it, and runs it with $T = 4$: it has
# to name three quarters of the test digits.


# %% answer="training"
def train(network, images, labels, *, epochs, learning_rate=3e-3, batch=64, seed=0):
    """Train in place; the mean loss of each epoch."""
    ### BEGIN SOLUTION
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(labels), generator=generator).split(batch):
            loss = F.cross_entropy(network(images[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(chosen)
        losses.append(total / len(labels))
    return losses
    ### END SOLUTION


# %% check="training"

# %% [markdown]
# ## 9. Convert, run, and look at each layer
#
# The converted network shows the image as a constant current at each of $T$ steps.
# Each hidden layer becomes neurons with the threshold and the start of question 3 and hands on its spikes, which
# have the height of its threshold.
# The last layer has no neurons: the logits are the mean of its currents over the steps.
#
# **Question 9 ({points of by_layer}).** Write
#
# - `run_spiking(weights, biases, clips, images, steps)`: `weights` and `biases` are lists with one tensor for each
#   linear layer, `clips` a list of numbers, one for each hidden layer, and `images` is `[N, inputs]`. It returns the
#   logits `[N, classes]` and a list with $N - q$ of every neuron, one tensor `[N, neurons]` for each hidden layer.
# - `uneven_shares(excess)`: for such a list, a list with a pair of numbers for each layer: the share of neurons with
#   $N - q \ne 0$, over all images, and the share of those with $N - q > 0$ **among them** (0 where there are none).


# %% answer="by_layer"
def run_spiking(weights, biases, clips, images, steps):
    """Mean logits of the converted network, and N - q of each hidden layer."""
    ### BEGIN SOLUTION
    signal, excess = images.expand(steps, *images.shape), []
    for weight, bias, clip in zip(weights[:-1], biases[:-1], clips, strict=True):
        currents = signal @ weight.T + bias
        spikes, _ = fire(currents, clip, clip / 2)
        q = torch.floor((clip / 2 + currents.sum(0)) / clip).clamp(0, steps)
        excess.append(spikes.sum(0) - q)
        signal = clip * spikes
    return (signal @ weights[-1].T + biases[-1]).mean(0), excess
    ### END SOLUTION


def uneven_shares(excess):
    """For each layer: share of uneven neurons, and share of extra spikes among them."""
    ### BEGIN SOLUTION
    shares = []
    for one in excess:
        wrong = int((one != 0).sum())
        shares.append((wrong / one.numel(), int((one > 0).sum()) / max(wrong, 1)))
    return shares
    ### END SOLUTION


# %% check="by_layer"

# %% [markdown]
# ### The experiment
#
# Three networks with five hidden layers, which differ in their seed, are trained and converted.
# Before you run the cell, write down: how large is the share of uneven neurons in the first layer? Does it grow with
# depth? Are extra or missing spikes more frequent?


# %% given="experiment"
def parts_of(network):
    """Weights, biases and clips of a trained network."""
    linear = [part for part in network if isinstance(part, nn.Linear)]
    weights, biases = [part.weight.detach() for part in linear], [part.bias.detach() for part in linear]
    return weights, biases, [float(part.clip.detach()) for part in network if isinstance(part, QCFS)]


def accuracy(logits):
    return float((logits.argmax(1) == test_labels).float().mean())


networks = []
for seed in range(3):
    network = qcfs_network(seed, layers=5)
    losses = train(network, images, labels, epochs=15, seed=seed)
    networks.append(network)
    print(f"seed {seed}: loss {losses[0]:.3f} -> {losses[-1]:.3f}, ", end="")
    with torch.no_grad():
        print(f"trained network {accuracy(network(test_images)):.1%}, ", end="")
    by_steps = {T: accuracy(run_spiking(*parts_of(network), test_images, T)[0]) for T in (1, 2, 4, 8, 16)}
    print("spiking " + ", ".join(f"T = {T}: {value:.1%}" for T, value in by_steps.items()))

print("\nlayer       " + "".join(f"{layer:>18}" for layer in range(1, 6)))
profiles = {}
for T in (4, 16):
    rows = torch.tensor(
        [uneven_shares(run_spiking(*parts_of(network), test_images, T)[1]) for network in networks]
    )
    profiles[T] = rows[..., 0]
    print(f"T = {T:2}: uneven" + "".join(f"{float(value):18.1%}" for value in rows[..., 0].mean(0)))
    extra = [f"{float(more):.1%}" if wrong > 0 else "none uneven" for wrong, more in rows.mean(0)]
    print("  of these extra" + "".join(f"{text:>18}" for text in extra))

with snnkit.plot.style():
    _, axes = plt.subplots(figsize=(5, 2.8), layout="constrained")
    for (T, shares), style in zip(profiles.items(), ("o-", "s--"), strict=True):
        axes.plot(range(1, 6), shares.mean(0), style, label=f"T = {T}")
    axes.set(xlabel="hidden layer", ylabel="share of uneven neurons", xticks=range(1, 6), ylim=(0, None))
    axes.legend()
plt.show()

# %% [markdown]
# **Discussion 3 ({points of discussion_layers}, read by a person).**
# Is the distribution of unevenness errors the same in different layers?
# Report your numbers in about 200 words, and explain:
#
# - why the first layer is as it is, and what in the input makes the second one different;
# - what happens with depth, and which sign the errors have;
# - what a longer run changes, and what it does not;
# - which remedy you would use here, with its latency, and with which run of the plain network you would compare it.
#
# The same question for a WideResNet on CIFAR-10, with its residual additions, is taken up in the chapter on deep
# networks.
# Say what you would expect there, and why.

# %% [markdown] read="discussion_layers" points=4
# No. The first layer has exactly 0 % uneven neurons in all three networks: its current is constant, so X(t) moves in
# one direction with equal steps and the ratchet keeps up. From the second layer on the currents are sums of spikes
# with weights of both signs: they change from step to step, go below 0 and above the threshold. With T = 4 about 4 %
# of the neurons are uneven in the second layer, 10 % in the third and 11 % in the fourth and fifth: the spikes that
# arrive there are themselves less even. So the share jumps, grows, and levels off.
#
# In the second layer about two thirds of the errors are extra spikes. In the deeper layers most are missing ones:
# each layer needs some steps of charge before it sends anything, so with T = 4 the input of a deep layer comes late
# and in a hurry, and one spike a step is too slow. The random network of the chapter has mostly extra spikes; a
# trained one need not be like it.
#
# With T = 16 the share does not fall, it is rather larger; what shrinks is the weight theta/T of one wrong spike,
# and so the accuracy comes back.
#
# Signed spikes cost nothing but take back extra spikes only, which are the smaller part here. Waiting removes the
# error exactly and needs 5 T = 20 steps, so it has to be compared with the plain network at 20 steps, and at 16 that
# is already as accurate as the trained network. I would run the plain network longer.
#
# In a WideResNet the first layer of neurons has a constant current and no unevenness. After that I expect a rise,
# and a break at residual additions, where the shortcut brings a current that is earlier and more even than that of
# the long way.

# %% [markdown] tags=["instructor"]
# **Rubric of discussion 3 (instructor only).**
#
# | points | criterion |
# |---|---|
# | 1 | exactly 0 in the first layer, explained by the constant current (not by "little error has accumulated yet") |
# | 1 | jump in the second layer and growth after it, with numbers over seeds and the sign as measured (not as in the chapter's random network), and a cause (weights of both signs, input that is itself uneven or late) |
# | 1 | T: the share does not vanish, the weight of one spike does |
# | 1 | a remedy with latency counted in full, against the plain network run as long; a reasoned expectation for residual networks |
#
# Strong (4): all of these. Middling (2): reports the rise and the zero, explains it by "errors accumulate", counts
# the remedy as free. Weak (0 to 1): "Deeper layers have larger errors, so use more time steps."

# %% [markdown]
# ## 10. Optional: event data through QCFS
#
# An event camera gives a current that changes from step to step by itself.
# How can QCFS be used on such data? Two ways to begin with:
#
# - **Mean.** Train on the mean of the frames. Run with the mean as a constant current: $T$ is free, and the time of
#   the events is lost.
# - **Frames.** Train in the same way, and show one frame at each step: $T$ is the number of frames, and the first
#   layer is no longer exact.
#
# `datasets.event_digits(train=400, test=200, steps=8)` gives the recordings as `train_frames` and `test_frames`,
# counts of events `[N, steps, 2, height, width]`, with `train_labels` and `test_labels`, all of them NumPy arrays.
# They are simulated, unless `SNNKIT_DATA` names a folder with N-MNIST.
# Your `train` and your `Staircase` serve as they are; `run_spiking` shows a constant image, so the second way needs
# a run of your own.
# Measure the accuracy and the unevenness of the first layer for both.
#
# If you leave this section out, empty the next cell. (Otherwise *Run All Cells* ends there with an error, which costs
# no points.)


# %% answer="events"
### BEGIN SOLUTION
def run_frames(weights, biases, clips, frames):
    """As run_spiking, for input [T, N, inputs] that changes from step to step."""
    steps, signal, excess = len(frames), frames, []
    for weight, bias, clip in zip(weights[:-1], biases[:-1], clips, strict=True):
        currents = signal @ weight.T + bias
        spikes, _ = fire(currents, clip, clip / 2)
        excess.append(spikes.sum(0) - torch.floor((clip / 2 + currents.sum(0)) / clip).clamp(0, steps))
        signal = clip * spikes
    return (signal @ weights[-1].T + biases[-1]).mean(0), excess


def try_events(learn=400, test=200, steps=8):
    digits = datasets.event_digits(train=learn, test=test, steps=steps)
    frames, held_out = (
        torch.log1p(torch.as_tensor(part).float()).flatten(2).transpose(0, 1)
        for part in (digits.train_frames, digits.test_frames)
    )
    answers, wanted = torch.as_tensor(digits.train_labels), torch.as_tensor(digits.test_labels)
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(frames.shape[2], 64), QCFS(LEVELS), nn.Linear(64, 64), QCFS(LEVELS), nn.Linear(64, 10)
    )
    train(network, frames.mean(0), answers, epochs=15)
    print(f"{digits.source}, {learn} recordings to learn from, {test} to test, {steps} frames")
    runs = {"mean": held_out.mean(0).expand_as(held_out), "frames": held_out}
    with torch.no_grad():
        print(f"trained: {float((network(held_out.mean(0)).argmax(1) == wanted).float().mean()):.1%}")
    for name, shown in runs.items():
        logits, excess = run_frames(*parts_of(network), shown)
        shares = ", ".join(f"{uneven:.1%}" for uneven, _ in uneven_shares(excess))
        print(f"{name}: {float((logits.argmax(1) == wanted).float().mean()):.1%}, uneven by layer {shares}")


try_events()
### END SOLUTION

# %% [markdown]
# **Discussion 4 (optional, no points of its own; the reader may give up to 2 points of extra credit).**
# How would you apply QCFS to CIFAR10-DVS?
# What did your measurements show, what is lost by the mean, and what would you change in the training so that frames
# may be shown as they come?

# %% [markdown] read="discussion_events" points=0
# With the mean as a constant current the first layer has no unevenness and the network is an ordinary converted one.
# With frames as they come the first layer is uneven too (here 16 % of its neurons), because its current changes, and
# so is more of the second layer, although every neuron of the first receives the same total charge; the accuracy was
# about a point lower, which 200 recordings cannot tell from no difference. What is lost by the mean is everything
# that only the time of the events tells, such as a direction of motion; for objects that only shake in front of the
# camera that is little. For CIFAR10-DVS I would train on the mean of the frames, convert, and then fine-tune with a
# surrogate gradient on the frames themselves, starting from the converted weights; or show the whole set of frames
# several times. The official data set has no split, so the split has to be reported.

# %% [markdown] tags=["instructor"]
# **Rubric of discussion 4 (instructor only, extra credit).**
#
# | points | criterion |
# |---|---|
# | 1 | measured both ways; sees that with frames the first layer is uneven although the charge is the same |
# | 1 | says what the mean loses, and proposes a training that fits (fine-tuning on frames from the converted weights, frames repeated, levels per frame) |
#
# Strong (2): both, with numbers. Middling (1): one of them measured. Weak (0): "Convert the events to frames and use
# QCFS as usual."

# %% [markdown]
# ## Hand in
#
# Run everything once from the top (menu *Kernel*, *Restart Kernel and Run All Cells*), look at the checks, save, and
# hand in this notebook under its own name.
#
# ## Sources
#
# T. Bu, W. Fang, J. Ding, P. Dai, Z. Yu and T. Huang, Optimal ANN-SNN conversion for high-accuracy and
# ultra-low-latency spiking neural networks, ICLR 2022.
# S. Deng and S. Gu, Optimal conversion of conventional artificial neural networks to spiking neural networks, ICLR
# 2021.
# Z. Hao, T. Bu, J. Ding, T. Huang and Z. Yu, Reducing ANN-SNN conversion error through residual membrane potential,
# AAAI 2023.
