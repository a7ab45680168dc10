"""Checks of the problem set on neurons and codes: the membrane, the spike, rates, codes, event records, a mystery neuron.

Expected values come from loops and formulas of this module, in double precision. Where spikes are compared, inputs,
thresholds and decays are multiples of powers of two, or are drawn again until no charge comes near the threshold, so
that rounding cannot move a spike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from autograder.checks.core import Array, Arrays, Case, Check, Data, Group, Misconception, Tolerance

ROUNDING = Tolerance(1e-4, 1e-5, "one float32 rounding per operation, a few operations deep")
DOUBLE = Tolerance(1e-6, 1e-9, "double precision, a few operations deep")
EXACT = Tolerance(0.0, 1e-9, "spikes, classes, and sums of multiples of powers of two are exact")

NO_GRADIENT = Misconception(
    "no_gradient",
    "No gradient comes back: on the way the tensor was detached, turned into NumPy or a number, or made anew with "
    "`torch.tensor`. Compute with the tensor itself, and collect steps with `torch.stack`.",
    error=r"does not require grad|does not have a grad_fn|[Cc]an't call numpy\(\) on Tensor that requires grad",
)
DTYPE = Misconception(
    "dtype_changed",
    "The result has another dtype than the input. Numbers of Python keep a tensor's dtype; a comparison gives True and "
    "False, which `.to(x.dtype)` turns into 1 and 0.",
    when=lambda arrays, data: (
        "dtype kept" in arrays
        and not bool(arrays["dtype kept"])
        and all(
            bool(np.isfinite(value.astype(np.float64)).all())
            for key, value in arrays.items()
            if key != "dtype kept"
        )
    ),
)

# ---------------------------------------------------------------------------------------------- the membrane


def _probe_lapicque(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """One step of the membrane, or its gradients against a given upstream gradient."""
    import torch

    step = answer[f"{data['step']}_step"]
    v, current = torch.from_numpy(data["v"]), torch.from_numpy(data["current"])
    constants = {name: data[name] for name in ("dt", "tau", "resistance")}
    if data["part"] == "gradient":
        v.requires_grad_(True)
        current.requires_grad_(True)
        upstream = torch.from_numpy(data["upstream"])
        of_v, of_current = torch.autograd.grad(step(v, current, **constants), (v, current), upstream)
        return {"gradient of v": of_v, "gradient of current": of_current}
    after = step(v, current, **constants)
    if data["part"] == "shapes":
        return {"v": after, "dtype kept": bool(after.dtype == v.dtype)}
    return {"v": after}


def _membrane(
    data: Data,
    *,
    keep: Callable[[float], float] | None = None,
    gain: Callable[[float], float] | None = None,
    resistance: bool = True,
) -> Arrays:
    """keep * v + gain * R * I and its gradients; by default the two factors that the question asks for."""
    ratio = data["dt"] / data["tau"]
    euler = data["step"] == "euler"
    alpha = keep(ratio) if keep else (1 - ratio if euler else math.exp(-ratio))
    beta = gain(ratio) if gain else (ratio if euler else 1 - math.exp(-ratio))
    factor = beta * (data["resistance"] if resistance else 1.0)
    v, current = data["v"].astype(np.float64), data["current"].astype(np.float64)
    upstream = data["upstream"].astype(np.float64)
    return {
        "v": alpha * v + factor * current,
        "gradient of v": alpha * upstream,
        "gradient of current": factor * upstream,
    }


def _expected_lapicque(data: Data) -> Arrays:
    arrays = _membrane(data)
    if data["part"] == "gradient":
        return {key: arrays[key] for key in ("gradient of v", "gradient of current")}
    if data["part"] == "shapes":
        return {"v": arrays["v"], "dtype kept": np.array(True)}
    return {"v": arrays["v"]}


def _lapicque_cases(rng: np.random.Generator) -> list[Case]:
    cases = []

    def add(group: str, label: str, step: str, ratio: float, shape: Any, kind: Any = np.float32) -> None:
        tau = float(np.round(rng.uniform(8, 30), 1))
        data = {
            "part": group if group in ("gradient", "shapes") else "value",
            "step": step,
            "dt": tau * ratio,
            "tau": tau,
            "resistance": float(np.round(rng.uniform(4, 12), 1)),
            "v": rng.uniform(-20, 20, shape).astype(kind),
            "current": rng.uniform(-3, 3, shape).astype(kind),
            "upstream": rng.uniform(-2, 2, shape).astype(kind),
        }
        cases.append(Case(group, f"{label}, dt / tau = {ratio:g}", data))

    for ratio in (0.02, 0.25, 0.9):
        add("euler", "Euler's step", "euler", ratio, 6)
    for ratio in (0.02, 0.9, 1.7, 6.0):
        add("exact", "exact step", "exact", ratio, 6)
    for step in ("euler", "exact"):
        add("shapes", f"{step}_step, a batch [2, 3, 4]", step, 0.3, (2, 3, 4))
        add("shapes", f"{step}_step, float64", step, 0.3, 5, np.float64)
        add("shapes", f"{step}_step, no elements", step, 0.3, (0, 2))
        add("shapes", f"{step}_step, a single number", step, 0.3, ())
        add("gradient", f"{step}_step", step, 0.4, (3, 2))
    return cases


LAPICQUE = Check(
    id="ps1.lapicque",
    title="Two steps of the membrane",
    names=("euler_step", "exact_step"),
    groups=(
        Group("euler", 0.75, "`euler_step`", names=("euler_step",)),
        Group("exact", 1.0, "`exact_step`, for steps of any length", names=("exact_step",)),
        Group("shapes", 0.5, "any shape and floating-point dtype"),
        Group("gradient", 0.75, "gradients with respect to v and to the current"),
    ),
    cases=_lapicque_cases,
    probe=_probe_lapicque,
    expected=_expected_lapicque,
    tolerance=ROUNDING,
    misconceptions=(
        NO_GRADIENT,
        DTYPE,
        Misconception(
            "mixed_gain",
            "The old potential decays by exp(-dt/tau), but the current enters with Euler's dt/tau. With v = R I nothing "
            "may change; so the two factors add up to 1.",
            arrays=lambda data: _membrane(data, keep=lambda r: math.exp(-r), gain=lambda r: r),
        ),
        Misconception(
            "euler_for_exact",
            "This is Euler's step where the exact one is asked for. Solve the equation for a constant current: the "
            "decay is exp(-dt/tau).",
            arrays=lambda data: _membrane(data, keep=lambda r: 1 - r, gain=lambda r: r),
        ),
        Misconception(
            "exact_for_euler",
            "This is the exact step where Euler's is asked for: replace the derivative by a quotient, and nothing else.",
            arrays=lambda data: _membrane(data, keep=lambda r: math.exp(-r), gain=lambda r: 1 - math.exp(-r)),
        ),
        Misconception(
            "whole_input",
            "Here all of R I enters in each step. Only the share that the decay leaves free does: 1 - decay.",
            arrays=lambda data: _membrane(data, gain=lambda r: 1.0),
        ),
        Misconception(
            "resistance_missing",
            "The current enters without the resistance: the potential moves towards R I.",
            arrays=lambda data: _membrane(data, resistance=False),
        ),
        Misconception(
            "leak_sign",
            "The leak has the wrong sign: without a current the potential must shrink, not grow.",
            arrays=lambda data: _membrane(
                data, keep=lambda r: 1 + r if data["step"] == "euler" else math.exp(r)
            ),
        ),
        Misconception(
            "tau_over_dt",
            "This divides tau by dt. A short step changes little: what counts is dt / tau.",
            arrays=lambda data: _membrane(
                data,
                keep=lambda r: 1 - 1 / r if data["step"] == "euler" else math.exp(-1 / r),
                gain=lambda r: 1 / r if data["step"] == "euler" else 1 - math.exp(-1 / r),
            ),
        ),
    ),
    hints=(
        "Both steps have the form decay * v + (1 - decay) * R * I. Which decay belongs to which step?",
        "Euler: v + dt * dV/dt, with dV/dt from the membrane equation, so the decay is 1 - dt/tau. Exact: the solution "
        "for a constant current, evaluated at t = dt, so the decay is exp(-dt/tau).",
        "`decay = math.exp(-dt / tau)` and `return decay * v + (1 - decay) * resistance * current`; for Euler the same "
        "with `decay = 1 - dt / tau`.",
    ),
    withheld=(
        "snnkit.dynamics.lapicque_euler",
        "snnkit.dynamics.lapicque_exact",
        "snnkit.dynamics.membrane",
        "snnkit.dynamics.euler_decay",
        "snnkit.dynamics.exact_decay",
    ),
)

# ------------------------------------------------------------------------------------------------- the spike


def _probe_lif(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """One step, a run, or the gradient of a weighted sum of a run's potentials with respect to the currents."""
    import torch

    constants = {name: data[name] for name in ("decay", "threshold", "reset")}
    currents = torch.from_numpy(data["currents"])
    if data["part"] == "step":
        spike, v = answer["lif_step"](torch.from_numpy(data["v0"]), currents[0], **constants)
        return {"spike": spike, "v": v}
    if data["part"] == "shapes":
        spike, v = answer["lif_step"](torch.from_numpy(data["v0"]), currents[0], **constants)
        kept = spike.dtype == currents.dtype and v.dtype == currents.dtype
        return {"spike": spike, "v": v, "dtype kept": bool(kept)}
    if data["part"] == "gradient":
        currents.requires_grad_(True)
        _, potentials = answer["run"](currents, **constants)
        weighting = torch.from_numpy(data["weighting"])
        return {"gradient": torch.autograd.grad((potentials * weighting).sum(), currents)[0]}
    start = {"v0": data["start"]} if data["start"] else {}  # 0 is the default
    spikes, potentials = answer["run"](currents, **constants, **start)
    return {"spikes": spikes, "v": potentials}


def _simulated(
    data: Data,
    *,
    fires: Callable[[Any, Any], Any] = np.greater_equal,
    reset: Callable[[Any, Any, float], Any] | None = None,
    decay: float | None = None,
    gain: float = 1.0,
    carried: bool = True,
    from_zero: bool = False,
    early: bool = False,
    detached: bool = False,
    record: str = "v",
) -> Arrays:
    """A run of the neuron, right or with one mistake, and its gradient; of a step, the first step of it."""
    alpha = data["decay"] if decay is None else decay
    threshold, soft = data["threshold"], data["reset"] == "soft"
    v = np.asarray(data["v0"] if data["part"] in ("step", "shapes") else data["start"], dtype=np.float64)
    start = v = v * (0.0 if from_zero else 1.0) + np.zeros(data["currents"].shape[1:])
    spikes, recorded, slopes = [], [], []
    for x in data["currents"].astype(np.float64):
        before = v if carried else start
        charge = alpha * before + gain * x
        spike = fires(before if early else charge, threshold).astype(np.float64)
        if reset is not None:
            v = reset(charge, spike, threshold)
        else:
            v = charge - spike * threshold if soft else charge * (1 - spike)
        spikes.append(spike)
        recorded.append({"v": v, "charge": charge, "before": before}[record])
        slopes.append(np.ones_like(spike) if soft else 1 - spike)
    arrays = {"spike": spikes[0], "spikes": np.array(spikes), "v": np.array(recorded)}
    if data["part"] in ("step", "shapes"):
        arrays["v"] = recorded[0]
    if data["part"] == "gradient":
        arrays["gradient"] = _back(data, slopes, alpha if carried and not detached else 0.0)
    return arrays


def _back(data: Data, slopes: list[Array], decay: float) -> Array:
    """Gradient of sum(weighting * v) with respect to each current, from the last step back to the first."""
    later: Any = 0.0
    gradients = []
    for weight, slope in zip(data["weighting"][::-1].astype(np.float64), slopes[::-1], strict=True):
        of_charge = (weight + later) * slope
        gradients.append(of_charge)
        later = decay * of_charge
    return np.array(gradients[::-1])


def _expected_lif(data: Data) -> Arrays:
    arrays = _simulated(data)
    if data["part"] == "shapes":
        return {"spike": arrays["spike"], "v": arrays["v"], "dtype kept": np.array(True)}
    keys = {"step": ("spike", "v"), "gradient": ("gradient",), "run": ("spikes", "v")}[data["part"]]
    return {key: arrays[key] for key in keys}


def _grid(rng: np.random.Generator, low: float, high: float, shape: Any, kind: Any = np.float64) -> Array:
    """Random multiples of 1/64."""
    grid: Array = (rng.integers(int(64 * low), int(64 * high) + 1, shape) / 64).astype(kind)
    return grid


def _lif_cases(rng: np.random.Generator) -> list[Case]:
    cases = []

    def add(group: str, label: str, part: str, **data: Any) -> None:
        common = {"part": part, "threshold": 1.0, "start": 0.0, "decay": 0.5, "reset": "soft"}
        cases.append(Case(group, f"{data.get('reset', 'soft')} reset, {label}", {**common, **data}))

    for group in ("soft", "hard"):
        for decay, threshold in ((0.75, 1.0), (1.0, 0.5), (0.5, 2.0)):
            # below the threshold, just above it (overshoot 1/8 at most), far above it, and above it before the step
            v0 = np.concatenate([_grid(rng, -0.5, 0.9, 8), _grid(rng, 1.0, 1.5, 2)]) * threshold
            want = np.concatenate(
                [_grid(rng, -0.5, 0.9, 4), _grid(rng, 1.05, 2.5, 4), _grid(rng, 0.2, 0.7, 2)]
            )
            x = want * threshold - decay * v0
            label = f"decay {decay:g}, threshold {threshold:g}"
            add(group, label, "step", v0=v0, currents=x[None], decay=decay, threshold=threshold, reset=group)
        for threshold in (1.0, 0.5):
            v0 = np.array([0.5, 0.0, -0.25, 1.5]) * threshold
            x = threshold - 0.5 * v0
            add(
                "threshold",
                f"charge exactly at the threshold {threshold:g}",
                "step",
                v0=v0,
                currents=x[None],
                threshold=threshold,
                reset=group,
            )
        for label, shape, kind in (
            ("a batch [2, 3, 4]", (2, 3, 4), np.float32),
            ("float64", (5,), np.float64),
            ("no elements", (0, 2), np.float32),
        ):
            v0, x = _grid(rng, -0.5, 1, shape, kind), _grid(rng, 0, 1.5, (1, *shape), kind) + kind(1 / 512)
            add("shapes", label, "shapes", v0=v0, currents=x, reset=group)
        runs: list[tuple[str, Any, float, float]] = [
            ("12 steps of 4 neurons", _grid(rng, -0.25, 1.25, (12, 4)), 0.75, 0.0),
            ("one neuron that starts at 0.75", _grid(rng, 0.25, 0.75, (10,)), 0.5, 0.75),
            ("no leak, constant current 0.6875", np.full((16, 1), 0.6875), 1.0, 0.0),
            ("one step", _grid(rng, 0.5, 1.5, (1, 3)), 0.5, 0.25),
            ("no neurons", np.zeros((4, 0)), 0.5, 0.0),
        ]
        for label, currents, decay, start in runs:
            add("run", label, "run", currents=currents, decay=decay, start=start, reset=group)
        opening = np.repeat(
            [[0.25], [0.25], [0.75]], 3, axis=1
        )  # the third fires because of the two before it
        currents = np.concatenate([opening, _grid(rng, 0.25, 1.0, (5, 3)) + 1 / 128])
        weighting = _grid(rng, 0.5, 2.0, currents.shape)
        add(
            "gradient", "8 steps", "gradient", currents=currents, decay=0.75, weighting=weighting, reset=group
        )
    return cases


def _wrong_run(**mistake: Any) -> Callable[[Data], Arrays]:
    return partial(_simulated, **mistake)


LIF = Check(
    id="ps1.lif",
    title="The spiking neuron",
    names=("lif_step", "run"),
    groups=(
        Group("soft", 1.0, "`lif_step` with the soft reset", names=("lif_step",)),
        Group("hard", 0.5, "`lif_step` with the hard reset", names=("lif_step",)),
        Group("threshold", 0.5, "`lif_step` exactly at the threshold", names=("lif_step",)),
        Group("shapes", 0.5, "`lif_step` for any shape and floating-point dtype", names=("lif_step",)),
        Group("run", 1.0, "`run`: spikes and potentials over time", names=("run",)),
        Group("gradient", 0.5, "`run`: gradient with respect to the currents", names=("run",)),
    ),
    cases=_lif_cases,
    probe=_probe_lif,
    expected=_expected_lif,
    tolerance=Tolerance(
        1e-6, 1e-6, "inputs are multiples of 1/64 and decays of 1/4: exact but for float32 in long runs"
    ),
    misconceptions=(
        NO_GRADIENT,
        Misconception(
            "heaviside_of_torch",
            "`torch.heaviside` has no derivative in PyTorch. A comparison is enough: `(charge >= threshold).to(charge.dtype)`.",
            error=r"derivative for aten::heaviside is not implemented",
        ),
        DTYPE,
        Misconception(
            "strict_threshold",
            "This is what `>` gives. A neuron exactly at its threshold fires: the comparison is `>=`.",
            arrays=_wrong_run(fires=np.greater),
        ),
        Misconception(
            "reset_not_gated",
            "The reset acts in every step. Only a neuron that fires is reset: multiply by the spike.",
            arrays=lambda data: _simulated(
                data,
                reset=lambda m, s, theta: m - theta if data["reset"] == "soft" else np.zeros_like(m),
            ),
        ),
        Misconception(
            "hard_for_soft",
            "This is the hard reset where the soft one is asked for: what exceeds the threshold must stay.",
            arrays=lambda data: _simulated({**data, "reset": "hard"}),
        ),
        Misconception(
            "soft_for_hard",
            "This is the soft reset where the hard one is asked for: the potential of a neuron that fired is 0.",
            arrays=lambda data: _simulated({**data, "reset": "soft"}),
        ),
        Misconception(
            "one_subtracted",
            "The soft reset subtracts 1 here, which is right for a threshold of 1 only. It subtracts the threshold.",
            arrays=lambda data: _simulated(
                data, reset=lambda m, s, theta: m - s if data["reset"] == "soft" else m * (1 - s)
            ),
        ),
        Misconception(
            "no_leak",
            "The old potential is not multiplied by the decay.",
            arrays=_wrong_run(decay=1.0),
        ),
        Misconception(
            "input_scaled",
            "The input is multiplied by 1 - decay. Here that factor is part of x already: charge = decay * v + x.",
            arrays=lambda data: _simulated(data, gain=1 - data["decay"]),
        ),
        Misconception(
            "spike_before_charge",
            "The spike is decided by the potential of the step before. First charge, then compare, then reset.",
            arrays=_wrong_run(early=True),
        ),
        Misconception(
            "charge_for_potential",
            "This is the charge, the potential before the reset. Asked for is the potential after it.",
            arrays=_wrong_run(record="charge"),
        ),
        Misconception(
            "potential_of_the_step_before",
            "The potentials are one step late: this is what each step began with.",
            arrays=_wrong_run(record="before"),
        ),
        Misconception(
            "state_forgotten",
            "Each step starts from `v0` again. The potential that a step leaves is what the next one begins with.",
            arrays=_wrong_run(carried=False),
        ),
        Misconception(
            "state_detached",
            "The gradient stops at each step: the potential is detached, or made anew, on its way to the next step.",
            arrays=_wrong_run(detached=True),
        ),
        Misconception(
            "start_ignored",
            "The run starts from 0, whatever `v0` is.",
            arrays=_wrong_run(from_zero=True),
        ),
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

# --------------------------------------------------------------------------------------------- the f-I curve


def _probe_rates(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """The rate by the formula, or counted in a simulation."""
    import torch

    current = torch.from_numpy(data["current"])
    constants = {name: data[name] for name in ("tau", "threshold", "resistance")}
    if data["part"] == "counted":
        return {"rate": answer["counted_rate"](current, steps=data["steps"], dt=data["dt"], **constants)}
    rate = answer["firing_rate"](current, **constants)
    if data["part"] == "shapes":
        return {"rate": rate, "dtype kept": bool(rate.dtype == current.dtype)}
    return {"rate": rate}


def _formula(data: Data, rate: Callable[[Any], Any] | None = None, below: float = 0.0) -> Arrays:
    """``rate`` of u = R I / threshold where u > 1, else ``below``; the right rate by default."""
    if data["part"] == "counted":
        raise KeyError("a formula, not a count")
    u = data["current"].astype(np.float64) * data["resistance"] / data["threshold"]
    above = u > 1
    safe = np.where(above, u, 2.0)
    values = rate(safe) if rate else 1 / (data["tau"] * np.log(safe / (safe - 1)))
    return {"rate": np.where(above, values, below)}


def _counted(
    data: Data,
    *,
    decay: Callable[[float], float] | None = None,
    soft: bool = False,
    unit: float | None = None,
    fires: Callable[[Any, Any], Any] = np.greater_equal,
) -> Arrays:
    """Spikes of a simulation, divided by its duration (or by ``unit``)."""
    if data["part"] != "counted":
        raise KeyError("a count, not a formula")
    ratio = data["dt"] / data["tau"]
    alpha = decay(ratio) if decay else math.exp(-ratio)
    theta = data["threshold"]
    v, count = np.zeros(data["current"].shape), np.zeros(data["current"].shape)
    for _ in range(data["steps"]):
        charge = alpha * v + (1 - alpha) * data["resistance"] * data["current"]
        spike = fires(charge, theta)
        count += spike
        v = charge - spike * theta if soft else charge * ~spike
    return {"rate": count / (data["steps"] * data["dt"] if unit is None else unit)}


def _expected_rates(data: Data) -> Arrays:
    if data["part"] == "counted":
        return _counted(data)
    arrays = _formula(data)
    return {**arrays, "dtype kept": np.array(True)} if data["part"] == "shapes" else arrays


def _rates_cases(rng: np.random.Generator) -> list[Case]:
    cases = []

    def add(group: str, label: str, u: Any, kind: Any = np.float64, **more: Any) -> None:
        constants = {
            "tau": float(np.round(rng.uniform(8, 30), 1)),
            "threshold": float(rng.integers(10, 21)),
            "resistance": float(2 ** rng.integers(2, 4)),
        }
        current = (np.asarray(u) * constants["threshold"] / constants["resistance"]).astype(kind)
        part = group if group in ("counted", "shapes") else "formula"
        cases.append(Case(group, label, {"part": part, "current": current, **constants, **more}))

    add("above", "currents up to 5 rheobases", rng.uniform(1.05, 5, 8))
    add("above", "close to the rheobase and far above it", np.array([1.001, 1.02, 50.0]))
    add("below", "below the rheobase", rng.uniform(0.1, 0.95, 5))
    add("below", "exactly at the rheobase", np.array([1.0, 1.0]))
    add("below", "no current, and negative ones", np.array([0.0, -0.5, -1.0, -3.0]))
    add("shapes", "a batch [2, 3], float32", _around_the_rheobase(rng), np.float32)
    add("shapes", "no elements", np.zeros((0, 3)))
    for ratio, label in ((0.1, "steps of 0.1 tau"), (0.4, "steps of 0.4 tau")):
        while True:
            u, steps = _clear_of_steps(rng, ratio), int(rng.integers(150, 250))
            add("counted", label, u, steps=steps)
            data = cases[-1].data
            data["dt"] = ratio * data["tau"]
            right = _counted(data)["rate"]
            wrong = _counted(data, decay=lambda r: 1 - r)["rate"], _counted(data, soft=True)["rate"]
            if not any(np.allclose(right, other) for other in wrong):
                break
            cases.pop()  # Euler's step or the soft reset would give the same counts
    add(
        "counted",
        "a step so long that the charge is R I itself, here the threshold",
        [1.0, 0.6, 2.0],
        steps=5,
    )
    cases[-1].data["dt"] = 40 * cases[-1].data["tau"]
    return cases


def _around_the_rheobase(rng: np.random.Generator) -> Array:
    """Currents [2, 3] in rheobases: two too weak ones and four that fire."""
    return rng.permutation(np.concatenate([rng.uniform(0.5, 0.9, 2), rng.uniform(1.1, 3, 4)])).reshape(2, 3)


def _clear_of_steps(rng: np.random.Generator, ratio: float) -> Array:
    """Currents, in rheobases, whose charge stays away from the threshold at the end of every step."""
    currents = [0.6]
    while len(currents) < 7:
        u = rng.uniform(1.1, 4.0)
        steps = math.log(u / (u - 1)) / ratio
        if 0.05 < steps % 1 < 0.95:
            currents.append(float(u))
    return np.array(currents)


FI_CURVE = Check(
    id="ps1.fi_curve",
    title="The firing rate, derived and counted",
    names=("firing_rate", "counted_rate"),
    groups=(
        Group("above", 1.0, "`firing_rate` above the rheobase", names=("firing_rate",)),
        Group("below", 0.5, "`firing_rate` at and below the rheobase", names=("firing_rate",)),
        Group("shapes", 0.5, "`firing_rate` for any shape and floating-point dtype", names=("firing_rate",)),
        Group("counted", 1.0, "`counted_rate`: the same by simulation", names=("counted_rate",)),
    ),
    cases=_rates_cases,
    probe=_probe_rates,
    expected=_expected_rates,
    tolerance=Tolerance(1e-4, 1e-7, "float32 near the rheobase, where R I - threshold loses digits"),
    misconceptions=(
        DTYPE,
        Misconception(
            "not_a_number_below",
            "At and below the rheobase the formula divides by 0 or takes the logarithm of a negative number. There the "
            "neuron is silent: its rate is 0.",
            when=lambda arrays, data: not bool(np.isfinite(arrays["rate"]).all()),
        ),
        Misconception(
            "period_for_rate",
            "This is the time from spike to spike. The rate is 1 over it.",
            arrays=lambda data: _formula(data, lambda u: data["tau"] * np.log(u / (u - 1))),
        ),
        Misconception(
            "quotient_upside_down",
            "The rates are negative: the quotient in the logarithm is upside down. It is R I / (R I - threshold), which "
            "is larger than 1.",
            arrays=lambda data: _formula(data, lambda u: -1 / (data["tau"] * np.log(u / (u - 1)))),
        ),
        Misconception(
            "tau_missing",
            "The time constant is missing: the period is tau times the logarithm.",
            arrays=lambda data: _formula(data, lambda u: 1 / np.log(u / (u - 1))),
        ),
        Misconception(
            "leak_ignored",
            "This is the rate without a leak, R I / (tau threshold). The leak makes it smaller, and 0 up to the rheobase.",
            arrays=lambda data: _formula(data, lambda u: u / data["tau"]),
        ),
        Misconception(
            "straight_line",
            "This is the straight line that the curve approaches for strong currents, not the curve.",
            arrays=lambda data: _formula(data, lambda u: (u - 0.5) / data["tau"]),
        ),
        Misconception(
            "strict_threshold",
            "A neuron whose potential is exactly the threshold at the end of a step fires: `>=`.",
            arrays=lambda data: _counted(data, fires=np.greater),
        ),
        Misconception(
            "count_for_rate",
            "This is a number of spikes. Divide by the duration, steps times dt.",
            arrays=lambda data: _counted(data, unit=1.0),
        ),
        Misconception(
            "rate_per_step",
            "These are spikes per step. A step lasts dt: divide by steps times dt.",
            arrays=lambda data: _counted(data, unit=float(data["steps"])),
        ),
        Misconception(
            "soft_reset",
            "This is counted with the soft reset. The formula starts each interval at 0, and so must the simulation: "
            "hard reset.",
            arrays=lambda data: _counted(data, soft=True),
        ),
        Misconception(
            "euler_step",
            "This is counted with Euler's step. Take the exact one, which makes no error but the waiting for the end of "
            "a step.",
            arrays=lambda data: _counted(data, decay=lambda r: 1 - r),
        ),
    ),
    hints=(
        "How long does the potential take from 0 to the threshold, and what if it never gets there? For the count: which "
        "of your functions moves the membrane by one step, and what happens to a neuron that fires?",
        "The period is tau ln(R I / (R I - threshold)) for R I > threshold. `torch.where` evaluates both of its branches; "
        "that does no harm to values, as long as the branch for silence gives 0.",
        "`target = resistance * current`, `period = tau * torch.log(target / (target - threshold))`, "
        "`torch.where(target > threshold, 1 / period, torch.zeros_like(period))`. Count: `v = exact_step(v, current, dt, "
        "tau, resistance)`, `spike = v >= threshold`, `v = v * ~spike` in a loop, and the sum over `(steps * dt)`.",
    ),
    withheld=(
        "snnkit.dynamics.firing_rate",
        "snnkit.dynamics.firing_rate_discrete",
        "snnkit.dynamics.first_spike_time",
        "snnkit.dynamics.first_spike_step",
    ),
)

# --------------------------------------------------------------------------------------------- the rate code


def _probe_rate_code(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """Spikes of certain values, spikes of many chances, or whether a generator's seed decides the spikes."""
    import torch

    encode, values = answer["rate_encode"], torch.from_numpy(data["values"])

    def train(seed: int) -> Any:
        return encode(values, data["steps"], torch.Generator().manual_seed(seed))

    if data["part"] == "certain":
        spikes = train(data["seed"])
        return {"spikes": spikes, "dtype kept": bool(spikes.dtype == values.dtype)}
    if data["part"] == "chances":
        return {"spikes": train(data["seed"])}
    first, again = train(data["seed"]), train(data["seed"])
    generator = torch.Generator().manual_seed(data["seed"])
    encode(values, data["steps"], generator)
    later = encode(values, data["steps"], generator)
    return {
        "same seed, same spikes": torch.equal(first, again),
        "next call, other spikes": not torch.equal(first, later),
        "other seed, other spikes": not torch.equal(first, train(data["seed"] + 1)),
    }


def _rate_code_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for label, values in (
        ("values 0 and 1", rng.integers(0, 2, (3, 4)).astype(np.float32)),
        ("float64", rng.integers(0, 2, 5).astype(np.float64)),
        ("a single value", np.array(1.0, dtype=np.float32)),
        ("no values", np.zeros((0, 2), dtype=np.float32)),
    ):
        data = {"part": "certain", "values": values, "steps": 7, "seed": int(rng.integers(1000))}
        cases.append(Case("certain", label, data))
    p = np.repeat(np.array([[0.15, 0.3, 0.45, 0.6, 0.75, 0.9]]), 5, axis=0)
    data = {"part": "chances", "values": p, "steps": 1200, "seed": int(rng.integers(1000))}
    cases.append(Case("chances", "30 values, 1200 steps", data))
    data = {"part": "repeat", "values": p, "steps": 20, "seed": int(rng.integers(1000))}
    cases.append(Case("repeat", "a generator with a seed", data))
    return cases


def _expected_rate_code(data: Data) -> Arrays:
    if data["part"] == "certain":
        spikes = np.broadcast_to(data["values"], (data["steps"], *data["values"].shape)).astype(np.float64)
        return {"spikes": spikes, "dtype kept": np.array(True)}
    return dict.fromkeys(
        ("same seed, same spikes", "next call, other spikes", "other seed, other spikes"), np.array(True)
    )


def _binary(arrays: Arrays, data: Data) -> bool:
    spikes = arrays.get("spikes", np.zeros(0))
    return spikes.shape == (data["steps"], *data["values"].shape) and bool(np.isin(spikes, (0, 1)).all())


def _judge_chances(arrays: Arrays, data: Data) -> str | None:
    """Rates, independence in time and between neurons; a right answer fails once in ten million draws."""
    spikes, p, steps = arrays["spikes"].astype(np.float64), data["values"], data["steps"]
    if spikes.shape != (steps, *p.shape):
        return f"spikes has shape {list(spikes.shape)}; expected {[steps, *p.shape]}"
    if not _binary(arrays, data):
        return "spikes holds other numbers than 0 and 1"
    far = (spikes.mean(0) - p) / np.sqrt(p * (1 - p) / steps)
    if np.abs(far).max() > 6 or abs(far.sum()) / math.sqrt(p.size) > 6:
        place = tuple(int(i) for i in np.unravel_index(np.abs(far).argmax(), p.shape))
        return f"the value {p[place]:g} fires in {spikes.mean(0)[place]:.1%} of {steps} steps"
    if np.square(far).sum() < 5:
        return "the rates hit the values more closely than independent chances do"
    centred = (spikes - p) / np.sqrt(p * (1 - p))
    together = {
        "one step and the next": (centred[1:] * centred[:-1]).mean() * math.sqrt((steps - 1) * p.size),
        "two neurons": (centred[:, 1:] * centred[:, :-1]).mean() * math.sqrt(steps * p[1:].size),
        "two values": (centred[..., 1:] * centred[..., :-1]).mean() * math.sqrt(steps * p[:, 1:].size),
    }
    for what, size in together.items():
        if abs(size) > 6:
            return f"the spikes of {what} are not independent"
    return None


RATE_CODE = Check(
    id="ps1.rate_code",
    title="The rate code",
    names=("rate_encode",),
    groups=(
        Group("certain", 0.5, "values 0 and 1, any shape and floating-point dtype"),
        Group("chances", 1.0, "each value is the chance of a spike in each step", judge=_judge_chances),
        Group("repeat", 0.5, "the generator decides"),
    ),
    cases=_rate_code_cases,
    probe=_probe_rate_code,
    expected=_expected_rate_code,
    tolerance=Tolerance(0.0, 1e-9, "spikes are 0 or 1; rates may be 6 standard deviations off"),
    misconceptions=(
        DTYPE,
        Misconception(
            "one_draw_reused",
            "Each neuron fires in all steps or in none: one random number was drawn and used for all of them. Draw anew "
            "for each step.",
            when=lambda arrays, data: (
                data["part"] == "chances"
                and _binary(arrays, data)
                and bool(np.isin(arrays["spikes"].mean(0), (0, 1)).all())
                and bool((arrays["spikes"][0] != arrays["spikes"][0, :1]).any())
            ),
        ),
        Misconception(
            "no_chance",
            "Every value fires always or never: this compares with a fixed number. A value is a chance: compare it with "
            "random numbers between 0 and 1.",
            when=lambda arrays, data: (
                data["part"] == "chances"
                and _binary(arrays, data)
                and bool(np.isin(arrays["spikes"].mean(0), (0, 1)).all())
            ),
        ),
        Misconception(
            "complement",
            "A value of 0 always fires and a value of 1 never does: the comparison is the wrong way round. A random number "
            "is below p with chance p.",
            when=lambda arrays, data: (
                data["part"] in ("certain", "chances")
                and _binary(arrays, data)
                and arrays["spikes"].size > 0
                and bool(
                    (np.abs(arrays["spikes"].mean(0) - 1 + data["values"]) < 0.1).all()
                    if data["part"] == "chances"
                    else (arrays["spikes"].mean(0) == 1 - data["values"]).all()
                )
            ),
        ),
        Misconception(
            "shared_draw",
            "Neurons with the same value fire in the same steps: they share one random number. Draw one for each step and "
            "each neuron.",
            when=lambda arrays, data: (
                data["part"] == "chances"
                and _binary(arrays, data)
                and bool((arrays["spikes"][:, 1:] == arrays["spikes"][:, :-1]).all())
            ),
        ),
        Misconception(
            "time_last",
            "Time is the last axis here. In this course it is the first: [T, ...].",
            when=lambda arrays, data: (
                "spikes" in arrays
                and data["values"].ndim > 0
                and arrays["spikes"].shape == (*data["values"].shape, data["steps"])
            ),
        ),
        Misconception(
            "global_generator",
            "The same seed gives other spikes: the random numbers do not come from the generator that was handed over. "
            "`torch.rand` takes `generator=generator`.",
            when=lambda arrays, data: (
                "same seed, same spikes" in arrays and not bool(arrays["same seed, same spikes"])
            ),
        ),
        Misconception(
            "seeded_inside",
            "The spikes are always the same: the generator is seeded anew in each call, or not used at all. Use it as it "
            "comes.",
            when=lambda arrays, data: (
                "same seed, same spikes" in arrays
                and bool(arrays["same seed, same spikes"])
                and not bool(arrays["next call, other spikes"])
            ),
        ),
    ),
    hints=(
        "How do you make something happen with chance p, given a random number that is uniform between 0 and 1? How many "
        "such numbers do you need?",
        "One number for each step and each value, compared with the value: a uniform number is below p with chance p. The "
        "shape is (steps, *values.shape).",
        "`draws = torch.rand((steps, *values.shape), generator=generator, dtype=values.dtype)`, then "
        "`return (draws < values).to(values.dtype)`.",
    ),
    withheld=("snnkit.encoding.rate_encode",),
)

# ------------------------------------------------------------------------------------------ the latency code


def _probe_latency(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """Spike times with infinity told apart, or the gradient of the times."""
    import torch

    current = torch.from_numpy(data["current"])
    constants = {name: data[name] for name in ("tau", "threshold", "resistance")}
    if data["part"] == "gradient":
        current.requires_grad_(True)
        times = answer["latency_encode"](current, **constants)
        finite = torch.isfinite(times)
        weighted = torch.where(finite, times, torch.zeros_like(times)) * torch.from_numpy(data["upstream"])
        return {"gradient": torch.autograd.grad(weighted.sum(), current)[0]}
    times = torch.as_tensor(answer["latency_encode"](current, **constants)).detach()
    never = torch.isposinf(times)
    found = {"never fires": never, "time": torch.where(never, torch.zeros_like(times), times)}
    return {**found, "dtype kept": bool(times.dtype == current.dtype)} if data["part"] == "shapes" else found


def _latencies(data: Data, time: Callable[[Any], Any] | None = None, below: float = math.inf) -> Arrays:
    """``time`` of u = R I / threshold where u > 1, else ``below``; the right time by default."""
    u = data["current"].astype(np.float64) * data["resistance"] / data["threshold"]
    above = u > 1
    safe = np.where(above, u, 2.0)
    values = np.where(above, time(safe) if time else data["tau"] * np.log(safe / (safe - 1)), below)
    never = np.isposinf(values)
    return {"never fires": never, "time": np.where(never, 0.0, values)}


def _expected_latency(data: Data) -> Arrays:
    if data["part"] == "gradient":
        current = data["current"].astype(np.float64)
        target = data["resistance"] * current
        above = target > data["threshold"]
        gap = np.where(above, target - data["threshold"], 1.0)
        slope = -data["tau"] * data["threshold"] / (np.where(above, current, 1.0) * gap)
        return {"gradient": np.where(above, slope, 0.0) * data["upstream"]}
    arrays = _latencies(data)
    return {**arrays, "dtype kept": np.array(True)} if data["part"] == "shapes" else arrays


def _latency_cases(rng: np.random.Generator) -> list[Case]:
    cases = []

    def add(group: str, label: str, u: Any, kind: Any = np.float64) -> None:
        constants = {
            "tau": float(np.round(rng.uniform(5, 30), 1)),
            "threshold": float(rng.integers(2, 7) / 4),
            "resistance": float(2.0 ** rng.integers(-1, 3)),
        }
        current = (np.asarray(u) * constants["threshold"] / constants["resistance"]).astype(kind)
        part = group if group in ("gradient", "shapes") else "times"
        upstream = rng.uniform(0.5, 2, current.shape).astype(kind)
        cases.append(
            Case(group, label, {"part": part, "current": current, "upstream": upstream, **constants})
        )

    add("times", "currents that fire", rng.uniform(1.05, 5, 8))
    add("times", "close to the rheobase and far above it", np.array([1.001, 1.05, 200.0]))
    add("never", "too weak", rng.uniform(0.05, 0.95, 5))
    add("never", "exactly at the rheobase", np.array([1.0, 1.0]))
    add("never", "no current, and negative ones", np.array([0.0, -0.5, -1.0, -3.0]))
    add("shapes", "a batch [2, 3], float32", _around_the_rheobase(rng), np.float32)
    add("shapes", "no elements", np.zeros((0, 3)))
    add("gradient", "currents that fire", rng.uniform(1.1, 4, 6))
    add("gradient", "some never fire", np.concatenate([rng.uniform(1.1, 4, 3), [1.0, 0.5, 0.0, -1.0]]))
    return cases


LATENCY_CODE = Check(
    id="ps1.latency_code",
    title="The latency code",
    names=("latency_encode",),
    groups=(
        Group("times", 0.75, "times of those that fire"),
        Group("never", 0.75, "those that never fire"),
        Group("shapes", 0.25, "any shape and floating-point dtype"),
        Group("gradient", 0.75, "gradient with respect to the current, finite everywhere"),
    ),
    cases=_latency_cases,
    probe=_probe_latency,
    expected=_expected_latency,
    tolerance=Tolerance(1e-4, 1e-6, "float32 near the rheobase, where R I - threshold loses digits"),
    misconceptions=(
        NO_GRADIENT,
        DTYPE,
        Misconception(
            "silent_is_zero",
            "A neuron that never fires gets the time 0, as if it were the very first. Its time is infinite.",
            arrays=lambda data: _latencies(data, below=0.0),
        ),
        Misconception(
            "silent_is_a_number",
            "A neuron that never fires gets a finite time here. Nothing that is finite is late enough: `math.inf`.",
            when=lambda arrays, data: (
                "never fires" in arrays
                and not bool(arrays["never fires"].any())
                and bool(np.isfinite(arrays["time"]).all())
                and arrays["time"].size > 0
                and bool((arrays["time"] >= 0).all())
                and bool((data["current"] * data["resistance"] <= data["threshold"]).all())
            ),
        ),
        Misconception(
            "not_a_number_below",
            "Below the rheobase the logarithm is taken of a negative number. There the neuron never fires: infinity.",
            when=lambda arrays, data: "time" in arrays and not bool(np.isfinite(arrays["time"]).all()),
        ),
        Misconception(
            "gradient_not_a_number",
            "Where a neuron never fires the gradient is not a number: the logarithm was differentiated there although "
            "`torch.where` took the other branch, and 0 times infinity is not 0. Put a harmless number into the logarithm "
            "first, with a `torch.where` of its own.",
            when=lambda arrays, data: (
                "gradient" in arrays and not bool(np.isfinite(arrays["gradient"]).all())
            ),
        ),
        Misconception(
            "quotient_upside_down",
            "The times are negative: the quotient in the logarithm is upside down.",
            arrays=lambda data: _latencies(data, lambda u: -data["tau"] * np.log(u / (u - 1))),
        ),
        Misconception(
            "tau_missing",
            "The time constant is missing.",
            arrays=lambda data: _latencies(data, lambda u: np.log(u / (u - 1))),
        ),
        Misconception(
            "rate_for_time",
            "This is a rate, 1 over the time. Asked for is the time.",
            arrays=lambda data: _latencies(data, lambda u: 1 / (data["tau"] * np.log(u / (u - 1)))),
        ),
        Misconception(
            "linear_code",
            "This falls as 1 over the current. The membrane leaks while it charges, hence the logarithm.",
            arrays=lambda data: _latencies(data, lambda u: data["tau"] / u),
        ),
    ),
    hints=(
        "Solve the charging curve for the time at which it reaches the threshold. For which currents is there no such "
        "time? And what does `torch.where` do, on the way back, with the branch that it did not take?",
        "tau ln(R I / (R I - threshold)) for R I > threshold, else infinity. `torch.where` evaluates and differentiates "
        "both branches; so the logarithm must be fed with harmless numbers where its result is not used.",
        "`fires = target > threshold`, `safe = torch.where(fires, target, 2 * threshold)`, "
        "`time = tau * torch.log(safe / (safe - threshold))`, `return torch.where(fires, time, math.inf)`, with "
        "`target = resistance * current`.",
    ),
    withheld=("snnkit.encoding.latency_encode", "snnkit.dynamics.first_spike_time"),
)

# ----------------------------------------------------------------------------------------------- decoding


def _probe_decoding(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    import torch

    return {"class": answer[f"{data['code']}_decode"](torch.from_numpy(data["spikes"]))}


def _decoded(
    data: Data, code: str, *, silent: int = -1, never: str = "last", tie: str = "first", when: str = "first"
) -> Arrays:
    """Class by count or by first spike, [N]; or with a mistake."""
    spikes = data["spikes"].astype(np.float64)
    steps, _, classes = spikes.shape
    if code == "rate":
        score = spikes.sum(0)
    else:
        clock = np.arange(steps)[:, None, None]
        first = np.where(spikes > 0, clock, steps).min(0)
        last = np.where(spikes > 0, clock, -1).max(0)
        time = first if when == "first" else np.where(last < 0, steps, last)
        time = np.where(first == steps, -1 if never == "first" else steps, time)
        score = -time.astype(np.float64)
    found = score.argmax(-1) if tie == "first" else classes - 1 - score[..., ::-1].argmax(-1)
    quiet = spikes.sum((0, 2)) == 0
    return {"class": np.where(quiet, silent if never == "last" else 0, found)}


def _decoding_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for code in ("rate", "latency"):
        for index in range(2):
            cases.append(
                Case(
                    code,
                    f"`{code}_decode`, spikes [20, 12, 5]",
                    {"code": code, "spikes": _trains(rng, 20, 12, 5, np.float32 if index else np.float64)},
                )
            )
        ties = np.zeros((6, 4, 3), dtype=np.float32)
        ties[[1, 1], 0, [1, 2]] = 1.0
        ties[[2, 4, 2, 5], 1, [0, 0, 2, 2]] = 1.0
        ties[3, 2, :] = 1.0
        ties[0, 3, :] = 1.0
        cases.append(Case("ties", f"`{code}_decode`, neurons that tie", {"code": code, "spikes": ties}))
        quiet = _trains(rng, 15, 6, 5, np.float32)
        quiet[:, [1, 4]] = 0.0
        cases.append(
            Case("silence", f"`{code}_decode`, some rows without a spike", {"code": code, "spikes": quiet})
        )
        nothing = np.zeros((5, 3, 4), dtype=np.float32)
        cases.append(Case("silence", f"`{code}_decode`, no spike at all", {"code": code, "spikes": nothing}))
        cases.append(Case("silence", f"`{code}_decode`, no rows", {"code": code, "spikes": nothing[:, :0]}))
    return cases


def _trains(rng: np.random.Generator, steps: int, rows: int, classes: int, kind: Any) -> Array:
    """Spikes without ties, in which one neuron of each row is silent and the first, the last and the busiest differ."""
    spikes = np.zeros((steps, rows, classes))
    for row in range(rows):
        first, last, busy, silent = rng.permutation(classes)[:4]
        start = int(rng.integers(0, 3))
        spikes[start, row, first] = 1
        spikes[start + 2 : start + 9, row, busy] = 1
        spikes[[start + 4, steps - 1], row, last] = 1
        spikes[start + 6, row, first] = 1
        spikes[[start + 3, start + 5, start + 8], row, first] = 1
        rest = [one for one in range(classes) if one not in (first, last, busy, silent)]
        spikes[start + 1, row, rest] = 1
    return spikes.astype(kind)


DECODING = Check(
    id="ps1.decoding",
    title="Reading the answer",
    names=("rate_decode", "latency_decode"),
    groups=(
        Group("rate", 0.5, "`rate_decode`: who fired most often", names=("rate_decode",)),
        Group("latency", 1.0, "`latency_decode`: who fired first", names=("latency_decode",)),
        Group("ties", 0.5, "the lowest class among those that tie"),
        Group("silence", 0.5, "-1 where no neuron fired"),
    ),
    cases=_decoding_cases,
    probe=_probe_decoding,
    expected=lambda data: _decoded(data, data["code"]),
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "silent_wins",
            "A neuron that never fires is taken for the first to fire: `argmax` of a train without a spike is 0. Whoever "
            "never fires comes after all others.",
            arrays=lambda data: _decoded(data, data["code"], never="first"),
        ),
        Misconception(
            "silence_is_class_0",
            "A row without a spike is read as class 0: `argmax` of equal numbers is 0. No answer is no answer: -1.",
            arrays=lambda data: _decoded(data, data["code"], silent=0),
        ),
        Misconception(
            "last_for_first",
            "This is the neuron whose spike comes last. Asked for is the one that fires first.",
            arrays=lambda data: _decoded(data, data["code"], when="last"),
        ),
        Misconception(
            "latest_for_first",
            "This is the neuron whose first spike comes latest. Asked for is the earliest.",
            arrays=lambda data: _latest(data),
        ),
        Misconception(
            "count_for_latency",
            "`latency_decode` gives the neuron that fired most often. Time, not number, decides.",
            arrays=lambda data: _decoded(data, "rate"),
        ),
        Misconception(
            "highest_of_ties",
            "Among neurons that tie this takes the highest class. Asked for is the lowest.",
            arrays=lambda data: _decoded(data, data["code"], tie="last"),
        ),
        Misconception(
            "per_step",
            "This has an entry for each step. The whole train gives one class: sum or search over time, the first axis.",
            when=lambda arrays, data: arrays["class"].shape == data["spikes"].shape[:2],
        ),
        Misconception(
            "scores_for_class",
            "This is a number for each class. Asked for is the class itself: take its index, along the last axis.",
            when=lambda arrays, data: arrays["class"].shape == data["spikes"].shape[1:],
        ),
    ),
    hints=(
        "Which number does each neuron get, its count or its first time, and which class wins? What number does a neuron "
        "get that never fires?",
        "Counts: `spikes.sum(0)`. First times: the index of the first 1 along time, and infinity (or the number of steps) "
        "for a neuron without a spike. Where a whole row is silent the answer is -1.",
        "`fired = (spikes > 0).any(0)`; `first = torch.where(fired, (spikes > 0).to(torch.uint8).argmax(0), len(spikes))`; "
        "`torch.where(fired.any(-1), first.argmin(-1), -1)`. `argmin` and `argmax` take the lowest index of equal numbers.",
    ),
    withheld=(
        "snnkit.encoding.rate_decode",
        "snnkit.encoding.latency_decode",
        "snnkit.encoding.spikes_to_times",
        "snnkit.losses.latency_steps",
    ),
)


def _latest(data: Data) -> Arrays:
    """The class whose first spike comes latest."""
    if data["code"] != "latency":
        raise KeyError("a latency")
    spikes = data["spikes"] > 0
    clock = np.arange(len(spikes))[:, None, None]
    first = np.where(spikes, clock, len(spikes)).min(0)
    first = np.where(first == len(spikes), -1, first)
    return {"class": np.where(spikes.any((0, 2)), first.argmax(-1), -1)}


# --------------------------------------------------------------------------------------------- the delta code


def _probe_delta(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    import torch

    if data["part"] == "decode":
        on, off = torch.from_numpy(data["on"]), torch.from_numpy(data["off"])
        return {"level": answer["delta_decode"](on, off, data["threshold"], torch.from_numpy(data["start"]))}
    on, off = answer["delta_encode"](torch.from_numpy(data["signal"]), data["threshold"])
    return {"on": on, "off": off}


def _delta(
    data: Data,
    *,
    level: str = "moves",
    rises: Callable[[Any, Any], Any] = np.greater_equal,
    many: bool = False,
    swapped: bool = False,
    from_zero: bool = False,
) -> Arrays:
    """The code of a signal: the level that was told moves by one threshold with a spike; or a mistake."""
    if data["part"] == "decode":
        raise KeyError("a code, not a signal")
    signal, theta = data["signal"].astype(np.float64), data["threshold"]
    told = np.zeros(signal.shape[1:]) if from_zero else signal[0]
    on, off = [], []
    for sample in signal:
        gap = sample - told
        up, down = rises(gap, theta).astype(np.float64), rises(-gap, theta).astype(np.float64)
        if many:
            up, down = np.floor(np.maximum(gap, 0) / theta), np.floor(np.maximum(-gap, 0) / theta)
        on.append(up)
        off.append(down)
        if level == "moves":
            told = told + theta * (up - down)
        elif level == "previous":
            told = sample
        elif level == "sample":
            told = np.where(up + down > 0, sample, told)
    arrays = {"on": np.array(on), "off": np.array(off)}
    return {"on": arrays["off"], "off": arrays["on"]} if swapped else arrays


def _levels(
    data: Data, *, start: float = 1.0, theta: float | None = None, sign: float = -1.0, late: bool = False
) -> Arrays:
    if data["part"] != "decode":
        raise KeyError("a signal, not a code")
    steps = data["on"] + sign * data["off"]
    moves = np.cumsum(steps, 0) - (steps if late else 0)
    return {"level": start * data["start"] + (data["threshold"] if theta is None else theta) * moves}


def _delta_cases(rng: np.random.Generator) -> list[Case]:
    cases: list[Case] = []

    def add(group: str, label: str, signal: Array, threshold: float, kind: Any = np.float64) -> None:
        data = {"part": "encode", "signal": signal.astype(kind), "threshold": threshold}
        cases.append(Case(group, f"{label}, threshold {threshold:g}", data))

    for threshold, kind in ((0.25, np.float64), (0.5, np.float32)):
        moves = _grid(rng, -threshold, threshold, (40, 3))
        drift = np.concatenate([np.full((20, 1), threshold / 8), np.full((20, 1), -threshold / 4)])
        signal = _grid(rng, -1, 1, (1, 4)) + np.concatenate([moves, drift], 1).cumsum(0)
        add("gentle", "gentle signals [40, 4]", signal, threshold, kind)
    jump = np.full((16, 2), 0.125)
    jump[:6, 0] += 0.1875 * np.arange(6)  # a drift, which adds up to one threshold
    jump[6:, 0], jump[6:, 1] = 3.1875, -1.3125
    add("jump", "a jump of several thresholds", jump, 0.5)
    moves = np.concatenate([_grid(rng, -2, 2, (1, 3)) + 1 / 128, _grid(rng, -2, 2, (19, 3))])
    add("jump", "large moves in every step", moves, 0.25)
    add("edges", "moves of exactly one threshold", np.array([1.0, 1.5, 1.5, 1.0, 0.5, 1.0]), 0.5)
    add("edges", "a constant that is not 0", np.full((6, 2), 3.0), 0.5)
    add("edges", "one step", np.array([[2.0, -1.0]]), 0.5)
    add("edges", "no pixels", np.zeros((5, 0)), 0.5)
    for label, shape in (("codes [15, 3]", (15, 3)), ("one code [9]", (9,))):
        kinds = rng.integers(-1, 2, shape)
        data = {
            "part": "decode",
            "on": (kinds > 0).astype(np.float64),
            "off": (kinds < 0).astype(np.float64),
            "threshold": 0.25 if len(shape) == 2 else 0.5,
            "start": _grid(rng, 1, 2, shape[1:]),
        }
        data["start"] = np.asarray(data["start"])
        cases.append(Case("decode", label, data))
    return cases


DELTA_CODE = Check(
    id="ps1.delta_code",
    title="The delta code",
    names=("delta_encode", "delta_decode"),
    groups=(
        Group("gentle", 1.0, "`delta_encode` follows a gentle signal", names=("delta_encode",)),
        Group("jump", 0.5, "`delta_encode` after a jump: one spike in each step", names=("delta_encode",)),
        Group(
            "edges",
            0.5,
            "`delta_encode` exactly at the threshold, at rest, one step",
            names=("delta_encode",),
        ),
        Group("decode", 0.5, "`delta_decode`: the level from the spikes", names=("delta_decode",)),
    ),
    cases=_delta_cases,
    probe=_probe_delta,
    expected=lambda data: _levels(data) if data["part"] == "decode" else _delta(data),
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "against_first",
            "This compares with the first sample all the time. Compare with the level that has been told so far: it moves "
            "by one threshold with each spike.",
            arrays=partial(_delta, level="first"),
        ),
        Misconception(
            "against_previous",
            "This compares each sample with the one before, and slow changes never add up to a spike. Compare with the "
            "level that has been told so far.",
            arrays=partial(_delta, level="previous"),
        ),
        Misconception(
            "level_set_to_sample",
            "After a spike the level is set to the sample. The receiver cannot know the sample; it knows that the level "
            "moved by one threshold.",
            arrays=partial(_delta, level="sample"),
        ),
        Misconception(
            "strict_threshold",
            "A signal exactly one threshold away from the level sends a spike: `>=` and `<=`.",
            arrays=partial(_delta, rises=np.greater),
        ),
        Misconception(
            "on_and_off_swapped",
            "ON and OFF are swapped: ON says that the signal has risen.",
            arrays=partial(_delta, swapped=True),
        ),
        Misconception(
            "many_in_a_step",
            "After a jump this sends several spikes in one step. A neuron sends at most one, and is late for a while.",
            arrays=partial(_delta, many=True),
        ),
        Misconception(
            "level_starts_at_zero",
            "The level starts at 0. It starts at the first sample, which the receiver is given.",
            arrays=partial(_delta, from_zero=True),
        ),
        Misconception(
            "start_forgotten",
            "The level starts at `start`, which is missing here.",
            arrays=partial(_levels, start=0.0),
        ),
        Misconception(
            "threshold_forgotten",
            "Each spike moves the level by 1 here. It moves it by one threshold.",
            arrays=partial(_levels, theta=1.0),
        ),
        Misconception(
            "off_raises",
            "An OFF spike raises the level here. It lowers it.",
            arrays=partial(_levels, sign=1.0),
        ),
        Misconception(
            "one_step_late",
            "The level is one step late: a spike moves it in its own step.",
            arrays=partial(_levels, late=True),
        ),
    ),
    hints=(
        "Which level does the receiver believe in before the step, and what does a spike change about it?",
        "Start with `level = signal[0]`. In each step: rose = signal - level >= threshold, fell = level - signal >= "
        "threshold, then the level moves by threshold * (rose - fell).",
        "`rose = (sample - level >= threshold).to(signal.dtype)`, `fell` alike, `level = level + threshold * (rose - fell)`, "
        "append both and stack them. Decode: `start + threshold * (on - off).cumsum(0)`.",
    ),
    withheld=("snnkit.encoding.delta_encode", "snnkit.encoding.delta_decode"),
)

# -------------------------------------------------------------------------------------------- event records


def _probe_records(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """The decoded columns that the case is about, or whether bytes that were cut short are refused."""
    raw = data["bytes"].tobytes()
    if data["part"] == "refuse":
        try:
            answer["decode_events"](raw)
        except ValueError:
            return {"refused": True}
        return {"refused": False}
    x, y, p, t = answer["decode_events"](raw)
    columns = {"x": x, "y": y, "p": p, "t": t}
    return {key: columns[key] for key in data["part"].split()}


def _record(x: Array, y: Array, p: Array, t: Array) -> Array:
    """Records of five bytes, as one array of bytes."""
    rows = [x, y, (p << 7) | (t >> 16), (t >> 8) & 255, t & 255]
    return np.stack(rows, 1).astype(np.uint8).reshape(-1)


def _columns(data: Data, **other: Callable[[Any], Any]) -> Arrays:
    """The four columns from the bytes; a mistake replaces the rule for one of them."""
    if data["part"] == "refuse":
        return {"refused": np.array(True)}
    rows = data["bytes"].reshape(-1, 5).astype(np.int64)
    rules: dict[str, Callable[[Any], Any]] = {
        "x": lambda b: b[:, 0],
        "y": lambda b: b[:, 1],
        "p": lambda b: b[:, 2] >> 7,
        "t": lambda b: ((b[:, 2] & 127) << 16) | (b[:, 3] << 8) | b[:, 4],
    }
    return {key: {**rules, **other}[key](rows) for key in data["part"].split()}


def _record_cases(rng: np.random.Generator) -> list[Case]:
    cases = []

    def events(size: int) -> Array:
        t = np.sort(rng.integers(0, 1 << 23, size))
        return _record(rng.integers(0, 34, size), rng.integers(0, 34, size), rng.integers(0, 2, size), t)

    mixed = events(40)
    for part, group in (("x y", "place"), ("p", "polarity"), ("t", "time")):
        cases.append(Case(group, "40 events", {"part": part, "bytes": mixed}))
    three = np.arange(3)
    corners = _record(
        np.array([0, 255, 1]),
        np.array([255, 0, 2]),
        np.array([1, 0, 1]),
        np.array([0, (1 << 23) - 1, (1 << 23) - 1]),
    )
    late = _record(*(np.array([one]) for one in (7, 30, 1, int(rng.integers(1 << 16, 1 << 23) | 257))))
    hand = np.array([0x0F, 0x14, 0x82, 0x49, 0xF0], dtype=np.uint8)
    cases += [
        Case("place", "columns and rows up to 255", {"part": "x y", "bytes": corners}),
        Case("polarity", "the smallest and the largest times", {"part": "p", "bytes": corners}),
        Case("time", "the smallest and the largest times", {"part": "t", "bytes": corners}),
        Case("time", "the record of the book, 0F 14 82 49 F0", {"part": "t", "bytes": hand}),
        Case(
            "time", "times below 256", {"part": "t", "bytes": _record(three, three, three % 2, 100 + three)}
        ),
        Case("edges", "no bytes", {"part": "x y p t", "bytes": mixed[:0]}),
        Case("edges", "one record", {"part": "x y p t", "bytes": late}),
        Case("edges", "two bytes too few", {"part": "refuse", "bytes": mixed[:-2]}),
        Case("edges", "one byte", {"part": "refuse", "bytes": mixed[:1]}),
    ]
    return cases


RECORDS = Check(
    id="ps1.event_records",
    title="Forty bits an event",
    names=("decode_events",),
    groups=(
        Group("place", 0.5, "column and row"),
        Group("polarity", 0.75, "polarity"),
        Group("time", 1.0, "time in microseconds"),
        Group("edges", 0.75, "no event, one event, and bytes that were cut short"),
    ),
    cases=_record_cases,
    probe=_probe_records,
    expected=_columns,
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "place_swapped",
            "Column and row are swapped: the first byte is x.",
            arrays=lambda data: _columns(data, x=lambda b: b[:, 1], y=lambda b: b[:, 0]),
        ),
        Misconception(
            "polarity_from_the_lowest_bit",
            "This is the lowest bit of the third byte, which belongs to the time. The polarity is its highest bit.",
            arrays=lambda data: _columns(data, p=lambda b: b[:, 2] & 1),
        ),
        Misconception(
            "polarity_turned",
            "ON and OFF are turned round: a set bit is ON, 1.",
            arrays=lambda data: _columns(data, p=lambda b: 1 - (b[:, 2] >> 7)),
        ),
        Misconception(
            "polarity_not_shifted",
            "This is 128 for ON: the bit was masked and not moved down.",
            arrays=lambda data: _columns(data, p=lambda b: b[:, 2] & 128),
        ),
        Misconception(
            "time_with_polarity",
            "The times of ON events are 8.4 seconds too late: the polarity bit was read as a part of the time. Mask it "
            "with & 0x7F.",
            arrays=lambda data: _columns(data, t=lambda b: (b[:, 2] << 16) | (b[:, 3] << 8) | b[:, 4]),
        ),
        Misconception(
            "time_of_16_bits",
            "The time is made of the last two bytes only and starts anew every 65 milliseconds. Its seven highest bits are "
            "in the third byte.",
            arrays=lambda data: _columns(data, t=lambda b: (b[:, 3] << 8) | b[:, 4]),
        ),
        Misconception(
            "little_endian",
            "The bytes of the time are put together in the wrong order: the most significant comes first.",
            arrays=lambda data: _columns(
                data, t=lambda b: (b[:, 4] << 16) | (b[:, 3] << 8) | (b[:, 2] & 127)
            ),
        ),
        Misconception(
            "byte_overflow",
            "Only the last byte of the time is left: an array of bytes (uint8) has 8 bits, and what is shifted beyond them "
            "is lost. Turn it into wider integers first: `.astype(np.int64)`.",
            arrays=lambda data: _columns(data, t=lambda b: b[:, 4]),
        ),
        Misconception(
            "cut_short_accepted",
            "Bytes that are not whole records were decoded as if nothing were amiss. Raise a ValueError when their number "
            "is not a multiple of 5.",
            when=lambda arrays, data: "refused" in arrays,
        ),
    ),
    hints=(
        "Write the third byte of the book's example in binary. Which of its bits is the polarity, and which seven belong "
        "to the time?",
        "`rows = np.frombuffer(raw, np.uint8).reshape(-1, 5)` has one record in each row. `>> 7` leaves the highest bit of "
        "a byte, `& 0x7F` the seven others. A byte cannot hold more than 255: use wider integers before you shift up.",
        "`b = np.frombuffer(raw, np.uint8).reshape(-1, 5).astype(np.int64)`, then `p = b[:, 2] >> 7` and "
        "`t = (b[:, 2] & 0x7F) << 16 | b[:, 3] << 8 | b[:, 4]`, after `if len(raw) % 5: raise ValueError(...)`.",
    ),
    withheld=(
        "snnkit.events.decode_nmnist",
        "snnkit.events.iter_nmnist",
        "snnkit.events.read_nmnist",
    ),
)

# ----------------------------------------------------------------------------------------- the mystery neuron

FIRST_PULSE = 1.6
STEADY_STEPS = 120


def _probe_mystery(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """What the answer reads from the recordings of a neuron; its parameters are not here."""
    recordings = {
        name: (data[f"{name} currents"], data[f"{name} spikes"]) for name in ("pulse", "steady", "after")
    }
    decay, threshold, reset = answer["identify"](recordings)
    if data["part"] == "reset":
        if reset not in ("soft", "hard"):
            raise ValueError(f"the reset must be 'soft' or 'hard'; got {reset!r}")
        return {"reset is soft": reset == "soft"}
    return {"decay": decay} if data["part"] == "decay" else {"threshold": threshold}


def record(decay: float, threshold: float, reset: str) -> Data:
    """The three experiments of the question on one neuron: ladders of currents [T, K], and its spikes [T, K]."""
    heights = np.arange(0.5, 1.5001, 0.005)
    steady = np.arange(0.0, 0.6001, 0.002)
    second = np.arange(-1.0, 1.5001, 0.01)
    experiments = {
        "pulse": heights[None],
        "steady": np.broadcast_to(steady, (STEADY_STEPS, len(steady))),
        "after": np.stack([np.full_like(second, FIRST_PULSE), second]),
    }
    data: Data = {}
    for name, currents in experiments.items():
        run = _simulated(
            {
                "part": "run",
                "currents": currents,
                "start": 0.0,
                "decay": decay,
                "threshold": threshold,
                "reset": reset,
            }
        )
        data[f"{name} currents"], data[f"{name} spikes"] = np.array(currents), run["spikes"]
    return data


def draw_neuron(rng: np.random.Generator) -> tuple[float, float, str]:
    """Decay, threshold (away from 1) and reset of a neuron, none of them on a rung of a ladder."""
    threshold = rng.uniform(0.7, 0.9) if rng.random() < 0.5 else rng.uniform(1.1, 1.4)
    return float(rng.uniform(0.65, 0.95)), float(threshold), str(rng.choice(["soft", "hard"]))


def _soft_near_miss(rng: np.random.Generator) -> Data:
    """Recordings of a soft reset whose rungs make the potential after it look smaller than what exceeded the threshold."""
    while True:
        decay, threshold, _ = draw_neuron(rng)
        recorded = record(decay, threshold, "soft")
        pulse, again = (
            recorded[f"{name} currents"][-1][recorded[f"{name} spikes"][-1] > 0].min()
            for name in ("pulse", "after")
        )
        if pulse - again < decay * (FIRST_PULSE - pulse):
            return recorded


def _mystery_cases(rng: np.random.Generator) -> list[Case]:
    neurons = [draw_neuron(rng) for _ in range(2)]
    decay, threshold, reset = draw_neuron(rng)
    neurons.append((decay, threshold, "hard" if neurons[0][2] == neurons[1][2] == "soft" else reset))
    if {reset for *_, reset in neurons} == {"hard"}:
        neurons[2] = (decay, threshold, "soft")
    recorded = [record(*neuron) for neuron in neurons]
    cases = [
        Case(part, f"neuron {number}", {"part": part, **data})
        for part in ("threshold", "decay", "reset")
        for number, data in enumerate(recorded, start=1)
    ]
    return [*cases, Case("reset", "neuron 4", {"part": "reset", **_soft_near_miss(rng)})]


def _first_rung(data: Data, name: str, steps: slice) -> float:
    """The middle between the largest current that leaves the neuron silent and the smallest that makes it fire."""
    fired = data[f"{name} spikes"][steps].any(0)
    rungs = data[f"{name} currents"][-1]
    return float(rungs[fired].min() + rungs[~fired].max()) / 2


def _identified(data: Data, mistake: str = "") -> Arrays:
    """Decay, threshold and reset from the recordings alone."""
    threshold = _first_rung(data, "pulse", slice(None))
    rheobase = _first_rung(data, "steady", slice(None))
    rest = threshold - _first_rung(data, "after", slice(1, None))
    decay = 1 - rheobase / threshold
    soft = abs(rest - decay * (FIRST_PULSE - threshold)) < abs(rest)
    key = "reset is soft" if data["part"] == "reset" else data["part"]
    found: dict[str, dict[str, float | bool]] = {
        "": {"decay": decay, "threshold": threshold, "reset is soft": soft},
        "threshold of 1": {"decay": 1 - rheobase},
        "share": {"decay": rheobase / threshold},
        "difference": {"decay": threshold - rheobase},
        "rheobase": {"threshold": rheobase},
        "turned": {"reset is soft": not soft},
        "always soft": {"reset is soft": True},
        "always hard": {"reset is soft": False},
    }
    return {key: np.array(found[mistake][key])}


MYSTERY = Check(
    id="ps1.mystery_neuron",
    title="A mystery neuron",
    names=("identify",),
    groups=(
        Group("threshold", 1.0, "its threshold"),
        Group("decay", 1.5, "its decay"),
        Group("reset", 1.0, "its reset"),
    ),
    cases=_mystery_cases,
    probe=_probe_mystery,
    expected=_identified,
    tolerance=Tolerance(
        0.0,
        0.01,
        "the currents of the ladders are 0.005 and 0.002 apart, which leaves threshold and decay open by about 0.005",
    ),
    misconceptions=(
        Misconception(
            "threshold_of_one",
            "This is 1 minus the smallest steady current that makes the neuron fire, which is the decay of a neuron whose "
            "threshold is 1. The potential approaches x / (1 - decay), and that must reach the threshold of this neuron.",
            arrays=partial(_identified, mistake="threshold of 1"),
        ),
        Misconception(
            "leak_for_decay",
            "This is 1 - decay, the share that is lost in a step. Asked for is the share that is kept.",
            arrays=partial(_identified, mistake="share"),
        ),
        Misconception(
            "difference_for_quotient",
            "This is the threshold minus the smallest steady current. It is the quotient of the two that tells 1 - decay.",
            arrays=partial(_identified, mistake="difference"),
        ),
        Misconception(
            "threshold_from_steady_current",
            "This is the smallest steady current that makes the neuron fire. A steady current adds up over time: use the "
            "single pulse to find the threshold.",
            arrays=partial(_identified, mistake="rheobase"),
        ),
        Misconception(
            "always_soft",
            "Every neuron is said to have the soft reset. The second current of `after` tells.",
            arrays=partial(_identified, mistake="always soft"),
        ),
        Misconception(
            "always_hard",
            "Every neuron is said to have the hard reset. The second current of `after` tells.",
            arrays=partial(_identified, mistake="always hard"),
        ),
        Misconception(
            "reset_turned",
            "Soft and hard are turned round. A neuron that kept its overshoot needs less of the second current.",
            arrays=partial(_identified, mistake="turned"),
        ),
    ),
    hints=(
        "Take the experiments one by one, and write down for each what the neuron's equations say about the smallest "
        "current that makes it fire.",
        "`pulse`: the charge is the current itself, so the smallest is the threshold. `steady`: the potential approaches "
        "x / (1 - decay), so the smallest is (1 - decay) threshold. `after`: the neuron fires at once, is reset, and "
        "fires again if decay * rest + x >= threshold, where rest is 0 or what exceeded the threshold.",
        "`smallest = currents[-1][spikes.any(0)].min()` for `pulse` and `steady` (for `after` use `spikes[1]`). Then "
        "decay = 1 - steady / threshold, and rest = (threshold - after) / decay is near 0 for the hard reset and near "
        "1.6 - threshold for the soft one.",
    ),
    withheld=("snnkit.dynamics.lif_step", "snnkit.dynamics.simulate"),
)

CHECKS = (
    LAPICQUE,
    LIF,
    FI_CURVE,
    RATE_CODE,
    LATENCY_CODE,
    DECODING,
    DELTA_CODE,
    RECORDS,
    MYSTERY,
)
