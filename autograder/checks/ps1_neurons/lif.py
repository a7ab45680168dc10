"""The spiking neuron: one step, a run, and its gradient."""

import numpy as np
import torch

from autograder.question import Case, Group, Question, Slip, Tolerance, call
from snnkit import dynamics

from .inputs import grid


def soft_reset(*charged):
    return dynamics.SoftReset()(*charged)


def hard_reset(*charged):
    return dynamics.HardReset()(*charged)


def answer(
    *,
    fires=dynamics.heaviside,
    soft=soft_reset,
    hard=hard_reset,
    leak=lambda decay: decay,
    gain=lambda decay: 1.0,
    early=False,
    record="after",
    carried=True,
    detached=False,
    from_zero=False,
    swapped=False,
    stale=False,
):
    """Both functions, with the ways in which they can go wrong."""

    def step(v, x, decay, threshold, reset):
        before = v.detach() if detached else v
        charge = leak(decay) * before + gain(decay) * x
        spike = fires((before if early else charge) - threshold)
        reached = torch.where(spike > 0, before, charge) if stale else charge
        after = {"soft": soft, "hard": hard}[reset](reached, spike, threshold)
        return spike, {"after": after, "charge": charge, "before": before}[record], after

    def one_step(v, x, decay, threshold, reset):
        spike, shown, after = step(v, x, decay, threshold, reset)
        return (after, spike) if swapped else (spike, shown)

    def all_steps(currents, decay, threshold, reset, v0=0.0):
        start = v = torch.full_like(currents[0], 0.0 if from_zero else v0)
        seen = []
        for x in currents:
            spike, shown, v = step(v if carried else start, x, decay, threshold, reset)
            if swapped:  # `spike, v = lif_step(...)`
                spike, shown, v = v, spike, spike
            seen.append((spike, shown))
        return tuple(torch.stack(one) for one in zip(*seen, strict=True))

    return {"lif_step": one_step, "run": all_steps}


def cases(rng):
    def step(group, label, v0, x, reset, decay=0.5, threshold=1.0):
        made = call("lif_step", v0, x, decay=decay, threshold=threshold, reset=reset)
        in_form = group == "shapes"
        return Case(group, f"{reset} reset, {label}", made, keeps_dtype=in_form, intact=in_form)

    for reset in ("soft", "hard"):
        for decay, threshold in ((0.75, 1.0), (1.0, 0.5), (0.5, 2.0)):
            # below the threshold, just above it (overshoot 1/8 at most), far above it, and above it before the step
            v0 = np.concatenate([grid(rng, -0.5, 0.9, 8), grid(rng, 1.0, 1.5, 2)]) * threshold
            want = np.concatenate([grid(rng, -0.5, 0.9, 4), grid(rng, 1.05, 2.5, 4), grid(rng, 0.2, 0.7, 2)])
            label = f"decay {decay:g}, threshold {threshold:g}"
            yield step(reset, label, v0, want * threshold - decay * v0, reset, decay, threshold)
        for threshold in (1.0, 0.5):
            v0 = np.array([0.5, 0.0, -0.25, 1.5]) * threshold
            for label, charge in (("exactly at", threshold), ("a millionth below", threshold - 2.0**-20)):
                label = f"charge {label} the threshold {threshold:g}"
                yield step("threshold", label, v0, charge - 0.5 * v0, reset, threshold=threshold)
        for label, shape, kind in (
            ("a batch [2, 3, 4]", (2, 3, 4), np.float32),
            ("float64", (5,), np.float64),
            ("no elements", (0, 2), np.float32),
        ):
            v0, x = grid(rng, -0.5, 1, shape, kind), grid(rng, 0, 1.5, (1, *shape), kind)[0] + kind(1 / 512)
            yield step("shapes", label, v0, x, reset)
        for label, currents, decay, threshold, start in (
            ("12 steps of 4 neurons", grid(rng, -0.25, 1.25, (12, 4)), 0.75, 1.0, {}),
            ("threshold 0.5", grid(rng, -0.25, 0.75, (12, 4)), 0.75, 0.5, {}),
            ("one neuron that starts at 0.75", grid(rng, 0.25, 0.75, (10,)), 0.5, 1.0, {"v0": 0.75}),
            ("no leak, constant current 0.6875", np.full((16, 1), 0.6875), 1.0, 1.0, {}),
            ("one step", grid(rng, 0.5, 1.5, (1, 3)), 0.5, 1.0, {"v0": 0.25}),
            ("no neurons", np.zeros((4, 0)), 0.5, 1.0, {}),
        ):
            made = call("run", currents, decay=decay, threshold=threshold, reset=reset, **start)
            yield Case("run", f"{reset} reset, {label}", made, intact=True)
        opening = np.repeat(
            [[0.25], [0.25], [0.75]], 3, axis=1
        )  # the third fires because of the two before it
        currents = np.concatenate([opening, grid(rng, 0.25, 1.0, (5, 3)) + 1 / 128])
        made = call("run", currents, decay=0.75, threshold=1.0, reset=reset)
        upstream = grid(rng, 0.5, 2.0, currents.shape)
        yield Case("gradient", f"{reset} reset, 8 steps", made.gradient(upstream, result=1))


QUESTION = Question(
    "ps1.lif",
    "The spiking neuron",
    (
        Group("soft", 1.0, "`lif_step` with the soft reset"),
        Group("hard", 0.5, "`lif_step` with the hard reset"),
        Group("threshold", 0.5, "`lif_step` exactly at the threshold"),
        Group("shapes", 0.5, "`lif_step` for any shape and floating-point dtype"),
        Group("run", 1.0, "`run`: spikes and potentials over time"),
        Group("gradient", 0.5, "`run`: gradient with respect to the currents"),
    ),
    cases,
    answer(),
    right_in_torch=True,
    gives={"lif_step": ("spike", "v"), "run": ("spikes", "v")},
    within=Tolerance(
        1e-6, 1e-6, "inputs are multiples of 1/64 and decays of 1/4: exact but for float32 in long runs"
    ),
    slips=(
        Slip(
            "heaviside_of_torch",
            "`torch.heaviside` has no derivative in PyTorch. A comparison is enough: `(charge >= threshold).to(charge.dtype)`.",
            error=r"derivative for aten::heaviside is not implemented",
        ),
        Slip(
            "pair_swapped",
            "`lif_step` returns the potential first and the spike second. The pair asked for is (spike, v).",
            answer(swapped=True),
        ),
        Slip(
            "old_potential_reset",
            "The threshold is subtracted from the potential of the step before. It is the charge that is reset.",
            answer(stale=True),
        ),
        Slip(
            "reset_to_threshold",
            "The hard reset puts the potential at the threshold here. It puts it at 0.",
            answer(hard=lambda charge, spike, threshold: charge * (1 - spike) + threshold * spike),
        ),
        Slip(
            "strict_threshold",
            "This is what `>` gives. A neuron exactly at its threshold fires: the comparison is `>=`.",
            answer(fires=lambda above: (above > 0).to(above.dtype)),
        ),
        Slip(
            "reset_not_gated",
            "The reset acts in every step. Only a neuron that fires is reset: multiply by the spike.",
            answer(
                soft=lambda charge, spike, threshold: charge - threshold,
                hard=lambda charge, spike, threshold: 0 * charge,
            ),
        ),
        Slip(
            "hard_for_soft",
            "This is the hard reset where the soft one is asked for: what exceeds the threshold must stay.",
            answer(soft=hard_reset),
        ),
        Slip(
            "soft_for_hard",
            "This is the soft reset where the hard one is asked for: the potential of a neuron that fired is 0.",
            answer(hard=soft_reset),
        ),
        Slip(
            "one_subtracted",
            "The soft reset subtracts 1 here, which is right for a threshold of 1 only. It subtracts the threshold.",
            answer(soft=lambda charge, spike, threshold: charge - spike),
        ),
        Slip("no_leak", "The old potential is not multiplied by the decay.", answer(leak=lambda decay: 1.0)),
        Slip(
            "input_scaled",
            "The input is multiplied by 1 - decay. Here that factor is part of x already: charge = decay * v + x.",
            answer(gain=lambda decay: 1 - decay),
        ),
        Slip(
            "spike_before_charge",
            "The spike is decided by the potential of the step before. First charge, then compare, then reset.",
            answer(early=True),
        ),
        Slip(
            "charge_for_potential",
            "This is the charge, the potential before the reset. Asked for is the potential after it.",
            answer(record="charge"),
        ),
        Slip(
            "potential_of_the_step_before",
            "The potentials are one step late: this is what each step began with.",
            answer(record="before"),
        ),
        Slip(
            "state_forgotten",
            "Each step starts from `v0` again. The potential that a step leaves is what the next one begins with.",
            answer(carried=False),
        ),
        Slip(
            "state_detached",
            "The gradient stops at each step: the potential is detached, or made anew, on its way to the next step.",
            answer(detached=True),
        ),
        Slip("start_ignored", "The run starts from 0, whatever `v0` is.", answer(from_zero=True)),
    ),
    hints=(
        "Three lines: charge, fire, reset. What does the reset do to a neuron that did not fire? For the run: which "
        "number has to be handed from one step to the next?",
        "spike = 1 where charge >= threshold. Soft: charge - spike * threshold. Hard: charge * (1 - spike). The run loops "
        "over the first axis of `currents` and collects both results in lists.",
        "`spike = (charge >= threshold).to(charge.dtype)`; in `run`, start with "
        "`v = torch.full_like(currents[0], v0)`, call `spike, v = lif_step(v, x, decay, threshold, reset)` for each x, "
        "append both, and `return torch.stack(spikes), torch.stack(potentials)`.",
    ),
    withheld=(
        "snnkit.dynamics.fire",
        "snnkit.dynamics.if_step",
        "snnkit.dynamics.lif_step",
        "snnkit.dynamics.delayed_reset_step",
        "snnkit.dynamics.simulate",
        "snnkit.dynamics.heaviside",
        "snnkit.dynamics.SoftReset",
        "snnkit.dynamics.HardReset",
        "snnkit.layers.LIF",
        "snnkit.layers.IF",
    ),
)
