"""Training with the staircase."""

from functools import cache

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from . import recording
from .neurons import run
from .recording_probe import losses, order, steps
from .training_probe import learned

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
    shown = {**recording.images(rng, 33), "epochs": recording.EPOCHS}
    options = {**recording.OPTIONS, "seed": int(rng.integers(1, 1000))}
    some = recording.images(rng, 65)
    for group, probe in (("order", order), ("steps", steps), ("losses", losses)):
        yield Case(group, "33 images in batches of 16", call(probe, **shown, options=options))
        usual = call(probe, **some, epochs=2, options={})
        yield Case(group, "65 images, learning rate, batch and seed as they are by default", usual)


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


def not_moved(got, asked):
    if "start" in got:
        return len(got["gradients"]) > 0 and np.array_equal(got["start"], got["end"])
    return float(got["moved"]) == 0


def not_cleared(got, asked):
    if "start" in got:
        return recording.like(piled=True)(got, asked)
    return asked["epochs"] == EPOCHS and float(got["gradient growth"]) > 2


def clips_left_out(got, asked):
    if "start" in got:  # the clip is the last parameter
        return got["start"][-1] == got["end"][-1] and not np.array_equal(got["start"], got["end"])
    return asked["epochs"] < EPOCHS and float(got["moved"]) > 0 and stayed(got).all()


QUESTION = Question(
    "ps5.training",
    "Training with the staircase",
    (
        Group(
            "learns",
            1.0,
            f"converted, names at least {BAR:.0%} of the test digits with {LEVELS} time steps",
            judge=judge_learning,
        ),
        Group("clips", 0.5, "the clips are trained too", judge=judge_clips),
        Group("order", 0.5, "each image once an epoch, in a new order from the seed", recording.judge_order),
        Group("steps", 0.5, "a step of one and the same Adam for each batch", recording.judge_steps),
        Group("losses", 0.5, "returns the mean loss of each epoch", recording.judge_losses),
    ),
    cases,
    ("train",),
    within=Tolerance(0.0001, 1e-07, "two runs of one program differ at most by the order of sums"),
    slips=(
        Slip(
            "weights_not_moved",
            "The weights are the same before and after. Is `optimiser.step()` called, after "
            "`loss.backward()`?",
            seen=not_moved,
        ),
        Slip(
            "gradients_not_cleared",
            "The gradients of earlier batches are still in the sum: `optimiser.zero_grad()` belongs before "
            "`loss.backward()`.",
            seen=not_cleared,
        ),
        Slip(
            "clips_left_out",
            "The weights move and the clips do not. `network.parameters()` holds both.",
            seen=clips_left_out,
        ),
        Slip(
            "last_batch_dropped",
            "The last, smaller batch of an epoch is left out. Its images count as well.",
            seen=recording.last_dropped,
        ),
        Slip(
            "not_shuffled",
            "The images come in the order in which they were handed over. Draw a random order for each epoch "
            "with `torch.randperm`.",
            seen=recording.not_shuffled,
        ),
        Slip(
            "same_order",
            "Each epoch has the same order, as if the generator were seeded anew, or the order drawn once. Seed it "
            "once, before the first epoch, and draw an order in each.",
            seen=recording.same_order,
        ),
        Slip(
            "global_generator",
            "The order of the batches comes from torch's global generator. Draw it from "
            "`torch.Generator().manual_seed(seed)`.",
            seen=recording.other_order,
        ),
        Slip(
            "seed_ignored",
            "Another `seed` gives the same order. Seed the generator with the argument.",
            seen=recording.seed_ignored,
        ),
        Slip(
            "new_optimiser",
            "Adam begins anew in every epoch and forgets its running means. Make it once, before the first epoch.",
            seen=recording.like(anew=True),
        ),
        Slip(
            "learning_rate_ignored",
            "The steps are those of another learning rate than the one that was asked for. Hand `learning_rate` to "
            "the optimiser.",
            seen=recording.other_rate,
        ),
        Slip(
            "loss_per_batch",
            "There is one number for each batch. Average the batches of an epoch, weighted by their size.",
            seen=recording.instead_of_losses(recording.one_for_each_batch),
        ),
        Slip(
            "mean_of_means",
            "This is the mean of the batches' mean losses, in which the images of the small last batch count for "
            "more than the others. Weight each batch by its size.",
            seen=recording.instead_of_losses(recording.mean_of_means),
        ),
        Slip(
            "last_batch_only",
            "This is the loss of the last batch of an epoch. Average over all of its images.",
            seen=recording.instead_of_losses(recording.last_batch),
        ),
        Slip(
            "loss_summed",
            "The losses of an epoch are summed. Divide, so that each image counts once in a mean.",
            seen=recording.instead_of_losses(recording.summed),
        ),
        Slip(
            "loss_after_epoch",
            "These losses were measured when the epoch was over. The loss of an epoch is that of its batches, as they "
            "were learnt from.",
            seen=recording.instead_of_losses(recording.after_the_epoch),
        ),
        Slip(
            "loss_on_graph",
            "The losses still hang on the graph, so that all of its batches stay in memory and no figure can be "
            "drawn. `loss.item()` is the number.",
            seen=recording.on_the_graph,
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
