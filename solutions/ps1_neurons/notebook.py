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
# # Problem set 1: neurons and codes
#
# You write a spiking neuron from its equation, find out how fast it fires, and turn numbers into spikes and back in
# three ways.
# Then you decode what an event camera writes, and identify a neuron that you can only ask questions.
#
# | | |
# |---|---|
# | **You will be able to** | step a membrane in two ways; write a spiking neuron and predict its rate; encode values as rates, latencies and changes, and read them back; decode event records; identify a neuron from its answers |
# | **Points** | {points by checks} by checks, {points by readers} for a discussion read by a person |
# | **Your time** | about 5 hours |
# | **Computing** | about 10 s on one core |
# | **You need** | the chapters on the LIF neuron, on codes and on event cameras; derivatives; PyTorch tensors; binary numbers |
#
# | question | objectives of the book |
# |---|---|
# | 1. Two steps of the membrane | LIF-1, LIF-2 |
# | 2. The spiking neuron | LIF-3 |
# | 3. The firing rate | LIF-4, LIF-5 |
# | 4. The rate code | ENC-1 |
# | 5. The latency code | ENC-2 |
# | 6. Reading the answer | ENC-4 |
# | 7. The delta code | ENC-3, EVT-1 |
# | 8. Forty bits an event | EVT-2, EVT-5 |
# | 9. A mystery neuron | LIF-3, LIF-5 |
# | Discussion | ENC-1 to ENC-3 |
#
# Work from top to bottom; later questions use your own functions of earlier ones.
# Write your code where it says `raise NotImplementedError`, run the cell, and then run the check below it.
# Each check has three hints: `check("ps1.lapicque", hint=1)`.
# The grader draws other numbers than the checks here, so a green check is a good sign and not the grade itself.
# A check may use {seconds of check} of processor time, and grading allows {seconds of grading}; what other programs use is not counted.
# No question pays for an earlier one: what rests on a function of yours that is not right yet is checked with the course's own in its place.
# Take that one yourself to go on, `exact_step = use_reference("exact_step")`: it costs nothing later and gets no points in its own question.
#
# What you are asked to write exists in the library `snnkit`, and you may read it.
# In a graded answer those functions are switched off.

# %% given="setup"
import math

import matplotlib.pyplot as plt
import numpy as np
import torch

import snnkit.plot
from autograder import check, use_reference
from snnkit import datasets, encoding

# %% [markdown]
# ## 1. Two steps of the membrane
#
# Between spikes the potential $V$ of a neuron follows the current $I$ through a leaky membrane,
#
# $$\tau\,\frac{\mathrm dV}{\mathrm dt} = -V + R\,I,$$
#
# with the time constant $\tau$ and the resistance $R$ (chapter *The leaky integrate-and-fire neuron*, sections
# *The membrane is a circuit* and *From the equation to a step*).
# A computer moves in steps of length $\Delta t$, during which the current is constant.
#
# **Question 1 ({points of lapicque}).** Write two functions that return the potential after one step, and nothing fires yet:
#
# - `euler_step(v, current, dt, tau, resistance)` replaces the derivative by $(V(t + \Delta t) - V(t)) / \Delta t$;
# - `exact_step(v, current, dt, tau, resistance)` uses the solution of the equation, and is right for any $\Delta t$.
#
# `v` and `current` are tensors of the same shape, the other three are numbers.
# The result has the shape and the dtype of `v`, and gradients must pass through it.


# %% answer="lapicque"
def euler_step(v, current, dt, tau, resistance):
    """Potential after one step of Euler's method."""
    ### BEGIN SOLUTION
    return v + dt / tau * (resistance * current - v)
    ### END SOLUTION


def exact_step(v, current, dt, tau, resistance):
    """Potential after one exact step with constant current."""
    ### BEGIN SOLUTION
    decay = math.exp(-dt / tau)
    return decay * v + (1 - decay) * resistance * current
    ### END SOLUTION


# %% check="lapicque"

# %% [markdown]
# The figure charges a membrane of $\tau$ = 20 ms in steps of 15 ms.
# Predict first: does Euler's curve lie above or below the exact one?

# %% given="lapicque_figure"
with snnkit.plot.style():
    _, axes = plt.subplots(figsize=(6, 2.8), layout="constrained")
    for step, dt, look in ((euler_step, 15.0, "s--"), (exact_step, 15.0, "o"), (exact_step, 0.5, "-")):
        v, potentials = torch.zeros(()), [0.0]
        for _ in range(round(90 / dt)):
            v = step(v, torch.tensor(2.0), dt=dt, tau=20.0, resistance=10.0)
            potentials.append(float(v))
        axes.plot(dt * np.arange(len(potentials)), potentials, look, label=f"{step.__name__}, dt = {dt:g} ms")
    axes.set(xlabel="time (ms)", ylabel="potential (mV)")
    axes.legend()
plt.show()

# %% [markdown]
# ## 2. The spiking neuron
#
# The exact step multiplies the old potential by a factor, the *decay* $\alpha$, and the current by $(1 - \alpha) R$.
# In a network the latter is absorbed into the weights, so that the input is $x(t)$, and one step has three parts
# (same chapter, section *Charge, fire, reset*):
#
# $$m(t) = \alpha\,v(t-1) + x(t), \qquad s(t) = \begin{cases} 1, & m(t) \ge \theta \\ 0, & m(t) < \theta, \end{cases}$$
#
# $$v(t) = \begin{cases} m(t) - s(t)\,\theta & \text{soft reset} \\ m(t)\,\bigl(1 - s(t)\bigr) & \text{hard reset to zero.} \end{cases}$$
#
# **Question 2 ({points of lif}).** Write
#
# - `lif_step(v, x, decay, threshold, reset)`, which returns the pair `(spike, v)` of tensors after one step; `reset`
#   is the text `"soft"` or `"hard"`, and both tensors have the dtype of `x`;
# - `run(currents, decay, threshold, reset, v0=0.0)`, which goes through `currents` `[T, ...]` step by step, starts
#   from the potential `v0` (a number, the same for all neurons) and returns the pair `(spikes, potentials)`, each
#   `[T, ...]`; the potentials are those *after* the reset.
#
# Spikes are 0.0 and 1.0.
# Gradients pass from the potentials of `run` back to the currents; through the spike itself there is none.


# %% answer="lif"
def lif_step(v, x, decay, threshold, reset):
    """One step: charge, fire, reset; returns (spike, v)."""
    ### BEGIN SOLUTION
    charge = decay * v + x
    spike = (charge >= threshold).to(charge.dtype)
    if reset == "soft":
        return spike, charge - spike * threshold
    return spike, charge * (1 - spike)
    ### END SOLUTION


def run(currents, decay, threshold, reset, v0=0.0):
    """All steps; returns (spikes, potentials), each [T, ...]."""
    ### BEGIN SOLUTION
    v = torch.full_like(currents[0], v0)
    spikes, potentials = [], []
    for x in currents:
        spike, v = lif_step(v, x, decay, threshold, reset)
        spikes.append(spike)
        potentials.append(v)
    return torch.stack(spikes), torch.stack(potentials)
    ### END SOLUTION


# %% check="lif"

# %% [markdown]
# A neuron without leak and with threshold 1 receives 11/16 in each of 16 steps, which is 11 in all.
# Before you run the cell: how many spikes does it fire with each of the two resets, and where does the rest go?

# %% given="lif_figure"
with snnkit.plot.style():
    _, both = plt.subplots(2, 1, sharex=True, figsize=(6, 3.8), layout="constrained")
    for axes, reset in zip(both, ("soft", "hard"), strict=True):
        spikes, potentials = run(torch.full((16,), 11 / 16), 1.0, 1.0, reset)
        snnkit.plot.potential(potentials, threshold=1.0, spikes=spikes, ax=axes)
        axes.set(title=f"{reset} reset: {int(spikes.sum())} spikes", ylabel="potential v", ylim=(0, 1.3))
    both[0].set(xlabel="")
plt.show()

# %% [markdown]
# ## 3. The firing rate, derived and counted
#
# Under a constant current the neuron of section 1 climbs from 0 towards $R\,I$.
# With a threshold $\theta$ and a hard reset to 0 it fires again and again, at a rate that follows from the time of one
# climb (same chapter, section *How fast does it fire?*):
#
# $$f(I) = \biggl(\tau \ln\frac{R\,I}{R\,I - \theta}\biggr)^{-1} \quad\text{if } R\,I > \theta, \qquad f(I) = 0 \quad\text{otherwise.}$$
#
# **Question 3 ({points of fi_curve}).** Write
#
# - `firing_rate(current, tau, threshold, resistance)`, the formula, for a tensor of currents of any shape; the result
#   has the shape and dtype of `current`, and is a number everywhere;
# - `counted_rate(current, steps, dt, tau, threshold, resistance)`, the same by counting: start at 0, take `steps`
#   **exact** steps of length `dt`, fire at or above the threshold, reset **hard** to 0, and return the number of spikes of
#   each current divided by the duration.


# %% answer="fi_curve"
def firing_rate(current, tau, threshold, resistance):
    """Spikes per unit of time under a constant current, by the formula."""
    ### BEGIN SOLUTION
    target = resistance * current
    period = tau * torch.log(target / (target - threshold))
    return torch.where(target > threshold, 1 / period, torch.zeros_like(period))
    ### END SOLUTION


def counted_rate(current, steps, dt, tau, threshold, resistance):
    """Spikes per unit of time in a simulation with exact steps and hard reset."""
    ### BEGIN SOLUTION
    v, count = torch.zeros_like(current), torch.zeros_like(current)
    for _ in range(steps):
        v = exact_step(v, current, dt, tau, resistance)
        spike = v >= threshold
        count = count + spike
        v = v * ~spike
    return count / (steps * dt)
    ### END SOLUTION


# %% check="fi_curve"

# %% [markdown]
# Why does the counted rate never exceed the formula, and what would a shorter step change?

# %% given="fi_figure"
cell = {"tau": 20.0, "threshold": 15.0, "resistance": 10.0}  # ms, mV, megaohm
fine = torch.linspace(0, 5, 301, dtype=torch.float64)
coarse = torch.linspace(0.25, 5, 20, dtype=torch.float64)
counted = counted_rate(coarse, steps=1000, dt=2.0, **cell)
with snnkit.plot.style():
    axes = snnkit.plot.rate_curve(fine, 1000 * firing_rate(fine, **cell), simulated=(coarse, 1000 * counted))
    axes.axvline(1.5, color="grey", linestyle=":")
plt.show()

# %% [markdown]
# ## 4. The rate code
#
# The first code sends a value $p \in [0, 1]$ by chance: in each of $T$ steps a spike with probability $p$, independently
# of all other steps and of all other values (chapter *Encoding and decoding*, section *The rate code*).
# The rate of the train has the mean $p$ and the variance $p\,(1 - p)/T$.
#
# **Question 4 ({points of rate_code}).** Write `rate_encode(values, steps, generator)`.
# It returns spikes `[steps, ...]`: time is the first axis, then come the axes of `values`, whose dtype they have.
# All random numbers come from `generator`, a `torch.Generator`: with the same seed come the same spikes.


# %% answer="rate_code"
def rate_encode(values, steps, generator):
    """Independent random spikes [steps, *values.shape] with the values as chances."""
    ### BEGIN SOLUTION
    draws = torch.rand((steps, *values.shape), generator=generator, dtype=values.dtype)
    return (draws < values).to(values.dtype)
    ### END SOLUTION


# %% check="rate_code"

# %% [markdown]
# ## 5. The latency code
#
# One spike is enough if its time carries the value.
# Charge the membrane from 0 with a constant current, and send the time at which it reaches the threshold (same chapter,
# section *The latency code*):
#
# $$t_1 = \begin{cases} \tau \ln\dfrac{R\,I}{R\,I - \theta}, & R\,I > \theta \\[1ex] \infty, & R\,I \le \theta. \end{cases}$$
#
# A neuron that never fires has an infinite latency, `math.inf`.
#
# **Question 5 ({points of latency_code}).** Write `latency_encode(current, tau, threshold, resistance)`, the times for a tensor of
# currents, in its shape and dtype.
# Gradients pass through it.
# Where the neuron never fires the gradient is 0, and it must be a number there: a network is trained with all of its
# neurons, and not a number in one of them spoils the rest.


# %% answer="latency_code"
def latency_encode(current, tau, threshold, resistance):
    """Time of the first spike under a constant current, infinity for none."""
    ### BEGIN SOLUTION
    target = resistance * current
    fires = target > threshold
    safe = torch.where(fires, target, 2 * threshold)
    return torch.where(fires, tau * torch.log(safe / (safe - threshold)), math.inf)
    ### END SOLUTION


# %% check="latency_code"

# %% [markdown]
# ## 6. Reading the answer
#
# A network has one output neuron for each class, and its answer is the class whose neuron fires **most often**, or the
# one whose neuron fires **first** (same chapter, section *Reading the answer*).
#
# **Question 6 ({points of decoding}).** Write `rate_decode(spikes)` and `latency_decode(spikes)` for spikes `[T, N, classes]`.
# Both return the classes `[N]` as whole numbers.
# If several neurons tie, the lowest class counts.
# If no neuron of a row fires, there is no answer: -1.


# %% answer="decoding"
def rate_decode(spikes):
    """Class of the neuron that fires most often, [N]; -1 where none fires."""
    ### BEGIN SOLUTION
    count = spikes.sum(0)
    return torch.where(count.amax(-1) > 0, count.argmax(-1), -1)
    ### END SOLUTION


def latency_decode(spikes):
    """Class of the neuron that fires first, [N]; -1 where none fires."""
    ### BEGIN SOLUTION
    fired = (spikes > 0).any(0)
    first = torch.where(fired, (spikes > 0).to(torch.uint8).argmax(0), len(spikes))
    return torch.where(fired.any(-1), first.argmin(-1), -1)
    ### END SOLUTION


# %% check="decoding"

# %% [markdown]
# ## 7. The delta code
#
# The third code sends changes (same chapter, section *The delta code*; an event camera is this code in every pixel).
# Sender and receiver share a *level* $z$, which starts at the first sample.
# When the signal lies at least one threshold $\theta$ above the level, an ON spike is sent and the level rises by
# $\theta$; when it lies at least as far below, an OFF spike is sent and the level falls by $\theta$.
# There is at most one spike in a step.
# Both parties know the level at any time:
#
# $$z(t) = z(1) + \theta \sum_{n \le t} \bigl(s_{\text{on}}(n) - s_{\text{off}}(n)\bigr).$$
#
# **Question 7 ({points of delta_code}).** Write `delta_encode(signal, threshold)`, which returns the pair `(on, off)` for a signal
# `[T, ...]`, each with the shape and dtype of the signal, and `delta_decode(on, off, threshold, start)`, which returns
# the levels `[T, ...]` that the spikes tell; `start` is the first sample.


# %% answer="delta_code"
def delta_encode(signal, threshold):
    """ON and OFF spikes of a signal, each [T, ...]."""
    ### BEGIN SOLUTION
    level, on, off = signal[0], [], []
    for sample in signal:
        rose = (sample - level >= threshold).to(signal.dtype)
        fell = (level - sample >= threshold).to(signal.dtype)
        level = level + threshold * (rose - fell)
        on.append(rose)
        off.append(fell)
    return torch.stack(on), torch.stack(off)
    ### END SOLUTION


def delta_decode(on, off, threshold, start):
    """Levels that the spikes tell, [T, ...]."""
    ### BEGIN SOLUTION
    return start + threshold * (on - off).cumsum(0)
    ### END SOLUTION


# %% check="delta_code"

# %% given="delta_figure"
clock = torch.linspace(0, 1, 121, dtype=torch.float64)
signal = torch.sin(6 * clock) + 0.3 * torch.sin(19 * clock) + 1.5 * (clock > 0.5)
level = delta_decode(*delta_encode(signal, 0.2), 0.2, signal[0])
with snnkit.plot.style():
    _, axes = plt.subplots(figsize=(6, 2.8), layout="constrained")
    axes.plot(signal, color="grey", linestyle="--", label="signal")
    axes.step(range(len(level)), level, "-", where="post", label="level told by the spikes")
    axes.set(xlabel="time step", ylabel="value")
    axes.legend()
plt.show()

# %% [markdown]
# ## 8. Forty bits an event
#
# The recordings of N-MNIST are files of records of five bytes, one for each event, the most significant byte first
# (chapter *Event cameras and N-MNIST*, section *Forty bits*):
#
# | bits | width | content |
# |---|---|---|
# | 39–32 | 8 | column $x$ |
# | 31–24 | 8 | row $y$ |
# | 23 | 1 | polarity $p$, 1 is ON |
# | 22–0 | 23 | time $t$ in microseconds |
#
# **Question 8 ({points of event_records}).** Write `decode_events(raw)`, which turns the `bytes` of a file into four NumPy arrays
# `(x, y, p, t)` of whole numbers.
# A file without bytes has no events.
# Bytes that are not whole records raise a `ValueError` that says so.
#
# A first test by hand: `bytes.fromhex("0F 14 82 49 F0")` is an ON event in column 15 and row 20, at 150 000 µs.


# %% answer="event_records"
def decode_events(raw):
    """Arrays (x, y, p, t) of the events in raw bytes."""
    ### BEGIN SOLUTION
    if len(raw) % 5:
        raise ValueError(f"{len(raw)} bytes are not whole records of 5 bytes: the file was cut short")
    b = np.frombuffer(raw, np.uint8).reshape(-1, 5).astype(np.int64)
    t = (b[:, 2] & 0x7F) << 16 | b[:, 3] << 8 | b[:, 4]
    return b[:, 0], b[:, 1], b[:, 2] >> 7, t
    ### END SOLUTION


# %% check="event_records"

# %% [markdown]
# ## 9. A mystery neuron
#
# Somebody has recorded from a neuron like that of section 2, and you get nothing but the recordings.
# Its decay $\alpha$ lies between 0.6 and 0.96, its threshold $\theta$ between 0.7 and 1.4, and its reset is soft or hard.
# When your notebook is graded it is another neuron, one that nobody else gets.
#
# There are three experiments.
# In each of them a whole row of copies of the neuron starts at potential 0, and copy $k$ gets a current $x_k$ from a
# ladder of currents:
#
# | name | steps | current of copy $k$ |
# |---|---|---|
# | `"pulse"` | 1 | $x_k$, from 0.5 to 1.5 |
# | `"steady"` | 120 | $x_k$ in every step, from 0 to 0.6 |
# | `"after"` | 2 | first 1.6, which makes every copy fire, then $x_k$, from −1 to 1.5 |
#
# **Question 9 ({points of mystery_neuron}).** Write `identify(recordings)`.
# `recordings` is a dictionary: `currents, spikes = recordings["pulse"]` gives two NumPy arrays `[T, K]`, and so do
# `"steady"` and `"after"`.
# It returns the triple `(decay, threshold, reset)`: two numbers, and the text `"soft"` or `"hard"`.
# The numbers may be off by 0.01.
#
# Think before you write: for each experiment, what is the smallest current that makes a copy fire (in `"after"`: fire
# again), in terms of $\alpha$, $\theta$ and the reset?
#
# The next cell makes such recordings of a neuron that you choose, with your own `run`, so that you can try your function
# where you know the answer.


# %% given="recorder"
def record(decay, threshold, reset):
    """The three experiments on a neuron that you know."""
    ladder = torch.arange(-1.0, 1.5001, 0.01, dtype=torch.float64)
    experiments = {
        "pulse": torch.arange(0.5, 1.5001, 0.005, dtype=torch.float64)[None],
        "steady": torch.arange(0.0, 0.6001, 0.002, dtype=torch.float64).expand(120, -1),
        "after": torch.stack([torch.full_like(ladder, 1.6), ladder]),
    }
    return {
        name: (currents.numpy(), run(currents, decay, threshold, reset)[0].numpy())
        for name, currents in experiments.items()
    }


for name, (currents, spikes) in record(0.9, 1.2, "soft").items():
    again = spikes[1] if name == "after" else spikes.any(0)
    print(f"{name}: currents {list(currents.shape)}, {int(again.sum())} of {len(again)} copies fire")


# %% answer="mystery_neuron"
def identify(recordings):
    """(decay, threshold, reset) of the neuron behind the recordings."""

    ### BEGIN SOLUTION
    def smallest(name, step=slice(None)):
        currents, spikes = recordings[name]
        fired = spikes[step].any(axis=0)
        return currents[-1][fired].min()

    threshold = smallest("pulse")
    decay = 1 - smallest("steady") / threshold
    rest = (threshold - smallest("after", slice(1, 2))) / decay
    return decay, threshold, "soft" if rest > (1.6 - threshold) / 2 else "hard"
    ### END SOLUTION


# %% check="mystery_neuron"

# %% [markdown]
# ## 10. What is a good spike?
#
# The next cell sends one film in your three codes: a digit of 8 × 8 pixels that stands still for 20 steps, moves by one
# pixel, and stands still for another 20.
# For each code it reports
#
# - the number of spikes, and the *sparsity*: the share of places (pixel and step) without a spike;
# - the *static suppression*: of the places where the picture did not change, the share without a spike;
# - the *error*: how far the brightness that a receiver reconstructs at the end of each still part is from the true one,
#   as the root of the mean square over the pixels. The receiver of the rate code counts, that of the latency code
#   inverts the formula of section 5 at the step that it saw, that of the delta code adds up and knows the first picture.

# %% given="codes"
STEPS, GAIN, TAU, THETA = 20, 3.0, 10.0, 0.2
picture = torch.tensor(datasets.digits("test").images[3, 0], dtype=torch.float64)
parts = [picture.flatten(), picture.roll(1, 1).flatten()]
film = torch.cat([part.expand(STEPS, -1) for part in parts])

generator = torch.Generator().manual_seed(0)
rate = torch.cat([rate_encode(part, STEPS, generator) for part in parts])
step_of_spike = [latency_encode(GAIN * part, TAU, 1.0, 1.0).floor() for part in parts]
times = torch.arange(STEPS)[:, None]
latency = torch.cat([(times == step).double() for step in step_of_spike])
on, off = delta_encode(film, THETA)
level = delta_decode(on, off, THETA, film[0])

read = {
    "rate": [rate[:STEPS].mean(0), rate[STEPS:].mean(0)],
    "latency": [
        torch.where(step < STEPS, 1 / (GAIN * (1 - torch.exp(-(step + 0.5) / TAU))), 0.0)
        for step in step_of_spike
    ],
    "delta": [level[STEPS - 1], level[-1]],
}
print(f"{'code':8} spikes  sparsity  static suppression  error before and after the move")
for name, train in {"rate": rate, "latency": latency, "delta": on + off}.items():
    errors = [(found - part).square().mean().sqrt() for found, part in zip(read[name], parts, strict=True)]
    print(
        f"{name:8} {int(train.sum()):6} {encoding.sparsity(train):9.1%} "
        f"{encoding.static_suppression(train, film):19.1%}  {errors[0]:18.3f} {errors[1]:9.3f}"
    )

# %% [markdown]
# **Discussion ({points of discussion_good_spike}, read by a person).**
# What is a good spike? Answer in about 250 words, from the table.
#
# - Hold the three codes against each other: what does each spend, and what does the receiver know for it?
# - Which pixels does the latency code lose, and why?
# - A sensor is to watch a street at night; a network is to classify single photographs as fast as possible.
#   Which code do you take for each, and what could make you change your mind?
# - Name something that matters for a good spike and that the table does not show.

# %% [markdown] read="discussion_good_spike" points=4
# A good spike tells the receiver something that it does not know already, at a cost that is worth it.
#
# The rate code spends 822 spikes on the film and fires in a third of the places where nothing changes, and after 20 steps
# its receiver is still off by 0.06 to 0.07, because the error falls only with the square root of the number of steps. The
# latency code spends 44, at most one for each pixel and picture, a twentieth of that. Its receiver knows the bright
# pixels well; its error of 0.11 comes from the dark ones: a pixel whose brightness times 3 stays at or below the threshold
# never fires, one a little above it fires after the 20 steps, and both are read as 0. The delta code spends nothing at all
# while the picture stands still, and 56 spikes after the move, one in each step for each pixel that changed; its receiver
# is off by less than one threshold, and by nothing before the move, because it was given the first picture.
#
# For the street at night I take the delta code: almost nothing changes, and every change is news. I would change
# my mind if many pixels were noisy, because noise is change, or if spikes could be lost: the level would then be wrong for
# ever, whereas a rate forgets. For single photographs there is no change to send. I take the latency code, whose strongest
# inputs come first, so that a network may answer before the rest has arrived; with jitter of the spike times, or if
# the dark pixels mattered, I would take rates.
#
# The table does not show robustness against lost or jittered spikes, nor the time until the receiver knows
# anything, nor what it costs to compute the code.

# %% [markdown] tags=["instructor"]
# **Rubric of the discussion (instructor only).**
#
# | points | criterion |
# |---|---|
# | 1 | compares cost **and** what the receiver knows for all three codes, with numbers of the table |
# | 1 | latency code: pixels with $R\,I \le \theta$ (brightness up to a third) never fire and are read as dark; "they fire late" is true only of those a little brighter, which miss the window |
# | 1 | chooses a code for each of the two tasks with a reason that follows from the code, and names what would change the choice |
# | 1 | names something that the table does not show: lost or jittered spikes, time to the first answer, an error that stays for ever in a delta code, cost of encoding, what the network after it can use |
#
# Strong (4 points): "The rate code spends nearly twenty times the spikes of the latency code and its receiver is off by 0.07 ... pixels
# below a third of the brightness never reach the threshold ... for the street I take the delta code, unless noise
# makes every pixel change ... one lost spike shifts the level for ever, which the table does not show."
# Middling (2 points): compares numbers of spikes only, says that weak pixels "fire late", and takes the delta code for both
# tasks because it is the sparsest, although nothing changes in a photograph.
# Weak (0 to 1 points): "A good spike is sparse. The brain uses spikes and needs little energy, so the sparsest code is best."

# %% [markdown]
# ## Hand in
#
# Run everything once from the top (menu *Kernel*, *Restart Kernel and Run All Cells*), look at the checks, save, and
# hand in this notebook under its own name.
#
# ## Sources
#
# L. Lapicque, Recherches quantitatives sur l'excitation électrique des nerfs traitée comme une polarisation, 1907.
# W. Gerstner, W. M. Kistler, R. Naud and L. Paninski, Neuronal Dynamics, 2014, section 1.3.
# P. Lichtsteiner, C. Posch and T. Delbruck, A 128 × 128 120 dB 15 µs latency asynchronous temporal contrast vision
# sensor, IEEE Journal of Solid-State Circuits 43(2), 2008.
# G. Orchard, A. Jayawant, G. K. Cohen and N. Thakor, Converting static image datasets to spiking neuromorphic
# datasets using saccades, Frontiers in Neuroscience 9:437, 2015.
