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
# # Problem set 6: spike times, plasticity and learning without a gradient
#
# A surrogate gradient is one answer to the step that a spike is.
# In this problem set you write four others: the exact gradient of a spike's *time*, a rule that knows
# nothing but the order of two spikes, trial and error, and a search that thinks before each trial.
# You will see what each of them needs to know, what it costs, and what makes it fail.
#
# | | |
# |---|---|
# | **You will be able to** | write the potential of the spike response model, find its first crossing and differentiate that time, with the right sign and a guard (SPT-1 to SPT-4); train on spike times, with a loss and a read-out that know what silence is (SPT-5, ENC-4, ENC-5); compute STDP by pairs and on line by traces, in the right order and within bounds (STDP-1 to STDP-3, STDP-5); train by weight perturbation and count what it costs (DG-3, DG-4); choose a parameter by Bayesian optimisation (DG-5) |
# | **Points** | {points by checks} by checks, {points by readers} for a discussion read by a person |
# | **Your time** | about 6 hours |
# | **Computing** | about 25 s on one core |
# | **You need** | the chapters *Gradients of spike times*, *Spike-timing-dependent plasticity*, *Why the gradient dies* and *Encoding and decoding*; `torch.autograd.Function`; the normal distribution |
#
# Work from top to bottom.
# Write your code where it says `raise NotImplementedError`, run the cell, and then run the check below it.
# The check says what is right and what is not yet; `check("ps6.response", hint=1)` shows a hint, and there
# are three.
# Grading may draw other numbers than the checks show you, so a green check is a good sign and not the grade
# itself.
# A check may use {seconds of check} of processor time, and grading allows {seconds of grading}; what other programs use is not counted.
# No question pays for an earlier one: what rests on a function of yours that is not right yet is checked with the course's own in its place.
# Take that one yourself to go on, `kernel = use_reference("kernel")`: it costs nothing later and gets no points in its own question.
# Cells that are given are restored before grading: put your experiments into cells of your own.
# What you are asked to write yourself is switched off in the library while your work is graded.

# %% given="setup"
import math

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

import snnkit.plot
from autograder import check, use_reference
from snnkit import datasets

torch.set_num_threads(1)

# %% [markdown]
# ## 1. The response to a spike
#
# The spike response model describes a neuron by its response to one input spike (chapter *Gradients of spike
# times*, section *The spike response model*).
# A time $u$ after the spike the potential of the receiver stands at
#
# $$\varepsilon(u) = \frac{u}{\tau}\,\mathrm e^{1 - u/\tau}\,\Theta(u),$$
#
# which is 0 before the spike and has its peak, 1, at $u = \tau$.
# Responses add up: if input $i$ fires at $t_i$, the potential of neuron $j$ is
#
# $$V_j(t) = \sum_i w_{ji}\,\varepsilon(t - t_i).$$
#
# Each neuron fires at most once, so a layer maps times to times.
# **An input that never fires has the time infinity** and contributes 0.
#
# **Question 1 ({points of response}).** Write
#
# - `kernel(elapsed, tau)`: $\varepsilon(u)$ at each element of the tensor `elapsed`, in its shape and dtype;
# - `kernel_slope(elapsed, tau)`: the derivative $\varepsilon'(u)$ in the same way; at $u = 0$, where the
#   kernel has a corner, the slope from the right;
# - `potential(time, weight, inputs, tau)`: the pair $V_j(t)$ and $\mathrm dV_j/\mathrm dt$, each of shape
#   `[M, N, outputs]`, for times `[M]`, weights `[outputs, inputs]` and input times `[N, inputs]` of `N`
#   patterns.
#
# `elapsed` can be minus infinity or a large negative number; the answer there is 0 and not `nan`.


# %% answer="response"
def kernel(elapsed, tau):
    """Response at each time since the input spike."""
    ### BEGIN SOLUTION
    s = elapsed.clamp(min=0) / tau
    return s * torch.exp(1 - s)
    ### END SOLUTION


def kernel_slope(elapsed, tau):
    """Derivative of the response with respect to time."""
    ### BEGIN SOLUTION
    s = elapsed.clamp(min=0) / tau
    return torch.where(elapsed >= 0, torch.exp(1 - s) * (1 - s) / tau, 0.0)
    ### END SOLUTION


def potential(time, weight, inputs, tau):
    """Potential of every neuron at the given times, and its derivative by time."""
    ### BEGIN SOLUTION
    elapsed = time[:, None, None] - inputs  # [M, N, inputs]
    return kernel(elapsed, tau) @ weight.T, kernel_slope(elapsed, tau) @ weight.T
    ### END SOLUTION


# %% check="response"

# %% [markdown]
# ## 2. When a neuron fires
#
# Neuron $j$ fires at $t_j$, when $V_j$ **reaches** the threshold $\theta$ for the first time; reaching it
# exactly counts.
# There is no formula for $t_j$, but there is a recipe: look at the potential on a grid of times, find the
# first sample at or above the threshold, and interpolate linearly between it and the sample before it.
# If the potential is at or above the threshold at the first time of the grid, that time is the answer.
# **A neuron that never reaches its threshold has the time infinity**, not 0 and not the end of the window.
#
# **Question 2 ({points of firing_time}).** Write
#
# - `first_crossing(trace, times, threshold)`: the interpolated times, for traces `[M, ...]` of potentials at
#   increasing times `[M]`; the result has the shape `trace.shape[1:]` and the dtype of `trace`;
# - `firing_time(weight, inputs, tau, threshold=1.0, *, window, dt)`: the firing times `[N, outputs]` of a
#   layer, in the dtype of `weight`. Search on the grid 0, `dt`, 2 `dt`, ..., `window`, then **refine** until
#   the times are right to $10^{-5}$: halve the step in which the crossing lies twenty times, and keep the
#   first half if the potential has reached the threshold at its end, else the second. (Newton's steps,
#   $t_j \leftarrow t_j - (V_j(t_j) - \theta)/V_j'(t_j)$, are faster, but an input that arrives within the
#   step bends the potential, and they may leave it.) Each neuron has a time of its own now, so the times
#   since the input spikes have the shape `[N, outputs, inputs]`. The training of section 4 calls this function
#   180 times with 150 patterns: write it without a loop over patterns or neurons.


# %% answer="firing_time"
def first_crossing(trace, times, threshold):
    """Time at which each trace reaches the threshold for the first time; infinity if it never does."""
    ### BEGIN SOLUTION
    reached = trace >= threshold
    at = reached.to(torch.uint8).argmax(0)  # the first True, and 0 if there is none
    before = (at - 1).clamp(min=0)
    low, high = (trace.gather(0, place[None]).squeeze(0) for place in (before, at))
    share = torch.where(at > 0, (threshold - low) / torch.where(high > low, high - low, 1.0), 0.0)
    found = times[before] + share * (times[at] - times[before])
    return torch.where(reached.any(0), found, math.inf)
    ### END SOLUTION


def firing_time(weight, inputs, tau, threshold=1.0, *, window, dt):
    """Firing times of a layer; infinity for a neuron that does not reach its threshold within the window."""
    ### BEGIN SOLUTION
    grid = dt * torch.arange(round(window / dt) + 1, dtype=weight.dtype)
    found = first_crossing(potential(grid, weight, inputs, tau)[0], grid, threshold)
    fired = torch.isfinite(found)
    high = dt * torch.ceil(torch.where(fired, found, 0.0) / dt)
    low = (high - dt).clamp(min=0)
    for _ in range(20):
        middle = (low + high) / 2
        elapsed = middle[:, :, None] - inputs[:, None, :]  # [N, outputs, inputs]
        above = (weight * kernel(elapsed, tau)).sum(-1) >= threshold
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return torch.where(fired, high, math.inf)
    ### END SOLUTION


# %% check="firing_time"

# %% given="potential_figure"
arrivals = torch.tensor([[0.0, 3.0, 6.0]], dtype=torch.float64)
some_weights = torch.tensor([[0.48, 0.32, 0.4], [0.4, 0.3, 0.2]], dtype=torch.float64)
clock = torch.linspace(0, 30, 301, dtype=torch.float64)
with snnkit.plot.style():
    _, axes = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
    curves = potential(clock, some_weights, arrivals, 7.0)[0][:, 0]
    fired = firing_time(some_weights, arrivals, 7.0, window=30.0, dt=0.1)[0]
    for j in range(2):
        name = "never fires" if torch.isinf(fired[j]) else f"fires at {fired[j]:.2f} ms"
        axes.plot(clock, curves[:, j], label=name)
    axes.axhline(1.0, color=snnkit.plot.GREY, linestyle="--", linewidth=1)
    axes.plot(fired, torch.ones(2, dtype=torch.float64), "o", color=snnkit.plot.INK)
    axes.set(xlabel="time (ms)", ylabel="potential (thresholds)")
    axes.legend()
plt.show()

# %% [markdown]
# ## 3. SpikeProp: the gradient of a firing time
#
# $V_j(t_j) = \theta$ holds whatever the weights are.
# Change a weight, and $t_j$ has to give way (section *Deriving the gradient*):
#
# $$\frac{\partial t_j}{\partial w_{ji}} = -\,\frac{\varepsilon(t_j - t_i)}{\partial V_j/\partial t}, \qquad
#   \frac{\partial t_j}{\partial t_i} = \frac{w_{ji}\,\varepsilon'(t_j - t_i)}{\partial V_j/\partial t},
#   \qquad \frac{\partial V_j}{\partial t} = \sum_i w_{ji}\,\varepsilon'(t_j - t_i).$$
#
# Predict before you write: does more weight make the spike earlier or later? And what is
# $\sum_i \partial t_j/\partial t_i$?
#
# Two cases need care (section *When it fails: the grazing spike*).
# Where the potential barely reaches the threshold, $\partial V_j/\partial t$ is nearly 0 and the gradient
# enormous: slopes below `min_slope` are replaced by `min_slope`.
# And a neuron that never fires has no time that could move: its derivatives are 0.
#
# **Question 3 ({points of spikeprop}).** Write
#
# - `firing_gradients(weight, inputs, times, tau, min_slope)`: the pair $\partial t_j/\partial w_{ji}$ and
#   $\partial t_j/\partial t_i$, each `[N, outputs, inputs]`, for the firing times `times` `[N, outputs]`
#   that belong to these weights and inputs, again without a loop over patterns or neurons;
# - the `backward` of `FiringTime`, for any loss $E$: `grad` is $\partial E/\partial t_j$ for each pattern
#   and neuron, `[N, outputs]`. Compute `weight_grad`, $\partial E/\partial w_{ji}$ in the shape of the
#   weights, and `inputs_grad`, $\partial E/\partial t_i$ in the shape of the inputs.


# %% answer="spikeprop"
def firing_gradients(weight, inputs, times, tau, min_slope):
    """Derivatives of each firing time by the weights and by the input times of its neuron."""
    ### BEGIN SOLUTION
    fired = torch.isfinite(times)[:, :, None]
    elapsed = torch.where(fired, times[:, :, None], 0.0) - inputs[:, None, :]
    pull = weight * kernel_slope(elapsed, tau)
    slope = pull.sum(-1, keepdim=True).clamp(min=min_slope)
    by_weight = torch.where(fired, -kernel(elapsed, tau) / slope, 0.0)
    by_inputs = torch.where(fired, pull / slope, 0.0)
    return by_weight, by_inputs
    ### END SOLUTION


class FiringTime(torch.autograd.Function):
    """Hands on the firing times that were found, and their gradient backward."""

    @staticmethod
    def forward(weight, inputs, times, tau, min_slope):
        return times.clone()

    @staticmethod
    def setup_context(ctx, arguments, output):
        weight, inputs, times, ctx.tau, ctx.min_slope = arguments
        ctx.save_for_backward(weight, inputs, times)

    @staticmethod
    def backward(ctx, grad):
        weight, inputs, times = ctx.saved_tensors
        ### BEGIN SOLUTION
        by_weight, by_inputs = firing_gradients(weight, inputs, times, ctx.tau, ctx.min_slope)
        weight_grad = torch.einsum("no,noi->oi", grad, by_weight)
        inputs_grad = torch.einsum("no,noi->ni", grad, by_inputs)
        ### END SOLUTION
        return weight_grad, inputs_grad, None, None, None


# %% check="spikeprop"

# %% [markdown]
# ## 4. A loss on latencies
#
# The class whose neuron fires **first** is the answer.
# So small times are good, and the logits of the softmax are the *negative* times (chapter *Encoding and
# decoding*, section *Losses on rates and on latencies*): with the label $c$ of a pattern
#
# $$E = -\ln \frac{\mathrm e^{-t_c}}{\sum_j \mathrm e^{-t_j}}, \qquad
#   \frac{\partial E}{\partial t_j} = [j = c] - p_j, \qquad p_j = \frac{\mathrm e^{-t_j}}{\sum_k \mathrm e^{-t_k}} .$$
#
# A softmax cannot work with infinite times.
# For every time that is not below `silent_time`, the end of the window, `silent_time` itself stands in,
# whether the neuron fires too late or never; this stand-in is a constant and passes no gradient on.
#
# **Question 4 ({points of latency_loss}).** Write
#
# - `latency_loss(times, labels, silent_time)`: the mean of $E$ over the patterns, for times `[N, classes]`
#   and labels `[N]`; differentiable, in the dtype of `times`, and finite for times of several hundred;
# - `first_to_fire(times)`: for each pattern the number of the neuron that fires first, the smaller number if
#   two fire at once, and **−1 if no neuron fires**.


# %% answer="latency_loss"
def latency_loss(times, labels, silent_time):
    """Cross entropy of the softmax over negative firing times, averaged over the patterns."""
    ### BEGIN SOLUTION
    seen = torch.where(times < silent_time, times, silent_time)
    return F.cross_entropy(-seen, labels)
    ### END SOLUTION


def first_to_fire(times):
    """Class of the first spike of each pattern, -1 where nobody fires."""
    ### BEGIN SOLUTION
    return torch.where(torch.isinf(times).all(1), -1, times.argmin(1))
    ### END SOLUTION


# %% check="latency_loss"

# %% [markdown]
# Now all four together: one layer of ten neurons learns to name handwritten digits.
# A pixel fires once, the brighter the earlier, and dark pixels never.
# The cell trains three times from the same start: with your gradient; with your gradient and a helping hand
# that *wakes* the neuron of the right class where it is silent, by a little more weight on the inputs that
# fired; and with the sign of the gradient turned, which is what a lost minus does.
#
# Predict before you run it: the loss wants nine of ten neurons to fire late. What may happen to them?

# %% given="digits"
pixels, labels = datasets.digits("train").tensors()
pixels = pixels.flatten(1).double()
TAU, WINDOW, DT = 4.0, 16.0, 0.5
first_spikes = torch.where(pixels > 0.2, 6 * (1 - pixels), math.inf)
train_times, train_labels = first_spikes[:150], labels[:150]
other_times, other_labels = first_spikes[800:1200], labels[800:1200]
wanted = F.one_hot(train_labels, 10).bool()
start = 0.02 + 0.1 * torch.rand(10, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def fire(weight, inputs):
    return firing_time(weight, inputs, TAU, window=WINDOW, dt=DT)


def named(weight):
    """Share of other digits that the layer names rightly."""
    return (first_to_fire(fire(weight, other_times)) == other_labels).double().mean().item()


def train_by_times(*, sign=1.0, wake=0.0, epochs=60):
    """Weights, the loss, and the share of digits whose own neuron is silent, epoch by epoch."""
    weight = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([weight], lr=0.003)
    losses, silent = [], []
    for _ in range(epochs):
        found = fire(weight.detach(), train_times)
        loss = latency_loss(FiringTime.apply(weight, train_times, found, TAU, 0.1), train_labels, WINDOW)
        optimiser.zero_grad()
        loss.backward()
        missing = (wanted & torch.isinf(found)).double()
        weight.grad.mul_(sign).sub_(
            wake * missing.T @ torch.isfinite(train_times).double() / len(train_labels)
        )
        optimiser.step()
        losses.append(loss.item())
        silent.append(missing.sum().item() / len(train_labels))
    return weight.detach(), losses, silent


runs = {
    "gradient": train_by_times(),
    "gradient, and waking": train_by_times(wake=5.0),
    "sign turned": train_by_times(sign=-1.0),
}
with snnkit.plot.style():
    _, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    for name, (weight, losses, silent) in runs.items():
        left.plot(losses, label=name)
        right.plot([100 * share for share in silent], label=name)
        print(
            f"{name:22} loss {losses[0]:.2f} to {losses[-1]:.2f}, names {named(weight):.1%} of other digits"
        )
    left.set(xlabel="epoch", ylabel="loss", ylim=(0, 4))
    right.set(xlabel="epoch", ylabel="digits whose neuron is silent (%)")
    left.legend()
plt.show()

# %% [markdown]
# The first curve falls, turns and climbs, although every step followed the gradient.
# Keep it in mind for the discussion.
#
# ## 5. STDP by pairs
#
# A synapse does not know a loss.
# It can know when its sender fired and when its receiver did, and with the gap
# $g = t_{\text{post}} - t_{\text{pre}}$ it changes by (chapter *Spike-timing-dependent plasticity*, section
# *The window*)
#
# $$\Delta w(g) = \begin{cases} A_+\,\mathrm e^{-g/\tau_+} & g > 0,\\ 0 & g = 0,\\
#   -A_-\,\mathrm e^{g/\tau_-} & g < 0 . \end{cases}$$
#
# $A_+$ and $A_-$ are sizes and not negative; the minus is in the rule.
# For two trains every spike of the sender pairs with every spike of the receiver:
#
# $$\Delta w_{ji} = \sum_{t} \sum_{u} s_j(t)\,s_i(u)\;\Delta w\bigl((t - u)\,\Delta t\bigr).$$
#
# **Question 5 ({points of stdp_pairs}).** Write
#
# - `stdp_window(gap, a_plus, a_minus, tau_plus, tau_minus)`: the change at each element of `gap`, in its
#   shape and dtype, and finite for gaps of seconds;
# - `pair_stdp(pre, post, a_plus, a_minus, tau_plus, tau_minus, dt)`: the change `[outputs, inputs]` by all
#   pairs, summed over times and patterns, for spikes (0 or 1) `pre` `[T, N, inputs]` and `post`
#   `[T, N, outputs]`. `dt` is the length of a step, in the unit of the time constants.


# %% answer="stdp_pairs"
def stdp_window(gap, a_plus, a_minus, tau_plus, tau_minus):
    """Change of a weight by one pair of spikes, post minus pre."""
    ### BEGIN SOLUTION
    later = a_plus * torch.exp(-gap.clamp(min=0) / tau_plus)
    earlier = -a_minus * torch.exp(gap.clamp(max=0) / tau_minus)
    return torch.where(gap > 0, later, torch.where(gap < 0, earlier, 0.0))
    ### END SOLUTION


def pair_stdp(pre, post, a_plus, a_minus, tau_plus, tau_minus, dt=1.0):
    """Change of all weights when every spike pairs with every spike of the other side."""
    ### BEGIN SOLUTION
    clock = dt * torch.arange(len(pre), dtype=pre.dtype)
    window = stdp_window(clock[:, None] - clock[None, :], a_plus, a_minus, tau_plus, tau_minus)
    return torch.einsum("tno,tu,uni->oi", post, window, pre)
    ### END SOLUTION


# %% check="stdp_pairs"

# %% [markdown]
# ## 6. The same sum on line
#
# The double sum needs all spikes of the past; a *trace* of each neuron is enough (section *Traces: the same
# sum without a memory of spikes*).
# In every step three things happen, **in this order**:
#
# 1. **decay**: $r_i \leftarrow \mathrm e^{-\Delta t/\tau_+}\,r_i$ for each sender and
#    $r_j \leftarrow \mathrm e^{-\Delta t/\tau_-}\,r_j$ for each receiver;
# 2. **update**: $\Delta w_{ji} = A_+\,s_j\,r_i - A_-\,s_i\,r_j$, summed over the patterns;
# 3. **add**: $r_i \leftarrow r_i + s_i$ and $r_j \leftarrow r_j + s_j$.
#
# Traces are a state, and a state has to be forgotten between two batches: their spikes have nothing to do
# with each other.
# A weight cannot grow without end either, so `learn` keeps it between two bounds, **after every step**.
#
# **Question 6 ({points of stdp_traces}).** Complete the class.
#
# - `reset()` empties the traces; those of a new object are empty, too.
# - `step(pre, post)` takes the spikes of one step, `[N, inputs]` and `[N, outputs]`, returns the change
#   `[outputs, inputs]` of that step and moves the traces on.
# - `learn(weight, pre, post, low, high)` starts with empty traces, goes through trains `[T, N, ...]`, and
#   returns the new weights; the tensor `weight` that it was given stays as it is. The next call may bring a
#   batch of another size.


# %% answer="stdp_traces"
class OnlineSTDP:
    """STDP on line: what a spike needs to know of the past is in two traces."""

    def __init__(self, a_plus, a_minus, tau_plus, tau_minus, dt=1.0):
        ### BEGIN SOLUTION
        self.a_plus, self.a_minus = a_plus, a_minus
        self.keep_pre, self.keep_post = math.exp(-dt / tau_plus), math.exp(-dt / tau_minus)
        self.reset()
        ### END SOLUTION

    def reset(self):
        """Forget all spikes."""
        ### BEGIN SOLUTION
        self.pre_trace = self.post_trace = None
        ### END SOLUTION

    def step(self, pre, post):
        """Change of the weights in one step; the traces move on."""
        ### BEGIN SOLUTION
        if self.pre_trace is None:
            self.pre_trace, self.post_trace = torch.zeros_like(pre), torch.zeros_like(post)
        pre_trace, post_trace = self.keep_pre * self.pre_trace, self.keep_post * self.post_trace
        change = self.a_plus * post.T @ pre_trace - self.a_minus * post_trace.T @ pre
        self.pre_trace, self.post_trace = pre_trace + pre, post_trace + post
        return change
        ### END SOLUTION

    def learn(self, weight, pre, post, low=-math.inf, high=math.inf):
        """Weights after learning from whole trains, kept within the bounds after every step."""
        ### BEGIN SOLUTION
        self.reset()
        for pre_now, post_now in zip(pre, post, strict=True):
            weight = (weight + self.step(pre_now, post_now)).clamp(low, high)
        return weight
        ### END SOLUTION


# %% check="stdp_traces"

# %% [markdown]
# A neuron with leak hears the same pattern of sixty spikes again and again, and its weights follow your rule.
# No label and no loss is involved.
# Does it answer earlier, later, or always at the same place?
# The cell runs twice, with `reset` before each show and without.
# Predict for the second run: which weights will differ, those of the first inputs or those of the last?

# %% given="pattern_figure"
moments = (2 + 48 * torch.rand(60, generator=torch.Generator().manual_seed(2))).long()
pattern = torch.zeros(60, 1, 60, dtype=torch.float64)
pattern[moments, 0, torch.arange(60)] = 1.0


def hear(shows, reset):
    """Step of the first spike in each show, and the weights at the end."""
    rule = OnlineSTDP(a_plus=0.02, a_minus=0.022, tau_plus=10.0, tau_minus=10.0)
    weight, answers = torch.full((1, 60), 0.35, dtype=torch.float64), []
    for _ in range(shows):
        if reset:
            rule.reset()
        v, steps = torch.zeros(1, 1, dtype=torch.float64), []
        for step, pre_now in enumerate(pattern):
            charge = 0.9 * v + pre_now @ weight.T
            spike = (charge >= 2.5).to(charge)
            v = charge * (1 - spike)
            weight = (weight + rule.step(pre_now, spike)).clamp(0, 1)
            if spike.item():
                steps.append(step)
        answers.append(steps[0] if steps else math.nan)
    return answers, weight[0]


with snnkit.plot.style():
    _, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
    for reset, dash in ((True, "-"), (False, "--")):
        answers, weight = hear(60, reset)
        left.step(range(1, 61), answers, where="post", linestyle=dash, label=f"reset: {reset}")
        right.plot(moments, weight, "o" if reset else "x", fillstyle="none", label=f"reset: {reset}")
    left.set(xlabel="show of the pattern", ylabel="first spike (step)", ylim=(0, None))
    right.set(xlabel="step in which the input fires", ylabel="weight after learning")
    left.legend()
plt.show()

# %% [markdown]
# Without `reset` the last inputs of one show are still in the traces when the neuron gives its first answer
# to the next, and they are strengthened for a spike that they had nothing to do with.
#
# ## 7. Weight perturbation
#
# If no gradient can be had, try: add a little noise to all weights, keep the result if the loss has become
# **smaller**, and go back otherwise (chapter *Why the gradient dies*, section *Weight perturbation*).
# The objective is deterministic: the same weights give the same loss, so one evaluation for each proposal is
# enough, and the history of the loss never rises.
#
# Evaluations can also estimate a gradient (section *Why the cost grows: a derivation*).
# For directions $e$ with entries +1 and −1 take the mean over the $K$ directions of
#
# $$e\;\frac{E(w + h\,e) - E(w - h\,e)}{2h} .$$
#
# **Question 7 ({points of perturbation}).** Write
#
# - `perturb(objective, theta, *, steps, scale, generator)`: `objective` maps a tensor `[D]` to a number to
#   be minimised.
#   Each step draws Gaussian noise of standard deviation `scale` for all entries, from the given
#   `torch.Generator`. Return the last `theta` and the history, a list of `steps + 1` numbers: the loss at
#   the start, then the loss of the kept weights after each step. Evaluate the objective `steps + 1` times,
#   and leave the tensor that you were given as it is;
# - `directional_gradient(objective, theta, directions, scale)`: the mean above, `[D]`, for `directions`
#   `[K, D]` and $h$ = `scale`, with two evaluations for each direction.
#
# The check also hands your `perturb` a spiking neuron with 20 weights: 400 proposals have to bring its loss
# from 26 to at most 5.5.


# %% answer="perturbation"
def perturb(objective, theta, *, steps, scale, generator):
    """Keep noise that lowers the objective; the last theta and the history of its loss."""
    ### BEGIN SOLUTION
    theta = theta.detach().clone()
    value = float(objective(theta))
    history = [value]
    for _ in range(steps):
        proposal = theta + scale * torch.randn(theta.shape, generator=generator, dtype=theta.dtype)
        proposed = float(objective(proposal))
        if proposed < value:
            theta, value = proposal, proposed
        history.append(value)
    return theta, history
    ### END SOLUTION


def directional_gradient(objective, theta, directions, scale):
    """Mean over directions of the direction times the central difference along it."""
    ### BEGIN SOLUTION
    total = torch.zeros_like(theta)
    for direction in directions:
        rise = float(objective(theta + scale * direction)) - float(objective(theta - scale * direction))
        total = total + rise / (2 * scale) * direction
    return total / len(directions)
    ### END SOLUTION


# %% check="perturbation"

# %% [markdown]
# The digits again, the same layer, the same start and the same loss, now by trial and error.
# The figure counts what both have in common: evaluations of the whole layer.
# (The gradient costs a backward pass as well, about as much again.)
# The last line compares the estimate along eight directions with the gradient.


# %% given="comparison"
def loss_of(theta):
    return latency_loss(fire(theta.reshape(10, 64), train_times), train_labels, WINDOW)


theta, history = perturb(
    loss_of, start.flatten(), steps=300, scale=0.01, generator=torch.Generator().manual_seed(0)
)
signs = torch.randint(0, 2, (8, 640), generator=torch.Generator().manual_seed(1)).double() * 2 - 1
estimate = directional_gradient(loss_of, start.flatten(), signs, 0.003)
layer = start.clone().requires_grad_()
found = fire(start, train_times)
exact = torch.autograd.grad(
    latency_loss(FiringTime.apply(layer, train_times, found, TAU, 1e-6), train_labels, WINDOW), layer
)[0].flatten()
with snnkit.plot.style():
    _, axes = plt.subplots(figsize=(6, 2.8), layout="constrained")
    axes.plot(runs["gradient, and waking"][1], label="gradient, and waking")
    axes.plot(history, label="weight perturbation")
    axes.set(xlabel="evaluations of the layer", ylabel="loss", ylim=(0, None))
    axes.legend()
plt.show()
for name, weight, loss in (
    ("gradient, and waking", runs["gradient, and waking"][0], runs["gradient, and waking"][1]),
    ("weight perturbation", theta.reshape(10, 64), history),
):
    print(
        f"{name:22} {len(loss):4} evaluations, loss {loss[-1]:.2f}, names {named(weight):.1%} of other digits"
    )
cosine = F.cosine_similarity(estimate, exact, dim=0)
print(f"cosine of the estimate from 16 evaluations and the exact gradient of 640 weights: {cosine:.2f}")

# %% [markdown]
# ## 8. Bayesian optimisation
#
# Some numbers are few, and each evaluation is a training.
# Then it pays to think before each trial (section *Bayesian optimisation*).
# A *Gaussian process* is a guess at the whole function from the values seen so far.
# With the kernel $k(x, x') = \exp\bigl(-(x - x')^2 / (2\ell^2)\bigr)$, prior mean 0, prior standard
# deviation 1, and values $y$ at the points $X$ that carry noise of standard deviation $\sigma$, the guess at
# a new point $x$ has
#
# $$\mu(x) = k(x, X)\,K^{-1} y, \qquad s^2(x) = 1 - k(x, X)\,K^{-1}\,k(X, x), \qquad K = k(X, X) + \sigma^2 I .$$
#
# $s$ is the uncertainty of the function itself, not of a new noisy value; a variance that rounding puts below 0 counts
# as 0.
# With the best value so far, $y_{\min}$, the *expected improvement* of a trial at $x$ is
#
# $$\mathrm{EI} = (y_{\min} - \mu)\,\Phi(z) + s\,\varphi(z), \qquad z = \frac{y_{\min} - \mu}{s},$$
#
# where $\Phi$ and $\varphi$ are the distribution function and the density of the standard normal
# distribution.
# The first term rewards a small mean, the second what is not known yet.
# For $s = 0$ nothing is uncertain, and $\mathrm{EI} = \max(y_{\min} - \mu, 0)$.
#
# **Question 8 ({points of bayes}).** Write
#
# - `posterior(seen, values, grid, length, noise)`: the pair $\mu$ and $s$, each `[M]`, at the points `grid`
#   `[M]`, from values `[n]` at the points `seen` `[n]`, with $\ell$ = `length` and $\sigma$ = `noise`; for
#   $n = 0$ the prior;
# - `expected_improvement(mean, std, best)`: EI at each element, in the shape of `mean`;
# - `next_point(grid, seen, values, length, noise)`: the point of the grid with the largest EI.


# %% answer="bayes"
def posterior(seen, values, grid, length, noise):
    """Mean and standard deviation of the function at the points of the grid."""

    ### BEGIN SOLUTION
    def covariance(a, b):
        return torch.exp(-((a[:, None] - b[None, :]) ** 2) / (2 * length**2))

    across = covariance(grid, seen)
    observed = covariance(seen, seen) + noise**2 * torch.eye(len(seen), dtype=seen.dtype)
    solved = torch.linalg.solve(observed, torch.cat([values[:, None], across.T], 1))
    variance = 1 - (across * solved[:, 1:].T).sum(1)
    return across @ solved[:, 0], variance.clamp(min=0).sqrt()
    ### END SOLUTION


def expected_improvement(mean, std, best):
    """By how much a trial is expected to fall below the best value."""
    ### BEGIN SOLUTION
    gain = best - mean
    z = gain / torch.where(std > 0, std, 1.0)
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return torch.where(std > 0, gain * torch.special.ndtr(z) + std * density, gain.clamp(min=0))
    ### END SOLUTION


def next_point(grid, seen, values, length, noise):
    """Where to try next."""
    ### BEGIN SOLUTION
    mean, std = posterior(seen, values, grid, length, noise)
    return grid[expected_improvement(mean, std, values.min()).argmax()]
    ### END SOLUTION


# %% check="bayes"

# %% [markdown]
# What a search is good for: the width of a surrogate gradient.
# The cell trains a small spiking network on digits with a triangular surrogate and returns its error on
# other digits.
# Eight trainings are allowed: three at given widths, five where your `next_point` sends them.
# (The values are put to mean 0 and standard deviation 1 first, as the prior assumes.
# As the values count as noisy, the search may come back to a width that it has tried.)


# %% given="search"
class Triangle(torch.autograd.Function):
    """The step forward, a triangle of the given half width backward."""

    @staticmethod
    def forward(x, width):
        return (x >= 0).to(x)

    @staticmethod
    def setup_context(ctx, arguments, output):
        x, ctx.width = arguments
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (1 - x.abs() / ctx.width).clamp(min=0) / ctx.width, None


images = pixels.float()


def error_of(log_width, seed=0):
    """Share of other digits that a network trained with this width names wrongly."""
    generator = torch.Generator().manual_seed(seed)
    first = ((2 * torch.rand(64, 32, generator=generator) - 1) / 8).requires_grad_()
    second = ((2 * torch.rand(32, 10, generator=generator) - 1) / 5.6).requires_grad_()

    def logits(x):
        current, v, total = x @ first, 0.0, 0.0
        for _ in range(4):
            charge = 0.5 * v + current
            spike = Triangle.apply(charge - 0.5, 10**log_width)
            v = charge - 0.5 * spike.detach()
            total = total + spike
        return total @ second / 4

    optimiser = torch.optim.Adam([first, second], lr=5e-3)
    for _ in range(3):
        for chosen in torch.randperm(400, generator=generator).split(32):
            loss = F.cross_entropy(logits(images[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        return (logits(images[800:1200]).argmax(1) != labels[800:1200]).double().mean().item()


grid = torch.linspace(-3, 3, 61, dtype=torch.float64)
tried = [-2.5, 0.5, 2.5]
errors = [error_of(one) for one in tried]
while len(tried) < 8:
    values = torch.tensor(errors, dtype=torch.float64)
    scaled = (values - values.mean()) / values.std()
    tried.append(float(next_point(grid, torch.tensor(tried, dtype=torch.float64), scaled, 0.8, 0.1)))
    errors.append(error_of(tried[-1]))

draw = torch.Generator().manual_seed(0)
lucky = [
    min(error_of(float(one)) for one in 6 * torch.rand(8, generator=draw, dtype=torch.float64) - 3)
    for _ in range(3)
]
values = torch.tensor(errors, dtype=torch.float64)
mean, std = posterior(
    torch.tensor(tried, dtype=torch.float64), (values - values.mean()) / values.std(), grid, 0.8, 0.1
)
mean, std = 100 * (values.mean() + values.std() * mean), 100 * values.std() * std
with snnkit.plot.style():
    _, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
    axes.fill_between(grid, mean - std, mean + std, color=snnkit.plot.BLUE, alpha=0.2, label="one deviation")
    axes.plot(grid, mean, color=snnkit.plot.BLUE, label="mean")
    for number, (one, error) in enumerate(zip(tried, errors, strict=True), start=1):
        axes.plot(one, 100 * error, "o", color=snnkit.plot.ORANGE)
        axes.annotate(str(number), (one, 100 * error), xytext=(4, 4), textcoords="offset points")
    axes.set(xlabel="log10 of the width", ylabel="error on other digits (%)")
    axes.legend()
plt.show()
best = min(errors)
print(f"best of 8 trials by expected improvement: {best:.1%}, at log10 width {tried[errors.index(best)]:.1f}")
print("best of 8 random trials, three searches: ", ", ".join(f"{one:.1%}" for one in lucky))

# %% [markdown]
# **Discussion ({points of discussion}, read by a person).**
# Four ways to learn without a surrogate: in about 300 words, from your own figures and printed numbers.
#
# - Following the gradient of the firing times first lowered the loss and then raised it (section 4). What
#   happened, and why could the gradient not mend it? What did waking do, and what would you have to decide
#   anew on another task?
# - What does each of the four, SpikeProp, STDP, weight perturbation and Bayesian optimisation, need to know
#   at the place where a weight (or parameter) is changed? Which of them works without any loss, and what has
#   your neuron of section 6 learnt?
# - Compare the gradient with weight perturbation in evaluations, and say how that comparison changes for a
#   thousand times as many weights. What do the cosine of section 7 and the number of weights have to do with
#   it?
# - Does your search of section 8 beat luck? What would you need in order to say so?

# %% [markdown] read="discussion" points=6
# In section 4 the loss pushes nine of ten neurons to fire later, so their weights fall. A neuron that is
# pushed past the point where its potential still reaches the threshold does not fire a little later: its
# time jumps to infinity. From then on the end of the window stands for it, a constant, and its gradient is
# 0. When the neuron of the right class has fallen silent the loss rises and nothing pulls it back: at the
#    end this is so for nearly nine of ten digits. Waking adds
# weight where the right neuron is silent; that is no gradient but a second rule, and its size, 5 here, has
# to be chosen anew for another task. With it the loss goes to 0.04 and 67 % of the other digits are named,
# without it 4 %.
#
# SpikeProp needs the error, handed back through all later layers, and the slope of the potential. Weight
# perturbation needs one number, the loss, for all weights. Bayesian optimisation needs the losses of all
# trials so far and suits a few parameters. STDP needs the spikes of the two neurons that the synapse joins,
# and no loss. So it has no goal either: my neuron has learnt to fire at the beginning of the pattern, in
# step 4 instead of 14, whatever that is good for.
#
# After 60 evaluations the gradient has the loss 0.04, trial and error has 1.33 after 300. The noise in each
# entry of the estimate is the signal of all others, so with 8 directions for 640 weights I expect a cosine
# of about $\sqrt{8/640} = 0.11$; 0.13 is printed. A thousand times as many weights need about a thousand
# times as many evaluations, while a backward pass stays about as expensive as a forward one.
#
# My search found 24.5 %, three random ones 26.2, 21.8 and 24.2 %. It does not beat luck: there is one
# parameter with a wide valley. To say more I would repeat both with many seeds and compare the mean errors,
# and try more parameters, where the figure of the chapter shows a gap.

# %% [markdown] tags=["instructor"]
# **Rubric of the discussion (instructor only).**
#
# | points | criterion |
# |---|---|
# | 1 | the right neuron falls silent, its time jumps and its gradient is 0; not "the learning rate is too large" alone |
# | 1 | waking is a rule beside the gradient (a heuristic), with a size that has to be chosen |
# | 1 | says for all four what is needed: error and slope; two spikes; one number; few parameters and all trials |
# | 1 | STDP has no loss and no goal; the neuron has learnt the beginning of the pattern |
# | 1 | compares evaluations with numbers, and that the cost of perturbation grows with the number of weights, that of the gradient hardly |
# | 1 | does not claim that the search beats luck from one run each; asks for seeds or more parameters |
#
# **Strong (6).** The answer above.
#
# **Middling (3).** "The neurons die because the loss makes all wrong classes late, and a dead neuron gets no
# gradient. So we wake it by hand, and how much is for us to choose. SpikeProp needs the error and the slope,
# STDP both spikes, perturbation only the loss, and Bayesian optimisation the list of trials. The gradient
# needed 60 evaluations for a loss of 0.04, perturbation 300 for 1.3, so it is five times better. The
# Bayesian search found a width with 24.5 %, so it works." (Silence, waking and the needs are right; growth
# with the number of weights, the missing goal of STDP and the comparison with luck are not there.)
#
# **Weak (1).** "The learning rate was too large at the end, so the loss rose. STDP is the best method
# because it is biological and needs no labels, it needs only the two spikes and no loss, and it learnt to
# answer early in the pattern. Perturbation is slow: it has to try 300 times. Bayesian optimisation is better
# than luck because it thinks." (The point for STDP; the needs of the other three, a comparison in numbers
# and a doubt about the search are missing.)

# %% [markdown]
# ## Hand in
#
# Run everything once from the top (menu *Kernel*, *Restart Kernel and Run All Cells*), look at the checks, save, and
# hand in this notebook under its own name.
#
# ## Sources
#
# S. M. Bohte, J. N. Kok and H. La Poutré, Error-backpropagation in temporally encoded networks of spiking
# neurons, Neurocomputing 48, 2002.
#
# G. Bi and M. Poo, Synaptic modifications in cultured hippocampal neurons, Journal of Neuroscience 18, 1998;
# A. Morrison, M. Diesmann and W. Gerstner, Phenomenological models of synaptic plasticity based on spike
# timing, Biological Cybernetics 98, 2008.
#
# M. Jabri and B. Flower, Weight perturbation, IEEE Transactions on Neural Networks 3, 1992; J. C. Spall,
# Multivariate stochastic approximation using a simultaneous perturbation gradient approximation, IEEE
# Transactions on Automatic Control 37, 1992; D. R. Jones, M. Schonlau and W. J. Welch, Efficient global
# optimization of expensive black-box functions, Journal of Global Optimization 13, 1998.
