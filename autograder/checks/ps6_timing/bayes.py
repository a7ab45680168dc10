"""Bayesian optimisation: what is known of a function from noisy values, and where to look next."""

import math
from functools import partial

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call


def known(
    seen,
    values,
    grid,
    length,
    noise,
    *,
    diagonal=lambda noise: noise**2,
    exponent=lambda away, length: -((away / length) ** 2) / 2,
    left=lambda reduction: 1 - reduction,
    observed=False,
    root=np.sqrt,
):
    """Mean and standard deviation at the points of the grid, with the ways in which they can go wrong."""
    seen, grid = seen.astype(float), grid.astype(float)
    covariance = np.exp(exponent(np.abs(seen[:, None] - seen), length)) + diagonal(noise) * np.eye(len(seen))
    across = np.exp(exponent(np.abs(grid[:, None] - seen), length))
    solved = np.linalg.solve(covariance, np.concatenate([values[:, None], across.T], 1))
    variance = np.maximum(left((across * solved[:, 1:].T).sum(1)), 0)
    return across @ solved[:, 0], root(variance + noise**2 if observed else variance)


def promised(
    mean, std, best, *, sense=1.0, parts=lambda gain, below, std, density: gain * below + std * density
):
    """Expected improvement below ``best``, with the ways in which it can go wrong."""
    gain = sense * (best - mean.astype(float))
    z = gain / np.where(std > 0, std, 1.0)
    below = 0.5 * (1 + np.vectorize(math.erf, otypes=[float])(z / math.sqrt(2)))
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return np.where(std > 0, parts(gain, below, std, density), np.maximum(gain, 0))


def place(
    grid,
    seen,
    values,
    length,
    noise,
    *,
    best=np.min,
    worth=lambda promise, mean, std: promise,
    known=known,
    promised=promised,
):
    """Place of the next point in the grid, with the ways in which it can go wrong."""
    mean, std = known(seen, values, grid, length, noise)
    return int(worth(promised(mean, std, float(best(values))), mean, std).argmax())


def point(grid, seen, values, length, noise, **ways):
    """The next point itself."""
    return grid[place(grid, seen, values, length, noise, **ways)]


greedy = partial(point, worth=lambda promise, mean, std: -mean)
least = partial(point, worth=lambda promise, mean, std: -promise)
most_uncertain = partial(point, worth=lambda promise, mean, std: std)
below_largest = partial(point, best=np.max)
upwards = partial(promised, sense=-1.0)
exchanged = partial(promised, parts=lambda gain, below, std, density: gain * density + std * below)
unexplored = partial(promised, parts=lambda gain, below, std, density: gain * below)
dense = partial(promised, parts=lambda gain, below, std, density: gain * below + std * density * 2.5066282746)
variance = partial(known, root=lambda variance: variance)

WRONG = (
    greedy,
    least,
    most_uncertain,
    below_largest,
    partial(point, promised=upwards),
    partial(point, promised=exchanged),
    partial(point, promised=unexplored),
    partial(point, known=variance),
    partial(point, promised=dense),
)
"""Ways of choosing the next point that every draw tells apart."""

ALIKE = (partial(point, known=partial(known, observed=True)),)
"""Wrong ways that lose no points for the next point: no draw may tell them from the right one."""


def search(rng):
    """A search in which the next point is clear, and another one for each way of choosing wrongly."""
    while True:
        number = int(rng.integers(4, 7))
        seen, values, grid = rng.uniform(0, 1, number), rng.normal(size=number), np.linspace(0, 1, 41)
        length, noise = (float(np.round(rng.uniform(*ends), 2)) for ends in ((0.12, 0.25), (0.05, 0.2)))
        mean, std = known(seen, values, grid, length, noise)
        promise = np.sort(promised(mean, std, float(values.min())))
        if (
            promise[-1] - promise[-2] < 1e-4
            or promise[1] - promise[0] < 1e-3 * promise[1]
            or promise[0] < 1e-30
        ):
            continue  # no rounding may decide which promises most, or least
        asked = grid, seen, values, length, noise
        alike = all(wrong(*asked) == point(*asked) for wrong in ALIKE)
        if alike and all(abs(wrong(*asked) - point(*asked)) > 0.02 for wrong in WRONG):
            return asked


def searches(rng):
    """Three searches that tell every two ways of choosing wrongly apart."""
    while True:
        found = [search(rng) for _ in range(3)]
        if len({tuple(float(wrong(*asked)) for asked in found) for wrong in WRONG}) == len(WRONG):
            return found


def cases(rng):
    for label, number, length, noise in (
        ("4 points seen", 4, 0.3, 0.1),
        ("8 points seen", 8, 2.0, 0.3),
        ("1 point seen", 1, 0.5, 0.2),
    ):  # the points lie apart, or the covariance without noise is nearly singular
        seen = rng.permutation(np.arange(number) + rng.uniform(-0.3, 0.3, number)) * length
        values, grid = rng.normal(size=number), rng.uniform(-1, number, 9) * length
        yield Case("posterior", label, call("posterior", seen, values, grid, length, noise), intact=True)
    nothing = call("posterior", np.zeros(0), np.zeros(0), np.linspace(0, 1, 5), 0.3, 0.1)
    yield Case("posterior", "nothing seen yet", nothing)
    for label, shape in (("12 points", (12,)), ("points [3, 4]", (3, 4))):
        mean, std = rng.normal(size=shape), rng.uniform(0.1, 1.5, shape)
        best = float(np.round(rng.normal() / 2, 2))
        yield Case("improvement", label, call("expected_improvement", mean, std, best))
    mean, std = np.array([0.5, 1.0, 2.0, 0.0, 1.0]), np.array([0.0, 0.0, 0.0, 0.3, 0.2])
    certain = call("expected_improvement", mean, std, 1.0)
    yield Case("certain", "points without uncertainty among others", certain)
    seen = np.arange(40) + rng.uniform(-0.2, 0.2, 40)
    again = call("posterior", seen, rng.normal(size=40), seen, 0.9, 0.0)
    yield Case("certain", "points where all is known already", again)
    for number, asked in enumerate(searches(rng), start=1):
        yield Case("next", f"search {number}", call("next_point", *asked))


QUESTION = Question(
    "ps6.bayes",
    "Bayesian optimisation",
    (
        Group("posterior", 1.25, "`posterior`: mean and standard deviation at new points"),
        Group("improvement", 0.75, "`expected_improvement`: below the best so far"),
        Group("certain", 0.25, "a standard deviation of 0, in `posterior` and in `expected_improvement`"),
        Group("next", 0.75, "`next_point`: where the improvement promises most"),
    ),
    cases,
    {"posterior": known, "expected_improvement": promised, "next_point": point},
    gives={"posterior": ("mean", "std"), "expected_improvement": ("improvement",), "next_point": ("next",)},
    within=Tolerance(1e-5, 1e-6, "double precision; one linear system with noise on its diagonal"),
    slips=(
        Slip(
            "smallest_mean",
            "The point with the smallest mean is taken. It is near the best one already seen: the search "
            "never looks elsewhere. Take the largest expected improvement.",
            {"next_point": greedy},
        ),
        Slip(
            "least_improvement",
            "This is the point that promises least: `argmax`, not `argmin`, of the expected improvement.",
            {"next_point": least},
        ),
        Slip(
            "best_is_largest",
            "The best value so far is the smallest one that was seen, not the largest.",
            {"next_point": below_largest},
        ),
        Slip(
            "most_uncertain",
            "The point with the largest deviation is taken, whatever its mean. That explores and never "
            "uses what was found: take the largest expected improvement.",
            {"next_point": most_uncertain},
        ),
        Slip(
            "place_for_point",
            "This is the place of the next point in `grid`, which `argmax` gives. Asked for is the point: "
            "`grid[place]`.",
            {"next_point": place},
        ),
        Slip(
            "variance_below_0",
            "Where all is known rounding puts the variance a little below 0, and its root is nan: `variance.clamp(min=0)`.",
            seen=lambda got, asked: bool(np.isnan(got["std"]).any()) and not np.isnan(got["mean"]).any(),
        ),
        Slip(
            "density_not_normalised",
            "The density of the normal distribution has the factor 1/sqrt(2 pi).",
            {"expected_improvement": dense, "next_point": partial(point, promised=dense)},
        ),
        Slip(
            "noise_missing",
            "The noise is missing on the diagonal of the covariance, so the mean runs through every noisy "
            "value. Add sigma squared to it.",
            partial(known, diagonal=lambda noise: 0.0),
        ),
        Slip(
            "noise_not_squared",
            "`noise` is a standard deviation; on the diagonal stands a variance, its square.",
            partial(known, diagonal=lambda noise: noise),
        ),
        Slip(
            "variance_for_deviation",
            "This is the variance. The standard deviation is its square root.",
            variance,
        ),
        Slip(
            "half_missing",
            "The exponent of the kernel is -d^2 / (2 length^2): the factor 1/2 is missing.",
            partial(known, exponent=lambda away, length: -((away / length) ** 2)),
        ),
        Slip(
            "length_not_squared",
            "The distance is divided by the length before it is squared: the exponent is -d^2 / (2 "
            "length^2).",
            partial(known, exponent=lambda away, length: -(away**2) / length / 2),
        ),
        Slip(
            "prior_missing",
            "This is what the data take away from the variance. What is left is 1 minus it: far from all "
            "data nothing is known, and the standard deviation is 1.",
            partial(known, left=lambda reduction: reduction),
        ),
        Slip(
            "noise_of_a_new_value",
            "This is the spread of a new noisy value. Asked for is that of the function itself: the noise "
            "belongs to the values that were seen, not to the new point.",
            partial(known, observed=True),
        ),
        Slip(
            "maximisation",
            "This is the improvement for a maximum. Here the smallest value is the best, so the gain is "
            "best - mean.",
            {"expected_improvement": upwards},
        ),
        Slip(
            "density_and_distribution_exchanged",
            "The density and the distribution function are exchanged: the gain is multiplied by the "
            "probability Phi(z), the deviation by the density phi(z).",
            {"expected_improvement": exchanged},
        ),
        Slip(
            "second_term_missing",
            "Only the first term is there. Without the deviation times phi(z) a point of unknown value "
            "promises too little, and the search does not explore.",
            {"expected_improvement": unexplored},
        ),
        Slip(
            "distribution_missing",
            "The gain is not multiplied by Phi(z), the probability that there is one, so the expectation "
            "can become negative.",
            {
                "expected_improvement": partial(
                    promised, parts=lambda gain, below, std, density: gain + std * density
                )
            },
        ),
        Slip(
            "divided_by_zero",
            "Where the standard deviation is 0 you divide by it. The limit is the gain itself, or 0 if it "
            "is negative.",
            seen=lambda got, asked: (asked["std"] == 0).any() and not np.isfinite(got["improvement"]).all(),
        ),
    ),
    hints=(
        "What should mean and deviation be far away from all data, and what at a point that was seen "
        "without noise? Which gain do you expect where the mean lies far above the best value?",
        "With K = k(X, X) + sigma^2 I and k(x, X) across: mean = across K^-1 y, variance = 1 - across K^-1 "
        "across^T (its diagonal). EI = (best - mean) Phi(z) + std phi(z), z = (best - mean)/std.",
        "`torch.linalg.solve(K, across.T)` gives K^-1 across^T. `torch.special.ndtr(z)` is Phi, and "
        "`torch.exp(-z**2 / 2) / math.sqrt(2 * math.pi)` is phi. Divide by `torch.where(std > 0, std, "
        "1.0)` and choose with `torch.where` at the end. Next: `improvement = expected_improvement(mean, std, "
        "values.min())`, and `grid[improvement.argmax()]`.",
    ),
    withheld=("snnkit.blackbox.bayesian_search",),
)
