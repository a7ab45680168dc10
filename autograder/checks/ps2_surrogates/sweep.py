"""A sweep of surrogates: the summary of a table, and the student's own table."""

import math
from functools import partial

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .sweep_probe import named, row_again, summary, table


def values(asked, *, ddof=1, divide=True):
    """Means and standard errors, with the ways in which they can go wrong."""
    groups = [
        np.array([row[3] for row in asked["rows"] if (row[0], row[1]) == setting])
        for setting in asked["settings"]
    ]
    return {
        "settings": len(groups),
        "mean": [one.mean() for one in groups],
        "standard error": [one.std(ddof=ddof) / (math.sqrt(len(one)) if divide else 1.0) for one in groups],
    }


def judge_table(got, asked):
    family, parameter, seed, accuracy = (got[key] for key in ("family", "parameter", "seed", "accuracy"))
    if accuracy.size == 0:
        return "`results` has no rows"
    if not np.isfinite(accuracy).all() or accuracy.min() < 0 or accuracy.max() > 1:
        return "an accuracy lies outside [0, 1]; give shares, not per cent"
    seeds: dict[tuple[int, float], list[int]] = {}
    for key, chosen in zip(zip(family.tolist(), parameter.tolist(), strict=True), seed.tolist(), strict=True):
        seeds.setdefault(key, []).append(chosen)
    if any(len(set(chosen)) != len(chosen) for chosen in seeds.values()):
        return "a setting has two rows with the same seed"
    if any(len(chosen) < 2 for chosen in seeds.values()):
        return "a setting was run with one seed only; one run says nothing about the spread, use at least 2 seeds"
    if not (got["sine"].astype(bool) & np.isclose(parameter, 1.0)).any():
        return "there is no row for `Sine` with alpha = 1, as the lab asks"
    if not (got["power"].astype(bool) & np.isclose(parameter, 0.5)).any():
        return "there is no row for `Power` with alpha = 0.5, as the lab asks"
    families = set(family.tolist())
    if len(families) < 4:
        return f"the table compares {len(families)} families; compare at least 4"
    varied = sum(len({p for f, p in seeds if f == one}) >= 2 for one in families)
    if varied < 3:
        return f"{varied} families have more than one parameter; vary the parameter of at least 3"
    return None


def judge_again(got, asked):
    if "slopes" in got:
        if not np.allclose(got["slopes"], got["slopes of the name"], rtol=1e-4, atol=1e-6):
            return "a surrogate in `settings` has another slope than its name and parameter say"
        return None
    noted, again = float(got["table"]), float(got["again"])
    if not math.isclose(noted, again, abs_tol=1e-6):
        return (
            f"a row of `results` says {noted:.4g}; running the same setting and seed again gives {again:.4g}"
        )
    return None


def cases(rng):
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
        yield Case("summary", label, call(summary, settings=settings, rows=rows))
    yield Case("table", "your `results`", call(table))
    yield Case("again", "one row run again", call(row_again, place=float(rng.uniform(0, 1))))
    yield Case("again", "the surrogates in `settings`", call(named))


QUESTION = Question(
    "ps2.sweep",
    "A sweep of surrogates",
    (
        Group("summary", 1.0, "`summarise`: mean and standard error of each setting"),
        Group(
            "table",
            0.5,
            "`results`: families, parameters and seeds enough to compare",
            judge=judge_table,
        ),
        Group("again", 0.5, "`results`: a row comes out again when it is run again", judge=judge_again),
    ),
    cases,
    ("settings", "results", "summarise", "accuracy_of", "Sine", "Power"),
    values,
    tensors=False,
    uses={
        "Sine": "ps2.sine_surrogate",
        "Power": "ps2.power_surrogate",
        "two_layer_snn": "ps2.two_layer_snn",
        "firing_rates": "ps2.two_layer_snn",
        "train": "ps2.training",
    },
    within=Tolerance(1e-06, 1e-09, "sums of at most four numbers in double precision"),
    slips=(
        Slip(
            "population_deviation",
            "This divides the squared deviations by n. With the mean estimated from the same n runs, divide "
            "by n - 1 (`ddof=1` in NumPy; the default of `torch.std`).",
            gives=partial(values, ddof=0),
        ),
        Slip(
            "deviation_for_error",
            "This is the standard deviation of one run. The standard error of the mean of n runs is smaller "
            "by sqrt(n).",
            gives=partial(values, divide=False),
        ),
        Slip(
            "population_deviation_for_error",
            "This is the standard deviation with n below. The standard error of the mean divides by n - 1, "
            "and the root of it by sqrt(n).",
            gives=partial(values, ddof=0, divide=False),
        ),
        Slip(
            "parameters_merged",
            "The summary has one entry for each family. The key is the pair (surrogate, parameter).",
            error=r"KeyError: \(",
        ),
    ),
    hints=(
        "Group the rows by the pair (surrogate, parameter). What does one group hold, and what are its "
        "mean and the standard error of that mean?",
        "For n accuracies with standard deviation s (n - 1 below), the standard error of the mean is s / "
        "sqrt(n).",
        '`values = np.array([row["accuracy"] for row in results if (row["surrogate"], row["parameter"]) '
        "== setting])`, then `(values.mean(), values.std(ddof=1) / np.sqrt(len(values)))`. The table is "
        "two nested loops: over `settings` and over `SEEDS`.",
    ),
)
