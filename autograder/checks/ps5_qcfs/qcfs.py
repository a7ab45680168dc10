"""QCFS and its gradients."""

from functools import partial

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .staircase_probe import activation, gradient


def stairs(asked, *, half=0.5, lowest=0.0, highest=True, unit=False, rounded=np.floor):
    """The staircase, with the ways in which it can go wrong."""
    z, clip, levels = asked["x"].astype(np.float64), asked["clip"], asked["levels"]
    level = np.clip(rounded(z * levels / clip + half), lowest, levels if highest else np.inf)
    return level / levels * (1.0 if unit else clip)


def open_interval(z, clip, half):
    return (z > -half) & (z < clip - half)


def closed_interval(z, clip, half):
    return (z >= -half) & (z <= clip - half)


def floor_first(z, clip, half):
    return (z >= -half) & (z < clip + half)


def clip_first(z, clip, half):
    return (z >= 0) & (z <= clip)


def residue(z, h, clip):
    return (h - z) / clip


def gradients(asked, *, inside=open_interval, passes=1.0, above=1.0, within=residue, upstream=True):
    """Gradients of z and of the clip, with the ways in which they go wrong."""
    z, clip = asked["x"].astype(np.float64), asked["clip"]
    inner = inside(z, clip, clip / (2 * asked["levels"]))
    weight = asked["upstream"].astype(np.float64) if upstream else np.ones_like(z)
    by_clip = np.where(inner, within(z, stairs(asked), clip), above * (z > 0))
    return {
        "gradient of z": passes * inner * weight,
        "gradient of clip": (by_clip * weight).sum(),
    }


def values(asked):
    if "upstream" not in asked:
        return {"activation": stairs(asked)}
    name = f"gradient of {asked['by']}"
    return {name: gradients(asked)[name]}


def of_stairs(**ways):
    return lambda asked: {"activation": stairs(asked, **ways)}


def cases(rng):
    def case(group, label, x, clip, levels, by=""):
        upstream = rng.uniform(0.5, 2, size=x.shape).astype(x.dtype)
        asked = {"x": x, "clip": clip, "levels": levels}
        put = call(gradient, **asked, upstream=upstream, by=by) if by else call(activation, **asked)
        return Case(group, f"clip = {clip:g}, L = {levels}, {label}", put)

    def between(clip, levels, low, high, *shape):
        """Points away from the jumps; ``low`` and ``high`` are levels."""
        level = rng.integers(round(low), round(high), size=shape)
        return np.asarray(clip / levels * (level + 0.5 + rng.uniform(0.1, 0.9, size=shape)), np.float32)

    for clip, levels in ((1.0, 4), (2.5, 8), (float(np.round(rng.uniform(0.4, 0.8), 2)), 3)):
        x = between(clip, levels, -3, levels + 2, 4, 6)
        yield case("forward", "a batch [4, 6]", x, clip, levels)
        yield case("slope", "a batch [4, 6]", x, clip, levels, "z")
        for label, low, high in (
            ("z inside", -1, levels - 1),
            ("z above", levels, levels + 3),
            ("z below", -4, -1),
        ):
            yield case("clip", label, between(clip, levels, low, high, 9), clip, levels, "clip")
        yield case("clip", "a batch [4, 6]", x, clip, levels, "clip")
    jumps = np.array([-0.25, 0.0, 0.25, 0.75, 1.25, 1.75, 2.0, 2.25, -30.0, 30.0], np.float32)
    yield case("forward", "z on the jumps", jumps, 2.0, 4)
    yield case("forward", "float64", between(1.0, 4, -3, 5, 7).astype(np.float64), 1.0, 4)
    yield case("forward", "no elements", np.zeros((0, 3), np.float32), 1.0, 4)
    yield case("forward", "one level", between(2.0, 1, -2, 3, 6), 2.0, 1)
    yield case("slope", "float64", between(1.0, 4, -3, 5, 7).astype(np.float64), 1.0, 4, "z")
    ends = np.array([-0.25, 1.75, -0.25, 1.75], np.float32)
    for by in ("z", "clip"):
        yield case("ends", "z at the two ends", ends, 2.0, 4, by)
        yield case("ends", "z at the two ends", ends / 2, 1.0, 4, by)
    yield case("clip", "no elements", np.zeros((0, 3), np.float32), 1.0, 4, "clip")


QUESTION = Question(
    "ps5.qcfs",
    "QCFS and its gradients",
    (
        Group("forward", 1.0, "the staircase"),
        Group("slope", 1.0, "gradient of z: 1 inside, 0 outside"),
        Group("ends", 0.5, "gradients exactly at the two ends of the region"),
        Group("clip", 1.5, "gradient of the clip: inside, above, below"),
    ),
    cases,
    ("Staircase",),
    values,
    within=Tolerance(0.0001, 1e-05, "a few single-precision operations, and sums of up to 24 terms"),
    slips=(
        Slip(
            "half_missing",
            "This floors without the shift of 1/2: the staircase lies below z instead of around it.",
            gives=of_stairs(half=0.0),
        ),
        Slip(
            "half_to_even",
            "On a jump `round` goes to the even neighbour. The formula floors z L/clip + 1/2, which goes up.",
            gives=of_stairs(half=0.0, rounded=np.round),
        ),
        Slip(
            "not_clipped_above",
            "Above the clip the staircase goes on. Its last level is L, its largest value the clip.",
            gives=of_stairs(highest=False),
        ),
        Slip(
            "not_clipped_below",
            "Below 0 the staircase goes on. Its first level is 0.",
            gives=of_stairs(lowest=-np.inf),
        ),
        Slip(
            "clip_factor_missing",
            "The levels run from 0 to 1 here. They are multiples of clip/L, so that the largest is the clip.",
            gives=of_stairs(unit=True),
        ),
        Slip(
            "gradient_count",
            "`backward` returns one value for each of z, clip and levels: two gradients and None.",
            error=r"returned an incorrect number of gradients",
        ),
        Slip(
            "no_straight_through",
            "The gradient of z is 0 everywhere: the floor's own derivative. Straight through, the floor "
            "counts as the identity, so that the gradient is 1 inside.",
            gives=partial(gradients, passes=0.0),
        ),
        Slip(
            "slope_upstream_missing",
            "This is the slope alone. `backward` returns the slope times `grad_output`, the gradient that "
            "arrives from above.",
            gives=partial(gradients, upstream=False),
        ),
        Slip(
            "closed_ends",
            "At the two ends the region is open: -clip/2L < z < clip - clip/2L, with `<` and not `<=`.",
            gives=partial(gradients, inside=closed_interval),
        ),
        Slip(
            "floor_first",
            "This is the region -clip/2L <= z < clip + clip/2L, which automatic differentiation gives when "
            "the floor is taken first. Asked for is the published one, which ends at clip - clip/2L.",
            gives=partial(gradients, inside=floor_first),
        ),
        Slip(
            "clip_first",
            "This is the region 0 <= z <= clip, which automatic differentiation gives when the clip is taken "
            "first. Asked for is the published one, half a level lower at both ends.",
            gives=partial(gradients, inside=clip_first),
        ),
        Slip(
            "one_above_missing",
            "Above the region the gradient of the clip is 1: there the output is the clip itself.",
            gives=partial(gradients, above=0.0),
        ),
        Slip(
            "only_above",
            "Inside the region the gradient of the clip is (h - z)/clip and not 0: a larger clip makes the "
            "steps larger.",
            gives=partial(gradients, within=lambda z, h, clip: np.zeros_like(z)),
        ),
        Slip(
            "clip_gradient_turned",
            "Inside, the gradient of the clip has the wrong sign: it is (h - z)/clip.",
            gives=partial(gradients, within=lambda z, h, clip: (z - h) / clip),
        ),
        Slip(
            "clip_gradient_of_factor",
            "This differentiates the factor clip in front and forgets the clip under z: with the floor "
            "straight through, the product rule gives h/clip - z/clip.",
            gives=partial(gradients, within=lambda z, h, clip: h / clip),
        ),
        Slip(
            "clip_gradient_undivided",
            "Inside, h - z still has to be divided by the clip.",
            gives=partial(gradients, within=lambda z, h, clip: h - z),
        ),
    ),
    hints=(
        "Forward: how many levels fit under z, rounded to the nearest, kept between 0 and L? Backward: "
        "write down the three ranges of z first, then the two gradients in each.",
        "Inside the open interval from -clip/2L to clip - clip/2L the gradient of z is 1 and that of the "
        "clip is (h - z)/clip; above it they are 0 and 1, below it 0 and 0. The gradient of the clip is "
        "one number: the sum over all elements, each times `grad_output`.",
        "`inside = (z > -half) & (z < clip - half)` with `half = clip / (2 * levels)`, then `slope = "
        "torch.where(inside, (h - z) / clip, (z > 0).to(z))` and `return grad_output * inside, "
        "(grad_output * slope).sum(), None`.",
    ),
    withheld=("snnkit.conversion.qcfs.staircase", "snnkit.conversion.qcfs._Staircase"),
)
