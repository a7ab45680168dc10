"""Runs beside the student's code: the summary of a given table, the student's own table, or what stands in it again."""

import torch
from spikingjelly.activation_based import surrogate as library


def summary(answer, settings, rows):
    """Mean and standard error of each setting of a table."""
    columns = ("surrogate", "parameter", "seed", "accuracy")
    found = answer["summarise"]([dict(zip(columns, row, strict=True)) for row in rows])
    wanted = [(name, parameter) for name, parameter in settings]
    return {
        "settings": len(found),
        "mean": [found[setting][0] for setting in wanted],
        "standard error": [found[setting][1] for setting in wanted],
    }


def table(answer):
    """The student's own table."""
    results = answer["results"]
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


def row_again(answer, place):
    """One row of the table, run again; ``place`` is between 0 and 1."""
    results = answer["results"]
    row = results[int(place * len(results))]
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


def slopes(surrogate):
    x = torch.tensor([-0.2, 0.15, 0.22], requires_grad=True)
    return list(torch.autograd.grad(surrogate(x).sum(), x)[0].tolist())


def named(answer):
    """Slopes of the surrogates in the settings, and of what their name and parameter say, where that is known."""
    found, right = [], []
    for name, parameter, surrogate in answer["settings"]:
        family = getattr(library, str(name), None)
        if str(name) in ("Sine", "Power") and str(name) in answer:
            right.append(slopes(answer[str(name)](float(parameter))))
        elif type(surrogate) is family and hasattr(surrogate, "alpha"):
            right.append(slopes(family(alpha=float(parameter))))
        else:
            continue
        found.append(slopes(surrogate))
    return {"slopes": found, "slopes of the name": right}
