"""Checks of the problem set on spike times, STDP and learning without a gradient of the network.

What is right is mostly computed in plain NumPy and double precision, from the formulas and by simulation: a second
opinion beside the library, and of another form than the tensors that are asked for.
"""
