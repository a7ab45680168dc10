"""The finite-difference gradient, of losses whose differences are known."""

import math
from functools import partial

import numpy as np
import torch

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .difference_probe import differences

CARE = ("evaluations", "weight afterwards", "result is float64")


def loss(asked, w):
    """The probe's loss, with the noise of the seed and without what no difference keeps."""
    if asked["kind"] == "stairs":
        return float((asked["linear"] * np.floor(4 * w)).sum())
    last = w**3 if asked["kind"] == "cubic" else w
    noise = 0.0
    if asked["kind"] == "noisy":
        generator = torch.Generator().manual_seed(asked["seed"] or 0)
        noise = float(torch.rand((), dtype=torch.float64, generator=generator)) * float(asked["linear"] @ w)
    return float(w @ asked["power"] @ w / 2 + (asked["linear"] * last).sum()) + noise


def values(asked, *, one_sided=False, all_moved=False, alone=False, restored=True, scale=1.0):
    """The differences, with the ways in which they can go wrong."""
    w, h = asked["weight"].astype(np.float64).reshape(-1).copy(), asked["step"]
    found = []
    for place in asked["places"].tolist():
        direction = np.ones_like(w) if all_moved else np.eye(len(w))[place]
        others = np.zeros_like(w) if alone else w
        above = loss(asked, others + h * direction)
        below = loss(asked, others if one_sided else others - h * direction)
        found.append((above - below) / (h if one_sided else 2 * h))
        if not restored:
            w -= h * direction
    everything = {
        "difference": scale * np.array(found, dtype=np.float64),
        "evaluations": 2 * len(asked["places"]),
        "weight afterwards": w.reshape(asked["weight"].shape),
        "result is float64": True,
    }
    return {name: everything[name] for name in asked["gives"]}


def cases(rng):
    for group, kind, shape, count, step, parameter, label in (
        ("smooth", "quadratic", (3, 4), 5, 0.3, False, "a quadratic"),
        ("smooth", "cubic", (2, 3), 6, 0.5, True, "a cubic, of a parameter"),
        ("smooth", "cubic", (2, 2, 2), 3, 0.25, False, "a cubic, weight [2, 2, 2]"),
        ("smooth", "stairs", (4, 3), 12, 0.4, False, "a staircase"),
        ("smooth", "quadratic", (2, 3), 0, 0.1, False, "no coordinates"),
        ("noise", "noisy", (3, 3), 4, 0.2, False, "a loss with noise"),
        ("noise", "noisy", (2, 4), 8, 0.1, True, "a loss with noise, of a parameter"),
        ("noise", "noisy", (2, 3), 4, 0.2, False, "a loss with noise, seed left out"),
        ("care", "quadratic", (3, 4), 5, 0.5, False, "a tensor"),
        ("care", "cubic", (2, 3), 4, 0.5, True, "a parameter"),
    ):
        size = math.prod(shape)
        power = rng.normal(size=(size, size))
        asked = {
            "kind": kind,
            # Multiples of 1/64, off the edges of the staircase and far from them after a step.
            "weight": (rng.integers(-64, 64, size=shape) * 2 + 1) / 64,
            "power": power + power.T,
            "linear": rng.uniform(0.5, 2, size=size) * rng.choice([-1, 1], size=size),
            "places": rng.permutation(size)[:count].astype(np.int64),
            "step": step,
            "seed": None if "left out" in label else int(rng.integers(1, 1000)),
            "parameter": parameter,
            "gives": CARE if group == "care" else ("difference",),
        }
        yield Case(group, label, call(differences, **asked))


def other_noise(got, asked):
    """Whether the two evaluations of a difference saw different noise."""
    return bool((got["noise"][::2] != got["noise"][1::2]).any())


QUESTION = Question(
    "ps3.finite_difference",
    "The finite-difference gradient",
    (
        Group("smooth", 1.5, "central differences of losses without noise"),
        Group("noise", 1.0, "the same noise in every evaluation"),
        Group("care", 0.5, "two evaluations for each coordinate, the weight as it was, a float64 result"),
    ),
    cases,
    ("finite_difference",),
    values,
    facts={"result is float64": ("the result is not float64, as asked", "the result is float64")},
    within=Tolerance(
        1e-9, 1e-9, "double precision: losses near 1000 are off by 1e-13, their difference is divided by 0.2"
    ),
    slips=(
        Slip(
            "one_sided",
            "This is a one-sided difference, (E(w + h e) - E(w)) / h. It has an error in the first power of "
            "h, which is not small here. Take the difference of both sides, divided by 2 h.",
            gives=partial(values, one_sided=True),
        ),
        Slip(
            "divided_by_one_step",
            "This is twice as much: from w - h e to w + h e it is two steps, so the difference is divided by "
            "2 h.",
            gives=partial(values, scale=2.0),
        ),
        Slip(
            "every_weight_moved",
            "Every weight is moved at once, and all differences are the same. e_i is 1 at one place only: "
            "move one weight and leave the others.",
            gives=partial(values, all_moved=True),
        ),
        Slip(
            "others_zero",
            "The other weights are 0 in these evaluations. w holds all weights as they are; only one is moved.",
            gives=partial(values, alone=True),
        ),
        Slip(
            "not_put_back",
            "A weight stays where the last evaluation left it, so the next difference is taken elsewhere. "
            "Move a copy, or put the weight back.",
            gives=partial(values, restored=False),
        ),
        Slip("sign_turned", "The sign is turned: above minus below.", gives=partial(values, scale=-1.0)),
        Slip(
            "noise_not_fixed",
            "The two evaluations see different noise, so their difference measures luck. Call "
            "`torch.manual_seed(seed)` right before each of them.",
            seen=other_noise,
        ),
    ),
    hints=(
        "What has to be the same in the two evaluations whose difference you take, and what has to "
        "differ, by how much and in how many places?",
        "For each place: a copy of the weight with h added there, one with h subtracted there, the two "
        "losses, their difference divided by 2 h; `torch.manual_seed(seed)` before each loss.",
        "`moved = weight.detach().clone(); moved.view(-1)[place] += step` moves one place of a copy; after "
        "`torch.manual_seed(seed)` comes `above = float(loss(moved))`, and `below = float(loss(moved))` for a copy moved "
        "the other way. `differences.append((above - below) / (2 * step))`, and at the end "
        "`return torch.tensor(differences, dtype=torch.float64)`.",
    ),
    withheld=("snnkit.dspike.finite_difference_gradient", "snnkit.dspike.choose_temperature"),
)
