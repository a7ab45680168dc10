"""Training with the staircase."""

import math
from functools import cache

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .neurons import run
from .training_probe import learned, repeated, still

BAR = 0.75
"""The reference names 90 to 92 % with four time steps (5 seeds); without clearing gradients 23 to 27 %."""

LEVELS, LEARN, EPOCHS = 4, 1000, 10
NETWORK = {"hidden": [48, 48, 48], "clip": 4.0, "levels": LEVELS}


@cache
def digits():
    """Digits to learn from, and the test digits on which the converted network is held."""
    from snnkit import datasets

    train, test = datasets.digits("train", LEARN), datasets.digits("test")
    learn = {"images": train.images.reshape(LEARN, -1), "labels": train.labels}
    return learn, (test.images.reshape(len(test.labels), -1), test.labels)


def cases(rng):
    def first(count):
        return {name: array[:count] for name, array in digits()[0].items()} | {"network": NETWORK}

    seed = int(rng.integers(1, 1000))
    yield Case("learns", f"seed {seed}", call(learned, **first(LEARN), seed=seed, epochs=EPOCHS))
    yield Case("clips", "seed 3", call(learned, **first(320), seed=3, epochs=3))
    yield Case("losses", "seed 4", call(repeated, **first(LEARN), seed=4, epochs=5))
    yield Case("losses", "no learning", call(still, **first(100), seed=5))


def accuracy(got, steps=LEVELS):
    """Accuracy of the converted network on the test digits, by a plain run over time."""
    images, labels = digits()[1]
    signal = np.repeat(images.astype(np.float64)[None], steps, axis=0)
    clips = [float(clip) for clip in got["clips"]]
    if min(clips) <= 0:
        return 0.0
    for place, clip in enumerate(clips):
        currents = signal @ got[f"weight {place}"].T.astype(np.float64) + got[f"bias {place}"]
        signal = run(currents, clip, clip / 2)[0] * clip
    last = len(clips)
    logits = (signal @ got[f"weight {last}"].T.astype(np.float64) + got[f"bias {last}"]).mean(0)
    return float((logits.argmax(1) == labels).mean())


def judge_learning(got, asked):
    found = accuracy(got)
    if found < BAR:
        return (
            f"after {asked['epochs']} epochs on {len(asked['labels'])} digits the converted network names "
            f"{found:.0%} of {len(digits()[1][1])} test digits with T = {LEVELS}; the bar is {BAR:.0%} "
            "(chance is 10%)"
        )
    return None


def stayed(got):
    return np.abs(got["clips"] - NETWORK["clip"]) < 1e-6


def judge_clips(got, asked):
    if stayed(got).any():
        return f"the clips are {np.round(got['clips'], 4).tolist()} after training and began at {NETWORK['clip']:g}"
    return None


def judge_losses(got, asked):
    losses, epochs = got["losses"], asked.get("epochs", 2)
    if losses.shape != (epochs,):
        return f"`train` returned losses of shape {list(losses.shape)}; expected one number for each of {epochs} epochs"
    if "scores" in got:
        scores = got["scores"].astype(np.float64)
        picked = scores[np.arange(len(scores)), asked["labels"]]
        wanted = float((np.log(np.exp(scores).sum(1)) - picked).mean())
        if not np.allclose(losses, wanted, rtol=1e-3):
            return (
                f"with the learning rate 0 and {len(scores)} digits in batches of 64 the loss of an epoch is "
                f"{losses[0]:.5g}; expected {wanted:.5g}, the mean over the digits"
            )
        return None
    again = got["again"]
    if not np.isfinite(losses).all() or not losses[-1] < 0.9 * losses[0]:
        return f"the loss goes from {losses[0]:.4g} to {losses[-1]:.4g}; it should fall by more than a tenth"
    if losses.shape != again.shape or not np.allclose(losses, again, rtol=1e-4, atol=1e-7):
        return "two trainings of the same initial network with the same seed gave different losses"
    return None


def one_for_each_batch(got, asked):
    losses = got["losses"]
    batches = math.ceil(len(asked["labels"]) / 64)
    return losses.ndim == 1 and losses.size == asked.get("epochs", 2) * batches


def other_order(got, asked):
    return got["losses"].shape == got["again"].shape == (asked["epochs"],) and not np.allclose(
        got["losses"], got["again"], rtol=1e-4
    )


QUESTION = Question(
    "ps5.training",
    "Training with the staircase",
    (
        Group(
            "learns",
            1.5,
            f"converted, names at least {BAR:.0%} of the test digits with {LEVELS} time steps",
            judge=judge_learning,
        ),
        Group("clips", 0.5, "the clips are trained too", judge=judge_clips),
        Group(
            "losses",
            1.0,
            "returns the mean loss of each epoch, falling, the same for a seed",
            judge=judge_losses,
        ),
    ),
    cases,
    ("train",),
    within=Tolerance(0.0001, 1e-07, "two runs of one program differ at most by the order of sums"),
    slips=(
        Slip(
            "weights_not_moved",
            "The weights are the same before and after. Is `optimiser.step()` called, after "
            "`loss.backward()`?",
            seen=lambda got, asked: float(got["moved"]) == 0,
        ),
        Slip(
            "gradients_not_cleared",
            "The gradients of earlier batches are still in the sum: `optimiser.zero_grad()` belongs before "
            "`loss.backward()`.",
            seen=lambda got, asked: asked["epochs"] == EPOCHS and float(got["gradient growth"]) > 2,
        ),
        Slip(
            "clips_left_out",
            "The weights move and the clips do not. `network.parameters()` holds both.",
            seen=lambda got, asked: (
                asked["epochs"] < EPOCHS and float(got["moved"]) > 0 and stayed(got).all()
            ),
        ),
        Slip(
            "loss_per_batch",
            "There is one number for each batch. Average the batches of an epoch, weighted by their size.",
            seen=one_for_each_batch,
        ),
        Slip(
            "global_generator",
            "The order of the batches comes from torch's global generator. Draw it from "
            "`torch.Generator().manual_seed(seed)`.",
            seen=other_order,
        ),
    ),
    hints=(
        "For each batch: logits, loss, gradients to zero, backward, step. The activations are modules, "
        "so their clips are among the network's parameters.",
        "Cross-entropy takes logits and labels as they are: `F.cross_entropy(network(images[chosen]), "
        "labels[chosen])`. The order of each epoch comes from a generator of your own, seeded once.",
        "`for chosen in torch.randperm(len(labels), generator=generator).split(batch):` with the loss "
        "above, `optimiser.zero_grad()`, `loss.backward()`, `optimiser.step()`; add `loss.item() * "
        "len(chosen)` and divide by `len(labels)` at the end of the epoch.",
    ),
    withheld=("snnkit.training.fit",),
)
