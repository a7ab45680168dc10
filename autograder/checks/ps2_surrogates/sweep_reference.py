"""The summary of a table, to go on with; the table itself is made by running."""

import numpy as np


def summarise(results):
    """{(surrogate, parameter): (mean accuracy, standard error of the mean)}"""
    found = {}
    for setting in dict.fromkeys((row["surrogate"], row["parameter"]) for row in results):
        own = [row["accuracy"] for row in results if (row["surrogate"], row["parameter"]) == setting]
        found[setting] = float(np.mean(own)), float(np.sqrt(np.var(own, ddof=1) / len(own)))
    return found
