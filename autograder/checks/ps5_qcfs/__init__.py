"""Questions of the problem set on QCFS and the unevenness error.

What is right comes from plain NumPy loops; tests compare them with :mod:`snnkit.conversion`. Where a spike is at stake,
weights, currents and thresholds are multiples of powers of two, so that no rounding can move it.
"""
