"""STDP on line, to go on with."""

import math

import torch


class OnlineSTDP:
    """STDP on line: what a spike needs to know of the past is in two traces."""

    def __init__(self, a_plus, a_minus, tau_plus, tau_minus, dt=1.0):
        self.amounts = a_plus, a_minus
        self.decays = math.exp(-dt / tau_plus), math.exp(-dt / tau_minus)
        self.reset()

    def reset(self):
        """Forget all spikes."""
        self.traces = None

    def step(self, pre, post):
        """Change of the weights in one step; the traces move on."""
        traces = self.traces or (torch.zeros_like(pre), torch.zeros_like(post))
        of_pre, of_post = (decay * trace for decay, trace in zip(self.decays, traces, strict=True))
        self.traces = of_pre + pre, of_post + post
        return self.amounts[0] * (post.T @ of_pre) - self.amounts[1] * (of_post.T @ pre)

    def learn(self, weight, pre, post, low=-math.inf, high=math.inf):
        """Weights after learning from whole trains, kept within the bounds after every step."""
        self.reset()
        for now in zip(pre, post, strict=True):
            weight = torch.clamp(weight + self.step(*now), low, high)
        return weight
