"""Choosing a temperature, to go on with."""

import math


def candidates(b, change, minimum):
    """The temperatures to compare: b, b - change and b + change, none below the minimum."""
    return [max(b + shift, minimum) for shift in (0, -change, change)]


def choose_temperature(b, change, minimum, similarity_at):
    """The candidate whose gradient is most like the finite difference."""
    measured = [(float(similarity_at(one)), one) for one in candidates(b, change, minimum)]
    usable = [(value, one) for value, one in measured if not math.isnan(value)]
    return max(usable, key=lambda pair: pair[0])[1] if usable else b
