# %% two_layer_snn_answer
def two_layer_snn(inputs, hidden, classes, surrogate):
    """Linear, neurons, linear, neurons, on frames [T, N, ...]."""
    return nn.Sequential(
        nn.Flatten(2),
        nn.Linear(inputs, hidden, bias=False),
        neuron.LIFNode(surrogate_function=surrogate, detach_reset=True, step_mode="m"),
        nn.Linear(hidden, classes, bias=False),
        neuron.LIFNode(surrogate_function=surrogate, detach_reset=True, step_mode="m"),
    )


def firing_rates(network, frames):
    """Mean over time of the output spikes [N, classes]."""
    return network(frames).mean(0)


# %% training_answer
def train(network, frames, labels, *, epochs, learning_rate=1e-3, batch=64, seed=0):
    """Train on frames [T, N, ...] and labels [N]; the mean loss of each epoch."""
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    losses = []
    for _ in range(epochs):
        order = torch.randperm(len(labels))
        for chosen in order.split(batch):
            functional.reset_net(network)
            loss = F.mse_loss(firing_rates(network, frames[:, chosen]), F.one_hot(labels[chosen], 10).float())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    return losses


# %% summarise_answer
def summarise(results):
    runs = {}
    for row in results:
        runs.setdefault((row["surrogate"], row["parameter"]), []).append(row["accuracy"])
    return {setting: (np.mean(values), np.std(values, ddof=1)) for setting, values in runs.items()}
