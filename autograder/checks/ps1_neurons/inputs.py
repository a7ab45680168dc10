"""Random inputs that several questions draw."""

import numpy as np


def grid(rng, low, high, shape, kind=np.float64):
    """Random multiples of 1/64."""
    return (rng.integers(int(64 * low), int(64 * high) + 1, shape) / 64).astype(kind)


def around_the_rheobase(rng):
    """Currents [2, 3] in rheobases: two too weak ones and four that fire."""
    return rng.permutation(np.concatenate([rng.uniform(0.5, 0.9, 2), rng.uniform(1.1, 3, 4)])).reshape(2, 3)
