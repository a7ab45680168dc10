"""Training with a surrogate gradient."""

import math
from functools import cache

import numpy as np
import torch
from spikingjelly.activation_based import functional

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .training_probe import Network, learned, losses, repeated

BAR = 0.6
"""The reference names 80 to 84 % (8 seeds); without clearing gradients 13 to 23 %, with one batch an epoch 37 to 49 %."""
CHANCE = 0.2
HARDLY = 2e-3
"""Adam moves a weight by about the learning rate, 1e-3, in each of its 40 steps: the reference by 0.02 to 0.03 in all."""


@cache
def recordings():
    """A small fixed part of the simulated recordings: 300 to learn from, 150 held out, 5 frames each."""
    from snnkit import datasets

    def inputs(frames):
        return np.ascontiguousarray(np.log1p(np.asarray(frames, dtype=np.float32)).swapaxes(0, 1))

    digits = datasets.event_digits(train=300, test=150, steps=5, simulated=True)
    return {
        "frames": inputs(digits.train_frames),
        "labels": digits.train_labels.astype(np.int64),
        "held_out": inputs(digits.test_frames),
        "held_out_labels": digits.test_labels.astype(np.int64),
    }


def cases(rng):
    order = rng.permutation(len(recordings()["labels"]))
    every = recordings()
    every = every | {"frames": every["frames"][:, order], "labels": every["labels"][order]}
    few = {"frames": every["frames"][:, :150], "labels": every["labels"][:150], "hidden": 32, "gain": 4.0}
    first, second, third = (int(seed) for seed in rng.choice(1000, 3, replace=False))
    for seed in (first, second):
        made = call(learned, **every, seed=seed, epochs=8, hidden=64, gain=1.0)
        yield Case("learns", f"seed {seed}", made)
    for label, budget in (
        ("learning rate 0, a last batch of 22", {"epochs": 2, "learning_rate": 0.0}),
        ("learning rate 0, 7 in a batch", {"epochs": 1, "learning_rate": 0.0, "batch": 7}),
        ("one batch", {"epochs": 4, "batch": 200}),
        ("one batch, learning rate 0.01", {"epochs": 4, "batch": 200, "learning_rate": 0.01}),
    ):
        yield Case("losses", label, call(losses, **few, seed=third, budget=budget))
    for label, size in (("batches of 40", {"batch": 40}), ("batch left out", {})):
        budget = {"epochs": 2, "learning_rate": 0.005} | size
        said = f"{label}, seeds {third + 1}, {third + 1} and {third + 2}"
        yield Case("repeat", said, call(repeated, **few, seed=third, budget=budget))


def by_the_text(network, frames, labels, *, epochs, learning_rate=1e-3, batch=64, seed):
    """The training that the problem set describes, on arrays."""
    generator = torch.Generator().manual_seed(seed)
    frames, labels = torch.from_numpy(frames), torch.from_numpy(labels)
    targets = torch.nn.functional.one_hot(labels, 10).float()
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    means = []
    for _ in range(epochs):
        of_recordings = torch.zeros(len(labels))
        for chosen in torch.randperm(len(labels), generator=generator).split(batch):
            functional.reset_net(network)
            squares = (network(frames[:, chosen]).mean(0) - targets[chosen]).square().mean(1)
            optimiser.zero_grad()
            squares.mean().backward()
            optimiser.step()
            of_recordings[chosen] = squares.detach()
        means.append(float(of_recordings.mean()))
    return means


def right_losses(asked):
    frames, seed = asked["frames"], asked["seed"]
    network = Network(torch.from_numpy(frames), asked["hidden"], asked["gain"], seed, forgets=False)
    means = by_the_text(network, frames, asked["labels"], seed=seed, **asked["budget"])
    return {"losses": means, "losses are numbers": True}


def accuracy(got, asked):
    return float((got["rates"].argmax(1) == asked["held_out_labels"]).mean())


def judge_learning(got, asked):
    wanted = (len(asked["held_out_labels"]), 10)
    if got["rates"].shape != wanted:
        return (
            f"the rates on held-out recordings have shape {list(got['rates'].shape)}; expected {list(wanted)}"
        )
    if accuracy(got, asked) < BAR:
        return (
            f"after {asked['epochs']} epochs on {len(asked['labels'])} simulated recordings the network names "
            f"{accuracy(got, asked):.0%} of {wanted[0]} held-out ones; the bar is {BAR:.0%} (chance is 10%)"
        )
    return None


def judge_repeat(got, asked):
    found, again, other = got["losses"], got["again"], got["other seed"]
    if found.shape != again.shape or not np.allclose(found, again, rtol=1e-4, atol=1e-7):
        return "two trainings of the same initial network with the same seed gave different losses"
    if found.shape == other.shape and np.allclose(found, other, rtol=1e-5, atol=1e-9):
        return "trainings with two different seeds gave the same losses"
    count, epochs, batch = len(asked["labels"]), asked["budget"]["epochs"], asked["budget"].get("batch", 64)
    batches, shown = got["batches"].tolist(), got["shown"]
    sizes = [batch] * (count // batch) + [count % batch] * bool(count % batch)
    if sorted(batches) != sorted(sizes * epochs):
        return (
            f"with {count} recordings, batch = {batch} and epochs = {epochs} the network was shown batches of "
            f"{', '.join(map(str, batches[:12])) or 'nothing'}; expected {', '.join(map(str, sizes))} in each epoch"
        )
    orders = shown.reshape(epochs, count)
    if any(len(set(order.tolist())) != count for order in orders):
        return "an epoch does not visit every recording once"
    if any((order == np.arange(count)).all() for order in orders):
        return "an epoch visits the recordings in the order in which they are given; expected a random order"
    if (orders[0] == orders[1]).all():
        return "each epoch visits the recordings in the same order; make the generator once, before the first epoch"
    return None


def one_for_each_batch(got, asked):
    epochs, batch = asked["budget"]["epochs"], asked["budget"].get("batch", 64)
    size = got["losses"].size
    return "again" not in got and size != epochs and size == epochs * math.ceil(len(asked["labels"]) / batch)


QUESTION = Question(
    "ps2.training",
    "Training with a surrogate gradient",
    (
        Group(
            "learns",
            2.0,
            f"names at least {BAR:.0%} of held-out recordings after 8 epochs",
            judge=judge_learning,
        ),
        # One batch in another order: sums differ by rounding, which can move a spike or two of 7,500.
        Group(
            "losses",
            1.0,
            "the mean loss of each epoch, with the loss and the optimiser asked for",
            within=Tolerance(2e-3, 0.0, "of one batch in another order"),
        ),
        Group("repeat", 1.0, "batches in a random order that the seed decides", judge=judge_repeat),
    ),
    cases,
    ("train",),
    right_losses,
    uses={"two_layer_snn": "ps2.two_layer_snn", "firing_rates": "ps2.two_layer_snn"},
    facts={
        "losses are numbers": (
            "a loss is a tensor that still carries its gradient, which no plot and no table takes",
            "the losses are numbers",
        )
    },
    slips=(
        Slip(
            "state_not_reset",
            "The network still holds the potentials of the batch before, and the graph that made them, through which "
            "`backward` has gone already. Each batch starts with forgetting: call `firing_rates(network, ...)`.",
            error=r"backward through the graph a second time",
        ),
        Slip(
            "losses_attached",
            "The losses are tensors that still carry their gradients: they hold on to every batch, and cannot be drawn. "
            "`loss.item()` is the number.",
            seen=lambda got, asked: not got["losses are numbers"],
        ),
        Slip(
            "weights_not_moved",
            "The weights are the same before and after. Is `optimiser.step()` called, after `loss.backward()`?",
            seen=lambda got, asked: float(got["moved"]) == 0,
        ),
        Slip(
            "weights_hardly_moved",
            "The weights hardly move: none by more than two learning rates in the whole training. Adam moves each by about "
            "the learning rate in every step. Is it `torch.optim.Adam` with `lr=learning_rate`, made once?",
            seen=lambda got, asked: 0 < float(got["moved"]) < HARDLY,
        ),
        Slip(
            "silent",
            "No output neuron ever fires, so each answer is the first class. See the section on dead networks.",
            seen=lambda got, asked: float(got["moved"]) >= HARDLY and not got["rates"].any(),
        ),
        Slip(
            "loss_per_batch",
            "There is one number for each batch. Average the batches of an epoch, weighted by their size.",
            seen=one_for_each_batch,
        ),
        Slip(
            "gradients_not_cleared",
            "The gradients of earlier batches are still in the sum: `optimiser.zero_grad()` belongs before "
            "`loss.backward()`.",
            seen=lambda got, asked: float(got["gradient growth"]) > 2,
        ),
        Slip(
            "labels_apart",
            "The weights move, and the accuracy stays near chance. Are frames and labels taken with the same indices?",
            seen=lambda got, asked: (
                float(got["moved"]) >= HARDLY
                and float(got["gradient growth"]) <= 2
                and bool(got["rates"].any())
                and accuracy(got, asked) < CHANCE
            ),
        ),
        Slip(
            "global_generator",
            "The order of the batches comes from torch's global generator. Draw it from "
            "`torch.Generator().manual_seed(seed)`.",
            seen=lambda got, asked: (
                got["losses"].shape == got["again"].shape
                and not np.allclose(got["losses"], got["again"], rtol=1e-4)
            ),
        ),
    ),
    hints=(
        "For each batch: rates, loss, gradients to zero, backward, step. What has to be forgotten between batches, "
        "and what between epochs?",
        "The loss of a batch is the mean squared difference between `firing_rates(network, frames[:, chosen])` and "
        "the one-hot labels; time is the first axis, so the batch is chosen on the second.",
        "`order = torch.randperm(len(labels), generator=generator)`, then `for chosen in order.split(batch):` with "
        "`loss = F.mse_loss(rates, F.one_hot(labels[chosen], 10).float())`, `optimiser.zero_grad()`, "
        "`loss.backward()`, `optimiser.step()`; add `loss.item() * len(chosen)` and divide by `len(labels)` at the end.",
    ),
    withheld=("snnkit.training.fit",),
)
