"""Neurons and codes: the membrane, the spike, rates, codes, event records, a mystery neuron.

Where spikes are compared, inputs, thresholds and decays are multiples of powers of two, or are drawn again until no
charge comes near the threshold, so that rounding cannot move a spike.
"""
