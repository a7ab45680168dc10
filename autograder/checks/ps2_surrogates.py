"""Checks of the problem set on surrogate gradients: S(x), P(x), a two-layer network, a sweep, sparse slopes.

Slopes come from :mod:`snnkit.surrogate`; the network's numbers from a plain loop over time in this module, with
weights and inputs that are multiples of powers of two, so that spikes are exact and no rounding can move one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np

from autograder.checks.core import Array, Arrays, Case, Check, Data, Group, Misconception, Tolerance

ROUNDING = Tolerance(1e-4, 1e-6, "one float32 rounding per operation, a few operations deep")

# ---------------------------------------------------------------------------------------------- surrogates


def _probe_surrogate(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """A surrogate class: its spikes, its gradient against a given upstream gradient, or its primitive."""
    import torch

    family, parameters = answer[data["name"]], data["parameters"]
    x = torch.from_numpy(data["x"])
    if data["part"] == "spikes":
        return {"spikes": family(**parameters)(x)}
    if data["part"] == "primitive":
        return {"primitive": family(**parameters, spiking=False)(x)}
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad(family(**parameters)(x), x, torch.from_numpy(data["upstream"]))
    return {"gradient": gradient}


def _surrogate_cases(
    rng: np.random.Generator,
    name: str,
    parameters: list[dict[str, float]],
    group_of: Callable[[str], str | None],
    extent: Callable[[dict[str, float]], float] = lambda chosen: 2.5,
) -> list[Case]:
    """Cases for spikes, gradient and primitive: random points, edge values, both dtypes, a batch, no elements."""
    cases = []
    edges = np.array([0.0, -0.0, 1e-6, -1e-6, 1e-3, -1e-3, 1.7, -1.7, 30.0, -30.0], dtype=np.float32)
    for part in ("spikes", "gradient", "primitive"):
        group = group_of(part)
        if group is None:
            continue
        for index, chosen in enumerate(parameters):
            x = (extent(chosen) * rng.uniform(-1, 1, size=(4, 6))).astype(np.float32)
            said = ", ".join(f"{key} = {value:g}" for key, value in chosen.items())
            inputs = [(f"{said}, a batch [4, 6]", x)]
            if index == 0:
                inputs += [
                    (f"{said}, x at, near and far from 0", edges),
                    (f"{said}, float64", x[0].astype(np.float64)),
                    (f"{said}, no elements", x[:0]),
                ]
            for label, values in inputs:
                upstream = rng.uniform(-2, 2, size=values.shape).astype(values.dtype)
                data = {
                    "name": name,
                    "part": part,
                    "parameters": chosen,
                    "x": values.copy(),
                    "upstream": upstream,
                }
                cases.append(Case(group, label, data))
    return cases


def _slope_of(data: Data) -> Arrays:
    """The reference slope of the named family, in double precision."""
    import torch

    from snnkit import surrogate

    family = {"Sine": surrogate.Sine, "Power": surrogate.Power, "FixedPeak": surrogate.Triangle}[data["name"]]
    return {"slope": family(**data["parameters"]).derivative(torch.from_numpy(data["x"]).double()).numpy()}


def _primitive_of(data: Data) -> Any:
    """S(x) or P(x) as the problem set writes them."""
    x: Any = data["x"].astype(np.float64)
    alpha = data["parameters"]["alpha"]
    if data["name"] == "Sine":
        inside = np.clip(x, -alpha, alpha)
        return np.asarray(0.5 * np.sin(np.pi * inside / (2 * alpha)) + 0.5)
    bounded = np.clip(x, -1, 1)
    return np.asarray(0.5 * np.sign(bounded) * np.abs(bounded) ** alpha + 0.5)


def _expected_surrogate(data: Data) -> Arrays:
    if data["part"] == "spikes":
        return {"spikes": (data["x"] >= 0).astype(np.float64)}
    if data["part"] == "primitive":
        return {"primitive": _primitive_of(data)}
    return {"gradient": data["upstream"] * _slope_of(data)["slope"]}


def _with_slope(slope: Callable[[Data], Any]) -> Callable[[Data], Arrays]:
    """The gradient (or the derivative) that a wrong slope produces."""

    def arrays(data: Data) -> Arrays:
        values = np.asarray(slope({**data, "x": data["x"].astype(np.float64)}), dtype=np.float64)
        return {"gradient": values * data.get("upstream", 1.0), "derivative": values}

    return arrays


def _inside(data: Data, width: float) -> Any:
    return np.abs(data["x"]) <= width


def _alpha(data: Data) -> float:
    return float(data["parameters"]["alpha"])


STRICT_THRESHOLD = Misconception(
    "strict_threshold",
    "This is what `>` gives. A neuron exactly at threshold (x = 0) fires: the step needs `>=`.",
    arrays=lambda data: {"spikes": (data["x"] > 0).astype(np.float64)},
)
OLD_INTERFACE = Misconception(
    "old_interface",
    "The lab's example is written for an older SpikingJelly. In 2.0 parameters are keywords: "
    "`super().__init__(spiking=spiking, alpha=alpha)`.",
    error=r"takes from 1 to 2 positional arguments but [34] were given|multiple values for argument 'spiking'",
)
NO_BACKWARD = Misconception(
    "no_backward",
    "The spikes carry no gradient: the step by itself has none. Return `YourFunction.apply(...)`, "
    "the autograd function with your own `backward`.",
    error=r"does not require grad|does not have a grad_fn",
)
GRADIENT_COUNT = Misconception(
    "gradient_count",
    "`backward` returns one value for each argument of `forward` after `ctx`: the gradient for x, and None for "
    "each parameter.",
    error=r"returned an incorrect number of gradients",
)
NO_SPIKING_MODE = Misconception(
    "no_spiking_mode",
    "The constructor must take `spiking` and hand it on: with `spiking=False` SpikingJelly uses the primitive.",
    error=r"unexpected keyword argument 'spiking'",
)
SINE_HALF = Misconception(
    "half_missing",
    "This is twice the slope: the 1/2 in front of the sine is missing.",
    arrays=_with_slope(
        lambda d: np.pi / (2 * _alpha(d)) * np.cos(np.pi * d["x"] / (2 * _alpha(d))) * _inside(d, _alpha(d))
    ),
)
UPSTREAM = Misconception(
    "upstream_missing",
    "This is the slope alone. `backward` returns the slope times `grad_output`, the gradient that arrives from above.",
    arrays=lambda data: {"gradient": _slope_of(data)["slope"]},
)
SINE_MISTAKES = (
    Misconception(
        "inner_derivative_missing",
        "The factor pi/(2 alpha) of the chain rule is missing: the derivative of sin(c x) is c cos(c x).",
        arrays=_with_slope(lambda d: 0.5 * np.cos(np.pi * d["x"] / (2 * _alpha(d))) * _inside(d, _alpha(d))),
    ),
    Misconception(
        "alpha_missing",
        "This is pi/4 cos(pi x / (2 alpha)): the height has lost its 1/alpha, so the area is no longer 1. "
        "With alpha = 1 the two cannot be told apart.",
        arrays=_with_slope(
            lambda d: np.pi / 4 * np.cos(np.pi * d["x"] / (2 * _alpha(d))) * _inside(d, _alpha(d))
        ),
    ),
    Misconception(
        "alpha_as_sharpness",
        "Here a larger alpha makes the slope narrower, as in SpikingJelly's own families. In S(x) alpha is the "
        "half-width: larger is wider and flatter.",
        arrays=_with_slope(
            lambda d: (
                np.pi * _alpha(d) / 4 * np.cos(np.pi * _alpha(d) * d["x"] / 2) * _inside(d, 1 / _alpha(d))
            )
        ),
    ),
    Misconception(
        "no_cutoff",
        "The cosine goes on outside [-alpha, alpha]. There S(x) is constant, so its slope is 0.",
        arrays=_with_slope(lambda d: np.pi / (4 * _alpha(d)) * np.cos(np.pi * d["x"] / (2 * _alpha(d)))),
    ),
    Misconception(
        "sine_for_cosine",
        "This is built on the sine. The derivative of the sine is the cosine.",
        arrays=_with_slope(
            lambda d: (
                np.pi / (4 * _alpha(d)) * np.sin(np.pi * d["x"] / (2 * _alpha(d))) * _inside(d, _alpha(d))
            )
        ),
    ),
    SINE_HALF,
)


def _probe_sine_derivative(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    import torch

    return {"derivative": answer["sine_derivative"](torch.from_numpy(data["x"]), **data["parameters"])}


def _sine_derivative_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for alpha in (1.0, 0.5, float(np.round(rng.uniform(1.5, 3.0), 2))):
        inside = (alpha * rng.uniform(-0.95, 0.95, size=12)).astype(np.float32)
        outside = (alpha * np.array([1.0, -1.0, 1.001, -1.2, 2.0, -2.0, 3.0, 50.0])).astype(np.float32)
        for group, x in (("inside", inside), ("outside", outside)):
            data = {"name": "Sine", "parameters": {"alpha": alpha}, "x": x}
            cases.append(Case(group, f"alpha = {alpha:g}", data))
    shapes: list[tuple[str, Any]] = [
        ("a batch [2, 3, 4]", rng.uniform(-2, 2, size=(2, 3, 4)).astype(np.float32)),
        ("float64", rng.uniform(-2, 2, size=5)),
        ("no elements", np.zeros((0, 3), dtype=np.float32)),
        ("a single number", np.array(0.25, dtype=np.float32)),
    ]
    for label, x in shapes:
        cases.append(Case("shapes", label, {"name": "Sine", "parameters": {"alpha": 1.5}, "x": x}))
    return cases


SINE_DERIVATIVE = Check(
    id="ps2.sine_derivative",
    title="The slope of S(x)",
    names=("sine_derivative",),
    groups=(
        Group("inside", 1.0, "slope for |x| < alpha"),
        Group("outside", 0.5, "slope for |x| >= alpha"),
        Group("shapes", 0.5, "any shape and floating-point dtype"),
    ),
    cases=_sine_derivative_cases,
    probe=_probe_sine_derivative,
    expected=lambda data: {"derivative": _slope_of(data)["slope"]},
    tolerance=ROUNDING,
    misconceptions=SINE_MISTAKES,
    hints=(
        "Differentiate each of the three pieces by itself. Which pieces are constant?",
        "In the middle, the derivative of 1/2 sin(c x) is c/2 cos(c x), here with c = pi / (2 alpha). Its largest "
        "value is pi / (4 alpha).",
        "`torch.where(x.abs() <= alpha, middle, torch.zeros_like(x))` keeps the middle piece and puts 0 elsewhere; "
        "`math.pi / (4 * alpha) * torch.cos(math.pi * x / (2 * alpha))` is the middle piece.",
    ),
    withheld=("snnkit.surrogate.Sine", "snnkit.surrogate.derivative_of"),
)


SINE_SURROGATE = Check(
    id="ps2.sine_surrogate",
    title="S(x) as a surrogate in SpikingJelly",
    names=("Sine",),
    groups=(
        Group("spikes", 1.0, "forward: spikes, one at x = 0 too"),
        Group("gradient", 1.0, "backward: slope times the gradient from above"),
        Group("primitive", 1.0, "spiking=False: S(x) itself"),
    ),
    cases=lambda rng: _surrogate_cases(
        rng,
        "Sine",
        [{"alpha": 1.0}, {"alpha": 0.5}, {"alpha": 2.0}],
        lambda part: part,
        lambda chosen: 1.8 * chosen["alpha"],
    ),
    probe=_probe_surrogate,
    expected=_expected_surrogate,
    tolerance=ROUNDING,
    misconceptions=(
        OLD_INTERFACE,
        NO_SPIKING_MODE,
        NO_BACKWARD,
        GRADIENT_COUNT,
        STRICT_THRESHOLD,
        UPSTREAM,
        *SINE_MISTAKES,
        Misconception(
            "primitive_without_half",
            "S(x) ends with + 1/2: it rises from 0 to 1, this from -1/2 to 1/2.",
            arrays=lambda data: {"primitive": _primitive_of(data) - 0.5},
        ),
        Misconception(
            "primitive_not_clipped",
            "Outside [-alpha, alpha] S(x) is 0 or 1; here the sine goes on.",
            arrays=lambda data: {
                "primitive": 0.5 * np.sin(np.pi * data["x"].astype(np.float64) / (2 * _alpha(data))) + 0.5
            },
        ),
        Misconception(
            "primitive_is_step",
            "With spiking=False this still gives spikes. `primitive_function` returns the smooth S(x).",
            arrays=lambda data: {"primitive": (data["x"] >= 0).astype(np.float64)},
        ),
    ),
    hints=(
        "Start from the Sigmoid of the warm-up and change only its three formulas: `primitive_function`, the slope "
        "used in `backward`, and the default of alpha.",
        "`forward` of the autograd function gives `heaviside(x)`, whatever the surrogate. `backward` gives "
        "`grad_output * sine_derivative(x, ctx.alpha), None`.",
        "`primitive_function` can use `x.clamp(-alpha, alpha)`: the sine of the clamped value is already -1 or 1 "
        "outside, so no case distinction is left.",
    ),
    withheld=("snnkit.surrogate.Sine",),
)


def _power_slope(data: Data, floor: float) -> Any:
    alpha = _alpha(data)
    return alpha / 2 * np.maximum(np.abs(data["x"]), floor) ** (alpha - 1) * _inside(data, 1)


def _power_cases(rng: np.random.Generator) -> list[Case]:
    parameters = [
        {"alpha": 0.5, "floor": 0.01},
        {"alpha": 0.3, "floor": 0.05},
        {"alpha": 0.8, "floor": 0.001},
    ]
    cases = _surrogate_cases(rng, "Power", parameters, lambda part: part, lambda chosen: 1.6)
    kept = [case for case in cases if case.group != "gradient"]
    for chosen in parameters:
        said = ", ".join(f"{key} = {value:g}" for key, value in chosen.items())
        sign = rng.choice([-1.0, 1.0], size=12)
        away = (sign * np.concatenate([rng.uniform(0.06, 0.98, 8), rng.uniform(1.02, 3, 4)])).astype(
            np.float32
        )
        near = (np.array([0, 1, -1, 0.5, -0.25]) * chosen["floor"] * 0.9).astype(np.float32)
        for group, label, x in (("gradient", said, away), ("floor", f"{said}, |x| < floor", near)):
            upstream = rng.uniform(0.5, 2, size=x.shape).astype(np.float32)
            data = {"name": "Power", "part": "gradient", "parameters": chosen, "x": x, "upstream": upstream}
            kept.append(Case(group, label, data))
    return kept


POWER_SURROGATE = Check(
    id="ps2.power_surrogate",
    title="P(x) as a surrogate, with a floor",
    names=("Power",),
    groups=(
        Group("spikes", 0.5, "forward: spikes, one at x = 0 too"),
        Group("gradient", 1.0, "backward away from 0"),
        Group("floor", 1.0, "backward at and near 0: finite"),
        Group("primitive", 0.5, "spiking=False: P(x) itself"),
    ),
    cases=_power_cases,
    probe=_probe_surrogate,
    expected=_expected_surrogate,
    tolerance=ROUNDING,
    misconceptions=(
        OLD_INTERFACE,
        NO_SPIKING_MODE,
        NO_BACKWARD,
        GRADIENT_COUNT,
        STRICT_THRESHOLD,
        Misconception(
            "no_floor",
            "Without the floor the slope grows without bound as x goes to 0, and is infinite (or nan) there. One "
            "neuron exactly at threshold then spoils every weight. Take the power of max(|x|, floor).",
            when=lambda arrays, data: (
                data["part"] == "gradient"
                and bool((np.abs(data["x"]) < data["parameters"]["floor"]).any())
                and not bool(np.isfinite(arrays["gradient"]).all())
            ),
        ),
        UPSTREAM,
        Misconception(
            "floor_added",
            "This adds the floor to |x|, which changes the slope everywhere. The floor is a lower limit: max(|x|, floor).",
            arrays=_with_slope(
                lambda d: (
                    _alpha(d)
                    / 2
                    * (np.abs(d["x"]) + d["parameters"]["floor"]) ** (_alpha(d) - 1)
                    * _inside(d, 1)
                )
            ),
        ),
        Misconception(
            "zero_near_zero",
            "Near 0 the slope is set to 0. There it should be largest: alpha/2 floor^(alpha - 1).",
            arrays=_with_slope(
                lambda d: (
                    _power_slope(d, d["parameters"]["floor"]) * (np.abs(d["x"]) >= d["parameters"]["floor"])
                )
            ),
        ),
        Misconception(
            "alpha_factor_missing",
            "The factor alpha of the power rule is missing: the derivative of |x|^alpha is alpha |x|^(alpha - 1) sgn(x).",
            arrays=_with_slope(lambda d: _power_slope(d, d["parameters"]["floor"]) / _alpha(d)),
        ),
        Misconception(
            "half_missing",
            "This is twice the slope: the 1/2 in front of the power is missing.",
            arrays=_with_slope(lambda d: 2 * _power_slope(d, d["parameters"]["floor"])),
        ),
        Misconception(
            "sign_in_slope",
            "The slope is negative for x < 0. sgn(x) |x|^alpha rises on both sides of 0: the sign cancels in the "
            "derivative.",
            arrays=_with_slope(lambda d: np.sign(d["x"]) * _power_slope(d, d["parameters"]["floor"])),
        ),
        Misconception(
            "no_cutoff",
            "The slope goes on beyond |x| = 1. There P(x) is constant, so its slope is 0.",
            arrays=_with_slope(
                lambda d: (
                    _alpha(d) / 2 * np.maximum(np.abs(d["x"]), d["parameters"]["floor"]) ** (_alpha(d) - 1)
                )
            ),
        ),
        Misconception(
            "primitive_not_clipped",
            "Outside [-1, 1] P(x) is 0 or 1; here the power goes on.",
            arrays=lambda data: {
                "primitive": 0.5 * np.sign(data["x"]) * np.abs(data["x"].astype(np.float64)) ** _alpha(data)
                + 0.5
            },
        ),
        Misconception(
            "primitive_without_sign",
            "Here P(x) is the same for x and -x. The power of |x| needs the factor sgn(x).",
            arrays=lambda data: {
                "primitive": np.minimum(0.5 * np.abs(data["x"].astype(np.float64)) ** _alpha(data) + 0.5, 1)
            },
        ),
    ),
    hints=(
        "For x > 0, P(x) = 1/2 x^alpha + 1/2. What is its derivative, and where does it lead as x goes to 0?",
        "The slope is alpha/2 |x|^(alpha - 1) for |x| <= 1 and 0 outside. Replace |x| by max(|x|, floor) and leave "
        "the rest: its largest value is then alpha/2 floor^(alpha - 1).",
        "`magnitude = x.abs()`, then `alpha / 2 * magnitude.clamp(min=floor) ** (alpha - 1) * (magnitude <= 1)`. "
        "The class has two parameters: hand both to `super().__init__` and take both in `spiking_function`.",
    ),
    withheld=("snnkit.surrogate.Power",),
)

# ------------------------------------------------------------------------------------- the two-layer network


def _probe_network(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """The network with given weights: firing rates, rates of a second call, or gradients of the weights."""
    import torch
    from spikingjelly.activation_based import surrogate

    hidden, inputs = data["first"].shape
    classes = data["second"].shape[0]
    network = answer["two_layer_snn"](inputs, hidden, classes, surrogate.ATan(alpha=data["alpha"]))
    parameters = list(network.parameters())
    matrices = [parameter for parameter in parameters if parameter.dim() == 2]
    shapes = [list(matrix.shape) for matrix in matrices]
    if shapes != [[hidden, inputs], [classes, hidden]]:
        raise ValueError(
            f"the network's weight matrices have shapes {shapes}; expected "
            f"[{hidden}, {inputs}] (hidden, inputs) and [{classes}, {hidden}] (classes, hidden)"
        )
    with torch.no_grad():
        for matrix, values in zip(matrices, (data["first"], data["second"]), strict=True):
            matrix.copy_(torch.from_numpy(values))
        for parameter in parameters:
            if parameter.dim() == 1:
                parameter.zero_()
    frames = torch.from_numpy(data["frames"])
    rates = answer["firing_rates"](network, frames)
    if data["part"] == "rates":
        return {"parameters": len(parameters), "rates": rates}
    if data["part"] == "again":
        other = answer["firing_rates"](network, torch.from_numpy(data["other"]))
        return {"first call": rates, "other batch": other, "again": answer["firing_rates"](network, frames)}
    loss = (rates * torch.from_numpy(data["weighting"])).sum()
    first, second = torch.autograd.grad(loss, matrices)
    return {"gradient of the first layer": first, "gradient of the second layer": second}


def _loop(
    data: Data,
    key: str = "frames",
    *,
    decay: float = 0.5,
    gain: float = 1.0,
    hard: bool = False,
    detach: bool = True,
    memory: bool = True,
    total: bool = False,
    sigmoid: bool = False,
    shared: bool = False,
    steps: int | None = None,
) -> Arrays:
    """The network as a plain loop over time, with the ways in which it can go wrong; rates of the last ``steps``."""
    import torch

    from snnkit import surrogate

    fire = surrogate.Sigmoid(alpha=4.0) if sigmoid else surrogate.ATan(alpha=data["alpha"])
    frames = torch.from_numpy(data[key]).double().flatten(2)
    weights = [torch.from_numpy(data[name]).double().requires_grad_() for name in ("first", "second")]
    signals, v = list(frames), torch.empty(0)
    for weight in weights:
        if not (shared and v.shape == (frames.shape[1], weight.shape[0])):
            v = torch.zeros(frames.shape[1], weight.shape[0], dtype=torch.double)
        for step, signal in enumerate(signals):
            charge = (decay * v if memory else 0.0) + gain * (signal @ weight.T)
            signals[step] = fire(charge - 1.0)
            reset = signals[step].detach() if detach else signals[step]
            v = charge * (1 - reset) if hard else charge - reset
    kept = torch.stack(signals if steps is None else signals[-steps:])
    rates = kept.sum(0) if total else kept.mean(0)
    arrays = {
        "rates": rates.detach().numpy(),
        "first call": rates.detach().numpy(),
        "again": rates.detach().numpy(),
    }
    if "weighting" in data and rates.requires_grad:
        loss = (rates * torch.from_numpy(data["weighting"]).double()).sum()
        first, second = torch.autograd.grad(loss, weights)
        arrays["gradient of the first layer"] = first.numpy()
        arrays["gradient of the second layer"] = second.numpy()
    return arrays


def _network_arrays(data: Data, **ways: Any) -> Arrays:
    """The keys that the probe gives for this part."""
    arrays = _loop(data, **ways)
    if data["part"] == "rates":
        return {"parameters": np.array(2), "rates": arrays["rates"]}
    if data["part"] == "again":
        return {
            "first call": arrays["rates"],
            "other batch": _loop(data, "other", **ways)["rates"],
            "again": arrays["rates"],
        }
    return {key: arrays[key] for key in ("gradient of the first layer", "gradient of the second layer")}


_DEFAULTS: dict[str, Any] = {"hard": True, "gain": 0.5}
"""The neuron that SpikingJelly makes unless it is told otherwise, as ways of :func:`_loop`."""


def _carries_over(data: Data, **ways: Any) -> bool:
    """Whether potentials that are left from one batch show in the rates of the next, and of the one after that."""
    three = [data["frames"], data["other"], data["frames"]]
    steps = len(data["frames"])

    def last(count: int) -> Array:
        """Rates of the last of so many batches, one run after the other without a reset."""
        played = _loop({**data, "frames": np.concatenate(three[:count])}, steps=steps, **ways)["rates"]
        return np.asarray(played)

    alone = _loop(data, "other", **ways)["rates"]
    return not np.allclose(last(1), last(3)) and not np.allclose(alone, last(2))


def _shows_what_stays(data: Data) -> bool:
    """Whether a forgotten reset shows, with SpikingJelly's default neuron as well, and neurons without memory do."""
    without = _loop(data, memory=False)["rates"]
    return (
        _carries_over(data)
        and _carries_over(data, **_DEFAULTS)
        and not np.allclose(_loop(data)["rates"], without)
    )


def _tells(data: Data) -> bool:
    """Whether one neuron object for both layers, where that is possible, shows in the rates."""
    if len(data["first"]) != len(data["second"]):
        return True
    return not np.allclose(_loop(data)["rates"], _loop(data, shared=True)["rates"])


def _network_cases(rng: np.random.Generator) -> list[Case]:
    def dyadic(*shape: int, scale: float) -> Any:
        return (rng.integers(-24, 40, size=shape) / 64 * scale).astype(np.float32)

    cases = []
    for part, steps, batch, inputs, hidden in (
        ("rates", 6, 5, (2, 3, 3), 8),
        ("rates", 8, 1, (2, 2, 4), 6),
        ("rates", 1, 3, (2, 3, 3), 8),
        ("rates", 7, 3, (2, 2, 4), 4),
        ("again", 5, 4, (2, 3, 3), 8),
        ("gradient", 6, 5, (2, 3, 3), 8),
    ):
        for _ in range(200):
            data: Data = {
                "part": part,
                "alpha": 2.0,
                "first": dyadic(hidden, math.prod(inputs), scale=1.0),
                "second": dyadic(4, hidden, scale=2.0),
                "frames": rng.integers(0, 3, size=(steps, batch, *inputs)).astype(np.float32),
                "other": rng.integers(0, 3, size=(steps, batch, *inputs)).astype(np.float32),
            }
            if _shows_what_stays(data) if part == "again" else _tells(data):
                break
        if part == "gradient":
            data["weighting"] = rng.uniform(-1, 1, size=(batch, 4)).astype(np.float32)
        cases.append(Case(part, f"T = {steps}, N = {batch}, {math.prod(inputs)} inputs", data))
    return cases


def _network_mistake(id: str, message: str, **ways: Any) -> Misconception:
    return Misconception(id, message, arrays=partial(_network_arrays, **ways))


def _remembers(arrays: Arrays, data: Data) -> bool:
    """Whether later calls depend on earlier ones."""
    if data["part"] != "again" or arrays["first call"].shape != arrays["again"].shape:
        return False
    if not np.allclose(arrays["first call"], arrays["again"], atol=1e-5):
        return True
    return bool(np.allclose(arrays["first call"], _loop(data)["rates"], atol=1e-5))


TWO_LAYER_SNN = Check(
    id="ps2.two_layer_snn",
    title="The two-layer spiking network",
    names=("two_layer_snn", "firing_rates"),
    groups=(
        Group("rates", 1.0, "firing rates for given weights"),
        Group("again", 1.0, "the same batch gives the same rates a second time"),
        Group("gradient", 1.0, "gradients of the weights, through the surrogate that was given"),
    ),
    cases=_network_cases,
    probe=_probe_network,
    expected=_network_arrays,
    tolerance=ROUNDING,
    misconceptions=(
        Misconception(
            "state_not_reset",
            "A batch gives other rates after another batch than before it: the potentials of the batch before are "
            "still there. `functional.reset_net(network)` belongs at the start of `firing_rates`.",
            when=_remembers,
        ),
        Misconception(
            "bias",
            "The network has biases; the question asks for `bias=False` in both linear layers.",
            when=lambda arrays, data: data["part"] == "rates" and float(arrays["parameters"]) == 4,
        ),
        _network_mistake(
            "single_step_mode",
            "Here each time step starts from potential 0: the neurons run in single-step mode and take the time axis "
            'for a part of the batch. Set `step_mode="m"`.',
            memory=False,
        ),
        _network_mistake(
            "decay_input",
            "The input is divided by tau: SpikingJelly's default. The question asks for `decay_input=False`.",
            gain=0.5,
        ),
        _network_mistake(
            "hard_reset",
            "The potential goes to 0 after a spike, SpikingJelly's default. The question asks for the soft reset "
            "(subtract the threshold): `v_reset=None`.",
            hard=True,
        ),
        _network_mistake(
            "both_defaults",
            "These are SpikingJelly's defaults for both the input and the reset. The question asks for "
            "`decay_input=False` and `v_reset=None`.",
            **_DEFAULTS,
        ),
        _network_mistake(
            "reset_not_detached",
            "The gradient also flows through the reset. The question asks for `detach_reset=True`.",
            detach=False,
        ),
        _network_mistake(
            "surrogate_ignored",
            "The gradient is that of SpikingJelly's default surrogate, Sigmoid: hand the `surrogate` that was given "
            "to both neurons as `surrogate_function`.",
            sigmoid=True,
        ),
        _network_mistake(
            "shared_neurons",
            "Both layers use one and the same neuron object: with as many hidden neurons as classes the second layer "
            "starts from the potentials of the first. Make a neuron for each layer.",
            shared=True,
        ),
        _network_mistake(
            "counts_for_rates",
            "These are spike counts. A rate is the mean over the time steps.",
            total=True,
        ),
    ),
    hints=(
        "Four layers in a row: linear, neurons, linear, neurons, after the two channels and the pixels of a frame "
        "have been flattened. Which axis is time, and which function of SpikingJelly forgets the last batch?",
        "`neuron.LIFNode(tau=2.0, decay_input=False, v_threshold=1.0, v_reset=None, detach_reset=True, "
        'surrogate_function=surrogate, step_mode="m")` is the neuron. Start `firing_rates` with '
        "`functional.reset_net(network)`.",
        "`nn.Sequential(nn.Flatten(2), nn.Linear(inputs, hidden, bias=False), lif(), nn.Linear(hidden, classes, "
        "bias=False), lif())` is the network (`nn.Flatten(2)` keeps time and batch; `nn.Linear` acts on the last "
        "axis), and `network(frames).mean(0)` are its rates.",
    ),
)

# ---------------------------------------------------------------------------------------------- training

BAR = 0.6
"""The reference names 80 to 84 % (8 seeds); without clearing gradients 13 to 23 %, with one batch an epoch 37 to 49 %."""

CHANCE = 0.2

LOSS_TOLERANCE = 2e-3
"""Of one batch in another order: sums differ by rounding, which can move a spike or two of 7,500."""


@cache
def _recordings() -> dict[str, Any]:
    """A small fixed part of the simulated recordings: 300 to learn from, 150 held out, 5 frames each."""
    from snnkit import datasets

    def inputs(frames: Any) -> Any:
        return np.ascontiguousarray(np.log1p(np.asarray(frames, dtype=np.float32)).swapaxes(0, 1))

    digits = datasets.event_digits(train=300, test=150, steps=5, simulated=True)
    return {
        "frames": inputs(digits.train_frames),
        "labels": digits.train_labels.astype(np.int64),
        "held_out": inputs(digits.test_frames),
        "held_out_labels": digits.test_labels.astype(np.int64),
    }


def _probe_training(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """A two-layer network trained on a small budget: losses, how far the weights moved, rates on held-out data.

    The network is made here and forgets the batch before by itself, so that the question stands on its own. It
    notes which recordings it is shown while gradients are recorded.
    """
    import torch
    from spikingjelly.activation_based import functional, neuron, surrogate

    class Network(torch.nn.Sequential):
        shown: list[Any]

        def forward(self, frames: Any) -> Any:
            functional.reset_net(self)
            if torch.is_grad_enabled():
                self.shown.append(frames.detach().double().flatten(2).sum(0) @ marks)
            return super().forward(frames)  # type: ignore[no-untyped-call]

    def lif() -> Any:
        return neuron.LIFNode(
            tau=2.0,
            decay_input=False,
            v_reset=None,
            detach_reset=True,
            surrogate_function=surrogate.ATan(alpha=2.0),
            step_mode="m",
        )

    frames, labels = torch.from_numpy(data["frames"]), torch.from_numpy(data["labels"])
    marks = torch.linspace(1, 2, frames[0, 0].numel(), dtype=torch.double)

    def fresh() -> Any:
        torch.manual_seed(data["seed"])
        network = Network(
            torch.nn.Flatten(2),
            torch.nn.Linear(frames[0, 0].numel(), data["hidden"], bias=False),
            lif(),
            torch.nn.Linear(data["hidden"], 10, bias=False),
            lif(),
        )
        with torch.no_grad():  # without this the network is silent at first, and each loss the same
            for weight in network.parameters():
                weight.mul_(data["gain"])
        network.shown = []
        return network

    def left_over(epochs: int) -> float:
        """Size of the gradients that a training with learning rate 0 leaves behind."""
        network = fresh()
        answer["train"](
            network, frames[:, :64], labels[:64], epochs=epochs, learning_rate=0.0, seed=data["seed"]
        )
        return sum(float(p.grad.abs().sum()) for p in network.parameters() if p.grad is not None)

    network = fresh()
    if data["part"] == "losses":
        return {"losses": answer["train"](network, frames, labels, seed=data["seed"], **data["budget"])}
    if data["part"] == "repeat":
        losses: list[Any] = []
        for seed, elsewhere in ((1, 1), (1, 2), (2, 1)):
            network = fresh() if losses else network
            torch.manual_seed(elsewhere)
            losses.append(
                answer["train"](network, frames, labels, seed=data["seed"] + seed, **data["budget"])
            )
            if seed == 1:
                shown = network.shown
        own = frames.double().flatten(2).sum(0) @ marks
        seen = torch.cat(shown) if shown else own[:0]
        return {
            "losses": losses[0],
            "again": losses[1],
            "other seed": losses[2],
            "shown": (seen[:, None] - own).abs().argmin(1),
            "batches": [len(one) for one in shown],
        }
    before = [parameter.detach().clone() for parameter in network.parameters()]
    learned = answer["train"](network, frames, labels, epochs=data["epochs"], seed=data["seed"])
    moved = max(
        float((new.detach() - old).abs().max()) for new, old in zip(network.parameters(), before, strict=True)
    )
    with torch.no_grad():
        rates = network(torch.from_numpy(data["held_out"])).mean(0)
    kept = left_over(1)
    return {
        "losses": learned,
        "moved": moved,
        "rates": rates,
        "gradient growth": left_over(3) / kept if kept > 0 else 0.0,
    }


def _accuracy(arrays: Arrays, data: Data) -> float:
    rates = arrays["rates"]
    if rates.shape != (len(data["held_out_labels"]), 10):
        return 0.0
    return float((rates.argmax(1) == data["held_out_labels"]).mean())


def _judge_learning(arrays: Arrays, data: Data) -> str | None:
    wanted = (len(data["held_out_labels"]), 10)
    if arrays["rates"].shape != wanted:
        return f"the rates on held-out recordings have shape {list(arrays['rates'].shape)}; expected {list(wanted)}"
    accuracy = _accuracy(arrays, data)
    if accuracy < BAR:
        return (
            f"after {data['epochs']} epochs on {len(data['labels'])} simulated recordings the network names "
            f"{accuracy:.0%} of {wanted[0]} held-out ones; the bar is {BAR:.0%} (chance is 10%)"
        )
    return None


def _train(
    network: Any,
    frames: Any,
    labels: Any,
    *,
    epochs: int,
    learning_rate: float = 1e-3,
    batch: int = 64,
    seed: int,
) -> list[float]:
    """The training that the problem set describes."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    targets = torch.nn.functional.one_hot(labels, 10).float()
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    losses = []
    for _ in range(epochs):
        of_recordings = torch.zeros(len(labels))
        for chosen in torch.randperm(len(labels), generator=generator).split(batch):  # type: ignore[no-untyped-call]
            squares = (network(frames[:, chosen]).mean(0) - targets[chosen]).square().mean(1)
            optimiser.zero_grad()
            squares.mean().backward()
            optimiser.step()
            of_recordings[chosen] = squares.detach()
        losses.append(float(of_recordings.mean()))
    return losses


def _losses_of(data: Data) -> Array:
    """Losses of the reference, which do not depend on the order: one batch, or a learning rate of 0."""
    return np.array(_probe_training({"train": _train}, data)["losses"])


def _judge_losses(arrays: Arrays, data: Data) -> str | None:
    losses, epochs = arrays["losses"], data["budget"]["epochs"]
    if losses.shape != (epochs,):
        return f"`train` returned losses of shape {list(losses.shape)}; expected one number for each of {epochs} epochs"
    if not np.isfinite(losses).all():
        return "a loss is not a finite number"
    wanted = _losses_of(data)
    if not np.allclose(losses, wanted, rtol=LOSS_TOLERANCE, atol=0):
        place = int((np.abs(losses - wanted) > LOSS_TOLERANCE * wanted).argmax())
        return f"the mean loss of epoch {place + 1} is {losses[place]:.5g}; expected {wanted[place]:.5g}"
    return None


def _judge_repeat(arrays: Arrays, data: Data) -> str | None:
    losses, again, other = arrays["losses"], arrays["again"], arrays["other seed"]
    if losses.shape != again.shape or not np.allclose(losses, again, rtol=1e-4, atol=1e-7):
        return "two trainings of the same initial network with the same seed gave different losses"
    if losses.shape == other.shape and np.allclose(losses, other, rtol=1e-5, atol=1e-9):
        return "trainings with two different seeds gave the same losses"
    count, epochs, batch = len(data["labels"]), data["budget"]["epochs"], data["budget"]["batch"]
    batches, shown = arrays["batches"], arrays["shown"]
    sizes = [batch] * (count // batch) + [count % batch] * bool(count % batch)
    if sorted(batches.tolist()) != sorted(sizes * epochs):
        return (
            f"with {count} recordings, batch = {batch} and epochs = {epochs} the network was shown batches of "
            f"{', '.join(map(str, batches.tolist()[:12])) or 'nothing'}; expected {', '.join(map(str, sizes))} in each epoch"
        )
    orders = shown.reshape(epochs, count)
    if any(len(set(order.tolist())) != count for order in orders):
        return "an epoch does not visit every recording once"
    if any((order == np.arange(count)).all() for order in orders):
        return "an epoch visits the recordings in the order in which they are given; expected a random order"
    if (orders[0] == orders[1]).all():
        return "each epoch visits the recordings in the same order; make the generator once, before the first epoch"
    return None


def _training_cases(rng: np.random.Generator) -> list[Case]:
    recordings = _recordings()
    few: Data = {
        "frames": recordings["frames"][:, :150],
        "labels": recordings["labels"][:150],
        "hidden": 32,
        "gain": 4.0,
    }
    cases = []
    for seed in (1, 2):
        data = {**recordings, "part": "learns", "seed": seed, "epochs": 8, "hidden": 64, "gain": 1.0}
        cases.append(Case("learns", f"seed {seed}", data))
    budgets: tuple[tuple[str, dict[str, float]], ...] = (
        ("learning rate 0, a last batch of 22", {"epochs": 2, "learning_rate": 0.0}),
        ("learning rate 0, 7 in a batch", {"epochs": 1, "learning_rate": 0.0, "batch": 7}),
        ("one batch", {"epochs": 4, "batch": 200}),
        ("one batch, learning rate 0.01", {"epochs": 4, "batch": 200, "learning_rate": 0.01}),
    )
    for label, budget in budgets:
        cases.append(Case("losses", label, {**few, "part": "losses", "seed": 3, "budget": budget}))
    repeat = {
        **few,
        "part": "repeat",
        "seed": 4,
        "budget": {"epochs": 2, "batch": 40, "learning_rate": 0.005},
    }
    cases.append(Case("repeat", "seeds 5, 5 and 6", repeat))
    return cases


TRAINING = Check(
    id="ps2.training",
    title="Training with a surrogate gradient",
    names=("train",),
    groups=(
        Group(
            "learns",
            2.0,
            f"names at least {BAR:.0%} of held-out recordings after 8 epochs",
            judge=_judge_learning,
        ),
        Group(
            "losses",
            1.0,
            "the mean loss of each epoch, with the loss and the optimiser asked for",
            judge=_judge_losses,
        ),
        Group("repeat", 1.0, "batches in a random order that the seed decides", judge=_judge_repeat),
    ),
    cases=_training_cases,
    probe=_probe_training,
    expected=lambda data: {},
    tolerance=Tolerance(1e-4, 1e-7, "two runs of one program differ at most by the order of sums"),
    misconceptions=(
        Misconception(
            "weights_not_moved",
            "The weights are the same before and after. Is `optimiser.step()` called, after `loss.backward()`?",
            when=lambda arrays, data: "moved" in arrays and float(arrays["moved"]) == 0,
        ),
        Misconception(
            "silent",
            "No output neuron ever fires, so each answer is the first class. See the section on dead networks.",
            when=lambda arrays, data: "rates" in arrays and not arrays["rates"].any(),
        ),
        Misconception(
            "loss_per_batch",
            "There is one number for each batch. Average the batches of an epoch, weighted by their size.",
            when=lambda arrays, data: (
                data["part"] == "losses"
                and arrays["losses"].ndim == 1
                and arrays["losses"].size != data["budget"]["epochs"]
                and arrays["losses"].size
                == data["budget"]["epochs"] * math.ceil(len(data["labels"]) / data["budget"].get("batch", 64))
            ),
        ),
        Misconception(
            "gradients_not_cleared",
            "The gradients of earlier batches are still in the sum: `optimiser.zero_grad()` belongs before "
            "`loss.backward()`.",
            when=lambda arrays, data: "gradient growth" in arrays and float(arrays["gradient growth"]) > 2,
        ),
        Misconception(
            "labels_apart",
            "The weights move, and the accuracy stays near chance. Are frames and labels taken with the same indices?",
            when=lambda arrays, data: (
                "rates" in arrays and arrays["rates"].ndim == 2 and _accuracy(arrays, data) < CHANCE
            ),
        ),
        Misconception(
            "global_generator",
            "The order of the batches comes from torch's global generator. Draw it from "
            "`torch.Generator().manual_seed(seed)`.",
            when=lambda arrays, data: (
                "again" in arrays
                and arrays["losses"].shape == arrays["again"].shape
                and not np.allclose(arrays["losses"], arrays["again"], rtol=1e-4)
            ),
        ),
    ),
    hints=(
        "For each batch: rates, loss, gradients to zero, backward, step. What has to be forgotten between batches, "
        "and what between epochs?",
        "The loss of a batch is the mean squared difference between `firing_rates(network, frames[:, chosen])` and "
        "the one-hot labels; time is the first axis, so the batch is chosen on the second.",
        "`order = torch.randperm(len(labels), generator=generator)`, then `for chosen in order.split(batch):` with "
        "`loss = functional_nn.mse_loss(rates, one_hot(labels[chosen], 10).float())`, `optimiser.zero_grad()`, "
        "`loss.backward()`, `optimiser.step()`; add `loss.item() * len(chosen)` and divide by `len(labels)` at the end.",
    ),
    withheld=("snnkit.training.fit",),
)

# ------------------------------------------------------------------------------------------------ the sweep


def _probe_sweep(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """The summary of a given table, the student's own table, or one row of it run again."""
    if data["part"] == "summary":
        columns = ("surrogate", "parameter", "seed", "accuracy")
        rows = [dict(zip(columns, row, strict=True)) for row in data["rows"]]
        summary = answer["summarise"](rows)
        settings = [(name, parameter) for name, parameter in data["settings"]]
        return {
            "settings": len(summary),
            "mean": [summary[setting][0] for setting in settings],
            "standard error": [summary[setting][1] for setting in settings],
        }
    if data["part"] == "named":
        import torch
        from spikingjelly.activation_based import surrogate as library

        def slopes(surrogate: Any) -> list[float]:
            x = torch.tensor([-0.2, 0.15, 0.22], requires_grad=True)
            return list(torch.autograd.grad(surrogate(x).sum(), x)[0].tolist())

        found, right = [], []
        for name, parameter, surrogate in answer["settings"]:
            family: Any = getattr(library, str(name), None)
            if str(name) in ("Sine", "Power") and str(name) in answer:
                right.append(slopes(answer[str(name)](float(parameter))))
            elif type(surrogate) is family and hasattr(surrogate, "alpha"):
                right.append(slopes(family(alpha=float(parameter))))
            else:
                continue
            found.append(slopes(surrogate))
        return {"slopes": found, "slopes of the name": right}
    results = answer["results"]
    if data["part"] == "table":
        names = [str(row["surrogate"]) for row in results]
        known = sorted(set(names))
        return {
            "family": [known.index(name) for name in names],
            "sine": [name == "Sine" for name in names],
            "power": [name == "Power" for name in names],
            "parameter": [float(row["parameter"]) for row in results],
            "seed": [int(row["seed"]) for row in results],
            "accuracy": [float(row["accuracy"]) for row in results],
        }
    row = results[int(data["row"] * len(results))]
    wanted = (str(row["surrogate"]), float(row["parameter"]))
    chosen = [
        surrogate
        for name, parameter, surrogate in answer["settings"]
        if (str(name), float(parameter)) == wanted
    ]
    if not chosen:
        raise ValueError(f"`results` has a row for {wanted}, which is not in `settings`")
    return {
        "table": float(row["accuracy"]),
        "again": float(answer["accuracy_of"](chosen[0], seed=int(row["seed"]))),
    }


def _expected_sweep(data: Data, *, ddof: int = 1, divide: bool = True) -> Arrays:
    means, errors = [], []
    for name, parameter in data["settings"]:
        values = np.array([row[3] for row in data["rows"] if (row[0], row[1]) == (name, parameter)])
        means.append(values.mean())
        errors.append(values.std(ddof=ddof) / (math.sqrt(len(values)) if divide else 1.0))
    return {"settings": np.array(len(means)), "mean": np.array(means), "standard error": np.array(errors)}


def _judge_table(arrays: Arrays, data: Data) -> str | None:
    family, parameter, seed, accuracy = (arrays[key] for key in ("family", "parameter", "seed", "accuracy"))
    if accuracy.size == 0:
        return "`results` has no rows"
    if not np.isfinite(accuracy).all() or accuracy.min() < 0 or accuracy.max() > 1:
        return "an accuracy lies outside [0, 1]; give shares, not per cent"
    settings: dict[tuple[int, float], list[int]] = {}
    for key, chosen in zip(zip(family.tolist(), parameter.tolist(), strict=True), seed.tolist(), strict=True):
        settings.setdefault(key, []).append(chosen)
    if any(len(set(chosen)) != len(chosen) for chosen in settings.values()):
        return "a setting has two rows with the same seed"
    if any(len(chosen) < 2 for chosen in settings.values()):
        return "a setting was run with one seed only; one run says nothing about the spread, use at least 2 seeds"
    if not (arrays["sine"].astype(bool) & np.isclose(parameter, 1.0)).any():
        return "there is no row for `Sine` with alpha = 1, as the lab asks"
    if not (arrays["power"].astype(bool) & np.isclose(parameter, 0.5)).any():
        return "there is no row for `Power` with alpha = 0.5, as the lab asks"
    families = len(set(family.tolist()))
    if families < 4:
        return f"the table compares {families} families; compare at least 4"
    varied = sum(len({p for f, p in settings if f == one}) >= 2 for one in set(family.tolist()))
    if varied < 3:
        return f"{varied} families have more than one parameter; vary the parameter of at least 3"
    return None


def _judge_again(arrays: Arrays, data: Data) -> str | None:
    if data["part"] == "named":
        if not np.allclose(arrays["slopes"], arrays["slopes of the name"], rtol=1e-4, atol=1e-6):
            return "a surrogate in `settings` has another slope than its name and parameter say"
        return None
    table, again = float(arrays["table"]), float(arrays["again"])
    if not math.isclose(table, again, abs_tol=1e-6):
        return (
            f"a row of `results` says {table:.4g}; running the same setting and seed again gives {again:.4g}"
        )
    return None


def _sweep_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for label, settings, seeds in (
        ("two settings, three seeds", [("ATan", 2.0), ("Sine", 1.0)], (0, 1, 2)),
        ("one family, two parameters", [("Sine", 0.5), ("Sine", 1.0)], (0, 1)),
        (
            "five settings",
            [("ATan", 1.0), ("ATan", 2.0), ("Erf", 2.0), ("Power", 0.5), ("Sine", 1.0)],
            (3, 5, 8, 9),
        ),
    ):
        rows = [
            (name, parameter, seed, float(rng.integers(50, 200) / 200))
            for name, parameter in settings
            for seed in seeds
        ]
        rng.shuffle(rows)
        rows = [(str(a), float(b), int(c), float(d)) for a, b, c, d in rows]
        cases.append(Case("summary", label, {"part": "summary", "settings": settings, "rows": rows}))
    cases.append(Case("table", "your `results`", {"part": "table"}))
    cases.append(Case("again", "one row run again", {"part": "again", "row": float(rng.uniform(0, 1))}))
    cases.append(Case("again", "the surrogates in `settings`", {"part": "named"}))
    return cases


SWEEP = Check(
    id="ps2.sweep",
    title="A sweep of surrogates",
    names=("settings", "results", "summarise", "accuracy_of", "Sine", "Power"),
    groups=(
        Group("summary", 1.0, "`summarise`: mean and standard error of each setting", names=("summarise",)),
        Group(
            "table",
            0.5,
            "`results`: families, parameters and seeds enough to compare",
            names=("results",),
            judge=_judge_table,
        ),
        Group(
            "again",
            0.5,
            "`results`: a row comes out again when it is run again",
            names=("settings", "results", "accuracy_of"),
            judge=_judge_again,
        ),
    ),
    cases=_sweep_cases,
    probe=_probe_sweep,
    expected=_expected_sweep,
    tolerance=Tolerance(1e-6, 1e-9, "sums of at most four numbers in double precision"),
    misconceptions=(
        Misconception(
            "population_deviation",
            "This divides the squared deviations by n. With the mean estimated from the same n runs, divide by n - 1 "
            "(`ddof=1` in NumPy; the default of `torch.std`).",
            arrays=partial(_expected_sweep, ddof=0),
        ),
        Misconception(
            "deviation_for_error",
            "This is the standard deviation of one run. The standard error of the mean of n runs is smaller by sqrt(n).",
            arrays=partial(_expected_sweep, divide=False),
        ),
        Misconception(
            "population_deviation_for_error",
            "This is the standard deviation with n below. The standard error of the mean divides by n - 1, and the "
            "root of it by sqrt(n).",
            arrays=partial(_expected_sweep, ddof=0, divide=False),
        ),
        Misconception(
            "parameters_merged",
            "The summary has one entry for each family. The key is the pair (surrogate, parameter).",
            error=r"KeyError: \(",
        ),
    ),
    hints=(
        "Group the rows by the pair (surrogate, parameter). What does one group hold, and what are its mean and the "
        "standard error of that mean?",
        "For n accuracies with standard deviation s (n - 1 below), the standard error of the mean is s / sqrt(n).",
        '`values = np.array([row["accuracy"] for row in results if (row["surrogate"], row["parameter"]) == '
        "setting])`, then `(values.mean(), values.std(ddof=1) / np.sqrt(len(values)))`. The table is two nested "
        "loops: over `settings` and over `SEEDS`.",
    ),
)

# ------------------------------------------------------------------------------------------ sparse slopes


def _probe_sparse(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """The share of zero slopes of one of SpikingJelly's surrogates, or the class with a fixed peak."""
    import torch
    from spikingjelly.activation_based import surrogate

    x = torch.from_numpy(data["x"])
    if data["part"] == "share":
        family = getattr(surrogate, data["family"])(alpha=data["sharpness"])
        return {"share": answer["zero_gradient_share"](family, x)}
    fixed = answer["FixedPeak"](**data["parameters"])
    if data["part"] == "spikes":
        return {"spikes": fixed(x)}
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad(fixed(x), x, torch.from_numpy(data["upstream"]))
    return {"gradient": gradient}


def _expected_sparse(data: Data) -> Arrays:
    if data["part"] != "share":
        return _expected_surrogate(data)
    if data["family"] != "PiecewiseQuadratic":
        return {"share": np.array(0.0)}
    return {"share": np.array((np.abs(data["x"].astype(np.float64)) >= 1 / data["sharpness"]).mean())}


def _sparse_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for family, sharpness in (
        ("PiecewiseQuadratic", 1.0),
        ("PiecewiseQuadratic", 4.0),
        ("PiecewiseQuadratic", 0.25),
        ("Sigmoid", 2.0),
    ):
        x = rng.normal(-0.4, 0.9, size=(5, 40)).astype(np.float32)
        data: Data = {"part": "share", "family": family, "sharpness": sharpness, "x": x}
        cases.append(Case("share", f"{family}(alpha={sharpness:g})", data))
    parameters = [{"width": 1.0, "peak": 1.0}, {"width": 0.25, "peak": 1.0}, {"width": 2.0, "peak": 0.8}]
    groups = {"spikes": "spikes", "gradient": "gradient", "primitive": None}
    return cases + _surrogate_cases(
        rng, "FixedPeak", parameters, groups.__getitem__, lambda chosen: 1.6 * chosen["width"]
    )


def _triangle(data: Data, width: float, peak: float, *, clipped: bool = True) -> Any:
    slope = peak * (1 - np.abs(data["x"]) / width)
    return np.maximum(slope, 0) if clipped else slope


SPARSE_GRADIENT = Check(
    id="ps2.sparse_gradient",
    title="Sparse slopes at a fixed peak",
    names=("zero_gradient_share", "FixedPeak"),
    groups=(
        Group("share", 1.0, "the share of points without a gradient", names=("zero_gradient_share",)),
        Group("spikes", 0.5, "`FixedPeak`: spikes, one at x = 0 too", names=("FixedPeak",)),
        Group("gradient", 1.5, "`FixedPeak`: a triangle of given width and height", names=("FixedPeak",)),
    ),
    cases=_sparse_cases,
    probe=_probe_sparse,
    expected=_expected_sparse,
    tolerance=ROUNDING,
    misconceptions=(
        OLD_INTERFACE,
        NO_BACKWARD,
        GRADIENT_COUNT,
        STRICT_THRESHOLD,
        Misconception(
            "share_of_silence",
            "This is the share of points that do not spike. A point below threshold may well have a gradient: count "
            "zeros of the gradient, not of the output.",
            arrays=lambda data: {"share": np.array((data["x"] < 0).mean())},
        ),
        Misconception(
            "complement",
            "This is the share of points that have a gradient; asked for is the share that have none.",
            arrays=lambda data: {"share": 1 - _expected_sparse(data)["share"]},
        ),
        Misconception(
            "count_for_share",
            "This is a number of points. Divide by how many there are.",
            arrays=lambda data: {"share": _expected_sparse(data)["share"] * data["x"].size},
        ),
        UPSTREAM,
        Misconception(
            "area_fixed",
            "Here the area is fixed and the peak is 1/width, which is PiecewiseQuadratic itself. The peak must stay "
            "at `peak` whatever the width, or height and sparsity change together.",
            arrays=_with_slope(
                lambda d: _triangle(d, d["parameters"]["width"], 1 / d["parameters"]["width"])
            ),
        ),
        Misconception(
            "full_width",
            "The triangle is half as wide as asked: it should reach 0 at x = -width and x = width.",
            arrays=_with_slope(lambda d: _triangle(d, d["parameters"]["width"] / 2, d["parameters"]["peak"])),
        ),
        Misconception(
            "negative_slope",
            "The straight lines go on below 0 outside the triangle. There the slope is 0.",
            arrays=_with_slope(
                lambda d: _triangle(d, d["parameters"]["width"], d["parameters"]["peak"], clipped=False)
            ),
        ),
    ),
    hints=(
        "How did you get the gradient of the spikes with respect to x in the questions above? Ask the surrogate "
        "itself, by backpropagation, and count exact zeros. For the class: where is the triangle's top, where its feet?",
        "`torch.autograd.grad(surrogate(x).sum(), x)` gives the slope at each point. The triangle is "
        "peak (1 - |x| / width), cut off at 0.",
        "Share: `x = x.detach().clone().requires_grad_()`, then `(gradient == 0).double().mean().item()`. Class: the "
        "slope in `backward` is `ctx.peak * (1 - x.abs() / ctx.width).clamp(min=0)`, and the autograd function "
        "returns `grad_output * slope, None, None`.",
    ),
    withheld=(
        "snnkit.surrogate.Triangle",
        "snnkit.surrogate.zero_gradient_share",
        "snnkit.surrogate.derivative_of",
    ),
)

CHECKS = (
    SINE_DERIVATIVE,
    SINE_SURROGATE,
    POWER_SURROGATE,
    TWO_LAYER_SNN,
    TRAINING,
    SWEEP,
    SPARSE_GRADIENT,
)
