"""The rate code: independent spikes whose chances are the values."""

import math

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call
from snnkit import encoding


def encoded(answer, values, steps, seed):
    import torch

    spikes = answer["rate_encode"](values, steps, torch.Generator().manual_seed(seed))
    return {"spikes": spikes, "values afterwards": values}


def repeated(answer, values, steps, seed):
    """Whether a generator's seed decides the spikes."""
    import torch

    def train(seed):
        return answer["rate_encode"](values, steps, torch.Generator().manual_seed(seed))

    first, again, generator = train(seed), train(seed), torch.Generator().manual_seed(seed)
    answer["rate_encode"](values, steps, generator)
    later = answer["rate_encode"](values, steps, generator)
    return {
        "same seed, same spikes": torch.equal(first, again),
        "next call, other spikes": not torch.equal(first, later),
        "other seed, other spikes": not torch.equal(first, train(seed + 1)),
    }


def cases(rng):
    for label, values in (
        ("values 0 and 1", rng.integers(0, 2, (3, 4)).astype(np.float32)),
        ("float64", rng.integers(0, 2, 5).astype(np.float64)),
        ("a single value", np.array(1.0, dtype=np.float32)),
    ):
        made = call(encoded, values=values, steps=7, seed=int(rng.integers(1000)))
        yield Case("certain", label, made, keeps_dtype=True)
    p = np.repeat(np.array([[0.15, 0.3, 0.45, 0.6, 0.75, 0.9]]), 5, axis=0)
    made = call(encoded, values=p, steps=5000, seed=int(rng.integers(1000)))
    yield Case("chances", "30 values, 5000 steps", made)
    made = call(repeated, values=p, steps=20, seed=int(rng.integers(1000)))
    yield Case("repeat", "a generator with a seed", made)


def not_chance(got, asked):
    """Rates, independence in time and between neurons; a right answer fails once in ten million draws."""
    spikes, p, steps = got["spikes"].astype(np.float64), asked["values"], asked["steps"]
    if spikes.shape != (steps, *p.shape):
        return f"spikes has shape {list(spikes.shape)}; expected {[steps, *p.shape]}"
    if not np.isin(spikes, (0, 1)).all():
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


def are_spikes(got, asked):
    """Whether 0 and 1 came back, in the right shape."""
    spikes = got["spikes"]
    return spikes.shape == (asked["steps"], *asked["values"].shape) and np.isin(spikes, (0, 1)).all()


def of_chances(got, asked):
    """Whether spikes came back, and some value is neither 0 nor 1."""
    return are_spikes(got, asked) and ((asked["values"] > 0) & (asked["values"] < 1)).any()


def evenly_spaced(got, asked):
    """Whether at every step as many spikes have come as the values add up to, give or take one."""
    if not of_chances(got, asked):
        return False
    due = asked["values"] * np.arange(1, asked["steps"] + 1).reshape(-1, *[1] * asked["values"].ndim)
    return bool((np.abs(got["spikes"].astype(np.float64).cumsum(0) - due) < 1.01).all())


def always_or_never(got, asked):
    return of_chances(got, asked) and np.isin(got["spikes"].mean(0), (0, 1)).all()


def complement(got, asked):
    """Whether each value stays silent as often as it should fire."""
    some = are_spikes(got, asked) and got["spikes"].size > 0
    return some and (np.abs(got["spikes"].mean(0) - (1 - asked["values"])) < 0.1).all()


QUESTION = Question(
    "ps1.rate_code",
    "The rate code",
    (
        Group("certain", 0.5, "values 0 and 1, any shape and floating-point dtype"),
        Group("chances", 1.0, "each value is the chance of a spike in each step", judge=not_chance),
        Group("repeat", 0.5, "the generator decides"),
    ),
    cases,
    {"rate_encode": encoding.rate_encode},
    facts={
        "same seed, same spikes": ("the same seed gave other spikes", "the same seed gave the same spikes"),
        "next call, other spikes": ("a second call gave the same spikes", "a second call gave other spikes"),
        "other seed, other spikes": ("another seed gave the same spikes", "another seed gave other spikes"),
    },
    within=Tolerance(0.0, 1e-9, "spikes are 0 or 1; rates may be 6 standard deviations off"),
    slips=(
        Slip(
            "one_draw_reused",
            "Each neuron fires in all steps or in none: one random number was drawn and used for all of them. Draw anew "
            "for each step.",
            seen=lambda got, asked: (
                always_or_never(got, asked) and (got["spikes"][0] != got["spikes"][0, :1]).any()
            ),
        ),
        Slip(
            "no_chance",
            "Every value fires always or never: this compares with a fixed number. A value is a chance: compare it with "
            "random numbers between 0 and 1.",
            seen=always_or_never,
        ),
        Slip(
            "complement",
            "A value of 0 always fires and a value of 1 never does: the comparison is the wrong way round. A random number "
            "is below p with chance p.",
            seen=complement,
        ),
        Slip(
            "evenly_spaced",
            "The spikes come at even distances: there is no chance in them. Draw a random number for each step and each "
            "value, and compare it with the value.",
            seen=evenly_spaced,
        ),
        Slip(
            "shared_draw",
            "Neurons with the same value fire in the same steps: they share one random number. Draw one for each step and "
            "each neuron.",
            seen=lambda got, asked: (
                of_chances(got, asked)
                and not evenly_spaced(got, asked)
                and (got["spikes"][:, 1:] == got["spikes"][:, :-1]).all()
            ),
        ),
        Slip(
            "time_last",
            "Time is the last axis here. In this course it is the first: [T, ...].",
            seen=lambda got, asked: (
                asked["values"].ndim > 0 and got["spikes"].shape == (*asked["values"].shape, asked["steps"])
            ),
        ),
        Slip(
            "global_generator",
            "The same seed gives other spikes: the random numbers do not come from the generator that was handed over. "
            "`torch.rand` takes `generator=generator`.",
            seen=lambda got, asked: not got["same seed, same spikes"],
        ),
        Slip(
            "seeded_inside",
            "The spikes are always the same: the generator is seeded anew in each call, or not used at all. Use it as it "
            "comes.",
            seen=lambda got, asked: (
                bool(got["same seed, same spikes"]) and not got["next call, other spikes"]
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
