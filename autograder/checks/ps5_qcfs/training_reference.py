"""The training loop, to go on with."""

import torch


def train(network, images, labels, *, epochs, learning_rate=3e-3, batch=64, seed=0):
    """Train in place; the mean loss of each epoch."""
    shuffling = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(network.parameters(), lr=learning_rate)
    means = []
    for _ in range(epochs):
        order, losses = torch.randperm(len(labels), generator=shuffling), []
        for part in order.split(batch):
            loss = torch.nn.functional.cross_entropy(network(images[part]), labels[part])
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(len(part) * loss.item())
        means.append(sum(losses) / len(labels))
    return means
