"""STDP on line, by an object that carries a trace of each side's spikes."""

import math
from functools import partial

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .online_probe import learnt, stepped, twice
from .spike_trains import drawn_rule, spikes


def online(
    asked,
    pre,
    post,
    traces=None,
    *,
    keep=lambda dt, tau: math.exp(-dt / tau),
    used=lambda before, decayed, after: decayed,
    one_tau=False,
    exchanged=False,
    turned=False,
    replaced=False,
    minus=1,
):
    """Changes [T, outputs, inputs] and the last traces, with the ways in which they can go wrong."""
    rule = asked["rule"]
    names = ("tau_minus", "tau_plus") if exchanged else ("tau_plus", "tau_minus")
    keeps = [keep(asked["dt"], rule["tau_plus" if one_tau else name]) for name in names]
    traces = traces or (np.zeros(pre.shape[1:]), np.zeros(post.shape[1:]))
    changes = []
    for arriving in zip(pre, post, strict=True):
        decayed = [kept * trace for kept, trace in zip(keeps, traces, strict=True)]
        after = [
            np.where(spike > 0, 1.0, trace) if replaced else trace + spike
            for trace, spike in zip(decayed, arriving, strict=True)
        ]
        sent, received = map(used, traces, decayed, after)
        grow, shrink = arriving[1].T @ sent, received.T @ arriving[0]
        grow, shrink = (shrink, grow) if turned else (grow, shrink)
        changes.append(rule["a_plus"] * grow - minus * rule["a_minus"] * shrink)
        traces = after
    return np.array(changes), traces


def arrays(asked, *, carried=False, each=True, end=True, **ways):
    """What the probes give; bounds hold after each step and at the end."""
    if isinstance(asked["pre"], list):
        first, second = zip(asked["pre"], asked["post"], strict=True)
        traces = online(asked, *first, **ways)[1] if carried else None
        change = online(asked, *second, traces, **ways)[0].sum(0)
        return {"weight after the second call": asked["weight"] + change, "change after a reset": change}
    changes, _ = online(asked, asked["pre"], asked["post"], **ways)
    if "weight" not in asked:
        return {"change": changes}
    low, high = asked["bounds"].get("low", -math.inf), asked["bounds"].get("high", math.inf)
    weight = asked["weight"].astype(float)
    for change in changes:
        weight = (weight + change).clip(low, high) if each else weight + change
    return {"weight": weight.clip(low, high) if end else weight, "weight before": asked["weight"]}


def euler(dt, tau):
    return 1 - dt / tau


def drawn(rng, steps, ns, inputs, outputs, dt=1.0, dtype=np.float64):
    """A rule, trains for each number of patterns, and weights."""
    rule = drawn_rule(rng)
    pre, post = ([spikes(rng, steps, n, neurons, 0.3, dtype) for n in ns] for neurons in (inputs, outputs))
    weight = rng.uniform(0.2, 0.8, (outputs, inputs)).astype(dtype)
    return {"rule": rule, "dt": dt, "pre": pre, "post": post, "weight": weight}


def one(given):
    """With the first train of each side alone."""
    return {**given, "pre": given["pre"][0], "post": given["post"][0]}


def bounded(rng, low, high):
    """Large changes; some weights have to end between the bounds, or all decays look alike."""
    while True:
        given = {**one(drawn(rng, 40, [2], 5, 3)), "bounds": {"low": low, "high": high}}
        for size in ("a_plus", "a_minus"):
            given["rule"][size] *= 0.5
        right, other = arrays(given)["weight"], arrays(given, keep=euler)["weight"]
        if ((right > low) & (right < high)).sum() > 2 and not np.allclose(right, other, atol=1e-3):
            return given


def cases(rng):
    for label, steps, n, inputs, outputs, dt, dtype in (
        ("one pattern, one input, one output", 30, 1, 1, 1, 1.0, np.float64),
        ("3 patterns, 4 inputs, 2 outputs", 40, 3, 4, 2, 1.0, np.float64),
        ("dt = 0.5, float32", 24, 2, 3, 3, 0.5, np.float32),
    ):
        given = one(drawn(rng, steps, [n], inputs, outputs, dt, dtype))
        del given["weight"]
        yield Case("steps", label, call(stepped, **given))
    for label, steps, n, inputs, outputs, dtype in (
        ("2 patterns, 5 inputs, 3 outputs", 30, 2, 5, 3, np.float64),
        ("float32", 20, 3, 2, 2, np.float32),
        ("no patterns", 10, 0, 2, 2, np.float64),
    ):
        given = one(drawn(rng, steps, [n], inputs, outputs, dtype=dtype))
        yield Case("learn", label, call(learnt, **given, bounds={}), keeps_dtype=True)
    for steps in (15, 25):
        yield Case("again", f"two batches of {steps} steps", call(twice, **drawn(rng, steps, [2, 2], 3, 2)))
    smaller = call(twice, **drawn(rng, 15, [3, 2], 3, 2))
    yield Case("smaller", "a batch of 3 patterns, then one of 2", smaller)
    for label, low, high in (("large changes", 0.0, 1.0), ("bounds of other sizes", -0.5, 0.75)):
        yield Case("bounds", label, call(learnt, **bounded(rng, low, high)), keeps_dtype=True)


def weight_changed(got, asked):
    before = got["weight before"]
    return before.shape == asked["weight"].shape and not np.allclose(before, asked["weight"])


QUESTION = Question(
    "ps6.stdp_traces",
    "STDP on line, with traces",
    (
        Group("steps", 1.0, "`step`: the change of each step"),
        Group("learn", 0.5, "`learn`: whole trains, in a new tensor"),
        Group("again", 0.5, "the traces are empty at the start of every `learn` and after `reset`"),
        Group("smaller", 0.25, "a smaller batch after a larger one"),
        Group("bounds", 0.75, "`learn` with bounds: they hold after every step"),
    ),
    cases,
    ("OnlineSTDP",),
    values=arrays,
    within=Tolerance(1e-4, 1e-4, "float32 sums of some hundred pairs of the size 1"),
    slips=(
        Slip(
            "added_before_use",
            "The spikes of this step join the traces before the weights change, so a coincident pair "
            "counts, with a_plus - a_minus. The order is: decay, update, add.",
            gives=partial(arrays, used=lambda before, decayed, after: after),
        ),
        Slip(
            "decay_after_use",
            "The traces decay after the weights have changed, so the newest spike misses its first decay "
            "and every change is too large. The order is: decay, update, add.",
            gives=partial(arrays, used=lambda before, decayed, after: before),
        ),
        Slip(
            "euler_decay",
            "The traces decay by 1 - dt/tau in a step, which is Euler's approximation. Exact is "
            "exp(-dt/tau): only then is the sum that of all pairs.",
            gives=partial(arrays, keep=euler),
        ),
        Slip(
            "order_turned",
            "The order of spikes is turned: the sender's trace belongs to a spike of the receiver and "
            "strengthens, the receiver's trace to a spike of the sender and weakens.",
            gives=partial(arrays, turned=True),
        ),
        Slip(
            "one_time_constant",
            "Both traces decay with tau_plus. The trace of the receiver decays with tau_minus.",
            gives=partial(arrays, one_tau=True),
        ),
        Slip(
            "taus_exchanged",
            "The two time constants have changed places: the sender's trace decays with tau_plus, the receiver's with "
            "tau_minus.",
            gives=partial(arrays, exchanged=True),
        ),
        Slip(
            "dt_missing",
            "The traces decay by exp(-1/tau) in every step, whatever `dt` is. A step lasts `dt`.",
            gives=partial(arrays, keep=lambda dt, tau: math.exp(-1 / tau)),
        ),
        Slip(
            "trace_replaced",
            "A spike sets its trace to 1 and forgets the earlier ones: that is the pairing of nearest "
            "neighbours. For all pairs a spike adds 1.",
            gives=partial(arrays, replaced=True),
        ),
        Slip(
            "minus_missing",
            "Spikes in the wrong order strengthen, too: the second term has a minus.",
            gives=partial(arrays, minus=-1),
        ),
        Slip(
            "state_not_reset",
            "The traces of the batch before are still there. `learn` begins with empty traces, and `reset` "
            "empties them: otherwise the spikes of one batch pair with those of the next.",
            gives=partial(arrays, carried=True),
        ),
        Slip(
            "state_of_another_batch",
            "The traces still have the size of the batch before. Forget them at the start of `learn`, and "
            "make new ones when you see the first spikes.",
            error=r"must match the size of tensor|expanded size of the tensor|cannot be multiplied|size mismatch",
        ),
        Slip(
            "bounded_at_the_end",
            "The bounds are applied once, at the end. A weight that reached its bound moves on from there: "
            "apply them after every step.",
            gives=partial(arrays, each=False),
        ),
        Slip(
            "not_bounded",
            "The weights leave the bounds.",
            gives=partial(arrays, each=False, end=False),
        ),
        Slip(
            "weight_overwritten",
            "The tensor of weights that you were given has changed. Return a new one: `weight = weight + "
            "change`, not `+=`.",
            seen=weight_changed,
        ),
    ),
    hints=(
        "Which trace does a spike of the receiver need, and which a spike of the sender? Should a spike of "
        "this step be in it already? What is left in the object when `learn` is called again?",
        "In each step: both traces times exp(-dt/tau), the change a_plus s_post^T r_pre - a_minus r_post^T "
        "s_pre, then the spikes added. `learn` calls `reset`, and after each step adds the change and "
        "applies the bounds.",
        "`reset` sets `self.pre_trace = self.post_trace = None`, and `step` replaces None by "
        "`torch.zeros_like(pre)` and `torch.zeros_like(post)`. `post.T @ self.pre_trace` has the shape "
        "[outputs, inputs]. `weight = (weight + self.step(pre_now, post_now)).clamp(low, high)`.",
    ),
    withheld=(
        "snnkit.plasticity.online",
        "snnkit.plasticity.online_step",
        "snnkit.plasticity.learn_online",
        "snnkit.plasticity.all_to_all",
        "snnkit.plasticity.STDP",
    ),
)
