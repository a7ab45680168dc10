"""Training with an adaptive temperature."""

from functools import cache, partial

import numpy as np
import torch

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .training_probe import Network, course, learned, losses, temperatures

BAR, CHANCE = 0.78, 0.3
"""The reference names 87 to 92 % (8 seeds); without clearing gradients 53 to 67 %, with one batch an epoch 18 to 49 %."""
ALL = 0.99
COUNT = 33
"""Digits of which one is left for the last batch: a mean over batches is another number than one over digits."""


@cache
def digits():
    """700 digits to learn from and 300 others."""
    from snnkit import datasets

    pixels, labels = datasets.digits("train").tensors()
    flat = pixels.flatten(1).numpy()
    learn = {"pixels": flat[:700].copy(), "labels": labels[:700].numpy().copy()}
    return learn, {"held_out": flat[700:1000].copy(), "held_out_labels": labels[700:1000].numpy().copy()}


def cases(rng):
    every, others = digits()
    drawn = rng.permutation(len(every["labels"]))[:500]
    learn = {name: array[drawn] for name, array in every.items()}
    first, second, third = (int(seed) for seed in rng.choice(1000, 3, replace=False))
    for seed in (first, second):
        asked = {**learn, **others, "seed": seed, "b": 3.0, "epochs": 6}
        yield Case("learns", f"seed {seed}", call(learned, **asked))
    few = {name: array[:80] for name, array in learn.items()}
    for label, rate in (("defaults", {}), ("learning rate 0.02", {"learning_rate": 0.02})):
        budget = {"epochs": 4, "batch": 100} | rate
        yield Case("losses", f"one batch, {label}", call(course, **few, seed=third, budget=budget))
    asked = {**few, "seed": third, "b": 3.0, "rise": -0.5, "epochs": 3}
    yield Case("temperatures", f"seed {third}", call(temperatures, **asked))
    few = {name: array[:COUNT] for name, array in learn.items()}
    yield Case("losses", f"seed {third}", call(losses, **few, seed=third, b=3.0))


def accuracy(got, asked):
    return float((got["scores"].argmax(1) == asked["held_out_labels"]).mean())


def judge_learning(got, asked):
    if accuracy(got, asked) < BAR:
        return (
            f"after {asked['epochs']} epochs on {len(asked['labels'])} digits the network names {accuracy(got, asked):.0%} of "
            f"{len(asked['held_out_labels'])} others; the bar is {BAR:.0%} (chance is 10%)"
        )
    return None


def start_losses(got, asked):
    """Cross entropy of each digit's scores by the untrained network."""
    scores = got["scores"].astype(np.float64)
    scores = scores - scores.max(1, keepdims=True)
    picked = scores[np.arange(len(scores)), asked["labels"]]
    return np.log(np.exp(scores).sum(1)) - picked


def means_of_batches(got, asked):
    """Of two epochs, the mean over batches of the mean over their digits."""
    of_digits = torch.from_numpy(start_losses(got, asked))
    generator = torch.Generator().manual_seed(asked["seed"])
    orders = [torch.randperm(len(of_digits), generator=generator).split(32) for _ in range(2)]
    return [float(np.mean([float(of_digits[chosen].mean()) for chosen in order])) for order in orders]


def by_the_text(asked, rate=None):
    """Losses of the training that the problem set describes, of one batch, on arrays."""
    pixels, labels, budget = (
        torch.from_numpy(asked["pixels"]),
        torch.from_numpy(asked["labels"]),
        asked["budget"],
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(asked["seed"])
        network = Network(3.0)
    optimiser = torch.optim.Adam(network.parameters(), lr=rate or budget.get("learning_rate", 5e-3))
    found = []
    for _ in range(budget["epochs"]):
        loss = torch.nn.functional.cross_entropy(network(pixels), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(float(loss.detach()))
    return np.array(found)


def judge_course(got, asked):
    found, wanted = got["losses"], by_the_text(asked)
    if found.shape != wanted.shape:
        return f"`train` returned losses of shape {list(found.shape)}; expected one for each of {len(wanted)} epochs"
    if got["temperatures"].shape != wanted.shape or got["temperatures"][0] != 3:
        return "without `b` the first temperature is not 3"
    far = ~np.isclose(found, wanted, rtol=2e-3)
    if far.any():
        at = int(far.argmax())
        return (
            f"with all {len(asked['labels'])} digits in one batch, the loss of epoch {at + 1} is {found[at]:.5g}; expected "
            f"{wanted[at]:.5g} with the loss and the optimiser asked for"
        )
    return None


def judge_losses(got, asked):
    if "budget" in asked:
        return judge_course(got, asked)
    found = got["losses"]
    if found.shape != (2,):
        return (
            f"`train` returned losses of shape {list(found.shape)}; expected one number for each of 2 epochs"
        )
    wanted = start_losses(got, asked).mean()
    if not np.allclose(found, wanted, rtol=1e-4):
        return (
            f"with the learning rate 0 and {COUNT} digits in batches of 32 and {COUNT - 32}, the mean loss of an epoch is "
            f"{found[0]:.5g}; expected {wanted:.5g}, the mean over the digits"
        )
    return None


def chosen(asked, *, kept=True, chosen_late=False, is_set=True):
    """The course of the temperature, with the ways in which it can go wrong."""
    b, rise, epochs = asked["b"], asked["rise"], asked["epochs"]
    after = [b + rise * (epoch + 1 if kept else 1) for epoch in range(epochs)]
    before = [b, *after[:-1]]
    used = before if chosen_late else after if is_set else [b]
    return {
        "temperatures": after,
        "temperatures asked about": before if kept else [b] * epochs,
        "temperatures learnt with": used if kept else used[:1],
        "digits shown to choose": [32] * epochs,
        "they are the first batch in the order of the seed": [True] * epochs,
    }


def losses_are(got, expected):
    """Whether these losses came back, one for each epoch."""
    return got["losses"].ndim == 1 and bool(np.allclose(got["losses"], expected, rtol=2e-3))


def sums(got, asked):
    """Whether losses are sums over digits."""
    means = by_the_text(asked) if "budget" in asked else start_losses(got, asked).mean()
    return losses_are(got, means * len(asked["labels"]))


def own_rate(got, asked):
    """Whether the learning rate is not the one that was handed in: the weights move at 0, or the default is at work."""
    if "budget" not in asked:
        return not got["weights stayed"]
    return "learning_rate" in asked["budget"] and losses_are(got, by_the_text(asked, 5e-3))


QUESTION = Question(
    "ps3.training",
    "Training with an adaptive temperature",
    (
        Group(
            "learns", 1.5, f"names at least {BAR:.0%} of other digits after 6 epochs", judge=judge_learning
        ),
        Group("temperatures", 1.0, "the temperature is chosen, set and kept, once per epoch"),
        Group("losses", 0.5, "the mean loss of each epoch, over digits", judge=judge_losses),
    ),
    cases,
    ("train",),
    chosen,
    within=Tolerance(1e-06, 1e-09, "sums of temperatures in double precision"),
    facts={
        "they are the first batch in the order of the seed": (
            "the digits shown to `choose` are not the first batch in the order of the seed",
            "the digits shown to `choose` are the first batch",
        )
    },
    slips=(
        Slip(
            "learning_rate_ignored",
            "Whatever the learning rate, the weights move as fast: the optimiser does not get `lr=learning_rate`.",
            seen=own_rate,
        ),
        Slip(
            "labels_apart",
            "The accuracy stays near chance. Are pixels and labels taken with the same indices?",
            seen=lambda got, asked: (
                float(got["gradient growth"]) <= 2
                and float(got["share seen"]) >= ALL
                and accuracy(got, asked) < CHANCE
            ),
        ),
        Slip(
            "gradients_not_cleared",
            "The gradients of earlier batches are still in the sum: `optimiser.zero_grad()` belongs before "
            "`loss.backward()`.",
            seen=lambda got, asked: float(got["gradient growth"]) > 2,
        ),
        Slip(
            "one_batch_an_epoch",
            "Only a part of the digits is learnt from in an epoch. Go through all batches of the order, the "
            "first one too.",
            seen=lambda got, asked: float(got["share seen"]) < ALL,
        ),
        Slip(
            "choice_not_kept",
            "Every epoch starts again from the first temperature. The next epoch goes on from the b that was "
            "chosen.",
            gives=partial(chosen, kept=False),
        ),
        Slip(
            "chosen_after_learning",
            "The temperature is chosen at the end of an epoch and used in the next one. Choose and set it "
            "before the first batch is learnt.",
            gives=partial(chosen, chosen_late=True),
        ),
        Slip(
            "never_set",
            "The network learns with its first temperature all the time: call `network.set_temperature(b)` "
            "after the choice.",
            gives=partial(chosen, is_set=False),
        ),
        Slip(
            "sum_for_mean",
            "This is the sum of the losses over digits. Divide by their number.",
            seen=sums,
        ),
        Slip(
            "batches_not_weighted",
            "This is the mean over batches. The last batch is smaller, so its digits count for more: weight "
            "each batch by its size.",
            seen=lambda got, asked: losses_are(got, means_of_batches(got, asked)),
        ),
    ),
    hints=(
        "What happens once per epoch, and what once per batch? In which order do choosing, setting and "
        "learning come?",
        "Once per epoch: draw the order, split it into batches, choose b with the first batch, set it. "
        "Then for each batch: loss, gradients to zero, backward, step.",
        "`order = torch.randperm(len(labels), generator=generator).split(batch)`, `b = choose(network, "
        "pixels[order[0]], labels[order[0]], b)`, `network.set_temperature(b)`, and `total += "
        "loss.item() * len(chosen)` in the inner loop; append `total / len(labels)` and `b`.",
    ),
    withheld=("snnkit.training.fit", "snnkit.dspike.TemperatureController"),
)
