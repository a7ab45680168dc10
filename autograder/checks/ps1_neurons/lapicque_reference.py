"""Two steps of the membrane, to go on with."""

import math


def euler_step(v, current, dt, tau, resistance):
    """Potential after one step of Euler's method."""
    ratio = dt / tau
    return v - ratio * v + ratio * resistance * current


def exact_step(v, current, dt, tau, resistance):
    """Potential after one exact step with constant current."""
    target = resistance * current
    return target + (v - target) * math.exp(-dt / tau)
