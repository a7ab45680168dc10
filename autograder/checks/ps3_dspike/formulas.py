"""Dspike in NumPy, on the window [0, 1] of a potential (an array) with the threshold 1/2."""

import math

import numpy as np


def middle(u, b):
    """Dspike's middle line, wherever it is asked for."""
    return np.tanh(b * (u.astype(float) - 0.5)) / (2 * math.tanh(b / 2)) + 0.5


def value(u, b):
    return middle(np.clip(u, 0, 1), b)


def bare_slope(u, b):
    """The slope of the middle line, wherever it is asked for."""
    return b / (2 * math.tanh(b / 2)) * (1 - np.tanh(b * (u.astype(float) - 0.5)) ** 2)


def inside(u):
    return (u >= 0) & (u <= 1)


def slope(u, b):
    return bare_slope(u, b) * inside(u)
