"""Numbers with which every sum and mean is exact, so that no rounding can move a spike."""


def dyadic(rng, low, high, shape, below=8):
    """Whole multiples of 1/below from low to high (both in units of 1/below), float64."""
    return rng.integers(low, high + 1, size=shape) / below
