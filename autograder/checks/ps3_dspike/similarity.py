"""Similarity of two gradients, which coordinates are sampled, and what the choice costs."""

import math

import numpy as np

import snnkit.dspike
from autograder.question import Case, Group, Question, Slip, Tolerance, call


def cosine(a, b):
    return snnkit.dspike.cosine_similarity(a, b)


def by_row(a, b):
    return np.mean([cosine(*rows) for rows in zip(a, b, strict=True)])


def inner_product(a, b):
    return a.double().flatten() @ b.double().flatten()


def one_length(a, b):
    return inner_product(a, b) / a.double().norm()


def passes(shape, count, temperatures, epochs, *, each=2, candidates=True, taken=min):
    """Forward passes of the choice, with the ways of counting wrongly."""
    return epochs * (each * taken(count, math.prod(shape)) + (temperatures if candidates else 0))


def answer(cosine=cosine, **ways):
    """The right answer, and those that go wrong in one of their parts."""
    return {
        "cosine_similarity": cosine,
        "sample_coordinates": snnkit.dspike.sample_coordinates,
        "forward_passes": lambda shape, count, temperatures, epochs: passes(
            shape, count, temperatures, epochs, **ways
        ),
    }


def is_nan(answer, a, b):
    """Whether the cosine is none."""
    found = answer["cosine_similarity"](a, b)
    return {"is nan": found != found}


def places(answer, shape, count, seed):
    """A draw of coordinates and its repetitions."""
    import torch

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        return answer["sample_coordinates"](torch.zeros(shape), count, generator)

    first = draw(seed)
    torch.manual_seed(12345)
    listed = hasattr(first, "tolist")
    return {"places": first, "again": draw(seed), "another seed": draw(seed + 1), "of a tensor": listed}


def judge_places(got, asked):
    if not got["of a tensor"] or got["places"].dtype.kind not in "iu":
        return "the places are no tensor of whole numbers, which the finite difference and an index need"
    size = math.prod(asked["shape"])
    count = min(asked["count"], size)
    for found in (got["places"], got["again"], got["another seed"]):
        if found.shape != (count,):
            return f"the places have shape {list(found.shape)}; expected [{count}]"
        if len(np.unique(found)) != count:
            return "a place was drawn twice"
        if found.min() < 0 or found.max() >= size:
            return f"a place lies outside 0 to {size - 1}"
    if not np.array_equal(got["places"], got["again"]):
        return "two draws from generators with the same seed differ"
    both = np.concatenate([got["places"], got["another seed"]])
    if count < size and (both.max() < 0.75 * size or both.min() > 0.25 * size):
        return (
            f"two draws of {count} places are all between {both.min()} and {both.max()}, of 0 to {size - 1}"
        )
    if count < size and (np.diff(np.sort(got["places"])) == 1).sum() >= count - 2:
        return "the places stand side by side; draw each of them"
    same = np.array_equal(np.sort(got["places"]), np.sort(got["another seed"]))
    return "two draws with different seeds gave the same places" if count < size and same else None


def repeated(got, asked):
    return asked["count"] <= got["places"].size and any(
        len(np.unique(got[name])) < got[name].size for name in ("places", "again", "another seed")
    )


def another_each_time(got, asked):
    return (
        len(np.unique(got["places"])) == got["places"].size
        and got["places"].shape == got["again"].shape
        and not np.array_equal(got["places"], got["again"])
    )


def cases(rng):
    for shape, dtype, size, small in (
        ((4, 5), np.float32, 1.0, ""),
        ((3, 2), np.float64, 1.0, ""),
        ((6, 8), np.float32, 1.0, ""),
        ((3, 4), np.float32, 1e-6, "tiny "),
    ):
        a = rng.normal(size=shape) * rng.uniform(0.1, 5, size=(shape[0], 1))
        b = 0.6 * a + rng.normal(size=shape)
        a, b = (size * a).astype(dtype), (-size * b).astype(dtype)
        yield Case(
            "cosine", f"two {small}gradients {list(shape)}", call("cosine_similarity", a, b), intact=True
        )
    mixed = call("cosine_similarity", a, b.astype(np.float64))
    yield Case("cosine", "one in float32, one in float64", mixed)
    some = rng.normal(size=6)
    for label, a, b in (
        ("the first is zero", np.zeros(6), some),
        ("the second is zero", some, np.zeros((2, 3))),
        ("none is zero, shapes [2, 3] and [6]", some.reshape(2, 3), some[::-1].copy()),
    ):
        yield Case("zero", label, call(is_nan, a=a, b=b))
    for label, weight, count in (
        ("20 of a weight [16, 32]", (16, 32), 20),
        ("all of a weight [3, 4]", (3, 4), 50),
        ("60 of a weight [4, 2, 3, 3]", (4, 2, 3, 3), 60),
    ):
        yield Case("places", label, call(places, shape=weight, count=count, seed=int(rng.integers(1000))))
    for weight, count, temperatures, epochs in (
        ((64, 3, 3, 3), 100_000, 3, 1),
        ((32, 64), int(rng.integers(20, 60)), 3, int(rng.integers(2, 9))),
        ((5, 4), 30, 5, 10),
    ):
        label = f"weight {list(weight)}, {count} samples, {epochs} epochs"
        yield Case("passes", label, call("forward_passes", weight, count, temperatures, epochs))


QUESTION = Question(
    "ps3.similarity",
    "Similarity, sampling and cost",
    (
        Group("cosine", 0.75, "`cosine_similarity` of two gradients"),
        Group("zero", 0.25, "`cosine_similarity`: nan for a zero gradient only"),
        Group("places", 0.5, "`sample_coordinates`: distinct places from the generator", judge=judge_places),
        Group("passes", 0.5, "`forward_passes`: what the choice costs"),
    ),
    cases,
    answer(),
    right_in_torch=True,
    facts={"is nan": ("a number came back; expected nan", "nan came back; expected a number")},
    gives={"cosine_similarity": ("cosine",), "forward_passes": ("passes",)},
    within=Tolerance(1e-05, 1e-06, "sums of at most 48 products of float32 numbers"),
    slips=(
        Slip(
            "by_row",
            "This is the mean of the cosines of the rows, in which a row of tiny gradients counts as much as "
            "a row of large ones. Flatten both gradients first: the whole weight is one vector.",
            answer(by_row),
        ),
        Slip(
            "not_normalised",
            "This is the inner product. Divide by the lengths of both gradients, or a long gradient looks "
            "like a similar one.",
            answer(inner_product),
        ),
        Slip("one_length_missing", "Only one of the two lengths is divided out.", answer(one_length)),
        Slip(
            "sign_lost",
            "The sign is lost: a gradient that points the opposite way has the similarity -1, not 1.",
            answer(lambda a, b: abs(cosine(a, b))),
        ),
        Slip(
            "drawn_with_repetition",
            "The same place can come twice, and is then paid for twice. Draw without repetition, for "
            "instance from `torch.randperm`.",
            seen=repeated,
        ),
        Slip(
            "global_generator",
            "The draw does not come from the generator that was given, so it is another one each time. Hand "
            "it on: `torch.randperm(n, generator=generator)`.",
            seen=another_each_time,
        ),
        Slip(
            "one_pass_for_each_weight",
            "A central difference needs two forward passes for each weight, one on either side.",
            answer(each=1),
        ),
        Slip(
            "candidates_not_counted",
            "The surrogate gradient of each candidate temperature needs a forward pass, too.",
            answer(candidates=False),
        ),
        Slip(
            "sampling_not_counted",
            "This counts every weight of the layer. Only `count` of them are sampled, where there are more.",
            answer(taken=lambda count, size: size),
        ),
        Slip(
            "more_samples_than_weights",
            "A layer with fewer weights than `count` has no more than its own number to sample.",
            answer(taken=lambda count, size: count),
        ),
    ),
    hints=(
        "How many numbers is the similarity of two gradients of shape [32, 64]? How many evaluations "
        "does one central difference take, and how many does one more temperature?",
        "Flatten both, then inner product over the product of the lengths. A random order of all places, "
        "cut off after `count`, has no repetitions. Each epoch takes 2 min(count, weights) + "
        "temperatures passes.",
        "`a.double().flatten()`, `a @ b`, `a.norm() * b.norm()`, and `math.nan` if that product is 0. "
        "`torch.randperm(weight.numel(), generator=generator)[:count]`. `math.prod(shape)` is the number "
        "of weights.",
    ),
    withheld=("snnkit.dspike.cosine_similarity", "snnkit.dspike.sample_coordinates"),
)
