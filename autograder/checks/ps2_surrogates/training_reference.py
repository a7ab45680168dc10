"""The training loop, to go on with."""

import torch
from spikingjelly.activation_based import functional


def train(network, frames, labels, *, epochs, learning_rate=1e-3, batch=64, seed=0):
    """Train on frames [T, N, ...] and labels [N]; the mean loss of each epoch."""
    shuffling = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(network.parameters(), lr=learning_rate)
    wanted = torch.nn.functional.one_hot(labels, 10).float()
    means = []
    for _ in range(epochs):
        order, losses = torch.randperm(len(labels), generator=shuffling), []
        for part in order.split(batch):
            functional.reset_net(network)
            loss = (network(frames[:, part]).mean(0) - wanted[part]).square().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(len(part) * loss.item())
        means.append(sum(losses) / len(labels))
    return means
