"""The training loop that chooses temperatures, to go on with."""

import torch


def train(network, pixels, labels, *, epochs, choose, b=3.0, learning_rate=5e-3, batch=32, seed=0):
    """Train, choosing the temperature once per epoch; the mean losses and the temperatures of the epochs."""
    shuffling = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(network.parameters(), lr=learning_rate)
    means, chosen = [], []
    for _ in range(epochs):
        parts = torch.randperm(len(labels), generator=shuffling).split(batch)
        b, losses = choose(network, pixels[parts[0]], labels[parts[0]], b), []
        network.set_temperature(b)
        for part in parts:
            loss = torch.nn.functional.cross_entropy(network(pixels[part]), labels[part])
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(len(part) * loss.item())
        means.append(sum(losses) / len(labels))
        chosen.append(b)
    return means, chosen
